"""The benchmark of standalone modules under the command line of wasmtime."""

from __future__ import annotations

import json

import pytest

from wasm_host.bench.sections.standalone import EMPTY
from wasm_host.peers import wasmtime_command
from wasm_host.peers.wasmtime_command import find_wasmtime

WORDS = ["--json", "--quick", "--repeat", "1", "--only", "standalone", "--example", "sieve"]


def test_modules_are_compared_with_the_same_runs_here(pvm):
    if isinstance(reason := find_wasmtime(), str):
        pytest.skip(f"{reason}; the extra `test` brings it, too")
    done = pvm("bench", *WORDS)
    assert done.status == 0, done.stderr
    section = json.loads(done.stdout)["sections"]["standalone"]
    runs = [f"sieve: {tier}" for tier in ("recompiler", "interpreter")]
    assert set(section["figures"]) == {EMPTY, *runs, *(f"{run}, module" for run in runs)}
    assert len(section["ratios"]) == 2 and section["facts"]["sieve: bytes"] > 30_000


def test_it_says_that_the_command_is_absent(pvm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(wasmtime_command, "find_spec", lambda name: None)
    done = pvm("bench", *WORDS)
    assert done.status == 0 and "is not on the PATH" in json.loads(done.stdout)["absent"]["wasmtime"]
