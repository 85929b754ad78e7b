"""The sections on hostile programs, at tiny sizes, and what happens when a process fails. No test looks at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pvm.program import assemble
from wasm_host.bench.report.figures import BYTES, NANOSECONDS, Report, Section
from wasm_host.bench.sections import hostile_runs
from wasm_host.bench.sections.hostile import KINDS
from wasm_host.cli import bench

measurable = pytest.mark.skipif(not hostile_runs.is_measurable(), reason="no VmHWM in /proc/self/status")


@measurable
def test_hostile(pvm: Any) -> None:
    done = pvm("bench", "--json", "--quick", "--only", "hostile")
    assert done.status == 0, done.stderr
    sections: dict[str, Any] = json.loads(done.stdout)["sections"]
    assert set(sections) == {"hostile", "hostile-run"}
    names = [kind.name for kind in KINDS[:2]]
    for section, figures in (
        ("hostile", ("recompile", "wasmtime", "in all", "in all, half as many", "memory")),
        ("hostile-run", ("instantiate", "run", "memory")),
    ):
        found = sections[section]["figures"]
        assert set(found) == {f"{name}: {figure}" for name in names for figure in figures}
        for name, figure in found.items():
            assert figure["unit"] == (BYTES if name.endswith(": memory") else NANOSECONDS)
            assert figure["runs"] == 2 and figure["low"] > 0, "either protection, either tier"
        assert sections[section]["facts"]["worst memory"] in names
    assert set(sections["hostile"]["ratios"]) == {f"{name}: growth" for name in names}
    assert all(ratio["target"] == 1.5 for ratio in sections["hostile"]["ratios"].values())


def test_it_is_measured_only_when_asked_for() -> None:
    assert "hostile" in bench._ON_REQUEST and not set(bench._ON_REQUEST) & set(bench._NAMES)


@measurable
def test_memory_is_that_of_the_process_alone() -> None:
    """Not that of the one which starts it."""
    held = b"\1" * (200 << 20)
    found = hostile_runs.sample(assemble("trap").blob, what="run", tier="interpreter")
    assert isinstance(found, dict) and 1 << 20 < found[hostile_runs.PEAK] < len(held)
    assert hostile_runs.peak() > len(held)


@measurable
def test_what_is_left_to_the_interpreter_is_told_from_what_is_not() -> None:
    for tier, taken in (("interpreter", 0), ("recompiler", 1), ("auto", 1)):
        assert hostile_runs.run(assemble("trap").encode(), tier)[hostile_runs.TAKEN] == taken


def test_a_process_that_fails_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_runs, "TIERS", ("nonsense", "interpreter"))
    section = Section("s", "title")
    hostile_runs.measure_running(section, KINDS[0], 1000)
    (problem,) = section.problems
    assert problem.startswith("endless, nonsense: the process ended with status 1") and "unknown tier" in problem
    assert len(section.samples["endless: run"]) == 1, "the others are still measured"


def test_a_process_that_crashes_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_runs, "sample", lambda *_, **request: "the process ended with status -11: nothing")
    section = Section("s", "title")
    hostile_runs.measure_translating(section, KINDS[0], 5000)
    assert len(section.problems) == 4 and not section.samples and not section.known_ratios()


def test_a_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_runs, "_TIME_LIMIT", 0.01)
    assert hostile_runs.sample(assemble("trap").blob, what="run", tier="auto") == "no answer after 0.01 seconds"


def test_systems_that_do_not_tell_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_runs, "is_measurable", lambda: False)
    report = Report()
    hostile_runs.measure_hostile(report, KINDS[0], quick=True)
    assert not report.sections and "VmHWM" in report.absent["hostile"]


def test_names_are_told_apart() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) == len({kind.title for kind in KINDS})
