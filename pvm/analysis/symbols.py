"""What code is called: functions, labels and source lines by pc.

In: a program, and where there are more to know, its assembly or its source map. Out: a frozen `Symbols`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from pvm.lazy import lazy
from pvm.link.source_map import SourceMap
from pvm.program import Program, Survey


@dataclass(frozen=True)
class Symbols:
    """`labels` are pcs and names, `lines` pcs and source lines as text; each goes on to the next one. Both by pc."""

    labels: tuple[tuple[int, str], ...] = ()
    lines: tuple[tuple[int, str], ...] = ()

    @lazy
    def _starts(self) -> tuple[list[int], list[int]]:
        return [pc for pc, _ in self.labels], [pc for pc, _ in self.lines]

    def label(self, pc: int) -> str:
        """The name of the code at a pc, "" where nothing is known."""
        return _at(self.labels, self._starts[0], pc)

    def line(self, pc: int) -> str:
        """The source line of the code at a pc, "" where nothing is known."""
        return _at(self.lines, self._starts[1], pc)
    def start(self, pc: int) -> int:
        """Where the code that a pc belongs to begins: the pc of its label, 0 before the first."""
        place = bisect_right(self._starts[0], pc) - 1
        return self.labels[place][0] if place >= 0 else 0


def symbols_of(
    program: Program, survey: Survey | None = None, source_map: SourceMap | None = None, name: str = "line"
) -> Symbols:
    """What is known of a program's code.

    `survey` is of the assembly that it was made of (`pvm.program.survey`), whose lines are called `name`:number; labels
    that begin with a dot or an underscore are left out where there are others. `source_map` is that of a linked program
    (`pvm.link`). Without them names are those of a PolkaVM blob's exports and functions.
    """
    if source_map is not None:
        places = ((pc, source_map.place(pc)) for pc, _, _ in source_map.lines)
        lines = ((pc, f"{place.file}:{place.line}" if place.line else "") for pc, place in places)
        return Symbols(tuple(sorted(source_map.functions)), tuple(sorted(lines)))
    labels: list[tuple[int, str]] = []
    if program.polkavm is not None:
        labels = [(export.pc, export.name) for export in program.polkavm.exports]
        labels += [(function.pc, function.name) for function in program.polkavm.functions]
    if survey is None:
        return Symbols(_one_each(labels))
    named = [(pc, label) for pc, label in survey.labels if not label.startswith((".", "_"))] or list(survey.labels)
    return Symbols(_one_each(named or labels), tuple((pc, f"{name}:{line}") for pc, line in survey.lines))


def _one_each(labels: Iterable[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """By pc, one name for each; the last that was given."""
    return tuple(sorted(dict(labels).items()))


def _at(entries: tuple[tuple[int, str], ...], starts: list[int], pc: int) -> str:
    place = bisect_right(starts, pc) - 1
    return entries[place][1] if place >= 0 else ""
