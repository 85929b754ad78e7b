"""Answers to host calls: lists of them, recorded ones, defaults, their gas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm import Exit, InputError, Reason, ReferenceEngine
from pvm.isa import GP_072, GP_080, Spec
from pvm.jam.host_calls.table import RESULTS, by_number
from pvm.program import Program, assemble
from pvm.program.standard import Sections
from pvm.trace import (
    Call,
    Host,
    Listed,
    MemoryChunk,
    Recorded,
    Run,
    State,
    give,
    growing_heap,
    parse_answers,
    parse_default,
)

NONE, WHAT = RESULTS["NONE"], RESULTS["WHAT"]
FILES = {"data.bin": b"\1\2\3\4"}


def fetch(kind: int, out: int = 0x20000, offset: int = 0, length: int = 100, call: int = 1) -> str:
    return f"""
    load_imm r7, {out}
    load_imm r8, {offset}
    load_imm r9, {length}
    load_imm r10, {kind}
    ecalli {call}
"""


def run(source: str, host: Any = None, spec: Spec = GP_072, gas: int = 10_000, default: Any = None) -> tuple[Any, Any]:
    """A plain program with two pages, answered by `host`: its exit, and the machine."""
    program = assemble(f".code\n{source}\n", spec)
    machine = ReferenceEngine(spec.name, "instruction").instantiate(program, gas=gas)
    machine.memory.map(0x20000, 8192, "rw")
    return Run(machine, program, spec, Host(spec, lambda line: None, host, default)).to_end(), machine


def listed(text: str, spec: Spec = GP_072) -> Listed:
    return parse_answers(text, spec, FILES.__getitem__)


@pytest.mark.parametrize(
    ("text", "r7", "memory", "cost"),
    [
        ("fetch -> NONE", NONE, b"\0\0\0\0", 10),
        ("1 -> -1", NONE, b"\0\0\0\0", 10),
        ("fetch -> out=@data.bin", 4, b"\1\2\3\4", 10),
        ('fetch -> out="ab\\"c"', 4, b'ab"c', 10),
        ("fetch -> out=0x0a0b cost=3", 2, b"\n\v\0\0", 3),
        ("* -> 7 [r7+1]=0xff", 7, b"\0\xff\0\0", 10),
        ("* -> r7=0x10 [0x20002]=0x0102", 16, b"\0\0\1\2", 10),
        ("fetch kind=1 -> 1\nfetch kind=2 -> 2\n* -> 3", 2, b"\0\0\0\0", 10),
        ("fetch r10=1 -> 1\nfetch x0 -> 5\nfetch -> 4 # a comment\nfetch -> 6", 4, b"\0\0\0\0", 10),
        ("# nothing\n\ndefault 9", 9, b"\0\0\0\0", 10),
        ("default -> WHAT", WHAT, b"\0\0\0\0", 10),
        ("FETCH -> huh", RESULTS["HUH"], b"\0\0\0\0", 10),
    ],
)
def test_effects(text: str, r7: int, memory: bytes, cost: int) -> None:
    exit, machine = run(fetch(2) + "trap", listed(text))
    assert exit == Exit(Reason.PANIC, machine.pc, 10_000 - 6 - cost)
    assert machine.registers[7] == r7
    assert machine.memory.read(0x20000, 4) == memory


def test_out_hands_out_the_part_that_is_asked_for() -> None:
    _, machine = run(fetch(0, offset=1, length=2) + "trap", listed("fetch -> out=0x01020304"))
    assert (machine.registers[7], machine.memory.read(0x20000, 4)) == (4, b"\2\3\0\0")
    _, machine = run(fetch(0, offset=9) + "trap", listed("fetch -> out=0x01020304"))
    assert (machine.registers[7], machine.memory.read(0x20000, 4)) == (4, bytes(4))
    exit, machine = run(fetch(0, out=0x50000) + "trap", listed("fetch -> out=0x01020304"))
    assert (exit.reason, exit.gas) == (Reason.PANIC, 10_000 - 5 - 10)  # it cannot be written there


def test_lines_are_used_up_in_order() -> None:
    host = listed("fetch x2 -> 1\nfetch x1 -> 2\ndefault 3")
    source = "".join(fetch(0) + f"move_reg r{into}, r7\n" for into in (2, 3, 4, 5)) + "trap"
    _, machine = run(source, host)
    assert machine.registers[2:6] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("fetch -> stop", Reason.HOST_CALL), ("read -> 0", Reason.HOST_CALL), ("fetch -> 1 halt", Reason.HALT),
     ("fetch -> panic", Reason.PANIC), ("fetch -> out-of-gas", Reason.OUT_OF_GAS), ("default stop", Reason.HOST_CALL)],
)  # fmt: skip
def test_answers_that_end_the_run(text: str, reason: Reason) -> None:
    exit, machine = run(fetch(0) + "trap", listed(text))
    assert (exit.reason, exit.pc) == (reason, machine.pc)
    assert exit.gas == 10_000 - 5 - (0 if reason is Reason.HOST_CALL else 10)


@pytest.mark.parametrize(
    ("source", "spec", "result", "cost"),
    [
        (fetch(0), GP_072, "NONE", 10), (fetch(0, call=99), GP_072, "NONE", 10), (fetch(0, call=100), GP_072, None, 10),
        (fetch(0, call=2), GP_080, "NONE", 390), (fetch(14, call=2), GP_080, "NONE", 287),
        (fetch(99, call=2), GP_080, "NONE", 80), (fetch(0, call=0), GP_080, "NONE", 48),
        (fetch(0, call=99), GP_080, "NONE", 1000), (fetch(0, call=2), GP_080, "WHAT", 1000),
        (fetch(0, call=100), GP_080, None, 1000),
    ],
)  # fmt: skip
def test_prices(source: str, spec: Spec, result: str | None, cost: int) -> None:
    """Gas 0 and out of gas where they cannot be paid; r7 is then as it was (B.5)."""
    default = None if result is None else parse_default(result, spec, FILES.__getitem__)
    exit, _ = run(source + "trap", None, spec, 10_000, default)
    assert exit.gas == 10_000 - 6 - cost
    exit, machine = run(source + "trap", None, spec, 5 + cost - 1, default)
    assert (exit.reason, exit.gas, machine.registers[7]) == (Reason.OUT_OF_GAS, 0, 0x20000)
    exit, _ = run(source + "trap", None, spec, 5 + cost + 1, default)
    assert (exit.reason, exit.gas) == (Reason.PANIC, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fetch NONE", "line 1: `CALL -> EFFECT …`"),
        ("\nfetsh -> NONE", "line 2: 'fetsh' is no host call of 0.7.2"),
        ("grow_heap -> 0", "'grow_heap' is no host call"),
        ("-> NONE", "no host call is named"),
        ("fetch ->", "an effect is missing"),
        ("fetch -> NOPE", "'NOPE' is no number"),
        ("fetch -> r13=0", "'r13=0' is no effect"),
        ("fetch -> r1=0x1_0", "'0x1_0' is no number"),
        ("fetch -> 0x10000000000000000", "does not fit 64 bits"),
        ("fetch -> [r13]=0x00", "r13 is no register"),
        ("fetch -> [0xffffffff]=0x0000", "do not lie within the 4 GiB"),
        ("fetch -> out=00", "are no bytes"),
        ("fetch -> out=0x0", "are no bytes"),
        ("write -> out=0x00", "out= is for calls with"),
        ("default out=0x00", "out= is for calls with"),
        ("fetch color=1 -> 0", "'color' is no parameter: give a register or one of out"),
        ("99 color=1 -> 0", "'color' is no parameter: give a register"),
        ("fetch often -> 0", "'often' is no condition"),
        ("default 0\ndefault 1", "line 2: a second default"),
        ('fetch -> out="ab', 'a " that is not closed'),
        ("fetch -> cost=x", "'x' is no number"),
    ],
)
def test_malformed_lists(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        listed(text)
    assert message in str(error.value) and "\n" not in str(error.value)


@given(st.text(alphabet='fetch read -> x1 r7=0x [r8]=@out"\\#*\n default NONE\x1b٣', max_size=60))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        run(fetch(0) + "trap", parse_answers(text, GP_072, lambda path: b""))
    except InputError as error:
        assert "\n" not in str(error)


# --- recorded ------------------------------------------------------------------------------------------------------


def call(number: int, line: int = 0, r7: int = 0, **more: Any) -> Call:
    registers = [0] * 13
    registers[7:11] = more.pop("registers", (0x20000, 0, 100, r7))
    return Call(number, State(0, 1000, tuple(registers), line), gas=more.pop("gas", 990), **more)


def test_recorded_answers_in_order() -> None:
    host = Recorded([call(1), call(1, r7=1)], GP_072)
    exit, _ = run(fetch(0) + fetch(1) + "trap", host)
    assert (exit.reason, exit.gas, host.divergence, host.left) == (Reason.PANIC, 10_000 - 11 - 20, None, 0)


def test_another_argument_diverges_and_goes_on_or_stops() -> None:
    calls = [call(1, 7, registers=(0x20000, 0, 100, 3), writes=(MemoryChunk(0x20000, b"x"),))]
    host = Recorded(calls, GP_072)
    exit, machine = run(fetch(2) + "trap", host)
    assert host.divergence is not None and host.divergence.call == 1
    assert host.divergence.text == "host call 1 (fetch) (line 7): r10 (kind) is 0x2, recorded was 0x3"
    assert exit.reason is Reason.PANIC and machine.memory.read(0x20000, 1) == b"x"
    exit, _ = run(fetch(2) + "trap", Recorded(calls, GP_072, stops=True))
    assert (exit.reason, exit.call) == (Reason.HOST_CALL, 1)


def test_memory_goes_to_where_out_points_now() -> None:
    host = Recorded([call(1, writes=(MemoryChunk(0x20000, b"xy"), MemoryChunk(0x20100, b"z")))], GP_072)
    _, machine = run(fetch(0, out=0x21000) + "trap", host)
    assert machine.memory.read(0x21000, 2) == b"xy" and machine.memory.read(0x20100, 1) == b"z"
    assert machine.memory.read(0x20000, 2) == bytes(2)


def test_another_call_gets_the_next_answer_to_its_number() -> None:
    calls = [call(2, 5), call(1, 9, registers=(0x20000, 0, 100, 0))]
    host = Recorded(calls, GP_072)
    exit, _ = run(fetch(0) + fetch(0) + "trap", host)
    assert host.divergence is not None
    assert host.divergence.text == "host call 1 (fetch), where host call 2 (lookup) was recorded (line 5)"
    assert (exit.reason, exit.call) == (Reason.HOST_CALL, 1)  # nothing is left
    host = Recorded(calls[1:], GP_072)
    run(fetch(0) + fetch(0) + "trap", host)
    assert host.divergence is not None and host.divergence.call == 2
    assert host.divergence.text == "host call 1 (fetch): no call is recorded after 1"


def test_a_log_more_or_less_is_no_divergence() -> None:
    host = Recorded([call(100), call(1)], GP_072)
    exit, _ = run(fetch(0) + "ecalli 100\nload_imm r7, 0\ntrap", host)
    assert (exit.reason, host.divergence, host.left) == (Reason.PANIC, None, 0)


def test_every_name_of_a_call_is_known() -> None:
    for spec in (GP_072, GP_080):
        for number, row in by_number(spec).items():
            assert list(listed(f"{row.name} -> 0", spec).rules) == [number]


def test_the_heap_grows_for_its_price_and_not_beyond():
    blob, sections = assemble("ecalli 1\ntrap\n").blob, Sections(b"", b"", 1, 4096)
    program = Program(blob, sections)
    machine = ReferenceEngine(spec="0.8.0").instantiate(program, gas=10_000)
    heap = growing_heap(program, GP_080)
    page = sections.heap_end // 4096
    for wanted, found, cost in ((0, page, 275), (page + 3, page + 3, 275 + 3 * 121), (1 << 40, page + 3, 275)):
        machine.registers[7], before = wanted, machine.gas
        answer = heap.find(machine, 1)
        give(machine, answer)
        assert (machine.registers[7], before - machine.gas) == (found, cost)
    assert machine.memory.is_writable(page * 4096, 3 * 4096) and not machine.memory.is_writable((page + 3) * 4096, 1)
    machine.gas, machine.registers[7] = 275 + 120, page + 4
    assert heap.find(machine, 1).end is Reason.OUT_OF_GAS and heap.page == page + 3
    assert growing_heap(Program(blob), GP_080) is None and heap.find(machine, 0) is None
