"""Time by what it is spent on.

In: functions to time. Out: a `Clock` with nanoseconds a phase. Phases nest: while an inner one lasts, the outer one's
time stands still, so that those of the main thread add up to its whole time.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Nesting(threading.local):
    """The phases under way in a thread, the innermost last, and since when that one's time is not counted yet."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.since = 0


class Clock:
    """`taken` has the nanoseconds of the phases in the thread that made the clock, `beside` those in all others."""

    def __init__(self) -> None:
        self.taken: defaultdict[str, int] = defaultdict(int)
        self.beside: defaultdict[str, int] = defaultdict(int)
        self._owner = threading.get_ident()
        self._nesting = _Nesting()

    def timed(self, phase: str, work: Callable[_P, _T], inside: str | None = None) -> Callable[_P, _T]:
        """`work`, its time counted as the phase's; with `inside` only where that phase is the one under way."""

        def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            phases = self._nesting.phases
            if inside is not None and phases[-1:] != [inside]:
                return work(*args, **kwargs)
            self._count()
            phases.append(phase)
            try:
                return work(*args, **kwargs)
            finally:
                self._count()
                phases.pop()

        return call

    def _count(self) -> None:
        """Count the time since the last change for the innermost phase."""
        now, nesting = time.perf_counter_ns(), self._nesting
        if nesting.phases:
            counts = self.taken if threading.get_ident() == self._owner else self.beside
            counts[nesting.phases[-1]] += now - nesting.since
        nesting.since = now
