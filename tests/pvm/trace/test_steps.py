"""Traces of instructions: the same on every engine, exact, and with what was loaded and stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wasm_host
from pvm import Program, Reason, ReferenceEngine
from pvm.examples import example
from pvm.fuzz import random_case
from pvm.isa import spec as find_spec
from pvm.program import assemble
from pvm.trace import Host, Recorded, Run, format_trace, parse_default, parse_trace, replay, start_machine

TIERS = ("interpreter", "recompiler", "auto")
SOURCE = """
.standard stack=4096 heap=1
.rodata
bytes: .hex 0102030405060708
.code
    load_u16    r2, [bytes]
    store_ind_u32 [sp - 8], r2
    store_imm_ind_u8 [sp - 1], 0x7f
    load_ind_i8 r3, [sp - 1]
    load_imm    r7, 3
    ecalli      5
    add_imm_64  r4, r7, 1
    ecalli      100
    load_u8     r5, [0x30000000]
"""


def engine(tier: str, spec: str = "0.7.2", metering: str = "instruction") -> Any:
    return ReferenceEngine(spec, metering) if tier == "reference" else wasm_host.Engine(spec, tier, metering)


def traced(machine: Any, program: Program, spec: str = "0.7.2", host: Host | None = None, limit: int | None = None,
           memory: bool = True) -> list[str]:  # fmt: skip
    """The lines of a run."""
    lines: list[str] = []
    version = find_spec(spec)
    run = Run(machine, program, version, host or Host(version, lambda line: None), None, lines.append, memory)
    run.begin(b"", ())
    run.finish(run.to_end(limit))
    return "".join(lines).splitlines()


def test_lines() -> None:
    program = assemble(SOURCE)
    spec = find_spec("0.7.2")
    host = Host(spec, lambda line: None, None, parse_default("NONE", spec, lambda path: b""))
    lines = traced(ReferenceEngine().instantiate(program, gas=1000), program, host=host)
    rest = [line.partition(" r00=")[0] for line in lines]
    assert rest == [
        "start pc=0 gas=1000",
        "pc=0 load_u16 r2, [0x10000] gas=999",
        "pc=5 store_ind_u32 [r1 - 8], r2 gas=998",
        "pc=8 store_imm_ind_u8 [r1 - 1], 127 gas=997",
        "pc=12 load_ind_i8 r3, [r1 - 1] gas=996",
        "pc=15 load_imm r7, 3 gas=995",
        "pc=18 ecalli 5 gas=994",
        "ecalli=5 pc=18 gas=994",
        "setreg r07 <- 0xffffffffffffffff",
        "setgas <- 984",
        "pc=20 add_imm_64 r4, r7, 1 gas=983",
        "pc=23 ecalli 100 gas=982",
        "ecalli=100 pc=23 gas=982",
        "setreg r07 <- 0xfffffffffffffffe",
        "setgas <- 972",
        "pc=25 load_u8 r5, [0x30000000] gas=971",
        "comment page fault at 0x30000000",
        "PANIC=805306368 pc=25 gas=971",
    ]
    assert lines[1].endswith(" r12=0x0 load 0x00010000 len=2 -> 0x0102")
    assert lines[2].endswith(" store 0xfefdfff8 len=4 <- 0x01020000")
    assert lines[3].endswith(" store 0xfefdffff len=1 <- 0x7f")
    assert lines[4].endswith(" load 0xfefdffff len=1 -> 0x7f")
    assert lines[15].endswith(" r12=0x0")
    assert all(line.count("=0x") >= 13 for line in lines if line.startswith("pc="))


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("gas", [30, 6000])
def test_all_tiers_write_the_same_lines(spec: str, metering: str, gas: int) -> None:
    program = assemble(example("fibonacci").source, spec)
    expected = traced(engine("reference", spec, metering).instantiate(program, b"\7", gas), program, spec)
    assert expected[-1].startswith("OOG" if gas == 30 else "HALT")
    for tier in TIERS:
        assert traced(engine(tier, spec, metering).instantiate(program, b"\7", gas), program, spec) == expected, tier


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_random_programs(seed: int) -> None:
    """Whatever ends them, and however they jump: their last line is the exit of a run without a trace."""
    case = random_case(seed)
    program = Program.parse(case.program, "plain")
    expected = None
    for tier in ("reference", *TIERS):
        machine = engine(tier, case.spec, case.metering).instantiate(program, gas=min(case.gas, 300), pc=case.pc)
        lines = traced(machine, program, case.spec)
        expected = expected or lines
        assert lines == expected, tier
        other = engine(tier, case.spec, case.metering).instantiate(program, gas=min(case.gas, 300), pc=case.pc)
        exit = other.run()
        if exit.call != 100:
            assert f" pc={exit.pc} gas={exit.gas}" in lines[-1]


def test_a_service_s_steps_add_up(shared: Path) -> None:
    """Its host calls stand among the instructions as in its ecalli trace, and each instruction takes 1 gas."""
    trace = parse_trace((shared / "traces/ecalli/small-service.log").read_bytes())
    program = Program.parse(trace.program)
    found = []
    for tier in ("interpreter", "recompiler"):
        machine = start_machine(trace, engine(tier), program)
        host = Host(find_spec("0.7.2"), lambda line: None, Recorded(trace.calls, find_spec("0.7.2")))
        found.append(traced(machine, program, host=host, memory=False))
    assert found[0] == found[1]
    calls = [line for line in found[0] if not line.startswith("pc=")]
    assert calls == format_trace(trace).splitlines()[len(trace.memory) + 1 :]
    assert sum(line.startswith("pc=") for line in found[0]) == replay(trace, ReferenceEngine()).gas_used


def test_stopped_after_so_many_instructions() -> None:
    program = assemble(SOURCE)
    spec = find_spec("0.7.2")
    for limit, pc in ((0, 0), (1, 5), (6, 20), (7, 23)):
        host = Host(spec, lambda line: None, None, parse_default("0", spec, lambda path: b""))
        run = Run(ReferenceEngine().instantiate(program, gas=1000), program, spec, host)
        assert run.to_end(limit) is None
        assert (run.pc, run.steps) == (pc, limit)
    lines = traced(ReferenceEngine().instantiate(program, gas=1000), program, limit=2)
    assert lines[-1].startswith("STOP pc=8 gas=998 r00=")


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_where_nothing_may_run_there_is_no_line(spec: str) -> None:
    """0.8.0 refuses the entry and takes no gas; 0.7.2 carries out a trap there."""
    program = assemble(".code\nload_imm r1, 5\ntrap", spec)
    for tier in ("reference", "interpreter"):
        machine = engine(tier, spec).instantiate(program, gas=10, pc=50)
        lines = traced(machine, program, spec)
        assert len(lines) == (2 if spec == "0.8.0" else 3), lines
        assert lines[-1].startswith("PANIC=0 pc=50 ")


@pytest.mark.parametrize("tier", ["reference", *TIERS])
@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("gas", [8, 18, 30, 1000])
def test_records_verify_on_every_engine(tier: str, metering: str, gas: int) -> None:
    """Also those that end at a host call, or because it could not be paid."""
    program = assemble(SOURCE.replace("load_u8     r5, [0x30000000]", "ecalli 7"))
    spec = find_spec("0.7.2")
    given = Recorded((), spec)
    for default in (None, parse_default("NONE", spec, lambda path: b""), parse_default("halt", spec, lambda path: b"")):
        machine = engine(tier, metering=metering).instantiate(program, gas=gas)
        text: list[str] = []
        run = Run(machine, program, spec, Host(spec, lambda line: None, given, default), text.append)
        run.begin(program.encode(), ())
        exit = run.to_end()
        run.finish(exit)
        trace = parse_trace("".join(text))
        assert exit is not None
        assert trace.end.reason is (Reason.PANIC if exit.reason is Reason.PAGE_FAULT else exit.reason)
        for other in ("reference", "interpreter"):
            assert replay(trace, engine(other, metering=metering)).difference is None, "".join(text)
