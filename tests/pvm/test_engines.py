"""What a machine does at every kind of exit, on each engine. The expected values are worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Machine, Program, Reason
from pvm.program import Blob, assemble, pack_bitmask

HALT = 0xFFFF0000
MAX = (1 << 64) - 1
PAGE = 0x20000


def step_all(machine: Machine, limit: int = 100) -> Exit:
    for _ in range(limit):
        exit = machine.step()
        if exit is not None:
            return exit
    raise AssertionError("no exit")


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_halt(make_engine: Any, run_source: Any, metering: str) -> None:
    exit, machine = run_source(make_engine(metering=metering), "load_imm r0, -0x10000\nload_imm r7, 5\njump_ind r0")
    assert exit == Exit(Reason.HALT, exit.pc, 997)
    assert exit.pc == len(machine.program.code) - 2  # the halting instruction, not 0
    assert (machine.pc, machine.gas, machine.registers[7]) == (exit.pc, 997, 5)


def test_panic_on_trap_and_on_the_end_of_the_code(make_engine: Any, run_source: Any) -> None:
    assert run_source(make_engine(), "trap")[0] == Exit(Reason.PANIC, 0, 999)
    assert run_source(make_engine(), "fallthrough")[0] == Exit(Reason.PANIC, 1, 998)
    assert run_source(make_engine(), "load_imm r1, 1\n.raw 0xff")[0].reason is Reason.PANIC


def test_jumps_to_no_block_start_panic_when_taken(make_engine: Any, run_source: Any) -> None:
    source = "load_imm r1, 1\nbranch_eq_imm r1, 2, 3\nbranch_eq_imm r1, 1, 3\ntrap"
    exit, _ = run_source(make_engine(), source)
    assert exit.reason is Reason.PANIC
    assert exit.gas == 997  # the first branch was not taken


def test_0_8_0_checks_both_ways_of_a_branch(make_engine: Any, run_source: Any) -> None:
    source = "load_imm r1, 1\nbranch_eq_imm r1, 2, 3\ntrap"
    assert run_source(make_engine(spec="0.7.2"), source)[0].gas == 997
    assert run_source(make_engine(spec="0.8.0", gas="flat"), source)[0].gas == 998


def test_0_8_0_refuses_invalid_programs_and_entries_without_gas(make_engine: Any, run_source: Any) -> None:
    engine = make_engine(spec="0.8.0", gas="flat")
    assert run_source(engine, "load_imm r1, 1")[0] == Exit(Reason.PANIC, 0, 1000)
    machine = engine.instantiate(assemble(".code\nload_imm r1, 1\ntrap\n", engine.spec), gas=9, pc=1)
    assert machine.run() == Exit(Reason.PANIC, 1, 9)
    machine.pc = 3
    assert machine.run() == Exit(Reason.PANIC, 3, 8)


def test_0_8_0_fallthrough_off_the_end(make_engine: Any, run_source: Any) -> None:
    exit, machine = run_source(make_engine(spec="0.8.0", gas="flat"), "fallthrough")
    assert exit == Exit(Reason.PANIC, 1, 999)
    machine.pc = 0
    assert machine.step() is None
    assert machine.step() == Exit(Reason.PANIC, 1, 998)


def test_out_of_gas_by_instruction_is_exact_and_resumable(make_engine: Any, run_source: Any) -> None:
    source = "add_imm_64 r1, r1, 1\n" * 10 + "trap"
    for gas in range(11):
        exit, machine = run_source(make_engine(), source, gas=gas)
        assert exit == Exit(Reason.OUT_OF_GAS, 3 * gas, 0)
        assert machine.registers[1] == gas
        machine.gas = 3
        exit = machine.run()
        assert (exit.reason, exit.gas) == (Reason.OUT_OF_GAS, 0) if gas < 8 else (Reason.PANIC, gas - 8)
        assert machine.registers[1] == min(10, gas + 3)


def test_out_of_gas_by_block(make_engine: Any, run_source: Any) -> None:
    source = "add_imm_64 r1, r1, 1\nfallthrough\nadd_imm_64 r1, r1, 1\nadd_imm_64 r1, r1, 1\ntrap"
    assert run_source(make_engine(metering="block"), source, gas=1)[0] == Exit(Reason.OUT_OF_GAS, 0, 0)
    exit, machine = run_source(make_engine(metering="block"), source, gas=4)
    assert exit == Exit(Reason.OUT_OF_GAS, 4, 0)
    assert machine.registers[1] == 1
    exit, _ = run_source(make_engine(metering="block", spec="0.8.0"), source, gas=4)
    assert exit == Exit(Reason.OUT_OF_GAS, 4, 2)  # 0.8.0: what remains stays
    assert run_source(make_engine(metering="block"), source, gas=5)[0].reason is Reason.PANIC


@pytest.mark.parametrize(("metering", "charged"), [("instruction", [998, 996, 995]), ("block", [997, 997, 997])])
def test_a_fault_is_repaired_and_the_run_goes_on(
    make_engine: Any, run_source: Any, metering: str, charged: list[int]
) -> None:
    # By instruction the faulting one is charged each time it is tried; by block the block is charged once.
    exit, machine = run_source(
        make_engine(metering=metering), "load_imm r7, 9\nstore_u64 [0x20ffc], r7\ntrap", pages={}
    )
    assert exit == Exit(Reason.PAGE_FAULT, 3, charged[0], address=PAGE)
    machine.memory.map(PAGE, 1, "rw")
    exit = machine.run()
    assert exit == Exit(Reason.PAGE_FAULT, 3, charged[0] - (metering == "instruction"), address=PAGE + 0x1000)
    assert machine.memory.read(PAGE + 0xFFC, 8) == bytes(8)  # nothing of a straddling store happens
    machine.memory.map(PAGE + 0x1000, 1, "rw")
    assert machine.run().reason is Reason.PANIC
    assert machine.memory.read(PAGE + 0xFFC, 8) == (9).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("instruction", "pages", "reason", "address"),
    [
        ("load_u8 r1, [0xffff]", {}, Reason.PANIC, None),
        ("load_u16 r1, [0xffff]", {0x10000: "rw"}, Reason.PANIC, None),
        ("load_u8 r1, [0x5000]", {0x5000: "rw"}, Reason.PANIC, None),  # below 2^16, mapped or not
        ("load_u8 r1, [0x10000]", {}, Reason.PAGE_FAULT, 0x10000),
        ("load_u64 r1, [0x20fff]", {0x20000: "r"}, Reason.PAGE_FAULT, 0x21000),
        ("load_u64 r1, [0x20fff]", {0x21000: "r"}, Reason.PAGE_FAULT, 0x20000),
        ("store_u8 [0x20000], r1", {0x20000: "r"}, Reason.PAGE_FAULT, 0x20000),
        ("store_u16 [0x20fff], r1", {0x20000: "rw", 0x21000: "r"}, Reason.PAGE_FAULT, 0x21000),
        ("load_u32 r1, [0xfffffffe]", {}, Reason.PAGE_FAULT, 0xFFFFF000),
        ("load_u32 r1, [0xfffffffe]", {0xFFFFF000: "rw"}, Reason.PANIC, None),  # wraps to 0
        ("load_u32 r1, [0xfffffffc]", {0xFFFFF000: "rw"}, None, None),
        ("store_imm_ind_u32 [r2 + 0x7fffffff], 7", {0x80000000: "rw"}, None, None),
    ],
)
def test_which_page_an_access_faults_on(
    make_engine: Any, run_source: Any, instruction: str, pages: dict[int, str], reason: Reason | None,
    address: int | None,
) -> None:  # fmt: skip
    exit, _ = run_source(make_engine(), instruction + "\necalli 1", pages=pages, registers={2: 1})
    assert (exit.reason, exit.address) == (reason or Reason.HOST_CALL, address)


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_steps_do_what_a_run_does(make_engine: Any, metering: str) -> None:
    source = ".code\nload_imm r1, 3\nfallthrough\nloop:\nadd_imm_64 r1, r1, -1\nmove_reg r2, r1\n"
    source += "branch_ne_imm r1, 0, loop\ntrap\n"
    engine = make_engine(metering=metering)
    machine = engine.instantiate(assemble(source), gas=100)
    seen = []
    while (exit := machine.step()) is None:
        seen.append((machine.pc, machine.registers[1], machine.gas))
    whole = engine.instantiate(assemble(source), gas=100)
    assert whole.run() == exit
    assert whole.registers == machine.registers
    by_instruction = [99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89]
    by_block = [98, 98, 95, 95, 95, 92, 92, 92, 89, 89, 89]
    assert [pc for pc, _, _ in seen] == [3, 4, 7, 9, 4, 7, 9, 4, 7, 9, 12]
    assert [gas for _, _, gas in seen] == (by_instruction if metering == "instruction" else by_block)


def test_a_step_without_gas(make_engine: Any) -> None:
    for metering in ("instruction", "block"):
        machine = make_engine(metering=metering).instantiate(assemble(".code\nload_imm r1, 3\ntrap\n"), gas=0)
        assert machine.step() == Exit(Reason.OUT_OF_GAS, 0, 0)


def test_entering_at_any_pc(make_engine: Any) -> None:
    # In 0.7.2 a machine may be put anywhere; where no opcode is marked it finds a trap, an operand octet 0x33 or not.
    program = assemble(".code\n.raw 0x330533077f\ntrap\n")
    machine = make_engine().instantiate(program, gas=100, pc=2)
    assert machine.run() == Exit(Reason.PANIC, 2, 99)
    machine.pc = 70
    assert machine.run() == Exit(Reason.PANIC, 70, 98)
    machine.pc = 0
    assert machine.run() == Exit(Reason.PANIC, 5, 96)
    assert machine.registers[5] == 0x7F0733


def test_sbrk(make_engine: Any) -> None:
    source = """
    .standard stack=4096 heap=1
    .code
        load_imm r9, 5000
        sbrk r1, r0             ; far too much: r0 is 0xffff0000
        load_imm r2, 0
        sbrk r3, r2             ; asks
        sbrk r4, r9
        sbrk r5, r2
        store_ind_u8 [r5], r9   ; the heap's end lies within a mapped page
        store_ind_u8 [r5 + 0x1000], r9
        trap
    """
    machine = make_engine().instantiate(assemble(source), gas=100)
    exit = machine.run()
    assert exit.reason is Reason.PAGE_FAULT
    assert [machine.registers[i] for i in (1, 3, 4, 5)] == [0, 0x21000, 0x21000, 0x21000 + 5000]
    assert exit.address == 0x23000
    assert [machine.memory.access(a) for a in (0x20000, 0x21000, 0x22FFF, 0x23000)] == ["rw", "rw", "rw", None]


def test_sbrk_of_a_plain_program_begins_at_0(make_engine: Any, run_source: Any) -> None:
    exit, machine = run_source(make_engine(), "load_imm r1, 0x11000\nsbrk r2, r1\nsbrk r3, r0\nload_u8 r4, [0x10000]")
    assert machine.registers[3] == 0x11000
    assert [machine.memory.access(a) for a in (0, 0xF000, 0x10000, 0x11000)] == ["rw", "rw", "rw", None]
    assert exit.reason is Reason.PANIC
    assert exit.gas == 995  # the load at 0x10000 was fine


def test_results(make_engine: Any) -> None:
    source = ".standard stack=4096 heap=1\n.data\n.ascii \"hello\"\n.code\nload_imm r7, 0x20000\nload_imm r8, 5\nret\n"
    machine = make_engine().instantiate(assemble(source), args=b"x", gas=100)
    assert machine.registers[8] == 1
    assert machine.run().reason is Reason.HALT
    assert machine.result() == b"hello"
    machine.registers[8] = 0x2001  # not all of it may be read
    assert machine.result() == b""
    machine.registers[7], machine.registers[8] = 0xFEFF0000, 1
    assert machine.result() == b"x"
    machine.registers[8] = MAX
    assert machine.result() == b""
    machine.registers[7], machine.registers[8] = 0x100, 4  # below 2^16
    machine.memory.map(0, 4096, "rw")
    assert machine.result() == b""


def test_an_empty_program_panics(make_engine: Any) -> None:
    machine = make_engine().instantiate(Program.parse(b"\0\0\0"), gas=5)
    assert machine.run() == Exit(Reason.PANIC, 0, 4)


def test_stray_entries_again_and_again(make_engine: Any) -> None:
    """Every octet of a block as an entry: where none is marked a trap is found, and none may leave a trace."""
    program = Program(Blob(bytes([100, 0x12] * 40), pack_bitmask(bytes([1, 0] * 40))))
    machine = make_engine().instantiate(program, gas=0)
    for gas in (0, 1, 5, 100):
        for pc in (*range(1, 80, 2), 3, 3, 2, 5):
            machine.pc, machine.gas = pc, gas
            fresh = make_engine().instantiate(program, gas=gas, pc=pc)
            fresh.registers = list(machine.registers)
            assert machine.run() == fresh.run()
            assert machine.registers == fresh.registers
