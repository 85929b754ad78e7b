"""The rules of 0.8.0 that 0.7.2 has not, on each engine: validity, gas by the block, branches (A.1, A.4)."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Machine, Program, Reason
from pvm.isa import GP_080
from pvm.program import Blob, assemble, pack_bitmask

HALT = 0xFFFF0000
PAGE = 0x20000


def of(code: str, marks: str, table: tuple[int, ...] = ()) -> Program:
    starts = bytes(map(int, marks.replace(" ", "")))
    return Program(Blob(bytes.fromhex(code), pack_bitmask(starts), table, 2 if table else 0))


@pytest.mark.parametrize(
    ("code", "marks", "is_valid"),
    [
        ("00", "1", True), ("01", "1", True), ("330105 00", "100 1", True),
        ("02 00", "1 1", True),  # `unlikely`
        ("", "", False),  # no code
        ("00", "0", False), ("01 00", "0 1", False),  # pc 0 is not marked
        ("330105", "100", False), ("02", "1", False), ("0a05", "10", False),  # the last one is no terminator
        ("ff 00", "1 1", False), ("00 ff 00", "1 1 1", False), ("00 6f12 00", "1 10 1", False),  # undefined opcodes
        ("01 02030405060708090a0b0c0d0e0f101112131415161718 00", "1" + "0" * 23 + "1", True),
        ("01 0202030405060708090a0b0c0d0e0f101112131415161718 00", "1" + "0" * 24 + "1", True),
        ("01 020202030405060708090a0b0c0d0e0f101112131415161718 00", "1" + "0" * 25 + "1", False),  # 24 at most
        ("00" + 24 * "00", "1" + "0" * 24, True), ("00" + 25 * "00", "1" + "0" * 25, False),  # and exactly to the end
    ],
)  # fmt: skip
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_a_program_is_valid_as_a_whole_or_panics_without_gas(
    make_engine: Any, code: str, marks: str, is_valid: bool, metering: str
) -> None:
    machine = make_engine(spec="0.8.0", metering=metering).instantiate(of(code, marks), gas=50)
    exit = machine.run()
    assert exit.reason is Reason.PANIC
    assert (exit == Exit(Reason.PANIC, 0, 50)) == (not is_valid)
    for pc in range(0 if is_valid else len(machine.program.code) + 2):  # wherever it is entered
        machine.pc = pc
        assert machine.run() == Exit(Reason.PANIC, pc, 50)


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_every_step_is_at_an_instruction_or_panics_without_gas(make_engine: Any, metering: str) -> None:
    """Where the run begins, behind the last instruction, and where a host function puts it."""

    def move(machine: Machine) -> None:
        machine.pc = 1

    program = of("0a03 330105 01", "10 100 1")
    for pc in (1, 3, 4, 6, 7, 0xFFFFFFFF):
        machine = make_engine(spec="0.8.0", metering=metering).instantiate(program, gas=50, pc=pc)
        assert machine.run() == machine.step() == Exit(Reason.PANIC, pc, 50)
    machine = make_engine(spec="0.8.0", metering=metering).instantiate(program, gas=50, pc=2)
    assert machine.run() == Exit(Reason.PANIC, 6, 48 if metering == "instruction" else 47)
    machine = make_engine(spec="0.8.0", metering=metering).instantiate(program, gas=50, host={3: move})
    exit = machine.run()
    assert (exit.reason, exit.pc) == (Reason.PANIC, 1)
    assert exit.gas == (49 if metering == "instruction" else 47)


def test_a_block_is_charged_as_a_whole_when_it_is_entered(make_engine: Any, run_source: Any) -> None:
    """`unlikely` and `ecalli` end none. With too little, nothing runs and the gas stays."""
    source = "load_imm r1, 1\nunlikely\necalli 3\nload_imm r2, 2\nfallthrough\nload_imm r3, 3\ntrap"
    engine = make_engine(spec="0.8.0", metering="block")
    for gas, reason, pc, left in (
        (0, Reason.OUT_OF_GAS, 0, 0), (4, Reason.OUT_OF_GAS, 0, 4), (5, Reason.OUT_OF_GAS, 10, 0),
        (6, Reason.OUT_OF_GAS, 10, 1), (7, Reason.PANIC, 13, 0), (9, Reason.PANIC, 13, 2),
    ):  # fmt: skip
        seen: list[int] = []
        exit, machine = run_source(engine, source, gas=gas, host={3: lambda m, seen=seen: seen.append(m.gas)})
        assert exit == Exit(reason, pc, left), gas
        ran = gas >= 5
        assert machine.registers[1:4] == [ran, 2 * ran, 3 * (gas >= 7)]
        assert seen == [gas - 5] * ran


def test_a_block_that_is_entered_in_its_middle_is_charged_as_a_whole(make_engine: Any) -> None:
    program = assemble(".code\nload_imm r1, 1\nload_imm r2, 2\nload_imm r3, 3\ntrap\n", GP_080)
    for pc in (0, 3, 6, 9):
        machine = make_engine(spec="0.8.0", metering="block").instantiate(program, gas=10, pc=pc)
        assert machine.run() == Exit(Reason.PANIC, 9, 6)
        machine = make_engine(spec="0.8.0", metering="block").instantiate(program, gas=3, pc=pc)
        assert machine.run() == Exit(Reason.OUT_OF_GAS, pc, 3)


def test_a_block_is_charged_each_time_it_is_entered(make_engine: Any, run_source: Any) -> None:
    """Also from itself, taken or not; the flag of what is paid goes with each terminator."""
    source = "load_imm r1, 3\nfallthrough\nadd_imm_64 r1, r1, -1\nbranch_ne_imm r1, 0, pc - 3\nfallthrough\ntrap"
    exit, _ = run_source(make_engine(spec="0.8.0", metering="block"), source, gas=50)
    assert exit == Exit(Reason.PANIC, exit.pc, 50 - 2 - 3 * 2 - 1 - 1)


def test_a_block_that_is_paid_for_is_not_charged_again(make_engine: Any, run_source: Any) -> None:
    """After a page fault, a host call and out of gas elsewhere; and anew where the host sets the pc."""
    source = "load_imm r1, 1\nload_u8 r2, [0x20000]\necalli 3\nload_imm r3, 3\ntrap"
    exit, machine = run_source(make_engine(spec="0.8.0", metering="block"), source, gas=20)
    assert exit == Exit(Reason.PAGE_FAULT, 3, 15, address=PAGE)
    assert machine.run() == exit
    machine.memory.map(PAGE, 4096, "r")
    exit = machine.run()
    assert (exit.reason, exit.gas) == (Reason.HOST_CALL, 15)
    assert machine.run() == Exit(Reason.PANIC, 13, 15)
    assert machine.run() == Exit(Reason.PANIC, 13, 15)  # a panic leaves the flag
    machine.pc = 13
    assert machine.run() == Exit(Reason.PANIC, 13, 10)


def test_a_paid_block_whose_first_instruction_is_left(make_engine: Any, run_source: Any) -> None:
    """A fault and a host call where the block begins, and steps that follow a run."""
    engine = make_engine(spec="0.8.0", metering="block")
    source = "load_imm r1, 1\nfallthrough\nload_u8 r2, [0x20000]\nload_imm r3, 3\nfallthrough\ntrap"
    exit, machine = run_source(engine, source, gas=20)
    assert exit == Exit(Reason.PAGE_FAULT, 4, 15, address=PAGE)
    machine.memory.map(PAGE, 4096, "r")
    assert machine.run() == Exit(Reason.PANIC, exit.pc + 9, 14)
    exit, machine = run_source(engine, "load_u8 r2, [0x20000]\nload_imm r3, 3\ntrap", gas=20)
    assert exit == Exit(Reason.PAGE_FAULT, 0, 17, address=PAGE)
    machine.memory.map(PAGE, 4096, "r")
    assert machine.run() == Exit(Reason.PANIC, 8, 17)
    exit, machine = run_source(engine, "fallthrough\necalli 3\nload_imm r3, 3\ntrap", gas=20)
    assert (exit.reason, exit.pc, exit.gas) == (Reason.HOST_CALL, 1, 16)
    assert machine.step() is None
    assert (machine.pc, machine.gas) == (6, 16)
    assert machine.step() == Exit(Reason.PANIC, 6, 16)


def test_static_jumps(make_engine: Any, run_source: Any) -> None:
    """A jump checks where it goes; a branch both ways, whether it is taken or not. Registers are set all the same."""
    engine = make_engine(spec="0.8.0", gas="flat")
    for name, target, reason in (
        ("jump", 100, Reason.PANIC), ("load_imm_jump r2, 7,", 100, Reason.PANIC), ("jump", 0, Reason.OUT_OF_GAS),
        ("branch_eq r1, r1,", 100, Reason.PANIC), ("branch_ne r1, r1,", 100, Reason.PANIC),
        ("branch_ne r1, r1,", 0, Reason.HOST_CALL), ("branch_eq_imm r1, 5,", 1, Reason.PANIC),
    ):  # fmt: skip
        exit, machine = run_source(engine, f"fallthrough\n{name} pc + {target}\necalli 1\ntrap", gas=50)
        assert exit.reason is reason, name
        if reason is Reason.PANIC:
            assert (exit.pc, exit.gas) == (1, 48)
        assert machine.registers[2] == (7 if name.startswith("load") else 0)


def test_a_branch_needs_a_block_behind_it(make_engine: Any) -> None:
    """Behind the last instruction there is none: neither way is taken then."""
    program = of("01 511105ff", "1 1000")  # branch_eq_imm r1, 5, to pc 0
    for r1 in (0, 5):
        machine = make_engine(spec="0.8.0", gas="flat").instantiate(program, gas=10)
        machine.registers[1] = r1
        assert machine.run() == Exit(Reason.PANIC, 1, 8)


def test_dynamic_jumps(make_engine: Any) -> None:
    program = of("3201 0a01 01 0a02 00", "10 10 1 10 1", (2, 5, 4, 7, 8))
    for address, exit in (
        (2, Exit(Reason.HOST_CALL, 2, 8, call=1)), (4, Exit(Reason.HOST_CALL, 5, 8, call=2)),
        (6, Exit(Reason.PANIC, 0, 9)), (8, Exit(Reason.PANIC, 0, 9)), (10, Exit(Reason.PANIC, 0, 9)),
        (3, Exit(Reason.PANIC, 0, 9)), (0, Exit(Reason.PANIC, 0, 9)), (HALT, Exit(Reason.HALT, 0, 9)),
    ):  # fmt: skip
        machine = make_engine(spec="0.8.0", gas="flat").instantiate(program, gas=10)
        machine.registers[1] = address
        assert machine.run() == exit, address


def test_low_memory_and_faults(make_engine: Any, run_source: Any) -> None:
    for source, reason, address in (
        ("load_u8 r1, [0x8000]\ntrap", Reason.PANIC, None), ("load_u8 r1, [0x20fff]\ntrap", Reason.PANIC, None),
        ("load_u16 r1, [0x20fff]\ntrap", Reason.PAGE_FAULT, 0x21000),
        ("store_u8 [0x20fff], r1\ntrap", Reason.PAGE_FAULT, PAGE),
    ):
        exit, _ = run_source(make_engine(spec="0.8.0", metering="block"), source, pages={PAGE: "r", 0x8000: "rw"})
        assert (exit.reason, exit.address, exit.gas) == (reason, address, 998)
