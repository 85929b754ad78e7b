"""The geometry of charts: axes that hold all values, ticks at round numbers, marks in their places."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_host.bench.report.charts import axis, line, mean, stack, strip
from wasm_host.bench.report.figures import BYTES, COUNT, NANOSECONDS, UNITS

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e15)), max_size=8)


@given(VALUES, st.sampled_from(UNITS), st.booleans(), st.sampled_from([None, False]))
def test_every_value_lies_on_its_axis(values: list[float], unit: str, is_wide: bool, is_log: bool | None) -> None:
    found = axis(values, unit, is_wide, is_log)
    places = [found.at(value) for value in sorted(values)]
    assert places == sorted(places) and all(0 <= place <= 100 for place in places)
    assert found.low < found.high and all(value <= found.high * 1.000001 for value in values)
    shown = [tick for tick in found.ticks if tick.text]
    assert len(shown) >= 1 and len(found.ticks) <= 80
    width = 8 if is_wide else 36
    begins = [tick.at - {"start": 0, "middle": width / 2, "end": width}[tick.anchor] for tick in shown]
    assert all(after - before >= width for before, after in pairwise(begins)), "no text covers another"
    assert is_wide or not any(tick.is_minor for tick in shown)


def test_axes_of_values_that_are_near_begin_at_zero() -> None:
    found = axis([3.0, 9.0], COUNT, is_wide=True)
    assert not found.is_log and [tick.text for tick in found.ticks] == ["0", "2", "4", "6", "8", "10"]


def test_axes_of_values_that_are_far_apart_are_logarithmic() -> None:
    found = axis([0.3, 4_000.0], NANOSECONDS, is_wide=True)
    assert found.is_log and (found.low, found.high) == (0.2, 5000)
    assert [tick.text for tick in found.ticks] == ["1 ns", "10 ns", "100 ns", "1 µs"]
    assert found.at(0.0) == found.at(0.2), "what is not on it is at its beginning"


def test_bytes_have_ticks_of_their_own() -> None:
    assert [tick.text for tick in axis([3 << 10, 5 << 30], BYTES, is_wide=True).ticks if tick.text] == [
        "1 KiB", "1 MiB", "1 GiB"
    ]  # fmt: skip
    assert [tick.text for tick in axis([3 << 20, 5 << 20], BYTES, is_wide=True).ticks][:2] == ["0 B", "1 MiB"]


def test_lines_strips_and_stacks() -> None:
    on = axis([10.0], COUNT, is_wide=True)
    assert (on.at(0), on.at(10), on.at(5)) == (2, 98, 50)
    assert line(on, [5.0, 0.0, 10.0]).middle == 50 and line(on, [5.0]).before is None
    assert line(on, [5.0], 10.0).before == 98
    found = strip(on, [("one", 5.0), ("two", 5.0)], COUNT)
    assert [mark.text for mark in found.marks] == ["one: 5", "two: 5"] and found.mean == pytest.approx(50)
    parts = stack(on, [("a", 5.0), ("b", 5.0)], COUNT)
    assert [(part.at, part.width, part.number) for part in parts] == [(2, 48, 0), (50, 48, 1)]


def test_means_are_geometric() -> None:
    assert mean([1.0, 100.0]) == pytest.approx(10) and mean([0.0, 5.0]) == 0
