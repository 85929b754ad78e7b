"""The section on what each instruction costs, at tiny sizes. No test looks at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pvm.isa import GP_072
from pvm.program import Blob, decode
from wasm_host.bench.report.figures import BYTES, NANOSECONDS, Report
from wasm_host.bench.sections import hostile_runs, weights
from wasm_host.bench.sections.hostile_rows import CHOICES, MIXES, ROWS, Subject
from wasm_host.cli import bench

measurable = pytest.mark.skipif(not hostile_runs.is_measurable(), reason="no VmHWM in /proc/self/status")
COUNT = 300
names = [subject.name for subject in (*ROWS, *MIXES)]


@measurable
def test_weights(pvm: Any) -> None:
    done = pvm("bench", "--json", "--quick", "--only", "weights")
    assert done.status == 0, done.stderr
    sections: dict[str, Any] = json.loads(done.stdout)["sections"]
    [found] = sections.values()
    assert set(found["figures"]) == {
        f"{name}: {figure}, {threads}"
        for name in (ROWS[0].name, MIXES[0].name)
        for figure in ("processor time", "memory")
        for threads in ("1 thread", "2 threads", "8 threads")
    }
    for name, figure in found["figures"].items():
        assert figure["unit"] == (BYTES if ": memory, " in name else NANOSECONDS) and figure["low"] > 0
    assert found["facts"]["worst memory, 8 threads"] in (ROWS[0].name, MIXES[0].name)
    assert not found["problems"]


@pytest.mark.parametrize("subject", (*ROWS, *MIXES), ids=names)
def test_the_programs_are_what_they_say(subject: Subject) -> None:
    rows = set()
    for choice in CHOICES:
        blob = subject.kind(choice).make(COUNT)
        assert blob == subject.kind(choice).make(COUNT), "the same each time"
        assert Blob.parse(blob.encode()) == blob
        *instructions, last = decode(blob, GP_072)
        assert len(instructions) == COUNT and last.row.name == "trap"
        rows |= {instruction.row for instruction in instructions}
    assert rows <= set(subject.rows)


def test_every_instruction_is_measured_and_twenty_mixes() -> None:
    assert [subject.rows for subject in ROWS] == [(row,) for row in GP_072.rows]
    assert len(MIXES) == 20 and all(1 < len(subject.rows) < 7 for subject in MIXES)
    assert len(set(names)) == len(names) and "weights" in bench._ON_REQUEST


def test_more_than_is_stated_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "is_measurable", lambda: True)
    monkeypatch.setattr(weights, "_worst", lambda subject, limit: ("any", "software"))
    found = {hostile_runs.PEAK: 1 << 40, hostile_runs.PROCESSOR: 1}
    monkeypatch.setattr(weights, "sample", lambda blob, threads, **request: found if threads < 8 else "it crashed")
    report = Report()
    weights.measure_weights(report, ROWS[0], quick=True)
    [section] = report.sections
    assert [problem.partition(": ")[0] for problem in section.problems] == [f"trap, {n} threads" for n in (1, 2, 8)]
    assert section.problems[0].startswith("trap, 1 threads: 1,099,511,627,776 bytes are more than the ")
    assert section.problems[2] == "trap, 8 threads: it crashed"
