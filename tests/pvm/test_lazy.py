"""Attributes that are worked out once, without a lock that a forked child would wait for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pvm.lazy import lazy

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Square:
    side: int
    made: list[int]

    @lazy
    def area(self) -> int:
        """How large it is."""
        self.made.append(1)
        if self.side < 0:
            raise ValueError("no square")
        return self.side**2


def test_it_is_worked_out_once() -> None:
    square = Square(3, [])
    assert (square.area, square.area) == (9, 9)
    assert square.made == [1]
    assert Square.area.__doc__ == "How large it is."


def test_failures_are_not_kept() -> None:
    square = Square(-1, [])
    for _ in range(2):
        with pytest.raises(ValueError, match="no square"):
            square.area  # noqa: B018
    assert square.made == [1, 1]


def test_nothing_else_is_used() -> None:
    """`functools.cached_property` has the lock."""
    for package in ("pvm", "wasm_host", "web"):
        for path in (ROOT / package).rglob("*.py"):
            assert "import cached_property" not in path.read_text(encoding="utf-8"), path
