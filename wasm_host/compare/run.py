"""The order of work: each task on each contestant that can run it.

In: tasks, contestants, who carries out a run. Out: results as they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from wasm_host.compare.agree import Verdict, judge
from wasm_host.compare.contestants import RECORDED, Contestant
from wasm_host.compare.outcome import Missing, Outcome, Result, Task

_ENOUGH = 2  # contestants on which a run had no end

Ask = Callable[[Contestant, Task], Result]


@dataclass(frozen=True)
class Compared:
    """The results of one task, in the order of the contestants."""

    task: Task
    results: dict[str, Result]

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


def steps(tasks: Sequence[Task], contestants: Sequence[Contestant]) -> list[tuple[Task, Contestant]]:
    """What there is to do, task by task: slow contestants last, when it is known how long the run is."""
    ordered = sorted(contestants, key=lambda one: one.is_slow)
    return [(task, one) for task in tasks for one in ordered if one.name != RECORDED or one.why_not(task) is None]


def compare(work: Sequence[tuple[Task, Contestant]], ask: Ask, limit: int) -> Iterator[tuple[Task, str, Result]]:
    """The results in that order. `limit` is the most instructions that slow contestants are given.

    What had no end on a few contestants, and an end on none, is not given to others.
    """
    absent: dict[str, str | None] = {}
    used: dict[int, int] = {}
    endless: Counter[int] = Counter()
    for task, one in work:
        if one.name not in absent:
            absent[one.name] = one.why_absent()
        known = used.get(id(task), 0)
        reason = absent[one.name]
        result: Result
        if reason is not None:
            result = Missing("absent", reason)
        elif (reason := one.why_not(task)) is not None:
            result = Missing("left out", reason)
        elif one.is_slow and known > limit:
            result = Missing("left out", f"{known:,} instructions are more than {limit:,} (--limit)")
        elif endless[id(task)] >= _ENOUGH and id(task) not in used:
            result = Missing("left out", f"it had no end on {_ENOUGH} engines already")
        else:
            result = ask(one, task)
        if isinstance(result, Outcome):
            used[id(task)] = result.used
        elif result.kind == "no end":
            endless[id(task)] += 1
        yield task, one.name, result


def gathered(done: Sequence[tuple[Task, str, Result]], contestants: Sequence[Contestant]) -> list[Compared]:
    """Results by task, in the order of the contestants."""
    found: dict[int, tuple[Task, dict[str, Result]]] = {}
    for task, name, result in done:
        found.setdefault(id(task), (task, {}))[1][name] = result
    names = [one.name for one in contestants]
    return [Compared(task, {name: by[name] for name in names if name in by}) for task, by in found.values()]
