"""`pvm bench --only browser`, at tiny sizes. No test looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from wasm_host.bench.sections import browser, programs
from wasm_host.peers import chromium


def bench(*arguments: str) -> dict[str, Any]:
    """What the command prints with --json: in another process, since only one playwright runs in each."""
    command = [sys.executable, "-c", "from wasm_host.cli import main; main()", "bench", "--json", "--quick"]
    run = subprocess.run(
        [*command, "--only", "browser", "--repeat", "1", *arguments], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.skipif(chromium.obstacle() is not None, reason=f"no Chromium: {chromium.obstacle()}")
def test_programs_beside_wasmtime() -> None:
    report = bench("--example", "sieve", "--example", "fibonacci")
    for name in ("sieve", "fibonacci"):
        section = report["sections"][name]
        assert {browser.INTERPRETER, browser.RECOMPILER, programs.INTERPRETER} <= set(section["figures"])
        assert {"Chromium / interpreter", f"Chromium / {programs.BY_SOFTWARE}"} <= set(section["ratios"])
        assert not section["problems"]
    assert "Chromium" in report["about"]


def test_what_keeps_it_from_measuring_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    assert "chromium" in (chromium.obstacle() or "")
    with pytest.raises(Exception, match="no Chromium"), chromium.chromium():
        pass
