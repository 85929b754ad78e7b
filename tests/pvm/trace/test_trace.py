"""Ecalli traces: reading, writing, replaying, and what is said of malformed or diverging ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wasm_host
from pvm import Exit, Program, Reason, ReferenceEngine, TraceError
from pvm.isa import spec as find_spec
from pvm.program import assemble
from pvm.trace import (
    Call,
    End,
    Host,
    MemoryChunk,
    Recorded,
    Run,
    State,
    Trace,
    answer,
    format_trace,
    parse_trace,
    replay,
    start_machine,
)

SOURCE = """
.standard stack=4096 heap=1
.metadata "t"
.code
    store_ind_u64   [sp - 8], a1
    ecalli          7
    load_ind_u64    a2, [sp - 16]
    ecalli          8
    add_imm_64      a3, a2, 1
    ret
"""
SP = 0xFEFE0000


def own_trace() -> Trace:
    """A recording of SOURCE, made by hand."""
    program = assemble(SOURCE)
    pcs = [3, 5, 8, 10, 13]
    registers = (0xFFFF0000, SP, 0, 0, 0, 0, 0, 0xFEFF0000, 3, 0, 0, 0, 0)

    def with_(**changes: int) -> tuple[int, ...]:
        return tuple(changes.get(f"r{i}", value) for i, value in enumerate(registers))

    after_first = with_(r7=1)
    return Trace(
        program.encode(),
        (MemoryChunk(0xFEFF0000, b"abc"),),
        State(0, 100, registers),
        (
            Call(7, State(pcs[0], 98, registers), (MemoryChunk(SP - 8, b"\3" + bytes(7)),),
                 (MemoryChunk(SP - 16, b"\x29" + bytes(7)),), ((7, 1),), 50),
            Call(8, State(pcs[2], 48, (*after_first[:9], 0x29, *after_first[10:]))),
        ),
        End(Reason.HALT, State(pcs[4], 46, (*after_first[:9], 0x29, 0x2A, *after_first[11:]))),
    )  # fmt: skip


def test_a_trace_of_our_own_replays_on_each_engine(make_engine: Any) -> None:
    result = replay(own_trace(), make_engine())
    assert result.difference is None
    assert (result.calls, result.gas_used) == (2, 6)


def test_writing_and_reading_round_trip() -> None:
    trace = own_trace()
    text = format_trace(trace)
    assert format_trace(parse_trace(text)) == text
    prefixed = "".join(f"TRACE [  ecalli] {line}\n" for line in text.splitlines())
    assert format_trace(parse_trace("INFO: hello\n\ncomment x\n" + prefixed + "# tests 1\n")) == text


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda t: replace(t, end=replace(t.end, reason=Reason.PANIC)), "end, line 0: expected panic, got halt"),
        (lambda t: replace(t, end=replace(t.end, state=replace(t.end.state, pc=3))), "pc: expected 3"),
        (lambda t: replace(t, calls=t.calls[:1]), "expected halt, got host-call at pc 8"),
        (lambda t: replace(t, calls=(replace(t.calls[0], number=9), t.calls[1])), "host call 1, line 0: expected host"),
        (lambda t: replace(t, calls=(replace(t.calls[0], gas=49), t.calls[1])), "host call 2, line 0: gas: expected"),
        (lambda t: replace(t, calls=(replace(t.calls[0], registers=()), t.calls[1])), "r7: expected 0x1, got 0xfeff"),
        (lambda t: replace(t, calls=(replace(t.calls[0], reads=(MemoryChunk(SP - 8, b"\4"),)), t.calls[1])),
         "differs from the recorded read"),
        (lambda t: replace(t, calls=(replace(t.calls[0], writes=()), t.calls[1])), "r9: expected 0x29, got 0x0"),
    ],
)  # fmt: skip
def test_the_first_divergence_is_named(change: Any, difference: str) -> None:
    found = replay(change(own_trace()), ReferenceEngine()).difference
    assert found is not None
    assert difference in found


def recorded(shared: Path) -> list[tuple[str, Trace, Program]]:
    """All recorded traces by name, each program once."""
    programs: dict[bytes, Program] = {}
    found = []
    for path in sorted((shared / "traces/ecalli").glob("*.log")):
        trace = parse_trace(path.read_bytes())
        found.append((path.name, trace, programs.setdefault(trace.program, Program.parse(trace.program))))
    assert len(found) == 33
    return found


def test_all_recorded_traces_on_the_interpreter(shared: Path) -> None:
    engine = wasm_host.Engine(tier="interpreter", metering="instruction")
    for name, trace, program in recorded(shared):
        assert replay(trace, engine, program).difference is None, name


def test_all_recorded_traces_answered_from_and_recorded_again(shared: Path) -> None:
    """Nothing differs: memory that the host read, effects, gas, the end."""
    engine, spec = wasm_host.Engine(tier="interpreter"), find_spec("0.7.2")
    for name, trace, program in recorded(shared):
        lines: list[str] = []
        given = Recorded(trace.calls, spec)
        machine = start_machine(trace, engine, program)
        run = Run(machine, program, spec, Host(spec, lambda line: None, given), lines.append)
        run.begin(trace.program, trace.memory)
        run.finish(run.to_end())
        assert (given.divergence, given.left) == (None, 0), name
        assert "".join(lines) == format_trace(trace), name


@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_all_recorded_traces_recompiled_with_a_cold_and_a_warm_cache(
    shared: Path, protection: str, protected: Any, tmp_path: Path
) -> None:
    """And on auto, which finds the translations in the same folder. Traces are metered by instruction."""
    protected(protection)
    traces = recorded(shared)
    for tier in ("recompiler", "recompiler", "auto"):
        engine = wasm_host.Engine(tier=tier, metering="instruction", cache=tmp_path, protection=protection)
        for name, trace, program in traces:
            assert replay(trace, engine, program).difference is None, f"{name}, {tier}"


@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_all_recorded_traces_on_auto_with_a_cold_cache(
    shared: Path, protection: str, protected: Any, tmp_path: Path
) -> None:
    """Translations come in while the traces are replayed."""
    protected(protection)
    engine = wasm_host.Engine(tier="auto", metering="instruction", cache=tmp_path, protection=protection)
    for name, trace, program in recorded(shared):
        assert replay(trace, engine, program).difference is None, name


@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_recorded_traces_by_block_take_the_same_course(
    shared: Path, protection: str, protected: Any, tmp_path: Path
) -> None:
    """Their gas is not what was recorded, but the interpreter's; with a cold and with a warm cache."""
    protected(protection)
    options = {"tier": "recompiler", "metering": "block", "cache": tmp_path, "protection": protection}
    yardstick = wasm_host.Engine(tier="interpreter", metering="block")
    engines = [wasm_host.Engine(**options) for _ in range(2)]
    for name, trace, program in recorded(shared):
        expected = course(trace, yardstick, program)
        assert len(expected) == len(trace.calls) + 1, name
        for engine in engines:
            assert course(trace, engine, program) == expected, name


def course(trace: Trace, engine: Any, program: Program) -> list[tuple[Exit, list[int]]]:
    """The exits and registers of a run whose host calls are answered as recorded."""
    machine = start_machine(trace, engine, program)
    seen = []
    for call in (*trace.calls, None):
        seen.append((machine.run(), list(machine.registers)))
        if call is None or seen[-1][0].call != call.number:
            break
        answer(machine, call)
    return seen


def test_a_short_recorded_trace_on_the_reference_engine(shared: Path) -> None:
    trace = parse_trace((shared / "traces/ecalli/small-service.log").read_bytes())
    assert replay(trace, ReferenceEngine()).difference is None


GOOD = format_trace(own_trace()).splitlines()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no line with a program"),
        (GOOD[:1], "ends before its start"),
        (GOOD[:-1], "without HALT, OOG or PANIC"),
        ([*GOOD, GOOD[-1]], "line 11: an event after the end"),
        ([GOOD[0], GOOD[0]], "line 2: a second program"),
        ([GOOD[0] + "f"], "line 1: "),
        ([GOOD[2], *GOOD], "line 1: the start before the program"),
        ([*GOOD[:3], GOOD[2]], "line 4: a second start"),
        ([*GOOD[:3], "setreg r07 <- 0x1"], "line 4: a register set outside"),
        ([*GOOD[:3], "setgas <- 1"], "line 4: gas set outside"),
        ([*GOOD[:3], "memread 0x1 len=1 -> 0x00"], "line 4: a memory read outside"),
        ([*GOOD[:3], "memwrite 0x1 len=1 <- 0x00"], "line 4: a memory write outside"),
        ([*GOOD[:4], "setreg r13 <- 0x1"], "line 5: register 13 is not below 13"),
        ([*GOOD[:4], "memread 0x1 len=2 -> 0x00"], "line 5: len=2, but 1 byte given"),
        ([*GOOD[:4], "memread 0x1 len=1 <- 0x00"], "line 5: '->' expected"),
        ([*GOOD[:4], "memread 0xffffffff len=2 -> 0x0000"], "line 5: the end of the bytes"),
        ([*GOOD[:3], "ecalli=1 pc=x gas=1"], "line 4: malformed"),
        ([*GOOD[:3], "ecalli=1 pc=4 gas=99999999999999999999999"], "line 4: gas"),
        ([*GOOD[:3], "HALT pc=99999999999 gas=1"], "line 4: pc"),
    ],
)
def test_malformed_traces(lines: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace("\n".join(lines))


def test_bytes_may_end_where_the_address_space_does() -> None:
    line = "memread 0xfffffffe len=2 -> 0x0102"
    assert parse_trace("\n".join([*GOOD[:4], line, *GOOD[4:]])).calls[0].reads[0] == MemoryChunk(
        0xFFFFFFFE, b"\1\2", 5
    )  # fmt: skip


def test_not_text() -> None:
    with pytest.raises(TraceError, match="not UTF-8 at byte 1"):
        parse_trace(b"a\xff")


def test_a_trace_whose_program_is_bad() -> None:
    with pytest.raises(TraceError, match="program: no format fits"):
        replay(replace(own_trace(), program=b"\1\2\3"), ReferenceEngine())


@given(st.data())
def test_mutated_traces_are_read_or_refused(data: st.DataObject) -> None:
    text = bytearray("\n".join(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 127))
    try:
        replay(parse_trace(bytes(text)), ReferenceEngine())
    except TraceError as error:
        assert "\n" not in str(error)


def test_memory_writes_before_the_start_all_count_in_order() -> None:
    trace = own_trace()
    doubled = (MemoryChunk(0xFEFF0000, b"xyz"), MemoryChunk(0xFEFF0000, b"ab"), MemoryChunk(0x20000, b"\7"))
    source = SOURCE.replace("store_ind_u64   [sp - 8], a1", "load_ind_u32 a4, [a0]\nload_u8 a5, [0x20000]")
    machine = start_machine(replace(trace, memory=doubled, program=assemble(source).encode()), ReferenceEngine())
    assert machine.memory.read(0xFEFF0000, 4) == b"abz\0"
    assert machine.memory.read(0x20000, 1) == b"\7"


def test_comments_are_no_events() -> None:
    text = "comment the next start pc=5 is wrong\n" + "\n".join(GOOD) + "\n[x] comment HALT pc=1 gas=2\n"
    assert format_trace(parse_trace(text)).splitlines() == GOOD
