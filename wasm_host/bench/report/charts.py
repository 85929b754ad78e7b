"""The geometry of charts: what a template draws, in percent of a chart's width.

In: samples. Out: `Axis`, and `Line`s, `Strip`s and `Stack`s on it. Text and colours are the template's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from wasm_host.bench.measure import median
from wasm_host.bench.report.amounts import amount
from wasm_host.bench.report.figures import BYTES

_FAR = 12.0  # times the lowest value, from which on an axis is logarithmic
_NARROW, _WIDE = 36.0, 8.0  # percent of a chart's width that a text takes
_EDGE = 8.0  # percent at either end, where a text would not fit on both sides of its tick
_STEPS = ((1, 2, 5), (1, 4, 16, 64, 256))  # of numbers, and of bytes
_TICKS = 4  # at least, where there is room: of an axis from zero
_MOST_TICKS = 10  # of a logarithmic axis; those of a longer one are at the powers alone
_NEXT_TO_NOTHING = 1e-9
_LEFT, _RIGHT = 2.0, 98.0  # percent between which values lie


@dataclass(frozen=True)
class Tick:
    """A line across the chart, or a mark, and what is written there; `is_minor`: if there is room enough.

    `anchor` is which of the text's points is there, in SVG's words.
    """

    at: float
    text: str
    is_minor: bool = False

    @property
    def anchor(self) -> str:
        return "start" if self.at < _EDGE else "end" if self.at > 100 - _EDGE else "middle"


@dataclass(frozen=True)
class Axis:
    """From values to percent."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Where a value is. What is below a logarithmic axis is at its beginning."""
        return _place(value, self.low, self.high, self.is_log)


@dataclass(frozen=True)
class Line:
    """From the lowest to the highest sample, with a mark at the median, and perhaps one at an earlier median.

    `is_beyond`: the median is higher than the axis goes.
    """

    low: float
    middle: float
    high: float
    before: float | None = None
    is_beyond: bool = False


@dataclass(frozen=True)
class Strip:
    """Marks with names, and one for their mean."""

    marks: tuple[Tick, ...]
    mean: float


@dataclass(frozen=True)
class Part:
    """A piece of a bar: where it begins, how long it is, and which of the parts it is."""

    at: float
    width: float
    number: int
    text: str


def axis(values: Iterable[float], unit: str, is_wide: bool, is_log: bool | None = None) -> Axis:
    """An axis on which the values lie: logarithmic if they are far apart, or from zero.

    Ticks have a text where there is room for it: in a narrow chart fewer have one, in a wide one these are minor.
    """
    found = sorted(value for value in values if value > 0)
    low, high = (found[0], found[-1]) if found else (0.0, 1.0)
    if is_log is None:
        is_log = bool(found) and high / low >= _FAR
    first, last, places = _logarithmic(low, high, unit) if is_log and found else _from_zero(high, unit)
    is_log = first > 0
    ticks = [Tick(_place(value, first, last, is_log), amount(value, unit)) for value in places]
    # Where few have room, they are powers of ten, if there are some.
    powers = [tick for tick, value in zip(ticks, places, strict=True) if is_log and _is_power(value, unit)]
    major = {tick.at for tick in _spaced(powers if len(powers) > 1 else ticks, _NARROW)}
    shown = {tick.at for tick in _spaced(ticks, _WIDE)} if is_wide else major
    labelled = (
        replace(tick, text=tick.text if tick.at in shown else "", is_minor=tick.at not in major) for tick in ticks
    )  # fmt: skip
    return Axis(first, last, is_log, tuple(labelled))


def line(on: Axis, samples: Sequence[float], before: float | None = None) -> Line:
    """The line of some samples."""
    return Line(
        on.at(min(samples)), on.at(median(samples)), on.at(max(samples)), None if before is None else on.at(before),
        median(samples) > on.high * (1 + _NEXT_TO_NOTHING),
    )  # fmt: skip


def strip(on: Axis, values: Sequence[tuple[str, float]], unit: str) -> Strip:
    """The marks of named values, and their geometric mean."""
    marks = tuple(Tick(on.at(value), f"{name}: {amount(value, unit)}") for name, value in values)
    return Strip(marks, on.at(mean([value for _, value in values])))


def stack(on: Axis, values: Sequence[tuple[str, float]], unit: str) -> tuple[Part, ...]:
    """The pieces of a bar, one after the other."""
    parts, total = [], 0.0
    for number, (name, value) in enumerate(values):
        start = on.at(total)
        total += value
        parts.append(Part(start, max(0.0, on.at(total) - start), number, f"{name}: {amount(value, unit)}"))
    return tuple(parts)


def mean(values: Sequence[float]) -> float:
    """The geometric mean; 0 when one of the values is."""
    return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0


def _place(value: float, low: float, high: float, is_log: bool) -> float:
    share = math.log(max(value, low) / low) / math.log(high / low) if is_log else (value - low) / (high - low)
    return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share)), 2)


def _logarithmic(low: float, high: float, unit: str) -> tuple[float, float, list[float]]:
    """From the next round number below to the next one above, and where ticks are."""
    rounds = _rounds(low, high, unit)
    first = max(value for value in rounds if value <= low * (1 + _NEXT_TO_NOTHING))
    last = min(value for value in rounds if value >= high * (1 - _NEXT_TO_NOTHING))
    if last <= first:
        last = next(value for value in rounds if value > first)
    inside = [value for value in rounds if first <= value <= last]
    return first, last, inside if len(inside) <= _MOST_TICKS else [one for one in inside if _is_power(one, unit)]


def _from_zero(high: float, unit: str) -> tuple[float, float, list[float]]:
    """From 0 to the next round number above the highest value, and where ticks are."""
    step = max(value for value in _rounds(high / _base(unit) / 10, high, unit) if value * _TICKS <= high)
    values = [step * place for place in range(math.ceil(high / step - _NEXT_TO_NOTHING) + 1)]
    return 0.0, values[-1], values


def _rounds(low: float, high: float, unit: str) -> list[float]:
    """Round numbers in order, some of them below and above."""
    base = _base(unit)
    powers = range(math.floor(math.log(low, base)) - 1, math.ceil(math.log(high, base)) + 2)
    return [step * float(base) ** power for power in powers for step in _STEPS[unit == BYTES]]


def _is_power(value: float, unit: str) -> bool:
    power = math.log(value, _base(unit))
    return abs(power - round(power)) < _NEXT_TO_NOTHING


def _base(unit: str) -> int:
    return 1024 if unit == BYTES else 10


def _spaced(ticks: Sequence[Tick], width: float) -> Iterator[Tick]:
    """The ticks whose text has room, if it takes so much of the chart's width."""
    free = -math.inf
    for tick in ticks:
        begin = tick.at - {"start": 0.0, "middle": width / 2, "end": width}[tick.anchor]
        if begin >= free:
            yield tick
            free = begin + width
