"""A report that was saved as JSON, perhaps by somebody else.

In: plain data. Out: a `Report`. Whatever it has is checked here, so that nobody who shows it meets a surprise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pvm.errors import InputError
from pvm.printable import escaped
from wasm_host.bench.report.figures import UNITS, Ratio, Report, Section

T = TypeVar("T")

_LEAST, _MOST = 1e-12, 1e18  # of values that are not 0: ten digits beyond whatever is measured
_DEPTH = 3  # of tables and lists within each other, of which nobody checks what they hold


def report_from_json(data: Any) -> Report:
    """The report that `Report.as_json` made this of; a ratio comes back with its samples, but without its parts.

    Raises InputError when it is something else.
    """
    try:
        found = _table(data)
        sections = [_section(name, one) for name, one in _each(found["sections"], _table).items()]
        return Report(
            _each(found["about"], _plain), sections, _each(found["absent"], _text), _flag(found["interrupted"]),
            _list(found.get("failed", []), _text),
        )  # fmt: skip
    except KeyError as error:
        raise InputError(f"not a report of `pvm bench --json`: it has no {error}") from None
    except ValueError as error:
        raise InputError(f"not a report of `pvm bench --json`: {error}") from None


@dataclass
class _Saved(Section):
    """A section that was read: its ratios were computed when it was measured."""

    saved_ratios: dict[str, list[float]] = field(default_factory=dict)

    def known_ratios(self) -> dict[str, list[float]]:
        return self.saved_ratios


def _section(name: str, found: dict[str, Any]) -> Section:
    figures, ratios = _each(found["figures"], _table), _each(found["ratios"], _table)
    return _Saved(
        name,
        _text(found["title"]),
        [Ratio(label, "", (), _number(one["target"])) for label, one in ratios.items() if "target" in one],
        {figure: _samples(one) for figure, one in figures.items()},
        {figure: _unit(one["unit"]) for figure, one in figures.items()},
        _each(found["facts"], _plain),
        _list(found["problems"], _text),
        {figure: [_positive(one["pace"])] for figure, one in figures.items() if one.get("pace") is not None},
        saved_ratios={label: _samples(one) for label, one in ratios.items()},
    )


def _samples(entry: dict[str, Any]) -> list[float]:
    """All samples, or what was saved before all of them were."""
    if "samples" not in entry:
        return [_number(entry[what]) for what in ("low", "median", "high")]
    samples = _list(entry["samples"], _number)
    if not samples:
        raise ValueError("a figure without samples")
    return samples


# --- one value each; a ValueError says what it is not ----------------------------------------------------------------


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("something else where a table should be")
    return value


def _each(value: Any, check: Callable[[Any], T]) -> dict[str, T]:
    return {_text(name): check(one) for name, one in _table(value).items()}


def _list(value: Any, check: Callable[[Any], T]) -> list[T]:
    if not isinstance(value, list):
        raise ValueError("something else where a list should be")
    return [check(one) for one in value]


def _plain(value: Any, depth: int = _DEPTH) -> Any:
    """Whatever stands beside figures: numbers and text, and not too much of it within each other."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is none")
    if not depth and isinstance(value, dict | list):
        raise ValueError("too many tables or lists within each other")
    if isinstance(value, dict):
        return {_text(name): _plain(one, depth - 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, depth - 1) for one in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("something else where text should be")
    return escaped(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("something else where a number should be")
    if value and not _LEAST <= abs(value) <= _MOST:  # which an infinity and what is no number are not, either
        raise ValueError("a number that is no measurement")
    return float(value)


def _positive(value: Any) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError("a time that is none")
    return number


def _unit(value: Any) -> str:
    if value not in UNITS:
        raise ValueError("an unknown unit")
    return str(value)
