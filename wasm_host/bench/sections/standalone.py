"""Standalone modules under the command line of wasmtime, each run a process, beside the same run in this process.

In: workloads. Out: a `Section` in nanoseconds a run, in which an empty module says what wasmtime takes for itself.
"""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pvm.errors import EngineError
from pvm.isa import Spec
from pvm.standalone import Defaults, interpreter_command, program_command
from pvm.wasm import Export, ExternalKind, Function, FunctionType, Module, encode
from wasm_host.bench.measure import Subject, elapsed
from wasm_host.bench.report.figures import Ratio, Report
from wasm_host.bench.workloads import GAS, Workload
from wasm_host.engine import SOFTWARE, Engine
from wasm_host.peers.wasmtime_command import find_wasmtime, wasmtime_command

EMPTY = "an empty module"
_METERING = "instruction"
_HINTS = ("-W", "branch-hinting")
_START = Function(FunctionType(), (), b"", "_start")
_EMPTY_MODULE = encode(Module(functions=(_START,), exports=(Export("_start", ExternalKind.FUNCTION, 0),)))


def measure_standalone(report: Report, spec: Spec, workloads: list[Workload], repeat: int) -> None:
    """Add the section, or say that wasmtime's command is absent."""
    reason = find_wasmtime()
    if isinstance(reason, str):
        report.absent["wasmtime"] = reason
        return
    with wasmtime_command() as command, TemporaryDirectory(prefix="pvm-bench-") as name:
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
