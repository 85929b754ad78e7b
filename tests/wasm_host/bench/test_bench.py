"""`pvm bench`: that it runs, at tiny sizes, and says what it should. No test looks at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import EngineError
from pvm.examples import example
from pvm.isa import spec
from wasm_host.bench import run
from wasm_host.bench.report.figures import Report
from wasm_host.bench.run import Options
from wasm_host.bench.sections import programs
from wasm_host.bench.workloads import workload_names, workloads
from wasm_host.cli import bench as command
from wasm_host.engine import Engine
from wasm_host.peers import anan_as
from wasm_host.peers.gcc import SOURCES, find_gcc, run_native

SPEC = spec("0.7.2")


@pytest.fixture
def bench_json(pvm: Any) -> Any:
    """What the command prints with --json."""

    def call(*arguments: object) -> dict[str, Any]:
        done = pvm("bench", "--json", "--quick", "--repeat", "2", *arguments)
        assert done.status == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return call


def test_programs(bench_json: Any) -> None:
    report = bench_json("--only", "interpreter", "--only", "reference", "--example", "sieve")
    section = report["sections"]["sieve"]
    assert set(section["figures"]) == {programs.INTERPRETER, programs.BLOCK, programs.REFERENCE}
    assert set(section["ratios"]) == {"block gas / interpreter", "reference / interpreter"}
    figure = section["figures"][programs.INTERPRETER]
    assert figure["runs"] == 2 and 0 < figure["low"] <= figure["median"] <= figure["high"]
    assert section["facts"]["instructions"] > 1000
    assert not report["interrupted"] and not section["problems"]
    assert report["about"]["repeat"] == 2


def test_recompiler_alone(bench_json: Any) -> None:
    report = bench_json("--only", "recompiler", "--example", "sieve", "--example", "fibonacci")
    for name in ("sieve", "fibonacci"):
        section = report["sections"][name]
        assert set(section["figures"]) | set(report["absent"]) == {programs.BY_SOFTWARE, programs.BY_HARDWARE}
        assert programs.BY_SOFTWARE in section["figures"] and not section["problems"]


def test_host_calls(bench_json: Any) -> None:
    section = bench_json("--only", "host-call")["sections"]["host-call"]
    assert len(section["figures"]) == 7
    assert len(section["ratios"]) == 6
    assert {"host call / (a)", "host call / (b)", "host call / (a) + (b)"} <= set(section["ratios"])


@pytest.mark.skipif(isinstance(anan_as.node(), str), reason=str(anan_as.node()))
def test_absent_contestants_are_named(bench_json: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(run, "find_gcc", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = bench_json("--only", "gcc", "--only", "anan-as", "--example", "sieve")
    assert set(report["absent"]) == {"gcc", "anan-as"}
    assert "--install-anan-as" in report["absent"]["anan-as"]
    assert {programs.INTERPRETER, programs.BLOCK, programs.BY_SOFTWARE} <= set(report["sections"]["sieve"]["figures"])


def test_tables(pvm: Any) -> None:
    names = ("--only", "interpreter", "--only", "process", "--example", "matrix", "--example", "sieve")
    done = pvm("bench", "--quick", "--repeat", "1", *names)
    assert done.status == 0
    for text in ("interpreter, block gas", "matrix", "sieve", "compiled by wasmtime"):
        assert text in done.text


def test_interrupting_keeps_what_was_measured(pvm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also of the step that is under way."""

    def interrupted(report: Report, *_: object) -> None:
        report.section("host-call", "Host calls").samples["half"] = [1.0]
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "measure_host_calls", interrupted)
    names = ("process", "host-call", "instantiate")
    words = [word for name in names for word in ("--only", name)]
    page = tmp_path / "report.html"
    done = pvm("bench", "--json", "--quick", "--repeat", "1", *words, "--html", page)
    assert (done.status, done.stderr) == (130, "")
    report = json.loads(done.stdout)
    assert report["interrupted"] and list(report["sections"]) == ["process", "host-call"]
    assert "The measuring was interrupted" in page.read_text(encoding="utf-8")


def test_who_breaks_down_keeps_no_others_from_it(pvm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise EngineError("node has ended")

    monkeypatch.setattr(run, "measure_host_calls", broken)
    words = ("--json", "--quick", "--repeat", "1", "--only", "host-call", "--only", "process")
    done = pvm("bench", *words)
    report = json.loads(done.stdout)
    assert done.status == 1 and report["failed"] == ["host-call: node has ended"] and "process" in report["sections"]


@pytest.mark.parametrize("workload", workloads(SPEC, quick=True), ids=lambda workload: workload.name)
def test_workloads_halt_with_the_right_result(workload: Any) -> None:
    machine = Engine().instantiate(workload.program, args=workload.tiny, gas=1 << 40)
    assert machine.run().reason.value == "halt"
    assert machine.result() == example(workload.name).expected(workload.tiny)


@pytest.mark.skipif(find_gcc() is None, reason="gcc is not installed")
@pytest.mark.parametrize("name", SOURCES)
def test_native_programs_have_the_same_result(name: str) -> None:
    gcc = find_gcc()
    assert gcc is not None
    with gcc:
        (workload,) = workloads(SPEC, (name,), quick=True)
        nanoseconds, result = run_native(gcc.compile(name, "-O2"), workload.tiny)
    assert result == example(name).expected(workload.tiny)
    assert nanoseconds >= 0


def test_the_command_knows_the_workloads() -> None:
    assert workload_names() == command._EXAMPLES
    assert Options(1, frozenset()).examples == ()


STAND_IN = """
export const InputKind = {SPI: 1}, HasMetadata = {No: 1};
export const prepareProgram = (kind, metadata, program) => program.length;
export const pvmStart = (program) => { console.log("noise"); return program; };
export const pvmResume = (id, gas) => ({status: 0, pc: id, gas: gas - 5n, registers: [1n, 2n ** 63n]});
export const pvmDestroy = () => null;
"""


@pytest.mark.skipif(isinstance(anan_as.node(), str), reason=str(anan_as.node()))
def test_driving_node_with_a_stand_in(pvm: Any, tmp_path: Any) -> None:
    builds = tmp_path / "node_modules" / "@fluffylabs" / "anan-as" / "dist" / "build"
    builds.mkdir(parents=True)
    builds.parents[1].joinpath("package.json").write_text('{"version": "9.9", "type": "module"}')
    builds.joinpath("release-mini.js").write_text(STAND_IN)
    installed = anan_as.find_installed(tmp_path)
    assert isinstance(installed, anan_as.Installed)
    assert (installed.version, installed.names()) == ("9.9", ("release-mini",))
    with anan_as.AnanAs(installed) as other:
        nanoseconds, outcome = other.run("release-mini", b"\x01\x02\x03", b"", 1 << 40, 1)
    assert nanoseconds >= 0
    assert outcome == anan_as.Outcome(anan_as.Reason.HALT, 3, (1 << 40) - 5, (1, 1 << 63))
    # An engine that disagrees with ours is reported, not hidden.
    words = ("--quick", "--repeat", "1", "--only", "anan-as", "--example", "sieve", "--anan-as", tmp_path)
    report = pvm("bench", *words)
    assert report.status == 1
    assert "anan-as, release-mini: gas" in report.text
