"""Measuring on a machine that others use too: contestants take turns, and what counts are medians and ratios.

In: subjects, functions that measure themselves once. Out: samples from several rounds, and the time that a fixed piece
of work took before each, which tells how fast the machine was.
"""

from __future__ import annotations

import gc
import hashlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

Subject: TypeAlias = Callable[[], "float | Mapping[str, float]"]
"""Measures once: nanoseconds a unit of work. What yields several figures at a time names them."""

_PATIENCE = 60.0  # seconds to wait for threads
# The fixed piece of work, 2 ms: half of it in native code, half in Python.
_HASHED = bytes(1 << 20)
_STEPS = 20_000


def take_turns(
    subjects: Mapping[str, Subject], repeat: int, tell: Callable[[float], None]
) -> Iterator[tuple[str, float, float]]:
    """Figures as they come, of `repeat` rounds after one to warm up: name, sample, what `yardstick` took before it.

    The figures of a subject that names them are called "subject: name". `tell` gets the share that is done.
    """
    total = (repeat + 1) * max(1, len(subjects))
    for round_number in range(repeat + 1):
        for place, (name, subject) in enumerate(subjects.items()):
            pace = yardstick()
            gc.collect()  # machines of earlier rounds: giving back their memory is not this subject's work
            figures = _figures(name, subject())
            tell((round_number * len(subjects) + place + 1) / total)
            if round_number:
                yield from ((figure, sample, pace) for figure, sample in figures.items())


def yardstick() -> float:
    """Nanoseconds of a piece of work that never changes and has nothing of ours in it."""

    def work() -> int:
        hashlib.sha256(_HASHED).digest()
        total = 0
        for step in range(_STEPS):
            total += step & 7
        return total

    return elapsed(work)


def elapsed(work: Callable[[], object], count: int = 1) -> float:
    """Nanoseconds that one of `count` units in `work` takes."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / count


def median(samples: Sequence[float]) -> float:
    """The middle sample."""
    return statistics.median(samples)


def middle_half(samples: Sequence[float]) -> tuple[float, float]:
    """The first and the third quartile, between which lies the middle half of the samples."""
    if len(samples) < 2:
        return samples[0], samples[0]
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


@contextmanager
def background_ended() -> Iterator[None]:
    """Afterwards wait for the threads that were started meanwhile: else translations would disturb what comes next."""
    before = set(threading.enumerate())
    try:
        yield
    finally:
        end = time.monotonic() + _PATIENCE
        while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
            for thread in left:
                try:
                    thread.join(max(0.0, end - time.monotonic()))
                except RuntimeError:  # another thread is just starting it
                    time.sleep(0.001)


def _figures(name: str, found: float | Mapping[str, float]) -> dict[str, float]:
    return {f"{name}: {part}": one for part, one in found.items()} if isinstance(found, Mapping) else {name: found}
