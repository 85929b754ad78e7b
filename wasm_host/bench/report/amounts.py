"""Values as text: in the unit in which they are small numbers, with three digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wasm_host.bench.report.figures import BYTES, COUNT, NANOSECONDS

_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def amount(value: float, unit: str) -> str:
    """A value in its unit; of any unit but ours, the number."""
    return _FORMATS.get(unit, number)(value)


def fact(value: Any) -> str:
    """Whatever stands beside figures."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def between(low: float, high: float, unit: str) -> str:
    """From a lowest to a highest value; the unit stands once where it is the same."""
    first, last = amount(low, unit), amount(high, unit)
    if first == last:
        return last
    if first.partition(" ")[2] == last.partition(" ")[2]:
        first = first.partition(" ")[0]
    return f"{first} to {last}"


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    """The units go from large to small."""
    size, unit = next((one for one in units if abs(value) >= one[0]), units[-1])
    return f"{number(value / size)} {unit}"


_FORMATS: dict[str, Callable[[float], str]] = {
    NANOSECONDS: lambda value: _scaled(value, _TIMES),
    BYTES: lambda value: _scaled(value, _SIZES),
    COUNT: number,
}
