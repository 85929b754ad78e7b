"""Running standalone modules through wasmtime's Python package, and single functions of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
import wasmtime

from pvm.isa import Spec
from pvm.machine import Machine, Reason
from pvm.report import Report
from pvm.standalone import STATUSES, interpreter_command


@dataclass(frozen=True)
class Ended:
    """How a module ended."""

    status: int
    stdout: str
    stderr: str


@lru_cache(maxsize=64)
def compiled(module: bytes) -> wasmtime.Module:
    return wasmtime.Module(_engine(), module)


@lru_cache(maxsize=1)
def _engine() -> wasmtime.Engine:
    return wasmtime.Engine()


_core = lru_cache(interpreter_command)
RunModule = Callable[..., Ended]


@pytest.fixture
def run_module(tmp_path: Path) -> RunModule:
    """`run_module(bytes, *args, stdin=b"", folders={name: path})` runs a module as a WASI command."""

    def run(module: bytes, *args: object, stdin: bytes = b"", folders: dict[str, Path] | None = None) -> Ended:
        out, err, given = (tmp_path / name for name in (".stdout", ".stderr", ".stdin"))
        given.write_bytes(stdin)
        config = wasmtime.WasiConfig()
        config.argv = ["module.wasm", *map(str, args)]
        config.stdin_file, config.stdout_file, config.stderr_file = given, out, err
        for name, folder in (folders or {}).items():
            config.preopen_dir(str(folder), name)
        store = wasmtime.Store(_engine())
        store.set_wasi(config)
        linker = wasmtime.Linker(_engine())
        linker.define_wasi()
        start = linker.instantiate(store, compiled(module)).exports(store)["_start"]
        status = 0
        try:
            start(store)
        except wasmtime.ExitTrap as trap:
            status = trap.code
        del store
        return Ended(status, out.read_text(), err.read_text())

    return run


@pytest.fixture
def run_core(run_module: RunModule, tmp_path: Path) -> RunModule:
    """`run_core(program bytes, spec, metering, *args, format="auto")` runs the interpreter's module on a file."""

    def run(data: bytes, spec: Spec, metering: str, *args: object, format: str = "auto") -> Ended:
        (tmp_path / "program.pvm").write_bytes(data)
        return run_module(_core(spec, metering, format), "program.pvm", *args, folders={".": tmp_path})

    return run


@pytest.fixture
def expect() -> Callable[..., tuple[int, str]]:
    """See `_expected`."""
    return _expected


def _expected(machine: Machine, gas: int, tier: str, spec: Spec, metering: str, format: str) -> tuple[int, str]:
    """The status and the text that a module has to end with where this machine, made with `gas`, runs to an exit."""
    exit = machine.run()
    result = machine.result() if exit.reason is Reason.HALT else b""
    report = Report(
        exit.reason.value, exit.pc, exit.gas, gas - exit.gas, list(machine.registers), result.hex(), exit.address,
        exit.call, tier, spec.name, metering, format,
    )  # fmt: skip
    return STATUSES[exit.reason], report.as_json() + "\n"
