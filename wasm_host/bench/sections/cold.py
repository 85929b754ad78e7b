"""A program never seen: from a new engine to the program's result, without anything remembered on disk.

In: an example, or a recorded run. Out: a part of a `Section` in nanoseconds. The interpreter, which is compiled once a
process (`--only process`), is there already.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pvm.examples import LOG_CALL, Example
from pvm.isa import Spec
from pvm.machine import Machine, Reason
from pvm.program import Program, assemble
from pvm.trace import Trace, replay
from wasm_host.bench.measure import Subject, background_ended, elapsed
from wasm_host.bench.report.figures import Ratio, Report, Section
from wasm_host.code.modules import interpreter
from wasm_host.engine import Engine

TIERS = ("interpreter", "auto", "recompiler")
_AT_MOST = 1.2  # what tier auto may cost a short run, in those of the interpreter

_Run = Callable[[Engine, Program], "str | None"]
"""Runs a program to its result on a new engine; what proved wrong, or None."""


def measure_cold_example(report: Report, spec: Spec, example: Example, repeat: int) -> None:
    """Add an example to the section."""
    _measure(report, example.name, assemble(example.source, spec).encode(), _example_run(example), repeat)


def measure_cold_trace(report: Report, name: str, trace: Trace, repeat: int) -> None:
    """Add a recorded run to the section."""
    _measure(report, name, trace.program, partial(_replay, trace), repeat)


def _measure(report: Report, name: str, data: bytes, run: _Run, repeat: int) -> None:
    section = report.section("cold", "A program never seen: from a new engine to its result")
    interpreter()
    subjects: dict[str, Subject] = {
        f"{name}: {tier}": partial(_cold, section, f"{name}: {tier}", tier, data, run) for tier in TIERS
    }
    ratio = Ratio(f"{name}: auto / interpreter", f"{name}: auto", (f"{name}: interpreter",), _AT_MOST)
    section.ratios.append(ratio)
    section.measure(subjects, repeat)


def _cold(section: Section, name: str, tier: str, data: bytes, run: _Run) -> float:
    program = Program.parse(data)  # a new one each time, which remembers nothing
    problems: list[str | None] = []
    with background_ended():
        nanoseconds = elapsed(lambda: problems.append(run(Engine(tier=tier, cache=False), program)))
    section.problems += {f"{name}: {problem}" for problem in problems if problem} - set(section.problems)
    return nanoseconds


def _example_run(example: Example) -> _Run:
    expected = example.expected(example.args)

    def run(engine: Engine, program: Program) -> str | None:
        machine = engine.instantiate(program, args=example.args, gas=example.gas, host={LOG_CALL: _ignore})
        reason = machine.run().reason
        return None if reason is Reason.HALT and machine.result() == expected else f"{reason.value}, a wrong result"

    return run


def _replay(trace: Trace, engine: Engine, program: Program) -> str | None:
    return replay(trace, engine, program).difference


def _ignore(machine: Machine) -> Reason | None:
    return None
