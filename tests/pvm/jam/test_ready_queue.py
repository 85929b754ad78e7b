"""The queue of reports that wait for others: against the public vectors, and against the paper's own recursion."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from pvm.jam.codec import codec
from pvm.jam.constants import TINY
from pvm.jam.ready_queue import accumulatable, edited, next_accumulated, next_ready, packages, prioritized
from pvm.jam.types import ReadyRecord, WorkReport
from tests.pvm.jam.accumulation_cases import accumulate_cases
from tests.pvm.jam.archives import members


def template() -> WorkReport:
    _, data = next(member for member in members("codec/codec", "tiny/work_report.bin"))
    report: WorkReport = codec(WorkReport, TINY).decode(data)
    return report


def record(report: WorkReport, number: int, dependencies: list[int]) -> ReadyRecord:
    named = replace(report, package_spec=replace(report.package_spec, hash=number.to_bytes(32, "little")))
    return ReadyRecord(named, tuple(sorted({each.to_bytes(32, "little") for each in dependencies})))


def as_the_paper_has_it(records: tuple[ReadyRecord, ...]) -> list[WorkReport]:
    order: list[WorkReport] = []
    while free := [each.report for each in records if not each.dependencies]:
        order += free
        records = edited(records, packages(free))
    return order


def test_priority_is_that_of_the_paper() -> None:
    report, random = template(), Random(14)
    for _ in range(300):
        size = random.randrange(1, 12)
        records = tuple(
            record(report, random.randrange(size), random.choices(range(size), k=random.randrange(3)))
            for _ in range(size)
        )
        assert prioritized(records) == as_the_paper_has_it(records)


def test_a_long_chain_takes_linear_time() -> None:
    report = template()
    records = [record(report, number, [number + 1]) for number in range(20_000)]
    records.append(record(report, 20_000, []))
    assert len(prioritized(records)) == 20_001


def test_vectors_leave_the_right_queues() -> None:
    """Every report that can be accumulated is, in these."""
    seen = 0
    for case in accumulate_cases():
        before, given = case.before, case.input
        now = accumulatable(before.ready_queue, before.accumulated, given.reports, given.slot)
        done = packages(now.reports)
        assert next_accumulated(before.accumulated, done) == case.after.accumulated, case.name
        ready = next_ready(before.ready_queue, now.queued, done, given.slot, before.slot)
        assert ready == case.after.ready_queue, case.name
        seen += 1
    assert seen == 60


def test_slots_that_were_left_out_empty_their_places() -> None:
    report = template()
    ready = tuple((record(report, number, [99]),) for number in range(12))
    after = next_ready(ready, (), set(), 27, 25)
    assert [len(records) for records in after] == [1, 1, 0, 0] + [1] * 8
    assert next_ready(ready, (), set(), 2**32 - 1, 25) == ((),) * 12
