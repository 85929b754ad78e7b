"""`pvm web`: the command line around `pvm_web.build` and `pvm_web.serve`, whose own tests are in tests/web."""

from __future__ import annotations

import re
import signal
import urllib.request


def test_help(pvm):
    assert pvm("web").text == pvm("web", "--help").text
    for name in ("build", "serve"):
        assert f"pvm web {name}" in pvm("web", name, "--help").text


def test_build(pvm, tmp_path):
    result = pvm("web", "build", "--out", tmp_path / "page", "--cdn")
    assert result.status == 0 and not result.stderr
    assert re.fullmatch(r".*/page: \d+ files, [\d,]+ bytes\n", result.text)
    assert (tmp_path / "page" / "index.html").is_file()


def test_bad_input(pvm, bad_input, tmp_path):
    (tmp_path / "x").write_text("x")
    bad_input(("web", "build"), "--out: missing")
    bad_input(("web", "build", "--out", tmp_path, "--cdn"), "has files in it")
    bad_input(("web", "build", "--out", tmp_path / "p", "--cdn", "--pyodide", "x"), "--cdn")
    bad_input(("web", "build", "--out", tmp_path / "p", "--pyodide", tmp_path / "no"), "cannot be read")
    bad_input(("web", "serve", "--dir", tmp_path), "no index.html")
    bad_input(("web", "serve", "--dir", tmp_path, "--cdn"), "--dir")
    bad_input(("web", "serve", "--port", "70000"), "--port")


def test_serve_until_interrupted(pvm, pvm_process, tmp_path):
    folder = tmp_path / "page"
    pvm("web", "build", "--out", folder, "--cdn")
    process = pvm_process("web", "serve", "--dir", folder, "--port", "0")
    url = process.stdout.readline().split()[0].decode()
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == (folder / "index.html").read_bytes()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read() == b""
