"""`pvm bench` as a user gives it: on several processes, interrupted, with files that cannot be written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasm_host.bench.workloads import workload_names

QUICK = ("--quick", "--repeat", "1")


def test_on_two_processes(pvm, tmp_path):
    words = ("--only", "interpreter", "--only", "process", "--only", "cold", "--traces", tmp_path)
    found = pvm("bench", *QUICK, *words, "--workers", "2", "--json")
    assert (found.status, found.stderr) == (0, "")
    report = json.loads(found.stdout)
    assert list(report["sections"]) == ["process", "cold", *workload_names()], "in the order of one process"
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


@pytest.mark.parametrize("json_too", [False, True])
def test_what_cannot_be_written_is_known_before_measuring(bad_input, tmp_path, json_too):
    began = time.monotonic()
    words = ("--json",) if json_too else ()
    bad_input(("bench", "--html", tmp_path / "none" / "report.html", *words), "cannot be written")
    bad_input(("bench", "--html", tmp_path, *words), "cannot be written")
    bad_input(("bench", "--html", "", *words), "the name of the output file is empty")
    bad_input(("bench", "--html", "/proc/report.html", *words), "cannot be written")
    bad_input(("bench", "--html", "-", "--json"), "--html: standard output has the JSON already")
    assert not list(tmp_path.iterdir())
    assert time.monotonic() - began < 20


def test_a_page_that_was_there_stays_when_nothing_is_measured(pvm, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("before")
    assert pvm("bench", "--input", tmp_path / "none", "--html", page).status == 2
    found = pvm("bench", "--traces", tmp_path, "--html", page, "--only", "replay", "--baseline", tmp_path / "none")
    assert found.status == 2 and page.read_text() == "before"


def test_workers_and_a_cluster_are_two_things(bad_input):
    bad_input(("bench", *QUICK, "--workers", "2", "--cluster", "tcp://127.0.0.1:1"), "--workers: a cluster has")
    bad_input(("bench", *QUICK, "--cluster", "nonsense"), "--cluster: nonsense: no address of a scheduler")


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["here", "workers"])
def test_after_ctrl_c_what_was_measured_is_shown(tmp_path: Path, workers):
    page = tmp_path / "report.html"
    words = ("bench", "--json", "--repeat", "60", "--only", "process", "--only", "interpreter", "--html", page)
    command = [sys.executable, "-c", "from wasm_host.cli import main; main()", *map(str, words), *workers]
    process = subprocess.Popen(command, stdout=-1, stderr=-1)
    try:
        time.sleep(8)  # `process` takes 60 times 20 ms, the programs half a minute
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (130, b"")
    report = json.loads(out)
    assert report["interrupted"] and "process" in report["sections"]
    assert "The measuring was interrupted" in page.read_text(encoding="utf-8")
