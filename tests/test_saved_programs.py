"""Small runs of `python -m tests.saved_programs`."""

from __future__ import annotations

from itertools import count

from tests.saved_programs import all_misuse, saves, stops


def test_saved_restored_and_forked() -> None:
    assert saves(iter(range(1, 12)), None, points=4) == []


def test_stops_limits_and_signals_at_random_times() -> None:
    made, wrong = stops(count(), 3000)
    assert made >= 3000 and wrong == []


def test_misuse_by_other_threads_is_refused() -> None:
    assert dict(all_misuse(60)) == dict.fromkeys(("interpreter", "recompiler", "auto", "reference"), 60)
