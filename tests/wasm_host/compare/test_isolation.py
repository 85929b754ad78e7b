"""Contestants in processes of their own: what is sent back, limits, crashes."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from pvm.examples import example
from pvm.program import assemble
from wasm_host.compare.contestants import ALL, Ours, choose
from wasm_host.compare.isolation import Isolation
from wasm_host.compare.outcome import Missing, Outcome, Task
from wasm_host.peers.nodejs import find_node

HELLO = Task("hello", assemble(example("hello").source).encode(), "standard", b"X", 100_000, rounds=1, patience=0)
ENDLESS = replace(HELLO, data=assemble(".code\nagain: jump again\n").encode(), format="plain", args=b"", gas=1 << 63)
INTERPRETER = next(one for one in ALL if one.name == "interpreter")


def contestant(name: str):
    [one] = [one for one in choose((name,), ()) if one.name == name]
    reason = one.why_absent()
    if reason is not None:
        pytest.skip(reason)
    return one


@pytest.mark.parametrize("name", ["wasmtime-compiled", "node-interpreter", "node-recompiler"])
def test_other_hosts_end_as_the_interpreter_does(name: str) -> None:
    one = contestant(name)
    with Isolation(60) as isolation:
        expected, found = isolation.run(INTERPRETER, HELLO), isolation.run(one, HELLO)
        again = isolation.run(one, HELLO)
    assert isinstance(expected, Outcome) and isinstance(found, Outcome) and isinstance(again, Outcome)
    sees_memory = name.startswith("node")
    assert found.ending == (expected.ending if sees_memory else replace(expected.ending, memory="not seen"))
    assert again.ending == found.ending and found.used == expected.used


@pytest.mark.parametrize("name", ["interpreter", "node-interpreter", "wasmtime-run"])
def test_what_never_ends_is_stopped_with_all_that_it_started(name: str) -> None:
    one, groups = contestant(name), []
    with Isolation(1.5) as isolation:
        looker = threading.Timer(1, lambda: groups.extend(_children(name)))
        looker.start()
        found = isolation.run(one, ENDLESS)
        assert found == Missing("no end", "stopped after 1.5 s (--seconds gives more)")
    looker.join()
    assert groups
    time.sleep(0.2)
    assert not [pid for group in groups for pid in _alive_in(group)]


def test_an_engine_that_fails_is_told_and_the_next_runs() -> None:
    with Isolation(30) as isolation:
        found = isolation.run(Ours("broken", "no such tier"), HELLO)
        assert isinstance(found, Missing) and found.kind == "failed"
        assert found.text.startswith("InputError: unknown tier 'no such tier'")
        assert isinstance(isolation.run(INTERPRETER, HELLO), Outcome)


def test_a_process_that_dies_is_told() -> None:
    with Isolation(30) as isolation:
        killer = threading.Timer(1.5, lambda: [os.kill(pid, 9) for pid in _children("interpreter")])
        killer.start()
        found = isolation.run(INTERPRETER, ENDLESS)
        killer.join()
        assert found == Missing("failed", "its process ended (SIGKILL)")


def _children(name: str) -> list[int]:
    """The processes in which a contestant of this test runs."""
    return [child.pid for child in active_children() if child.name == f"pvm {name}" and child.pid is not None]


def _alive_in(group: int) -> list[int]:
    """Processes of a group that have not ended; who has may wait for somebody to take note."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            state, _, of = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(int(entry))
    return found


def test_an_old_node_is_no_node(tmp_path, monkeypatch) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v18.1.0\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("wasm_host.peers.nodejs.find_spec", lambda name: None)
    assert str(find_node(22)).startswith("node 18 is too old: node 22 or newer")
    monkeypatch.setenv("PATH", "")
    assert str(find_node(22)).startswith("node 22 or newer is not on the PATH")
