"""A block's simulation as text: a row an instruction, a column a cycle.

In: a block, or its `Timeline` and the instructions' text. Out: lines. In each row stand `D` for the cycle of
decoding, `.` for waiting, `=` for executing, `-` for waiting to retire, `R` for retiring. A `move_reg` has
its `D` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pvm.errors import InputError
from pvm.gas.pipeline import SLACK, Span, Timeline, block_timeline
from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import Instruction

MOST_INSTRUCTIONS = 2000  # of a block that is drawn: it takes as many rows, and up to 60 times as many columns
MOST_SIGNS = 4_000_000  # of the whole drawing
LEGEND = "D decoded  . waits  = executes  - waits to retire  R retires"


def check_drawable(instructions: int) -> None:
    """Raises InputError for a block of so many instructions that it is not drawn."""
    if instructions > MOST_INSTRUCTIONS:
        raise InputError(f"a block of {instructions:,} instructions: more than {MOST_INSTRUCTIONS:,} are not drawn")


def drawable(block: Sequence[Instruction], blob: Blob, spec: Spec) -> Timeline:
    """The simulation of a block. Raises InputError for one that is too large to be drawn."""
    check_drawable(len(block))
    timeline = block_timeline(block, blob, spec)
    if timeline.cycles * len(block) > MOST_SIGNS:
        raise InputError(f"{len(block):,} instructions that take {timeline.cycles:,} cycles: too many to be drawn")
    return timeline


def timeline_lines(timeline: Timeline, texts: Mapping[int, str]) -> Iterator[str]:
    """The lines; `texts` are the instructions by pc."""
    names = [f"{span.pc}  {texts[span.pc]}" for span in timeline.spans]
    width = max(map(len, names))
    yield from (" " * width + "  " + ruler for ruler in _rulers(timeline.cycles))
    for name, span in zip(names, timeline.spans, strict=True):
        yield f"{name:<{width}}  {_row(span)}"
    yield ""
    decided = deciding(timeline)
    yield f"{timeline.cycles} cycles less {SLACK}, at least 1: {timeline.cost} gas. {LEGEND}"
    yield f"pc {decided.pc} ({texts[decided.pc]}) decides: nothing is done later."


def deciding(timeline: Timeline) -> Span:
    """The instruction that decides what the block costs: the first of those that are done last."""
    return max(timeline.spans, key=lambda span: (span.done or 0, -span.pc))


def _row(span: Span) -> str:
    row = " " * span.decoded + "D"
    if span.started is None or span.done is None or span.retired is None:
        return row
    row = row.ljust(span.started, ".")
    row = row[: span.started] + "=" * (span.done - span.started)
    return row.ljust(span.retired, "-") + "R"


def _rulers(cycles: int) -> Iterator[str]:
    """The cycles' numbers, tens above ones."""
    yield "".join(f"{cycle:<10}" for cycle in range(0, cycles + 1, 10)).rstrip()
    yield "".join(str(cycle % 10) for cycle in range(cycles + 1))
