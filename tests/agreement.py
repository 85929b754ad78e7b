"""What is said of a case on which an engine and the reference engine disagree: small, side by side, to be repeated."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from pvm.fuzz import Case, Observation, compare, format_case, shrink, transcript
from pvm.fuzz.compare import reference
from pvm.machine import AnyEngine
from pvm.program import Program, disassemble

TRIES = 300  # cases that shrinking may try


def explained(name: str, case: Case, make: Callable[[Case], AnyEngine], folder: Path, tries: int = TRIES) -> str:
    """The disagreement made small: its assembly, both states where they differ, and the command that repeats it.

    The case is saved in the folder.
    """
    first = compare(case, {name: make})
    assert first is not None, f"{name}, seed {case.seed}: they agree when they run once more"

    def shows(candidate: Case) -> bool:
        again = compare(candidate, {name: make})
        return again is not None and again.what == first.what

    small = shrink(case, shows, tries)
    found = compare(small, {name: make}) or first
    path = folder / f"{case.kind}-{case.seed}.json"
    repeat = shlex.join(["pvm", "fuzz", "--repeat", str(path)])
    path.write_text(format_case(small, found, f"{case.kind} {case.seed}", repeat), encoding="utf-8")
    expected = transcript(small, reference(small))
    try:
        other = transcript(small, make(small))
    except Exception as error:
        states = f"{type(error).__name__}: {error}"
    else:
        states = side_by_side(_at(expected, found.exit), _at(other, found.exit), name)
    program = Program.parse(small.program, format="plain")
    return "\n".join((
        f"{name}, {case.kind} {case.seed}, {small.spec}, gas by {small.metering}: {found.what} at exit {found.exit}",
        f"from pc {small.pc} with {small.gas} gas:", disassemble(program, small.spec), states, f"again: {repeat}",
    ))  # fmt: skip


def side_by_side(one: Observation | None, other: Observation | None, name: str) -> str:
    """Two states in columns; a star before each line that differs."""
    left, right = _lines(one), _lines(other)
    rows = [("", "", "reference", name)]
    for label in {**left, **right}:
        expected, found = left.get(label, "-"), right.get(label, "-")
        rows.append(("" if expected == found else "*", label, expected, found))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _at(states: list[Observation], exit: int) -> Observation | None:
    return states[exit] if exit < len(states) else None


def _lines(seen: Observation | None) -> dict[str, str]:
    """A state by what its parts are called. Of pages there are the first octets, and a sum of all."""
    if seen is None:
        return {"exit": "no such exit"}
    exit = "none, after a step" if seen.exit is None else str(seen.exit.reason.value)
    if seen.exit is not None:
        exit += "".join(f" {value:#x}" for value in (seen.exit.address, seen.exit.call) if value is not None)
    return {
        "exit": exit, "pc": str(seen.pc), "gas": str(seen.gas),
        **{f"r{number}": f"{value:#x}" for number, value in enumerate(seen.registers)},
        "accesses": " ".join(access or "-" for access in seen.accesses),
        **{f"page {page:#x}": f"{data[:8].hex()}… {hash(data) & 0xFFFFFFFF:08x}" for page, data in seen.memory},
    }  # fmt: skip
