"""The order of work: each input on each contestant that can run it.

In: `Rules`. Out: the `Task` whose items are inputs, and whose results are what was `Compared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pvm.printable import counted
from wasm_host.compare.agree import Verdict, judge
from wasm_host.compare.contestants import RECORDED, Contestant
from wasm_host.compare.isolation import Isolation
from wasm_host.compare.outcome import Missing, Outcome, Result, Task
from wasm_host.jobs import Task as Work

_ENOUGH = 2  # contestants on which a run had no end

Ask = Callable[[Contestant, Task], Result]
Tell = Callable[[Task, float], None]
"""Gets the share of an input that is done."""


@dataclass(frozen=True)
class Compared:
    """The results of one task, in the order of the contestants."""

    task: Task
    results: dict[str, Result]
    is_interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        return judge(self.results)

    @property
    def used(self) -> int | None:
        """The guest's gas. None if nobody came to an end."""
        return next((result.used for result in self.results.values() if isinstance(result, Outcome)), None)

    def fastest(self) -> float | None:
        """Seconds of the fastest warm run."""
        times = (result.warm for result in self.results.values() if isinstance(result, Outcome))
        return min((seconds for seconds in times if seconds is not None), default=None)


@dataclass(frozen=True)
class Rules:
    """Who takes part, how many instructions slow contestants are given at most, and how long each may take."""

    contestants: tuple[Contestant, ...]
    limit: int
    seconds: float


def task(rules: Rules, isolation: Isolation | None = None, tell: Tell | None = None) -> Work[Task, Compared]:
    """The work on inputs. `isolation`, and `tell`, told of each run, are of this process; a worker has its own."""
    return Work(_State, _compare, (rules, isolation, tell), partial(_lost, rules), alone=True)


class _State:
    """What a worker has: where contestants run, and why some are absent, which is asked once."""

    def __init__(self, shared: tuple[Rules, Isolation | None, Tell | None]) -> None:
        self.rules, isolation, self.tell = shared
        self.isolation = isolation or Isolation(self.rules.seconds)
        self.absent = {one.name: one.why_absent() for one in self.rules.contestants}


def _compare(state: _State, task: Task) -> Compared:
    """One input on all contestants, also when Ctrl-C ends it early."""
    contestants, found = state.rules.contestants, dict[str, Result]()
    is_interrupted = False
    try:
        for name, result in results(task, contestants, state.absent, state.isolation.run, state.rules.limit):
            found[name] = result
            if state.tell is not None:
                state.tell(task, len(found) / len(contestants))
    except KeyboardInterrupt:
        is_interrupted = True
    return Compared(task, {one.name: found[one.name] for one in contestants if one.name in found}, is_interrupted)


def _lost(rules: Rules, task: Task) -> Compared:
    """Of an input that cost its worker its life each time."""
    died = Missing("failed", "the process that compared the engines died each time")
    return Compared(task, {one.name: died for one in rules.contestants if one.name != RECORDED})


def results(
    task: Task, contestants: Sequence[Contestant], absent: Mapping[str, str | None], ask: Ask, limit: int
) -> Iterator[tuple[str, Result]]:
    """Results as they come: slow contestants last, when it is known how long the run is.

    What had no end on a few contestants, and an end on none, is not given to others.
    """
    used: int | None = None
    endless = 0
    for one in sorted(contestants, key=lambda one: one.is_slow):
        result: Result
        reason = one.why_not(task)
        if one.name == RECORDED and reason is not None:
            continue
        if (why := absent[one.name]) is not None:
            result = Missing("absent", why)
        elif reason is not None:
            result = Missing("left out", reason)
        elif one.is_slow and used is not None and used > limit:
            result = Missing("left out", f"{counted(used, 'instruction')}, more than {limit:,} (--limit)")
        elif endless >= _ENOUGH and used is None:
            result = Missing("left out", f"it had no end on {_ENOUGH} engines already")
        else:
            result = ask(one, task)
        if isinstance(result, Outcome):
            used = result.used
        elif result.kind == "no end":
            endless += 1
        yield one.name, result
