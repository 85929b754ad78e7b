"""The sections on starts, translating, replays and memory, at tiny sizes. No test looks at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError
from pvm.examples import EXAMPLES, example
from pvm.isa import spec
from pvm.program import assemble
from wasm_host.bench import inputs
from wasm_host.bench.report.figures import Report
from wasm_host.bench.run import Options, Step, plan
from wasm_host.bench.sections import cold, memory, replays, translating, warm
from wasm_host.engine import HARDWARE, SOFTWARE

SPEC = spec("0.7.2")
TRACE = "program 0x0000010001\nstart pc=0 gas=10\nPANIC=0 pc=0 gas=9\n"
WRONG_TRACE = TRACE.replace("PANIC=0", "HALT")
SMALL = ("hello", "fibonacci")
NAMES = set(SMALL)


@pytest.fixture(autouse=True)
def two_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are measured in the same way."""
    monkeypatch.setattr(inputs, "EXAMPLES", tuple(map(example, SMALL)))


@pytest.fixture
def bench_json(pvm: Any) -> Any:
    """What the command prints with --json."""

    def call(*arguments: object, status: int = 0) -> dict[str, Any]:
        done = pvm("bench", "--json", "--quick", "--repeat", "1", *arguments)
        assert done.status == status, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return call


def test_all_examples_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert list(inputs.examples(SPEC)) == [one.name for one in EXAMPLES]


def test_starts_without_traces(bench_json: Any, tmp_path: Path) -> None:
    names = ("--only", "instantiate", "--only", "replay", "--only", "process")
    report = bench_json(*names, "--traces", str(tmp_path))
    assert set(report["sections"]) == {"process", "instantiate"}
    assert set(report["absent"]) == {"traces"}
    assert set(report["sections"]["instantiate"]["figures"]) == NAMES


def test_translating(bench_json: Any) -> None:
    section = bench_json("--only", "compile")["sections"]["compile"]
    parts = {translating.DECODE, translating.NAIVE}
    for part in (translating.RECOMPILE, translating.COMPILE, translating.IN_ALL):
        parts |= {part.format(protection) for protection in (SOFTWARE, HARDWARE)}
    assert set(section["figures"]) == {f"examples: {part}" for part in parts}
    assert "examples: recompile, hardware / naive" in section["ratios"]
    assert section["facts"]["instructions of examples"] > 40


def test_translating_compares_doom_with_pinky() -> None:
    report, program = Report(), assemble("trap", SPEC)
    translating.measure_translating(report, SPEC, {"doom": [program], "pinky": [program]}, 1)
    labels = [f"doom / pinky: {translating.IN_ALL.format(protection)}" for protection in (SOFTWARE, HARDWARE)]
    assert report.sections[0].targets() == dict.fromkeys(labels, 1.5) and report.sections[0].worst() in labels


def test_cold(bench_json: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("one.log").write_text(TRACE)
    section = bench_json("--only", "cold", "--traces", str(tmp_path))["sections"]["cold"]
    assert set(section["figures"]) == {f"{name}: {tier}" for name in NAMES | {"one"} for tier in cold.TIERS}
    assert set(section["ratios"]) == {f"{name}: auto / interpreter" for name in NAMES | {"one"}}
    assert section["worst ratio"] in section["ratios"]


def test_warm(bench_json: Any) -> None:
    section = bench_json("--only", "warm")["sections"]["warm"]
    assert set(section["figures"]) == {
        f"{name}: {start}" for name in NAMES for start in (warm.INTERPRETER, warm.RECOMPILER)
    }
    assert section["facts"]["entries"] >= len(NAMES)


def test_replay_says_what_the_time_goes_into(bench_json: Any, tmp_path: Path) -> None:
    program = assemble("ecalli 3\ntrap", SPEC).encode().hex()
    tmp_path.joinpath("one.log").write_text(
        f"program 0x{program}\nstart pc=0 gas=10\necalli=3 pc=0 gas=9\nPANIC=0 pc=2 gas=8\n"
    )
    section = bench_json("--only", "replay", "--traces", str(tmp_path))["sections"]["replay"]
    assert section["facts"] == {"traces": 1, "host calls": 1, "instructions": 2} and not section["problems"]
    figures = {name: figure["median"] for name, figure in section["figures"].items()}
    for tier in ("interpreter", "recompiler", "auto"):
        assert sum(figures[f"{tier}: {phase}"] for phase in replays.PHASES) == figures[f"{tier}: {replays.TOTAL}"]
        for phase in (replays.INSTANTIATE, replays.RUN, replays.HOST):
            assert figures[f"{tier}: {phase}"] > 0, phase
    for phase in (replays.TRANSLATE, replays.COMPILE):
        assert figures[f"recompiler: {phase}"] > 0 and figures[f"interpreter: {phase}"] == 0, phase


def test_a_trace_that_differs_is_a_problem(bench_json: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("one.log").write_text(WRONG_TRACE)
    arguments = ("--only", "replay", "--only", "cold", "--traces", str(tmp_path))
    sections = bench_json(*arguments, status=1)["sections"]
    assert any("a trace differs" in problem for problem in sections["replay"]["problems"])
    assert len(sections["cold"]["problems"]) == len(cold.TIERS)


def test_memory(bench_json: Any) -> None:
    report = bench_json("--only", "memory")
    if not memory.is_measurable():
        assert "memory" in report["absent"]
        return
    figures = report["sections"]["memory"]["figures"]
    units = {figure["unit"] for figure in figures.values()}
    assert units == {"ns", "bytes", "count"}
    for tier in memory.TIERS:
        assert figures[f"hello, {tier}: space, of 4"]["median"] > 1 << 32, "the guest's memory alone is as large"
        assert figures[f"hello, {tier}: maps, of 2"]["median"] >= 1
        assert figures[f"hello, {tier}: space, left"]["median"] < 1 << 32


def test_a_failure_of_many_machines_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TIERS", ("nonsense",))
    monkeypatch.setattr(memory, "is_measurable", lambda: True)
    report = Report()
    memory.measure_memory(report, {"trap": assemble("trap", SPEC)}, 1, 1, 1)
    (problem,) = report.sections[0].problems
    assert problem.startswith("trap, nonsense: the process ended with status 1") and "unknown tier" in problem


def test_systems_that_do_not_tell_memory(bench_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "is_measurable", lambda: False)
    assert "/proc/self/statm" in bench_json("--only", "memory")["absent"]["memory"]


def test_static_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = Report()
    monkeypatch.setattr(inputs, "find_shared", lambda name: tmp_path)
    tmp_path.joinpath("pinky.json").write_text(json.dumps({"program": list(assemble("trap", SPEC).encode())}))
    assert set(inputs.find_static(report)) == {"pinky"}
    assert set(report.absent) == {"doom", "prime-sieve"}
    tmp_path.joinpath("doom.json").write_text('{"program": "none"}')
    with pytest.raises(InputError, match=r"doom\.json: "):
        inputs.find_static(report)
    with pytest.raises(InputError, match=r"^doom\.json: "):
        inputs.Material(inputs.Inputs(static={"doom": b"\1"}))


def test_a_malformed_trace_is_named(bad_input: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("one.log").write_text("start pc=0\n")
    bad_input(("bench", "--only", "replay", "--traces", tmp_path), "one.log: ")


def test_the_shared_programs(shared: Path) -> None:
    report = Report()
    assert tuple(inputs.find_static(report)) == inputs.STATIC and not report.absent
    assert set(inputs.Material(inputs.Inputs(inputs.find_traces(report, None))).service) == {inputs.SERVICE}


def test_a_service_is_worth_a_figure_when_it_is_large(tmp_path: Path) -> None:
    tmp_path.joinpath("one.log").write_text(TRACE)
    planned = plan(Options(1, frozenset({"memory"}), traces=tmp_path))
    assert set(planned.begun.absent) == {"service"}
    assert planned.steps == (Step("memory", "hello"),)


def test_the_first_trace_of_each_program() -> None:
    first, other = TRACE.encode(), TRACE.replace("0x0000010001", "0x000002000103").encode()
    assert list(inputs.Material(inputs.Inputs({"a": first, "b": first, "c": other})).first_traces()) == ["a", "c"]
