"""`pvm bench` as a user gives it: on several processes, interrupted, with files that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

import pytest

from pvm.errors import EngineError
from pvm.examples import example
from wasm_host.bench.report.figures import Report
from wasm_host.bench.run import Options, Step, again, gathered, plan

QUICK = ("--quick", "--repeat", "1")


def test_on_two_processes(pvm, tmp_path, monkeypatch):
    monkeypatch.setattr("wasm_host.bench.inputs.EXAMPLES", (example("hello"), example("fibonacci")))
    words = ("--only", "interpreter", "--only", "process", "--only", "cold", "--traces", tmp_path)
    words += ("--example", "sieve", "--example", "fibonacci")
    found = pvm("bench", *QUICK, *words, "--workers", "2", "--json")
    assert (found.status, found.stderr) == (0, "")
    report = json.loads(found.stdout)
    assert list(report["sections"]) == ["fibonacci", "sieve", "process", "cold"], "in the order of one process"
    assert report["about"]["workers"] == 2 and not report["failed"]
    here = json.loads(pvm("bench", *QUICK, *words, "--json").stdout)
    for name, section in here["sections"].items():
        there = report["sections"][name]
        assert set(there["figures"]) == set(section["figures"]) and set(there["ratios"]) == set(section["ratios"])
        assert "measured on" not in there["facts"]


def test_the_report_is_written(pvm, tmp_path):
    page = tmp_path / "report.html"
    found = pvm("bench", *QUICK, "--only", "interpreter", "--example", "sieve", "--html", page)
    assert found.status == 0 and "sieve" in found.text
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")
    found = pvm("bench", *QUICK, "--only", "interpreter", "--example", "sieve", "--html", "-")
    assert found.status == 0 and found.text.lstrip().startswith("<!doctype html>")


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["tables", "json"])
def test_what_cannot_be_written_is_known_before_measuring(bad_input, tmp_path, monkeypatch, words):
    monkeypatch.setattr("wasm_host.bench.run.plan", None)
    bad_input(("bench", "--html", tmp_path / "none" / "report.html", *words), "cannot be written")
    bad_input(("bench", "--html", tmp_path, *words), "cannot be written")
    bad_input(("bench", "--html", "", *words), "the name of the output file is empty")
    bad_input(("bench", "--html", "/proc/report.html", *words), "cannot be written")
    bad_input(("bench", "--html", "-", "--json"), "--html: standard output has the JSON already")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_after_all_is_shown_before(pvm):
    found = pvm("bench", *QUICK, "--only", "process", "--json", "--html", "/dev/full")
    assert found.status == 2 and "/dev/full: cannot be written" in found.stderr
    assert "process" in json.loads(found.stdout)["sections"]


@pytest.mark.parametrize("output", ["pipe", "file"])
def test_a_page_on_standard_output_by_another_name(tmp_path, output):
    command = [sys.executable, "-c", "from wasm_host.cli import main; main()", "bench", *QUICK, "--only", "process"]
    with open(tmp_path / "out", "w+b") as file:
        streams = {"stdout": file if output == "file" else subprocess.PIPE, "stderr": subprocess.PIPE}
        page = subprocess.run([*command, "--html", "/dev/stdout"], check=False, **streams)
        out = page.stdout or (tmp_path / "out").read_bytes()
        assert page.returncode == 0 and out.lstrip().startswith(b"<!doctype html>") and out.endswith(b"</html>")
        both = subprocess.run([*command, "--html", "/dev/stdout", "--json"], check=False, **streams)
        assert both.returncode == 2 and b"standard output has the JSON already" in both.stderr


def test_a_page_that_was_there_stays_when_nothing_is_measured(pvm, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("before")
    assert pvm("bench", "--input", tmp_path / "none", "--html", page).status == 2
    found = pvm("bench", "--traces", tmp_path, "--html", page, "--only", "replay", "--baseline", tmp_path / "none")
    assert found.status == 2 and page.read_text() == "before"


def test_workers_and_a_cluster_are_two_things(bad_input):
    bad_input(("bench", *QUICK, "--workers", "2", "--cluster", "tcp://127.0.0.1:1"), "--workers: a cluster has")
    bad_input(("bench", *QUICK, "--cluster", "nonsense"), "--cluster: nonsense: no address of a scheduler")


@pytest.fixture
def second(pvm, monkeypatch, tmp_path):
    """`second(process, host_call)` compares with 100 what is measured as 200, and the second time as these say.

    A value is a figure of three samples, an error that is raised, or a text, which is what proves wrong.
    """
    kinds = {"process": "measure_process", "host-call": "measure_host_calls"}
    values = {}

    def measure(name, report):
        found = values[name].pop(0)
        if isinstance(found, BaseException):
            raise found
        section = report.section(name, "title")
        section.samples = {"figure": [found if isinstance(found, float) else 100.0] * 3, "other": [5.0] * 3}
        section.problems += [found] if isinstance(found, str) else []

    for name, function in kinds.items():
        monkeypatch.setattr(f"wasm_host.bench.run.{function}", lambda report, *_, name=name: measure(name, report))
    words = ("bench", *QUICK, "--only", "process", "--only", "host-call", "--json")
    values.update({name: [100.0] for name in kinds})
    before = tmp_path / "before.json"
    before.write_bytes(pvm(*words).stdout)

    def call(process, host_call):
        values.update({"process": [200.0, process], "host-call": host_call})
        found = pvm(*words, "--baseline", before)
        assert not values["process"], "measured twice"
        return found.status, json.loads(found.stdout)

    return call


@pytest.mark.parametrize(("again", "word"), [(101.0, "same"), (150.0, "worse"), (50.0, "better")])
def test_what_is_worse_is_measured_once_more(second, again, word):
    """It may have been chance, or be so. Nothing else is measured again."""
    status, report = second(again, [100.0])
    verdicts = {(one["section"], one["figure"]): one for one in report["baseline"]["verdicts"]}
    assert verdicts["process", "figure"]["word"] == word and status == (word == "worse")
    assert verdicts["process", "figure"]["now"] == again == report["sections"]["process"]["figures"]["figure"]["median"]
    assert verdicts["host-call", "figure"]["word"] == verdicts["process", "other"]["word"] == "same"


@pytest.mark.parametrize(
    ("again", "status", "told"),
    [
        (KeyboardInterrupt(), 130, []), (EngineError("gone"), 1, ["process: gone"]),
        ("a wrong result", 1, ["process: a wrong result"]),
    ],
    ids=["interrupted", "failed", "wrong"],
)  # fmt: skip
def test_a_second_measurement_that_fails_hides_nothing(second, again, status, told):
    found, report = second(again, [100.0])
    assert (found, report["failed"]) == (status, told)
    assert report["interrupted"] == (status == 130)
    [verdict] = [one for one in report["baseline"]["verdicts"] if one["word"] != "same"]
    assert (verdict["section"], verdict["word"], verdict["now"]) == ("process", "worse", 200.0)


def test_only_the_steps_of_what_is_worse_are_measured_again(tmp_path):
    planned = plan(Options(1, frozenset({"cold"}), quick=True, traces=tmp_path))
    parts = {}
    for step in planned.steps:
        parts[step] = Report()
        parts[step].section("cold", "title").samples[step.subject] = [1.0]
    gathered(planned, parts)
    steps = again(planned, parts, {("cold", "sieve")}).steps
    assert steps == (Step("cold", "sieve"),)


# Sends itself a signal at a certain progress: in the middle of the second step, or when the first has come back.
INTERRUPTED = """
import os, signal, sys
from wasm_host.cli import main, output

class Bar(output.Bar):
    def show(self, done, what=None):
        if done > 1 + float(sys.argv[2]):
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
            sys.argv[2] = "9"

if __name__ == "__main__":
    import wasm_host.cli.bench
    wasm_host.cli.bench.Bar = Bar
    main(["bench", "--json", "--repeat", "3", *sys.argv[3:]])
"""


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["here", "workers"])
def test_when_interrupted_what_was_measured_is_shown_and_nothing_is_left(tmp_path, sent, workers):
    page, script = tmp_path / "report.html", tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    # The second step has a temporary folder, and the third, which a worker may have begun, processes.
    words = ("--only", "process", "--only", "warm", "--only", "memory", "--html", page)
    at = "-0.1" if workers else "0.3"
    with tempfile.TemporaryDirectory() as temporary:  # pytest's has too long a name for the sockets of processes
        done = subprocess.run(
            [sys.executable, script, sent, at, *words, *workers], capture_output=True, timeout=120, check=False,
            env={**os.environ, "TMPDIR": temporary},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (130, b"")
        end = time.monotonic() + 10
        while left := os.listdir(temporary):
            assert time.monotonic() < end, left
            time.sleep(0.1)
    report = json.loads(done.stdout)
    assert report["interrupted"] and "process" in report["sections"] and "memory" not in report["sections"]
    assert "The measuring was interrupted" in page.read_text(encoding="utf-8")


def test_a_step_that_ends_its_worker_is_told(tmp_path):
    (tmp_path / "deadly.py").write_text("""
import os, sys
from wasm_host.bench import run

def die(*_):
    os._exit(9)

run.measure_host_calls = die  # also where workers load this
if __name__ == "__main__":
    from wasm_host.cli import main
    main(["bench", "--quick", "--repeat", "1", "--only", "host-call", "--only", "process", "--workers", "1", "--json"])
""")
    done = subprocess.run([sys.executable, tmp_path / "deadly.py"], capture_output=True, timeout=120, check=False)
    report = json.loads(done.stdout)
    assert report["failed"] == ["host-call: the process that measured it died each time"], done.stderr
    assert done.returncode == 1 and list(report["sections"]) == ["process"]
