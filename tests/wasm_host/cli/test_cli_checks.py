"""`pvm vectors` and `pvm replay`: on files of our own, and on the public ones where they are at hand."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from pvm.program import assemble
from wasm_host.cli import replay
from wasm_host.cli.batch import sources

TIERS = ["interpreter", "reference"]


def vector(**changes):
    """A vector of the first format: load_imm r1, 5, then a trap."""
    return {
        "name": "ours", "initial-regs": [0] * 13, "initial-pc": 0, "initial-page-map": [], "initial-memory": [],
        "initial-gas": 10, "program": list(assemble("load_imm r1, 5\ntrap").encode()), "expected-status": "panic",
        "expected-regs": [0, 5] + [0] * 11, "expected-pc": 3, "expected-memory": [], "expected-gas": 8, **changes,
    }  # fmt: skip


def steps_vector(status="panic", gas=8):
    """A vector of the second format: a trap is a block that costs 2."""
    return {
        "name": "steps", "initial-pc": 0, "initial-gas": 10, "program": list(assemble("trap").encode()),
        "steps": [
            {"kind": "run"},
            {"kind": "assert", "status": status, "gas": gas, "pc": 0, "regs": [0] * 13, "memory": []},
        ],
    }  # fmt: skip


def write_json(path, value):
    path.write_text(json.dumps(value))
    return path


TRACE = """comment ours
program 0x{program}
INFO start pc=0 gas=100
ecalli=7 pc=0 gas=99
setreg r07 <- 0x2a
setgas <- 50
PANIC=0 pc=2 gas={gas} r07=0x2a
"""


def write_trace(path, gas=49):
    path.write_text(TRACE.format(program=assemble("ecalli 7\ntrap").encode().hex(), gas=gas))
    return path


@pytest.mark.parametrize("tier", TIERS)
def test_vectors(pvm, tmp_path, tier):
    write_json(tmp_path / "a.json", vector())
    (tmp_path / "sub").mkdir()
    write_json(tmp_path / "sub" / "b.json", steps_vector())
    result = pvm("vectors", tmp_path, tmp_path / "a.json", "--tier", tier)
    assert result.status == 0
    assert result.last_line == "2 passed, 0 failed"


def test_gas_of_the_other_model_is_not_checked(pvm, tmp_path):
    write_json(tmp_path / "a.json", steps_vector(gas=7))
    write_json(tmp_path / "b.json", steps_vector("out-of-gas"))
    assert pvm("vectors", tmp_path, tmp_path / "a.json").last_line == "0 passed, 2 failed"
    for metering in ("instruction", "block"):
        result = pvm("vectors", tmp_path, "--metering", metering)
        assert result.status == 0 and result.last_line == "1 passed, 0 failed, 1 skipped"
        assert "Gas not checked in 1 file" in result.text or "Gas not checked in 2 files" in result.text


def test_failing_vectors(pvm, tmp_path):
    write_json(tmp_path / "a.json", vector())
    bad = write_json(tmp_path / "bad.json", vector(**{"expected-pc": 9, "expected-regs": [0, 6] + [0] * 11}))
    result = pvm("vectors", tmp_path)
    assert result.status == 1 and result.last_line == "1 passed, 1 failed"
    assert f"✗ {bad}" in result.text
    assert "pc: expected 9, got 3" in result.text and "r1: expected 6, got 5" in result.text
    found = json.loads(pvm("vectors", tmp_path, "--json").text)
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 0)
    assert found["failures"] == [
        {"file": str(bad), "name": "ours", "differences": ["pc: expected 9, got 3", "r1: expected 6, got 5"]}
    ]


def test_vectors_take_their_metering_or_that_of_the_user(pvm, tmp_path):
    fault = vector(**{
        "program": list(assemble("load_u8 r1, [0x12345]\ntrap").encode()), "expected-status": "page-fault",
        "expected-regs": [0] * 13, "expected-pc": 0, "expected-gas": 8, "expected-page-fault-address": 0x12000,
    })  # fmt: skip
    path = write_json(tmp_path / "fault.json", fault)
    assert pvm("vectors", path).status == 0
    result = pvm("vectors", path, "--metering", "instruction")
    assert result.status == 1 and "gas: expected 8, got 9" in result.text


BAD_VECTORS = (
    ("broken.json", "{", "not JSON"),
    ("other.json", "{}", "not a test vector"),
    ("array.json", "[]", "no JSON object"),
    ("program.json", json.dumps(vector(program=[1])), "program: "),
)


def test_bad_vectors(bad_input, tmp_path):
    for name, text, part in BAD_VECTORS:
        (tmp_path / name).write_text(text)
        bad_input(("vectors", tmp_path / name), f"{name}: ", part)
        bad_input(("vectors", tmp_path / name, "--json"), f"{name}: ", part)
    bad_input(("vectors", tmp_path), "array.json: ", "(and 3 more files)")
    (tmp_path / "empty").mkdir()
    bad_input(("vectors", tmp_path / "empty"), "empty: no *.json file")
    bad_input(("vectors", tmp_path / "missing"), "missing: cannot be read: no such file")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_bad_vectors_among_good_ones(pvm, tmp_path, workers):
    for name, text, _ in BAD_VECTORS:
        (tmp_path / name).write_text(text)
    write_json(tmp_path / "good.json", vector())
    write_json(tmp_path / "wrong.json", vector(**{"expected-pc": 9}))
    result = pvm("vectors", tmp_path, "--workers", workers)
    assert result.status == 2 and result.last_line == "1 passed, 1 failed, 4 malformed"
    assert f"✗ {tmp_path / 'broken.json'}" in result.text and "not a test vector" in result.text
    assert "pc: expected 9, got 3" in result.text
    assert result.stderr.count("\n") == 1 and "(and 3 more files)" in result.stderr
    found = json.loads(pvm("vectors", tmp_path, "--json", "--workers", workers).text)
    assert (found["passed"], found["failed"], found["interrupted"]) == (1, 1, False)
    assert [one["file"] for one in found["malformed"]] == sorted(str(tmp_path / name) for name, _, _ in BAD_VECTORS)


@pytest.mark.parametrize("tier", TIERS)
def test_public_vectors(pvm, shared, tier):
    result = pvm("vectors", shared / "vectors" / "pvm-0.7.2", "--tier", tier)
    assert result.status == 0 and result.last_line == "307 passed, 0 failed"


def test_public_vectors_of_the_gas_model(pvm, shared):
    result = pvm("vectors", shared / "vectors", "--json")
    found = json.loads(result.text)
    assert result.status == 0 and found["failed"] == 0
    assert found["passed"] == 307 + 356 and found["skipped"] == found["gas_checks_skipped"] == 0
    human = pvm("vectors", shared / "vectors" / "gas-0.8.0")
    assert human.last_line == "356 passed, 0 failed" and "Gas not checked" not in human.text


@pytest.mark.parametrize("tier", TIERS)
def test_replay(pvm, tmp_path, tier):
    write_trace(tmp_path / "one.log")
    write_trace(tmp_path / "two.trace")
    result = pvm("replay", tmp_path, "--tier", tier)
    assert result.status == 0 and result.last_line == "2 passed, 0 failed"
    assert "✓ one.log" in result.text and "1 call " in result.text and "2 gas" in result.text


def test_replay_that_diverges(pvm, tmp_path):
    bad = write_trace(tmp_path / "bad.log", gas=48)
    write_trace(tmp_path / "good.txt")
    result = pvm("replay", tmp_path)
    assert result.status == 1 and result.last_line == "1 passed, 1 failed"
    assert f"✗ {bad.name}" in result.text and "end, line 7: gas: expected 48, got 49" in result.text
    found = json.loads(pvm("replay", tmp_path, "--json").text)
    assert (found["passed"], found["failed"]) == (1, 1)
    assert [one["passed"] for one in found["traces"]] == [False, True]
    assert found["traces"][0]["difference"] == "end, line 7: gas: expected 48, got 49"
    assert found["traces"][1]["calls"] == 1 and found["traces"][1]["gas_used"] == 2


def test_bad_traces(bad_input, tmp_path):
    path = tmp_path / "trace.log"
    for data, part in (
        (b"nothing here", "not an ecalli trace"),
        (b"program 0x00\nstart pc=x", "line 2: "),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"program 0x0102\nstart pc=0 gas=1\nHALT pc=0 gas=1", "program: "),
    ):
        path.write_bytes(data)
        bad_input(("replay", path), "trace.log: ", part)
    path.unlink()
    bad_input(("replay", tmp_path), "no *.log or *.trace or *.txt file")
    bad_input(("replay", path), "no such file")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_bad_traces_among_good_ones(pvm, tmp_path, workers):
    (tmp_path / "bad.log").write_text("nothing here")
    write_trace(tmp_path / "good.log")
    write_trace(tmp_path / "wrong.log", gas=48)
    result = pvm("replay", tmp_path, "--workers", workers)
    assert result.status == 2 and result.last_line == "1 passed, 1 failed, 1 malformed"
    assert "✗ bad.log" in result.text and "✓ good.log" in result.text and "✗ wrong.log" in result.text
    assert "not an ecalli trace" in result.stderr and result.stderr.count("\n") == 1
    found = json.loads(pvm("replay", tmp_path, "--json", "--workers", workers).text)
    assert [Path(one["file"]).name for one in found["traces"]] == ["good.log", "wrong.log"]
    assert [Path(one["file"]).name for one in found["malformed"]] == ["bad.log"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_keeps_what_was_done(pvm, tmp_path, monkeypatch, options):
    for number in range(5):
        write_trace(tmp_path / f"{number}.log")
    real = replay.replay

    def interrupted(trace, *others):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(trace)
        return real(trace, *others)

    calls: list = []
    monkeypatch.setattr(replay, "replay", interrupted)
    result = pvm("replay", tmp_path, *options)
    assert result.status == 130
    if options:
        found = json.loads(result.text)
        assert (found["passed"], found["interrupted"]) == (3, True)
    else:
        assert result.last_line == "3 passed, 0 failed, 2 not run"


def test_ctrl_c_with_workers(pvm_process, tmp_path):
    """What was done is kept, and nothing else is said."""
    for number in range(30):
        write_trace(tmp_path / f"{number:02}.log")
    last = tmp_path / "99.log"  # the last one to be read, for which the command waits
    os.mkfifo(last)
    process = pvm_process("replay", *sorted(tmp_path.iterdir()), "--workers", 2)
    writer = os.open(last, os.O_WRONLY)  # returns when it is being read
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    os.close(writer)
    assert (process.returncode, err) == (130, b"")
    passed, left = (int(out.decode().splitlines()[-1].split()[place]) for place in (0, 4))
    assert 26 <= passed <= 30 and passed + left == 31


def test_no_cluster(bad_input, tmp_path, monkeypatch):
    monkeypatch.setattr("wasm_host.jobs.cluster.CONNECT", 1.0)
    write_trace(tmp_path / "good.log")
    bad_input(("replay", tmp_path, "--cluster", "tcp://127.0.0.1:1"), "--cluster: tcp://127.0.0.1:1: no scheduler")
    bad_input(("replay", tmp_path, "--cluster", "tcp://127.0.0.1:1", "--workers", 2), "--workers: ")
    bad_input(("replay", tmp_path, "--workers", 0), "--workers: ")


def test_translations_travel_to_workers(tmp_path, monkeypatch):
    """Each program is translated once, wherever its traces are replayed."""
    for number in range(4):
        write_trace(tmp_path / f"{number}.log")
    (tmp_path / "4.log").write_text("start pc=0\n")
    options = replay._Options("recompiler", "0.7.2", "instruction", no_cache=True, protection="auto", timeout=60)
    [(data, carried)] = replay._translated(sorted(tmp_path.iterdir()), options)
    monkeypatch.setattr("wasm_host.translating.recompile", None)  # whoever translates fails
    replayer = replay._prepare(replay._Shared(options, ((data, carried),)))
    for source in sources(sorted(tmp_path.iterdir())[:4]):
        assert replay._replay(replayer, source).replay.difference is None
    for tier in ("interpreter", "auto", "reference"):
        assert not list(replay._translated(sorted(tmp_path.iterdir()), replace(options, tier=tier)))


@pytest.mark.parametrize("tier", ["interpreter", "recompiler", "auto"])
def test_public_traces_on_processes(pvm, shared, tier):
    one = json.loads(pvm("replay", shared / "traces" / "ecalli", "--json", "--tier", tier).text)
    two = json.loads(pvm("replay", shared / "traces" / "ecalli", "--json", "--tier", tier, "--workers", 2).text)
    for found in (one, two):
        assert found["passed"] == 33
        for trace in found["traces"]:
            del trace["seconds"]
    assert one == two


def test_public_traces(pvm, shared):
    result = pvm("replay", shared / "traces" / "ecalli")
    assert result.status == 0 and result.last_line == "33 passed, 0 failed"


ENDLESS = assemble("loop: add_imm_64 r2, r2, 1\njump loop").encode()


@pytest.mark.parametrize("options", [("--tier", tier) for tier in (*TIERS, "recompiler", "auto")] + [("--workers", 2)])
def test_what_never_ends_is_given_up_and_the_others_are_done(pvm, tmp_path, options):
    write_json(tmp_path / "a.json", vector(**{"program": list(ENDLESS), "initial-gas": 2**64 - 1}))
    write_json(tmp_path / "b.json", vector())
    done = pvm("vectors", tmp_path, "--timeout", 0.2, *options)
    assert (done.status, done.last_line) == (1, "1 passed, 1 failed")
    assert "given up after 0.2 s, at pc " in done.text and " gas left (--timeout)" in done.text
    found = json.loads(pvm("vectors", tmp_path, "--timeout", 0.2, "--json", *options).text)
    assert found["failures"][0]["differences"][0].startswith("given up after 0.2 s")


@pytest.mark.parametrize("options", [("--tier", tier) for tier in TIERS] + [("--workers", 2)])
def test_a_replay_that_never_ends_is_given_up(pvm, tmp_path, options):
    text = f"program 0x{ENDLESS.hex()}\nstart pc=0 gas={2**64 - 1}\nPANIC=0 pc=2 gas=0\n"
    (tmp_path / "a.log").write_text(text)
    write_trace(tmp_path / "b.log")
    done = pvm("replay", tmp_path, "--timeout", 0.2, *options)
    assert (done.status, done.last_line) == (1, "1 passed, 1 failed")
    assert "a.log: given up after 0.2 s" in done.text


def test_names_of_files_cannot_drive_the_terminal(pvm, tmp_path):
    name = "x\x1b[31m\u202e"
    write_json(tmp_path / f"{name}.json", vector(**{"expected-gas": 1}))
    (tmp_path / f"bad{name}.json").write_text("{")
    write_trace(tmp_path / f"{name}.log", gas=1)
    (tmp_path / f"bad{name}.log").write_text("nothing")
    for command in ("vectors", "replay"):
        done = pvm(command, tmp_path)
        assert "x\\x1b[31m\\u202e" in done.text and "\x1b" not in done.text + done.stderr, done.text
