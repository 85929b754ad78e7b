"""Which reports can be accumulated, and which wait for others (section 12.1): the queue ϑ and the history ξ.

In: the prior parts, the newly available reports. Out: W*, and after accumulation the posterior parts. Time is linear in
the queue, whatever depends on what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from pvm.jam.types import Hash, ReadyRecord, WorkReport

Queue = Sequence[Sequence[ReadyRecord]]
History = Sequence[Sequence[Hash]]


@dataclass(frozen=True)
class Accumulatable:
    """`reports` is W*, in the order of accumulation, `queued` W^Q: the new reports that depend on others."""

    reports: tuple[WorkReport, ...]
    queued: tuple[ReadyRecord, ...]


def accumulatable(ready: Queue, history: History, available: Sequence[WorkReport], slot: int) -> Accumulatable:
    """W* and W^Q (12.4 to 12.12). `ready` is the prior ϑ, `history` the prior ξ, `slot` the block's."""
    immediate = [report for report in available if not depends(report)]
    waiting = [record_of(report) for report in available if depends(report)]
    queued = edited(waiting, set().union(*history)) if waiting else ()
    turn = slot % len(ready)
    records = chain(*ready[turn:], *ready[:turn], queued)
    candidates = edited(records, packages(immediate))
    return Accumulatable((*immediate, *prioritized(candidates)), queued)


def next_ready(
    ready: Queue, queued: Sequence[ReadyRecord], done: Collection[Hash], slot: int, prior_slot: int
) -> tuple[tuple[ReadyRecord, ...], ...]:
    """ϑ' (12.34). `done` are the packages accumulated in this block."""
    length = len(ready)
    result = [tuple(records) for records in ready]
    for back in range(min(slot - prior_slot, length)):
        result[(slot - back) % length] = ()
    result[slot % length] = tuple(queued)
    return tuple(edited(records, done) if records else records for records in result)


def next_accumulated(history: History, done: Collection[Hash]) -> tuple[tuple[Hash, ...], ...]:
    """ξ' (12.32, 12.33): the packages accumulated in this block come last, the oldest are forgotten."""
    return (*(tuple(packages) for packages in history[1:]), tuple(sorted(done)))


def depends(report: WorkReport) -> bool:
    """Whether a report is accumulated only after others."""
    return bool(report.context.prerequisites or report.segment_root_lookup)


def record_of(report: WorkReport) -> ReadyRecord:
    """D: a report with the packages that it depends on (12.6)."""
    looked_up = (item.work_package_hash for item in report.segment_root_lookup)
    return ReadyRecord(report, tuple(sorted({*report.context.prerequisites, *looked_up})))


def packages(reports: Iterable[WorkReport]) -> set[Hash]:
    """P: the packages of reports (12.9)."""
    return {report.package_spec.hash for report in reports}


def edited(records: Iterable[ReadyRecord], done: Collection[Hash]) -> tuple[ReadyRecord, ...]:
    """E: without what is done, and without dependencies on it (12.7). Records that stay as they are stay the same."""
    if not done:
        return tuple(records)
    result = []
    for record in records:
        if record.report.package_spec.hash not in done:
            left = tuple(package for package in record.dependencies if package not in done)
            result.append(record if len(left) == len(record.dependencies) else ReadyRecord(record.report, left))
    return tuple(result)


def prioritized(records: Sequence[ReadyRecord]) -> list[WorkReport]:
    """Q: the reports that can be accumulated in turn, those that others waited for first (12.8).

    What the paper does round by round over the whole queue is done here by what each report unlocks.
    """
    missing = [len(set(record.dependencies)) for record in records]
    waiting: dict[Hash, list[int]] = {}
    same: dict[Hash, list[int]] = {}
    for place, record in enumerate(records):
        same.setdefault(record.report.package_spec.hash, []).append(place)
        for package in set(record.dependencies):
            waiting.setdefault(package, []).append(place)
    gone = [False] * len(records)
    order: list[WorkReport] = []
    free = [place for place, count in enumerate(missing) if not count]
    while free:
        order += [records[place].report for place in free]
        done = packages(records[place].report for place in free)
        for package in done:
            for place in same[package]:
                gone[place] = True
        unlocked = []
        for package in done:
            for place in waiting.get(package, ()):
                missing[place] -= 1
                if not missing[place] and not gone[place]:
                    unlocked.append(place)
        free = sorted(unlocked)
    return order
