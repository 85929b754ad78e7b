"""Traces from disk, imported; and what is said of a step that fails."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.jam.constants import TINY
from pvm.jam.difference import differences
from pvm.jam.state import state_of
from pvm.jam.steps import read_step
from tests.pvm.jam.archives import DATA, members
from tests.pvm.jam.traces import host
from wasm_host.node.importing import import_trace
from wasm_host.node.traces import Trace, find_traces, read_traces


def first_steps(trace: str, count: int) -> list[tuple[str, bytes]]:
    files = {name.rsplit("/", 1)[-1]: data for name, data in members(f"blocks/{trace}", ".bin")}
    return [(name, files[name]) for name in sorted(files)[:count]]


def test_chains_in_which_implementations_disagreed() -> None:
    """A few of them, forks among them; all are for `pvm jam import`."""
    if not DATA.exists():
        pytest.skip(f"no public JAM data at {DATA}")
    results = []
    for name in ("1766244122", "1766255635"):
        for trace in read_traces(DATA / "reports" / f"{name}.tar.xz"):
            results += list(import_trace(trace, host()))
    assert [result for result in results if result.problem] == []
    assert {result.code for result in results} >= {None, "bad_ticket_attempt"}


def test_a_step_that_fails_shows_what_differs() -> None:
    (name, data), (later, more) = first_steps("fallback", 2)
    step = read_step(data, TINY)
    entries = dict(step.after.entries)
    slot = bytes([11]) + bytes(30)
    entries[slot] = (77).to_bytes(4, "little")
    after = state_of(entries.items(), TINY)
    cut = len(data) - len(step.after.octets) - 32
    body = step.after.octets.replace(slot + b"\4" + dict(step.after.entries)[slot], slot + b"\4" + entries[slot])
    failing = data[:cut] + after.root + body
    first, second = import_trace(Trace("broken", None, ((name, failing), (later, more))), host())
    assert first.problem is not None
    assert first.problem.startswith("root ")
    assert [(each.where, each.expected, each.got) for each in first.differences] == [("tau", 77, 1)]
    assert second.problem is None, "the next step begins from the state before it"


def test_fields_that_differ_are_named() -> None:
    _, data = first_steps("fallback", 1)[0]
    state = state_of(read_step(data, TINY).before.entries, TINY)
    other = state.updated({"psi": replace(state.psi, good=(bytes(32),)), "eta": (bytes(32), *state.eta[1:])}, {})
    found = {each.where: (each.expected, each.got) for each in differences(state, other)}
    assert found == {
        "psi.good[0]": (None, "0x" + "00" * 32),
        "eta[0]": ("0x" + state.eta[0].hex(), "0x" + "00" * 32),
    }


def test_archives_and_folders_are_found(tmp_path: Path) -> None:
    step = first_steps("fallback", 1)[0]
    folder = tmp_path / "chains" / "one"
    folder.mkdir(parents=True)
    (folder / step[0]).write_bytes(step[1])
    with tarfile.open(tmp_path / "chains" / "two.tar.xz", "w:xz") as archive:
        for name in ("a/00000001.bin", "b/00000001.bin", "b/readme.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = len(step[1])
            archive.addfile(entry, io.BytesIO(step[1]))
    found = find_traces([str(tmp_path / "chains")])
    names = [trace.name for path in found for trace in read_traces(path)]
    assert sorted(names) == ["a", "b", "one"]
    with pytest.raises(InputError, match="neither steps"):
        find_traces([str(_empty(tmp_path))])
    with pytest.raises(InputError, match="no such file"):
        find_traces([str(tmp_path / "nothing")])
    (tmp_path / "bad.tar.xz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"bad\.tar\.xz"):
        list(read_traces(tmp_path / "bad.tar.xz"))


def _empty(path: Path) -> Path:
    folder = path / "empty"
    folder.mkdir()
    return folder


def test_files_that_are_no_steps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"chain/00000001\.bin"):
        list(import_trace(Trace("chain", None, (("00000001.bin", bytes(40)),)), host()))
