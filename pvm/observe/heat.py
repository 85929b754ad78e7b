"""What was carried out, and how often: coverage and a heat map, as the page has them.

In: a program and counts by pc. Out: a frozen `Coverage`; lines of disassembly with counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program import Program, decode, format_instruction

_LEVELS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Coverage:
    """How many instructions there are and were carried out; `missed` are ranges [first pc, end) that were not."""

    instructions: int
    covered: int
    missed: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.covered / self.instructions if self.instructions else 1.0


def coverage_of(program: Program, counts: Mapping[int, int], spec: Spec | str = "0.7.2") -> Coverage:
    """Which instructions were carried out at least once. Raises InputError for an unknown version."""
    total = covered = 0
    missed: list[tuple[int, int]] = []
    for instruction in decode(program.blob, find_spec(spec)):
        total += 1
        if counts.get(instruction.pc, 0):
            covered += 1
        elif missed and missed[-1][1] == instruction.pc:
            missed[-1] = missed[-1][0], instruction.next_pc
        else:
            missed.append((instruction.pc, instruction.next_pc))
    return Coverage(total, covered, tuple(missed))


def heat_lines(program: Program, counts: Mapping[int, int], spec: Spec | str = "0.7.2") -> Iterator[str]:
    """Each instruction with its count and a bar, whose height goes by the count's number of binary digits.

    Raises InputError for an unknown version.
    """
    spec = find_spec(spec)
    most = max(counts.values(), default=0).bit_length()
    width = len(f"{max(counts.values(), default=0):,}")
    for instruction in decode(program.blob, spec):
        count = counts.get(instruction.pc, 0)
        level = -(-count.bit_length() * (len(_LEVELS) - 1) // most) if most else 0
        text = format_instruction(instruction)
        yield f"{count or '':>{width}{',' if count else ''}} {_LEVELS[level]} {instruction.pc:6}  {text}"
