"""A program seen by an earlier process: from a new engine to a machine with its translation, out of the disk cache.

In: programs. Out: a `Section` in nanoseconds. The cache is a folder of its own, filled beforehand.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pvm.program import Program
from wasm_host.bench.measure import Subject, elapsed
from wasm_host.bench.report.figures import Ratio, Report
from wasm_host.code.cache import CodeCache
from wasm_host.code.modules import interpreter
from wasm_host.engine import Engine

INTERPRETER = "interpreter, without"
RECOMPILER = "recompiler, from disk"


def measure_warm(report: Report, programs: dict[str, Program], repeat: int) -> None:
    """Add the section."""
    section = report.section("warm", "A program seen before: from a new engine to a machine and its translation")
    interpreter()
    with TemporaryDirectory(prefix="pvm-bench-") as name:
        folder = Path(name)
        subjects: dict[str, Subject] = {}
        for label, program in programs.items():
            Engine(tier="recompiler", cache=folder).instantiate(program)
            data = program.encode()
            subjects[f"{label}: {INTERPRETER}"] = partial(_start, "interpreter", folder, data)
            subjects[f"{label}: {RECOMPILER}"] = partial(_start, "recompiler", folder, data)
            ratio = f"{label}: recompiler / interpreter"
            section.ratios.append(Ratio(ratio, f"{label}: {RECOMPILER}", (f"{label}: {INTERPRETER}",)))
        entries = CodeCache(folder).entries()
        section.facts |= {"entries": len(entries), "bytes of all entries": sum(entry.size for entry in entries)}
        if len(entries) < len(programs):
            section.problems.append("the cache did not keep every translation, as when sources change meanwhile")
        section.measure(subjects, repeat)


def _start(tier: str, folder: Path, data: bytes) -> float:
    program = Program.parse(data)
    return elapsed(lambda: Engine(tier=tier, cache=folder).instantiate(program))
