"""From a case on which engines disagree to a small one on which they still do.

In: a case, and a test that tells whether a case shows the disagreement. Out: the smallest case that was found within so
many tries. Programs are changed as assembly, so that jumps lead where they did. Each pass takes time linear in what it
looks at; passes are repeated until none helps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

from pvm.errors import PvmError
from pvm.fuzz.cases import Case
from pvm.program import Program, assemble, disassemble, pack_bitmask
from pvm.registers import REGISTER_COUNT

TRIES = 600  # cases that are tried at most
SIMPLE_LINES = 64  # instructions, above which none is replaced by a simpler one

T = TypeVar("T")
Test = Callable[[Case], bool]

_PC = re.compile(r"; (\d+)")
_TARGET = re.compile(r"\b(l\d+|pc [+-] \d+)(/\d)?$")
_NUMBER = re.compile(r"(?<![\w@.])-?(?:0x[0-9a-f]+|\d+)(?:/\d)?(?!\w)")


def shrink(case: Case, shows: Test, tries: int = TRIES) -> Case:
    """The smallest case found that `shows` the same; the case itself when it does not, or nothing smaller does."""
    shrinker = _Shrinker(case, shows, tries)
    if not shrinker.is_shown(case):
        return case
    before = None
    while shrinker.case != before and shrinker.left > 0:
        before = shrinker.case
        for each in _PASSES:
            each(shrinker)
    return shrinker.case


@dataclass
class _Shrinker:
    """The smallest case so far, and how many tries are left."""

    case: Case
    shows: Test
    left: int

    def is_shown(self, case: Case) -> bool:
        """Whether a case shows it. One that cannot be started does not."""
        if self.left <= 0:
            return False
        self.left -= 1
        try:
            return self.shows(case)
        except PvmError:
            return False

    def take(self, case: Case) -> bool:
        """Go on with this case if it shows it."""
        if case == self.case or not self.is_shown(case):
            return False
        self.case = case
        return True

    def try_all(self, **choices: Sequence[Any]) -> None:
        """For each field, the first of the values that will do."""
        for name, values in choices.items():
            any(self.take(replace(self.case, **{name: value})) for value in values)

    def thin(self, items: Sequence[T], put: Callable[[tuple[T, ...]], Case | None]) -> None:
        """Leave out as many items as possible: halves first, then quarters, down to single ones, from the end."""
        kept = tuple(items)
        size = max(1, len(kept) // 2)
        while size and kept:
            end = len(kept)
            while end > 0 and self.left > 0:
                fewer = (*kept[: max(0, end - size)], *kept[end:])
                case = put(fewer)
                if case is not None and self.take(case):
                    kept = fewer
                end -= size
            size //= 2


# --- the program -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Listing:
    """A program's assembly: the jump table's entries, and lines, with the places of those that are instructions."""

    table: tuple[str, ...]
    lines: tuple[str, ...]
    instructions: tuple[int, ...]
    first: int  # number of the instruction at which the case starts, -1 if there is none

    def case(self, case: Case) -> Case | None:
        """The case with this program; None when it cannot be assembled."""
        table = [f".jump_table {', '.join(self.table)}"] if self.table else []
        try:
            program = assemble("\n".join([".plain", *table, ".code", *self.lines]) + "\n", case.spec)
        except PvmError:
            return None
        pc = case.pc
        if self.first >= 0:
            marks = [place for place, mark in enumerate(program.blob.starts) if mark]
            pc = marks[self.first] if self.first < len(marks) else len(program.code)
        return replace(case, program=program.encode(), pc=pc)

    def with_instructions(self, kept: Sequence[int]) -> _Listing:
        """Without the other instructions; labels stay. It starts at the first one that was not left out."""
        gone = set(self.instructions).difference(kept)
        at = [left - 1 for left in accumulate(place not in gone for place in range(len(self.lines)))]
        first = sum(place not in gone for place in self.instructions[: self.first]) if self.first >= 0 else -1
        lines = tuple(line for place, line in enumerate(self.lines) if place not in gone)
        return replace(self, lines=lines, instructions=tuple(at[place] for place in kept), first=first)

    def with_line(self, place: int, line: str) -> _Listing:
        return replace(self, lines=(*self.lines[:place], line, *self.lines[place + 1 :]))


def _listing(case: Case) -> _Listing:
    table: list[str] = []
    lines: list[str] = []
    instructions: list[int] = []
    first = -1
    for line in disassemble(Program.parse(case.program, format="plain"), case.spec).splitlines():
        if line.startswith(".jump_table"):
            entries = re.sub(r"^\.jump_table( entry_size=\d+)?", "", line)
            table += [entry.strip() for entry in entries.split(",") if entry.strip()]
        elif line.strip() and line not in (".plain", ".code"):
            found = _PC.search(line)
            if found and not line.strip().startswith(".unmarked"):
                if int(found[1]) == case.pc:
                    first = len(instructions)
                instructions.append(len(lines))
            lines.append(line.split(";")[0].rstrip())
    return _Listing(tuple(table), tuple(lines), tuple(instructions), first)


def _fewer_instructions(shrinker: _Shrinker) -> None:
    listing = _listing(shrinker.case)
    shrinker.thin(listing.instructions, lambda kept: listing.with_instructions(kept).case(shrinker.case))


def _shorter_code(shrinker: _Shrinker) -> None:
    """Octets off the end, whether or not they are marked: nothing else moves."""
    step = len(Program.parse(shrinker.case.program, format="plain").code)
    while step > 0 and shrinker.left > 0:
        blob = Program.parse(shrinker.case.program, format="plain").blob
        length = len(blob.code) - step
        starts = pack_bitmask(blob.starts[: max(0, length)])
        if length < 0 or not shrinker.take(
            replace(shrinker.case, program=replace(blob, code=blob.code[:length], bitmask=starts).encode())
        ):
            step //= 2


def _fewer_entries(shrinker: _Shrinker) -> None:
    listing = _listing(shrinker.case)
    shrinker.thin(listing.table, lambda kept: replace(listing, table=kept).case(shrinker.case))


def _simpler_instructions(shrinker: _Shrinker) -> None:
    listing = _listing(shrinker.case)
    if len(listing.instructions) > SIMPLE_LINES:
        return
    for place in listing.instructions:
        for line in _simpler(listing.lines[place]):
            candidate = listing.with_line(place, line)
            case = candidate.case(shrinker.case)
            if case is not None and shrinker.take(case):
                listing = candidate
                break


def _simpler(line: str) -> Iterator[str]:
    """Simpler instructions to put in this one's place, the simplest first."""
    words = line.split()
    target = _TARGET.search(line)
    if words[0] not in ("trap", "fallthrough", "jump"):
        if target:
            yield "fallthrough"
            yield f"jump {target[1]}"
        else:
            yield "trap"
    for number in _NUMBER.finditer(line if not target else line[: target.start()]):
        for simpler in ("0", "1"):
            if number[0] not in ("0", "1"):
                yield line[: number.start()] + simpler + line[number.end() :]


# --- all else --------------------------------------------------------------------------------------------------------


def _fewer_exits(shrinker: _Shrinker) -> None:
    shrinker.try_all(rounds=[rounds for rounds in range(1, 12) if rounds < shrinker.case.rounds], moves_pc=[False])


def _fewer_pages(shrinker: _Shrinker) -> None:
    shrinker.try_all(contents=[()], remapped=[()], is_blank=[True])
    count = len(shrinker.case.pages) + shrinker.case.left_out
    shrinker.thin(
        shrinker.case.pages, lambda kept: replace(shrinker.case, pages=kept, left_out=count - len(kept))
    )
    shrinker.thin(shrinker.case.contents, lambda kept: replace(shrinker.case, contents=kept))
    shrinker.thin(shrinker.case.remapped, lambda kept: replace(shrinker.case, remapped=kept))


def _less_gas(shrinker: _Shrinker) -> None:
    """Halve the gas as often as possible, and then the steps back from there."""
    step = shrinker.case.gas
    while step > 0 and shrinker.left > 0:
        if not shrinker.take(replace(shrinker.case, gas=max(0, shrinker.case.gas - step))):
            step //= 2
        else:
            step = min(step, shrinker.case.gas)
    shrinker.try_all(refill=[1] if shrinker.case.refill > 1 else [])


def _simpler_registers(shrinker: _Shrinker) -> None:
    zeros = (0,) * REGISTER_COUNT
    if shrinker.case.registers == zeros or shrinker.take(replace(shrinker.case, registers=zeros)):
        return
    for number in range(REGISTER_COUNT):
        for value in (0, 1):
            registers = list(shrinker.case.registers)
            if registers[number] <= value:
                break
            registers[number] = value
            if shrinker.take(replace(shrinker.case, registers=tuple(registers))):
                break


_PASSES: tuple[Callable[[_Shrinker], None], ...] = (
    _fewer_exits, _fewer_instructions, _shorter_code, _fewer_entries, _fewer_pages, _simpler_registers, _less_gas,
    _simpler_instructions,
)  # fmt: skip
