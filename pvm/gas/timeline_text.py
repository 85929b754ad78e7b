"""A block's simulation as text: a row an instruction, a column a cycle.

In: a `Timeline` and the instructions' text. Out: lines. In each row stand `D` for the cycle of decoding, `.` for
waiting, `=` for executing, `-` for waiting to retire, `R` for retiring. A `move_reg` has its `D` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pvm.gas.pipeline import SLACK, Span, Timeline

LEGEND = "D decoded  . waits  = executes  - waits to retire  R retires"


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
