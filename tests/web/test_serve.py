"""The small web server."""

from __future__ import annotations

import gzip
import http.client
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm_web import serve
from pvm_web.serve import server, serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "sub").mkdir(parents=True)
    for name in ("index.html", "a.mjs", "b.wasm", "c.json", "d.css", "e.svg", "sub/f.whl", "g.zip"):
        (page / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    return page


def test_types(folder: Path) -> None:
    wanted = {
        "": "text/html; charset=utf-8", "a.mjs": "text/javascript", "b.wasm": "application/wasm",
        "c.json": "application/json", "d.css": "text/css; charset=utf-8", "e.svg": "image/svg+xml",
        "sub/f.whl": "application/octet-stream", "g.zip": "application/zip",
    }  # fmt: skip
    with serving(folder) as url:
        assert url.startswith("http://127.0.0.1:")
        for name, type in wanted.items():
            with urllib.request.urlopen(url + name) as answer:
                assert answer.headers["Content-Type"] == type
                assert answer.read().decode() == (name or "index.html")


def test_nothing_outside_and_no_lists_of_folders(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "away").symlink_to(folder.parent)
    (folder / "linked").mkdir()
    (folder / "linked" / "index.html").symlink_to(folder.parent / "secret")
    with serving(folder) as url:
        host = url.removeprefix("http://").rstrip("/")
        for path in (
            "/../secret", "/%2e%2e/secret", "/sub/", "/nothing", "/..%2fsecret", "/%00", "/index.html%00",
            "/a.mjs%00.x", "/link", "/linked/", "/away/secret", "/sub/f.whl/", "/%ff", "/" + "x" * 5000,
        ):  # fmt: skip
            connection = http.client.HTTPConnection(host)
            connection.request("GET", path)
            assert connection.getresponse().status == 404
            connection.close()


def test_links_within_the_folder_and_to_it_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "same.mjs").symlink_to("a.mjs")
    (tmp_path / "other").symlink_to(folder)
    with serving(tmp_path / "other") as url, urllib.request.urlopen(url + "same.mjs") as answer:
        assert answer.read() == b"a.mjs"


def test_a_port_that_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: address already in use"):
            server(folder, port)
        monkeypatch.setattr(serve, "PORT", port)
        with server(folder) as other:
            assert port < other.server_port < port + 20


def test_it_ends_when_it_is_left(folder: Path) -> None:
    with serving(folder) as url:
        pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url)


def test_a_folder_without_a_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no index"):
        server(tmp_path)


def test_files_are_compressed_for_whoever_takes_that(folder: Path) -> None:
    text = "const a = 1;\n" * 1000
    (folder / "long.mjs").write_text(text)
    with serving(folder) as url:
        asked = urllib.request.Request(url + "long.mjs", headers={"Accept-Encoding": "gzip, br"})
        with urllib.request.urlopen(asked) as answer:
            data = answer.read()
            assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Content-Type"] == "text/javascript"
        assert len(data) < 200 and gzip.decompress(data).decode() == text
        with urllib.request.urlopen(url + "long.mjs") as answer:
            assert answer.headers["Content-Encoding"] is None and answer.read().decode() == text
        (folder / "long.mjs").write_text("b")
        with urllib.request.urlopen(asked) as answer:
            assert gzip.decompress(answer.read()) == b"b"
