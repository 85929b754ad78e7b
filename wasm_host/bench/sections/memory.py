"""What one more machine of a program costs: memory, address space, memory maps and time.

In: programs. Out: a `Section`. Each sample is taken in a process of its own (`alive`), so that what earlier machines
left behind is in no figure, and a failure with a thousand machines ends nothing but itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import Any

from pvm.program import Program
from wasm_host.bench.report.figures import BYTES, COUNT, NANOSECONDS, Report, Section
from wasm_host.bench.sections.alive import ADDRESSES, DROPPING, MAPS, RESIDENT, TIME, is_measurable

TIERS = ("interpreter", "recompiler")
_UNITS = {RESIDENT: BYTES, ADDRESSES: BYTES, MAPS: COUNT, TIME: NANOSECONDS, DROPPING: NANOSECONDS}
_ROUNDS = 3  # at most: memory hardly varies
_TIME_LIMIT = 600  # seconds


def measure_memory(report: Report, programs: dict[str, Program], few: int, many: int, repeat: int) -> None:
    """Add the section: a machine's cost, measured on `few`, and with `many` alive at a time."""
    if not is_measurable():
        report.absent["memory"] = "this system has no /proc/self/statm and /proc/self/maps, as Linux has"
        return
    section = report.section("memory", "A machine, one of so many alive; left: of each, once they are dropped")
    section.facts |= {f"bytes of {name}": len(program.code) for name, program in programs.items()}
    section.measure(
        {
            f"{name}, {tier}": partial(_sample, section, f"{name}, {tier}", program, tier, few, many)
            for name, program in programs.items()
            for tier in TIERS
        },
        min(repeat, _ROUNDS),
    )


def _sample(section: Section, name: str, program: Program, tier: str, few: int, many: int) -> dict[str, float]:
    """The figures of one process; none when it fails, which is a problem."""
    request = {"program": program.encode().hex(), "tier": tier, "few": few, "many": many}
    answer = _ask(request)
    if isinstance(answer, str):
        problem = f"{name}: {answer}"
        section.problems += [problem] if problem not in section.problems else []
        return {}
    if answer["count"] < many:
        section.facts[f"alive at most: {name}"] = answer["count"]
    stages = {"few": f"of {few}", "many": f"of {many:,}", "left": "left", "again": "left again"}
    figures: dict[str, float] = {}
    for stage, words in stages.items():
        for kind, value in answer[stage].items():
            figures[f"{kind}, {words}"] = value
            section.units[f"{name}: {kind}, {words}"] = _UNITS[kind]
    return figures


def _ask(request: dict[str, Any]) -> dict[str, Any] | str:
    """What the process found, or why it failed."""
    command = [sys.executable, "-m", "wasm_host.bench.sections.alive"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, check=False, timeout=_TIME_LIMIT,
            start_new_session=True,  # Ctrl-C is for us alone
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no answer after {_TIME_LIMIT} seconds"
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        return f"the process ended with status {done.returncode}: {said[-1]}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
