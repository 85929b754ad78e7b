"""`pvm cache`, and the options that turn the cache off."""

from __future__ import annotations

import json
import os

import pytest

from wasm_host.code import cache as cache_module
from wasm_host.code.cache import FOLDER_VARIABLE, LIMIT, CodeCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "code"))
    return tmp_path / "code"


def test_an_empty_cache(pvm, folder):
    result = pvm("cache")
    assert result.status == 0 and str(folder) in result.text and f"0 of at most {LIMIT:,}" in result.text
    assert json.loads(pvm("cache", "--json").text) == {
        "folder": str(folder), "problem": None, "entries": 0, "bytes": 0, "limit": LIMIT, "files": [],
    }  # fmt: skip
    assert not folder.exists()


def test_entries_are_listed_and_cleared(pvm, folder):
    cache = CodeCache(folder)
    for number, age in enumerate((5 * 86400, 7300)):
        cache.store(f"{number:064x}", (bytes(1000 * number),))
        path = folder / f"{number:064x}.pvmcode"
        used = path.stat().st_mtime - age
        os.utime(path, (used, used))
    text = pvm("cache").text
    assert "5 days ago" in text and "2 hours ago" in text
    found = json.loads(pvm("cache", "--json").text)
    assert found["entries"] == 2 and [file["name"][:64] for file in found["files"]] == [f"{1:064x}", f"{0:064x}"]
    assert found["bytes"] == sum(file["bytes"] for file in found["files"]) == sum(
        path.stat().st_size for path in folder.iterdir()
    )  # fmt: skip
    assert pvm("cache", "--clear").text.startswith(f"2 entries ({found['bytes']:,} bytes) removed from {folder}")
    assert list(folder.iterdir()) == []
    assert json.loads(pvm("cache", "--clear", "--json").text) == {
        "folder": str(folder), "removed": 0, "removed_bytes": 0
    }  # fmt: skip


def test_a_cache_that_is_off(pvm, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert f"{FOLDER_VARIABLE} is empty" in pvm("cache").text
    found = json.loads(pvm("cache", "--json").text)
    assert (found["folder"], found["limit"], found["files"]) == (None, 0, [])
    assert pvm("cache", "--clear").text == "0 entries (0 bytes) removed\n"


def test_folders_that_are_not_used(pvm, folder, tmp_path, monkeypatch):
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    assert "others may write to it" in pvm("cache").text
    folder.rmdir()
    folder.write_bytes(b"")
    assert "not a folder" in pvm("cache").text
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "below"))
    assert "not a directory" in json.loads(pvm("cache", "--json").text)["problem"]


def test_sources_from_the_future(pvm, folder, monkeypatch):
    cache_module._stamp.cache_clear()
    monkeypatch.setattr(cache_module, "_LOADED", 0)
    try:
        assert "newer than this process" in json.loads(pvm("cache", "--json").text)["problem"]
    finally:
        cache_module._stamp.cache_clear()


@pytest.mark.parametrize("tier", ["interpreter", "recompiler", "auto"])
def test_no_cache_writes_nothing(pvm_process, folder, tmp_path, tier):
    """Each in a process of its own, because the interpreter is compiled once a process."""
    source = tmp_path / "program.pvmasm"
    source.write_text("load_imm r1, 5\ntrap\n")
    for extra, written in ((("--no-cache",), False), ((), True)):
        process = pvm_process("run", source, "--tier", tier, *extra)
        process.communicate(timeout=60)
        assert process.returncode == 1
        assert folder.exists() is written


@pytest.mark.parametrize("protection", ["auto", "software"])
def test_results_are_the_same_with_every_option(pvm, folder, protection):
    options = ("--protection", protection, "--tier", "recompiler", "--json")
    cold, warm, off = (pvm("run", "example:hello", *options, *extra) for extra in ((), (), ("--no-cache",)))
    assert cold.status == warm.status == off.status == 0
    assert cold.stdout == warm.stdout == off.stdout
    assert len(list(folder.iterdir())) >= 1


@pytest.mark.parametrize("command", ["vectors", "replay"])
def test_vectors_and_replay_take_the_options(pvm, bad_input, folder, tmp_path, command):
    path = tmp_path / "file"
    vector = json.dumps({
        "name": "ours", "initial-regs": [0] * 13, "initial-pc": 0, "initial-page-map": [], "initial-memory": [],
        "initial-gas": 10, "program": [0, 0, 1, 0, 1], "expected-status": "panic", "expected-regs": [0] * 13,
        "expected-pc": 0, "expected-memory": [], "expected-gas": 9,
    })  # fmt: skip
    trace = "program 0x0000010001\nstart pc=0 gas=100\nPANIC=0 pc=0 gas=99\n"
    path.write_text(vector if command == "vectors" else trace)
    options = (command, path, "--tier", "recompiler", "--protection", "software")
    assert pvm(*options, "--no-cache").status == 0
    assert not folder.exists()
    assert pvm(*options).status == 0
    assert folder.exists()
    bad_input((command, path, "--protection", "none"), "--protection")


def test_many_entries_are_summed_up(pvm, folder):
    cache = CodeCache(folder)
    for number in range(25):
        cache.store(f"{number:064x}", (bytes(100),))
    text = pvm("cache").text
    assert text.count("ago") + text.count("now") <= 22 and "and 5 older entries: --json has them" in text
    assert len(json.loads(pvm("cache", "--json").text)["files"]) == 25
