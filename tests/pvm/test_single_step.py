"""Gas and host calls, rule by rule, on each engine (A.1, A.4, A.6)."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Machine, Program, Reason
from pvm.program import Blob, assemble, pack_bitmask

HALT = 0xFFFF0000
MAX = (1 << 64) - 1
PAGE = 0x20000


# --- gas -------------------------------------------------------------------------------------------------------------

ENDS = {
    "trap": Reason.PANIC, "jump_ind r0": Reason.HALT, "ecalli 3": Reason.HOST_CALL,
    "load_u8 r1, [0x30000]": Reason.PAGE_FAULT, "store_u8 [0x30000], r1": Reason.PAGE_FAULT,
    "load_u8 r1, [0x100]": Reason.PANIC, "jump pc + 1": Reason.PANIC, "jump_ind r2": Reason.PANIC,
}  # fmt: skip


@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("name", ENDS)
def test_out_of_gas_comes_before_every_other_end(make_engine: Any, run_source: Any, name: str, metering: str) -> None:
    source = f"load_imm r5, 1\nfallthrough\n{name}\n"
    engine = make_engine(metering=metering)
    exit, machine = run_source(engine, source, gas=2, registers={0: HALT, 1: 7})
    assert exit == Exit(Reason.OUT_OF_GAS, 4, 0)
    assert (machine.registers[1], machine.registers[5]) == (7, 1)
    cost = 1 if metering == "instruction" or name in ("trap", "jump_ind r0", "jump pc + 1", "jump_ind r2") else 2
    exit, machine = run_source(engine, source, gas=2 + cost, registers={0: HALT, 1: 7})
    assert (exit.reason, exit.pc, exit.gas) == (ENDS[name], 4, 0)
    assert machine.registers[1] == 7


def test_gas_in_loops_and_over_jumps(make_engine: Any) -> None:
    """Every gas value from 0 to enough, against a list of where each instruction stands."""
    source = """
        load_imm r1, 4
        fallthrough
    loop:
        add_imm_64 r1, r1, -1
        branch_eq_imm r1, 2, over
        add_imm_64 r2, r2, 1
        fallthrough
    over:
        add_imm_64 r3, r3, 1
        jump_ind r4
    back:
        branch_ne_imm r1, 0, loop
        trap
    .jump_table back
    """
    program = assemble(f".code\n{source}\n")
    marks = program.blob.starts
    load, fall, take, over, add, fall2, count, dynamic, back, trap = (pc for pc in range(len(marks)) if marks[pc])
    path = [load, fall]
    for left in (3, 2, 1, 0):
        path += [take, over, *([] if left == 2 else [add, fall2]), count, dynamic, back]
    path.append(trap)
    machine = make_engine().instantiate(program)
    for gas in range(len(path) + 3):
        machine.registers = [0, 0, 0, 0, 2, *[0] * 8]
        machine.pc, machine.gas = 0, gas
        exit = machine.run()
        done = path[:gas]
        expected = (Reason.OUT_OF_GAS, path[gas], 0) if gas < len(path) else (Reason.PANIC, trap, gas - len(path))
        assert (exit.reason, exit.pc, exit.gas) == expected, gas
        r1 = 4 * (gas > 0) - done.count(take)
        assert machine.registers[1:4] == [r1, done.count(add), done.count(count)], gas


@pytest.mark.parametrize("jumps", [True, False])
def test_gas_where_ways_cost_differently(make_engine: Any, jumps: bool) -> None:
    """A branch over a short way to a long one, at every gas value."""
    source = "load_imm r1, 1\nbranch_eq_imm r1, 1, far\nadd_imm_64 r2, r2, 1\ntrap\nfar:\n"
    program = assemble(f".code\n{source}{'add_imm_64 r3, r3, 1; '.replace('; ', chr(10)) * 12}trap\n")
    if not jumps:
        program = assemble(f".code\n{source.replace('_imm r1, 1, far', '_imm r1, 2, far')}trap\n")
    pcs = [pc for pc, mark in enumerate(program.blob.starts) if mark]
    path = [*pcs[:2], *pcs[4:]] if jumps else pcs[:4]
    for gas in range(len(path) + 2):
        machine = make_engine().instantiate(program, gas=gas)
        exit = machine.run()
        ends = gas >= len(path)
        expected = (Reason.PANIC, path[-1], gas - len(path)) if ends else (Reason.OUT_OF_GAS, path[gas], 0)
        assert (exit.reason, exit.pc, exit.gas) == expected
        after = max(0, min(gas, len(path) - 1) - 2)
        assert machine.registers[2:4] == ([0, after] if jumps else [after, 0])


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("name", ["load_u8 r9, [0x30000]", "load_ind_u8 r9, [r8]", "ecalli 1", "store_u8 [5], r1"])
def test_gas_where_a_block_is_left(make_engine: Any, run_source: Any, name: str, place: int) -> None:
    """What comes behind in the block is not charged; and where gas ends before it, it ends there."""
    lines = ["add_imm_64 r1, r1, 1", "load_ind_u8 r3, [r2]", "add_imm_64 r1, r1, 1", "store_ind_u8 [r2], r1"]
    lines.insert(place, name)
    source = "\n".join([*lines, "trap"])
    for gas in range(place + 3):
        exit, machine = run_source(
            make_engine(), source, gas=gas, pages={PAGE: "rw"}, registers={2: PAGE, 8: 0x30000}
        )  # fmt: skip
        ran = min(gas, place)
        assert (exit.reason is Reason.OUT_OF_GAS) == (gas <= place)
        assert exit.gas == max(0, gas - place - 1)
        assert exit.pc == [pc for pc, mark in enumerate(machine.program.blob.starts) if mark][ran]
        assert machine.registers[1] == (ran > 0) + (ran > 2)
        assert machine.memory.read(PAGE, 1)[0] == (2 if ran > 3 else 0)


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_something_is_charged_even_where_there_is_no_code(make_engine: Any, metering: str) -> None:
    for code, pc in ((b"", 0), (b"", 5), (b"\0", 1), (b"\0", 0xFFFFFFFF)):
        blob = Blob(code, b"\1" * len(code))
        machine = make_engine(metering=metering).instantiate(Program(blob), gas=1, pc=pc)
        assert machine.run() == Exit(Reason.PANIC, pc, 0)
        machine = make_engine(metering=metering).instantiate(Program(blob), gas=0, pc=pc)
        assert machine.run() == Exit(Reason.OUT_OF_GAS, pc, 0)


# --- host calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Reason.HALT, Reason.PANIC, Reason.OUT_OF_GAS])
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_a_host_function_may_end_the_run(make_engine: Any, run_source: Any, reason: Reason, metering: str) -> None:
    """At the call, with the state as it left it."""

    def end(machine: Machine) -> Reason:
        machine.registers[7], machine.gas = 5, 77
        machine.memory.map(PAGE, 4096, "rw")
        machine.memory.write(PAGE, b"\5")
        return reason

    exit, machine = run_source(make_engine(metering=metering), "load_imm r1, 1\necalli 3\ntrap", host={3: end})
    assert exit == Exit(reason, 3, 77)
    assert (machine.pc, machine.gas, machine.registers[1], machine.registers[7]) == (3, 77, 1, 5)
    assert machine.memory.read(PAGE, 1) == b"\5"


def test_after_a_host_call_it_goes_on_behind_it(make_engine: Any, run_source: Any) -> None:
    """Behind the skip length, however many octets the number has, with the host's registers, gas and memory."""
    seen = []

    def answer(machine: Machine) -> None:
        seen.append((machine.pc, machine.gas))
        machine.registers[7], machine.gas = PAGE, 500
        machine.memory.map(PAGE, 4096, "r")
        machine.memory.write(PAGE, b"\x2a")

    code = bytes.fromhex("0a0300000000ee 7c7800 00")  # ecalli 3, whose skip is 6 | load_ind_u8 r8, [r7] | trap
    starts = b"\1" + bytes(6) + b"\1\0\0\1"
    machine = make_engine().instantiate(Program(Blob(code, pack_bitmask(starts))), gas=9, host={3: answer})
    assert machine.run() == Exit(Reason.PANIC, 10, 498)
    assert seen == [(0, 8)]
    assert machine.registers[8] == 0x2A


@pytest.mark.parametrize(("octets", "call"), [("", 0), ("7f", 127), ("ff", MAX), ("0080", MAX - 0x7FFF)])
def test_a_host_call_s_number_is_extended_to_64_bits(make_engine: Any, octets: str, call: int) -> None:
    code = b"\x0a" + bytes.fromhex(octets)
    blob = Blob(code + b"\0", pack_bitmask(b"\1" + bytes(len(code) - 1) + b"\1"))
    assert make_engine().instantiate(Program(blob), gas=5).run() == Exit(Reason.HOST_CALL, 0, 4, call=call)


def test_a_host_function_sees_the_state_of_the_call(make_engine: Any) -> None:
    """Registers, memory and gas as the instructions before it left them, and its own gas taken."""
    source = ".code\nload_imm r3, 7\nstore_u8 [0x20000], r3\nadd_imm_64 r3, r3, 1\necalli 2\nload_imm r3, 0\ntrap\n"
    seen = []

    def look(machine: Machine) -> None:
        seen.append((machine.pc, machine.gas, machine.registers[3], machine.memory.read(PAGE, 1)))

    machine = make_engine().instantiate(assemble(source), gas=50, host={2: look})
    machine.memory.map(PAGE, 4096, "rw")
    assert machine.run() == Exit(Reason.PANIC, 15, 44)
    assert seen == [(11, 46, 8, b"\7")]


def test_other_exits_pass_a_host_by(make_engine: Any) -> None:
    program = assemble(".code\nstore_u8 [0x20000], r1\ntrap\n")
    machine = make_engine().instantiate(program, gas=5, host={0: lambda machine: None})
    assert machine.run() == Exit(Reason.PAGE_FAULT, 0, 4, address=PAGE)


# --- division ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "a", "b", "result"),
    [
        ("div_u_32", 7, 0, MAX), ("div_u_32", 7, 1 << 32, MAX), ("div_u_32", 0xFFFFFFFE, 1, MAX - 1),
        ("div_s_32", 7, 0, MAX), ("div_s_32", 1 << 31, 0xFFFFFFFF, MAX - 0x7FFFFFFF), ("div_s_32", MAX - 6, 2, MAX - 2),
        ("rem_u_32", 0x180000000, 0, MAX - 0x7FFFFFFF), ("rem_u_32", MAX, 16, 15),
        ("rem_s_32", 0x180000000, 0, MAX - 0x7FFFFFFF), ("rem_s_32", 1 << 31, 0xFFFFFFFF, 0),
        ("rem_s_32", MAX - 6, 2, MAX),
        ("div_u_64", 7, 0, MAX), ("div_s_64", 7, 0, MAX), ("div_s_64", 1 << 63, MAX, 1 << 63),
        ("div_s_64", MAX - 6, 2, MAX - 2), ("rem_u_64", 7, 0, 7), ("rem_s_64", MAX - 6, 0, MAX - 6),
        ("rem_s_64", 1 << 63, MAX, 0), ("rem_s_64", MAX - 6, 2, MAX), ("rem_s_64", 7, MAX - 1, 1),
    ],
)  # fmt: skip
def test_divisions(make_engine: Any, run_source: Any, name: str, a: int, b: int, result: int) -> None:
    """By 0, the one quotient that overflows, signs: none of it is an error."""
    exit, machine = run_source(make_engine(), f"{name} r3, r1, r2\ntrap", registers={1: a, 2: b})
    assert (exit.reason, machine.registers[3]) == (Reason.PANIC, result)
