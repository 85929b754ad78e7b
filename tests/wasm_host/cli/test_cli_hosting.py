"""`pvm run`: host calls answered, runs recorded and traced, started with registers and memory, stopped."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from pvm.isa import GP_072
from pvm.program import assemble
from pvm.trace import compare_traces, format_trace, parse_answers, parse_trace
from tests.wasm_host.cli.test_cli_run import LOG, run_json, write
from wasm_host.cli import cli

TIERS = ("reference", "interpreter", "recompiler", "auto")
FETCHES = """.standard stack=4096 heap=1
.code
    move_reg    r7, sp
    add_imm_64  r7, r7, -64
    load_imm    r8, 0
    load_imm    r9, 64
    load_imm    r10, 1
    ecalli      1
    move_reg    r8, r7
    move_reg    r7, sp
    add_imm_64  r7, r7, -64
    ret
"""


@pytest.fixture
def service(shared, tmp_path):
    """A real service's program, its trace and the options that start it as recorded."""
    path = shared / "traces/ecalli/small-service.log"
    trace = parse_trace(path.read_bytes())
    program = tmp_path / "service.jam"
    program.write_bytes(trace.program)
    args = b"".join(chunk.data for chunk in trace.memory).hex()
    return trace, (program, "--pc", trace.start.pc, "--gas", trace.start.gas, "--args", args, "--answers", path)


@pytest.mark.parametrize("tier", TIERS)
def test_a_service_answered_from_its_trace_is_recorded_as_it_was(pvm, service, tier, tmp_path):
    trace, words = service
    again, steps = tmp_path / "again.log", tmp_path / "steps.txt"
    found, result = run_json(pvm, *words, "--tier", tier, "--record", again)
    assert result.status == 0 and again.read_text() == format_trace(trace)
    assert (found["status"], found["pc"], found["gas"]) == ("halt", trace.end.state.pc, trace.end.state.gas)
    assert (found["host_calls_answered"], found["divergence"]) == (len(trace.calls), None)
    assert result.stderr.startswith("log info: This is Accumulate in the Test Service")
    assert pvm("replay", again).status == 0
    assert pvm("run", *words, "--tier", tier, "--trace", steps).status == 0
    same = pvm("trace", "diff", steps, again)
    assert same.status == 0 and same.text.startswith(f"same: {len(trace.calls)} host calls; instruction in one of them")


def test_divergence_is_told_and_goes_on_or_stops(pvm, service, tmp_path):
    """The second call's length is recorded as another; all that follows is as recorded."""
    trace, words = service
    other = tmp_path / "other.log"
    other.write_text(words[-1].read_text().replace("r09=0x86", "r09=0x87", 1))
    words = (*words[:-1], other)
    found, _ = run_json(pvm, *words)
    text = f"host call 1 (fetch) (line {trace.calls[1].state.line}): r9 (length) is 0x86, recorded was 0x87"
    assert found["divergence"] == {"host_call": 2, "text": text} and found["gas"] == trace.end.state.gas
    human = pvm("run", *words)
    assert f"at host call {found['divergence']['host_call']}: " in human.text
    stopped, _ = run_json(pvm, *words, "--on-divergence", "stop")
    assert stopped["status"] == "host-call"
    assert stopped["host_calls_answered"] == found["divergence"]["host_call"] - 1


def test_a_list_of_answers(pvm, tmp_path):
    program = write(tmp_path, FETCHES)
    plain, _ = run_json(pvm, program)
    assert (plain["status"], plain["host_call"]) == ("host-call", 1) and "divergence" not in plain
    answers = write(tmp_path, 'fetch kind=1 -> out="hi there" # text\n', "answers.txt")
    found, result = run_json(pvm, program, "--answers", answers)
    assert result.status == 0 and bytes.fromhex(found["result"]) == b"hi there"
    assert found["gas_used"] == 10 + 10
    data = write(tmp_path, "from a file", "data")
    answers.write_text(f"fetch -> out=@{data} cost=3\n")
    found, _ = run_json(pvm, program, "--answers", answers)
    assert bytes.fromhex(found["result"]) == b"from a file" and found["gas_used"] == 10 + 3
    answers.write_text("read -> NONE\n")
    for more, status in (((), "host-call"), (("--default-answer", "5"), "halt")):
        found, _ = run_json(pvm, program, "--answers", answers, *more)
        assert found["status"] == status
    human = pvm("run", program)
    assert "host-call 1 (fetch), which nothing answers" in human.text
    assert "1 answered" in pvm("run", program, "--default-answer", "NONE").text


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("spec", "cost"), [("0.7.2", 10), ("0.8.0", 1000)])
def test_log_takes_its_gas(pvm, tmp_path, tier, spec, cost):
    path = write(tmp_path, LOG.format(message=b"hi".hex(), level=2, target_length=2, address="message"))
    options = ("--tier", tier, "--spec", spec, "--metering", "instruction")
    found, result = run_json(pvm, path, *options)
    assert (found["status"], found["gas_used"]) == ("halt", 9 + cost)
    assert result.stderr == "log info [me]: hi\n"
    short, result = run_json(pvm, path, *options, "--gas", 6 + cost - 1)
    assert (short["status"], short["gas"], short["pc"]) == ("out-of-gas", 0, found["pc"] - 7) or short["gas"] == 0
    assert short["status"] == "out-of-gas" and result.stderr == ""


def test_log_lines_are_limited_and_the_run_goes_on(pvm, tmp_path):
    clear = "".join(f"load_imm r{register}, 0\n" for register in (8, 9, 10, 11))
    loop = f"log:\n{clear}ecalli 100\nadd_imm_64 r2, r2, -1\nbranch_ne_imm r2, 0, log\n"
    path = write(tmp_path, f"load_imm r2, 30\nfallthrough\n{loop}trap")
    for options, shown in (((), 30), (("--log-lines", 30), 30), (("--log-lines", 7), 7), (("--log-lines", 0), 0)):
        found, result = run_json(pvm, path, *options)
        lines = result.stderr.splitlines()
        assert found["gas_used"] == 3 + 30 * 17
        assert len([line for line in lines if line.startswith("log ")]) == shown
        assert lines[shown:] == ([] if shown in (0, 30) else [
            f"pvm: {shown} lines of log shown, the others are not (--log-lines N shows more)"
        ])  # fmt: skip
    assert "30 lines, 7 of them shown" in pvm("run", path, "--log-lines", 7).text


@pytest.mark.parametrize("tier", TIERS)
def test_registers_pages_and_memory_of_a_plain_program(pvm, tmp_path, tier):
    source = "load_ind_u32 r2, [r7]\nadd_64 r3, r2, r8\nstore_ind_u64 [r9], r3\nload_u8 r4, [0x40000]\ntrap"
    path = write(tmp_path, source)
    data = tmp_path / "data"
    data.write_bytes(b"\0\0\5\0\0\0")
    words = ("--reg", "r7=0x20002", "--reg", "r8=-1", "--reg", "r9=0x30ff8", "--map", "0x30000:0x1000:rw",
             "--load", f"0x20000=@{data}", "--load", "0x40000=0x2a")  # fmt: skip
    record = tmp_path / "record.log"
    found, _ = run_json(pvm, path, *words, "--tier", tier, "--record", record)
    assert found["status"] == "panic" and found["registers"][2:5] == [5, 4, 42]
    assert pvm("replay", record, "--tier", tier).status == 0
    found, _ = run_json(pvm, path, *words[:6], "--map", "0x30000:1:r", *words[8:], "--tier", tier)
    assert (found["status"], found["page_fault_address"]) == ("page-fault", 0x30000)


def test_registers_of_a_standard_program_are_recorded(pvm, tmp_path):
    record = tmp_path / "record.log"
    found, _ = run_json(pvm, "example:hello", "--reg", "r8=3", "--load", "0xfeff0000=424f42", "--record", record)
    assert bytes.fromhex(found["result"]) == b"Hello, BOB!"
    found, _ = run_json(pvm, "example:hello", "--reg", "r7=0xfeff0001", "--reg", "r8=2", "--record", record)
    assert bytes.fromhex(found["result"]) == b"Hello, or!"
    assert pvm("replay", record).status == 0


def test_step_stops_and_shows_where(pvm, tmp_path):
    path = write(tmp_path, "load_imm r1, 5\nadd_imm_64 r1, r1, 1\ntrap")
    for step, pc, registers in ((0, 0, 0), (1, 3, 5), (2, 6, 6)):
        found, result = run_json(pvm, path, "--step", step)
        shown = (found["status"], found["pc"], found["gas_used"], found["registers"][1])
        assert shown == ("stopped", pc, step, registers)
        assert result.status == 0 and found["host_call"] is None
    found, result = run_json(pvm, path, "--step", 3)
    assert (found["status"], result.status) == ("panic", 1)
    human = pvm("run", path, "--step", 1)
    assert human.status == 0 and "stopped" in human.text and "add_imm_64 r1, r1, 1" in human.text


def test_trace_on_standard_output(pvm, tmp_path):
    path = write(tmp_path, "load_imm r1, 5\ntrap")
    result = pvm("run", path, "--trace", "-")
    assert [line.partition(" r00")[0] for line in result.text.splitlines()] == [
        "start pc=0 gas=10000000", "pc=0 load_imm r1, 5 gas=9999999", "pc=3 trap gas=9999998",
        "PANIC=0 pc=3 gas=9999998 r01=0x5",
    ]  # fmt: skip
    assert result.status == 1 and "Status  panic" in result.stderr
    assert json.loads(pvm("run", path, "--trace", "-", "--json").stderr)["status"] == "panic"
    assert pvm("run", path, "--record", "-").text.startswith("program 0x")


@pytest.mark.parametrize("tier", TIERS)
def test_interrupted_runs_say_where_they_were(pvm_process, tmp_path, tier):
    path = write(tmp_path, "ecalli 100\nfallthrough\nloop: add_imm_64 r1, r1, 1\njump loop")
    trace = tmp_path / "trace.txt"
    words = ("--gas", 2**63, "--tier", tier, "--json") + (("--trace", trace) if tier == "reference" else ())
    with pvm_process("run", path, *words) as process:
        assert process.stderr.readline() == b"log fatal: \n"  # from now on it runs
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    found = json.loads(out)
    assert found["status"] == "interrupted" and found["pc"] in (2, 3, 6) and found["gas"] + found["gas_used"] == 2**63
    text = err.decode()
    assert re.fullmatch(r"pvm: interrupted at pc [236] \(.*\): [\d,]+ gas used, [\d,]+ left\n", text), text
    if tier == "reference":
        assert trace.read_text().splitlines()[-1].startswith("STOP pc=")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--reg", "r13=0"), ("--reg: 'r13=0' is not rN=VALUE",)),
        (("--reg", "r1=x"), ("--reg: 'x' is no number",)),
        (("--reg", "r1"), ("--reg: 'r1' is not",)),
        (("--map", "0:1"), ("--map: '0:1' is not ADDR:LEN:rw",)),
        (("--map", "0:1:x"), ("--map: '0:1:x' is not",)),
        (("--map", "x:1:r"), ("--map: 'x' is no number",)),
        (("--map", "0xffffffff:2:r"), ("--map: 2 bytes from 0xffffffff do not lie",)),
        (("--load", "5"), ("--load: '5' is not ADDR=HEX",)),
        (("--load", "5=x"), ("--load: 'x' at character 1",)),
        (("--load", "5=@nowhere"), ("--load: nowhere: cannot be read",)),
        (("--load", "0xffffffff=0000"), ("--load: 2 bytes from 0xffffffff do not lie",)),
        (("--answers", "nowhere"), ("nowhere: cannot be read",)),
        (("--default-answer", "NOPE"), ("--default-answer: 'NOPE' is no number",)),
        (("--default-answer", ""), ("--default-answer: an effect is missing",)),
        (("--log-lines", "-1"), ("--log-lines",)),
        (("--step", "x"), ("--step: 'x' is no number",)),
        (("--trace-memory",), ("--trace-memory: it adds to what --trace writes",)),
        (("--trace", "nowhere/x"), ("nowhere/x: cannot be written: no such file",)),
        (("--trace", "-", "--record", "-"), ("--record: standard output has",)),
        (("--trace", "same", "--record", "./same"), ("--record: ./same is --trace already",)),
        (("--record", "x", "--map", "0x20000:1:rw"), ("--record: an ecalli trace cannot say",)),
        (("--answers", "-", "--args", "@-"), ("--answers: standard input is the value of --args already",)),
    ],
)
def test_bad_options(bad_input, tmp_path, monkeypatch, words, parts):
    monkeypatch.chdir(tmp_path)
    bad_input(("run", "example:hello", *words), *parts)
    assert list(tmp_path.iterdir()) == []  # nothing is half written


def test_bad_answers(bad_input, tmp_path, service):
    _, words = service
    bad = write(tmp_path, "fetch -> NONE\nfetsh -> 1\n", "answers.txt")
    bad_input(("run", "example:hello", "--answers", bad), "answers.txt: line 2: 'fetsh' is no host call of 0.7.2")
    cut = Path(words[-1]).read_text().replace("setgas <- 9", "setgas <- x", 1)
    bad.write_text(cut)
    bad_input(("run", "example:hello", "--answers", bad), "answers.txt: line ", "malformed")
    program = tmp_path / "program.pvm"
    program.write_bytes(assemble("trap").encode())
    before = program.read_bytes()
    bad_input(("run", program, "--trace", program), f"--trace: {program} is the program already")
    assert program.read_bytes() == before


def test_the_document_s_commands_parse():
    text = (Path(__file__).parents[3] / "pvm/trace/FORMAT.md").read_text()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)
            cli.commands[words[1]].make_context(words[1], words[2:])


def test_the_document_s_list_of_answers_is_one():
    text = (Path(__file__).parents[3] / "pvm/trace/FORMAT.md").read_text()
    [answers] = re.findall(r"```text\n(# what.*?)```", text, re.DOTALL)
    assert len(parse_answers(answers, GP_072, lambda path: b"").rules) == 8
    [trace] = re.findall(r"```text\n(start.*?)```", text, re.DOTALL)
    assert compare_traces(trace.splitlines(), trace.splitlines()).difference is None
