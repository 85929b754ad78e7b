"""What a machine does at every kind of exit, on each engine. The expected values are worked out by hand."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pvm import AddressError, Exit, InputError, Machine, Program, Reason
from pvm.errors import LimitError
from pvm.program import Blob, assemble, pack_bitmask
from pvm.registers import Registers

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


def test_host_calls_stop_and_continue(make_engine: Any, run_source: Any) -> None:
    exit, machine = run_source(make_engine(), "ecalli -1\nload_imm r1, 4\necalli 7\ntrap")
    assert exit == Exit(Reason.HOST_CALL, 0, 999, call=MAX)
    assert machine.pc == 0
    machine.gas = 50
    exit = machine.run()
    assert exit == Exit(Reason.HOST_CALL, exit.pc, 48, call=7)
    assert machine.run().reason is Reason.PANIC


def test_handlers_answer_without_leaving_run(make_engine: Any, run_source: Any) -> None:
    seen = []

    def handler(machine: Machine) -> None:
        seen.append((machine.pc, machine.registers[7], machine.gas))
        machine.registers[7] += 10
        machine.gas -= 100

    exit, machine = run_source(make_engine(), "ecalli 3\nadd_imm_64 r7, r7, 1\necalli 3\necalli 4", host={3: handler})
    assert exit.call == 4
    assert seen == [(0, 0, 999), (5, 11, 897)]
    assert machine.registers[7] == 21


def test_a_handler_may_end_the_run(make_engine: Any, run_source: Any) -> None:
    exit, _ = run_source(make_engine(), "ecalli 3\ntrap", host={3: lambda machine: Reason.OUT_OF_GAS})
    assert exit == Exit(Reason.OUT_OF_GAS, 0, 999)


def test_a_handler_may_jump(make_engine: Any, run_source: Any) -> None:
    def handler(machine: Machine) -> None:
        machine.pc = 4

    exit, _ = run_source(make_engine(), "ecalli 3\ntrap\ntrap\necalli 9", host={3: handler})
    assert (exit.call, exit.pc) == (9, 4)


def test_a_handler_that_raises_leaves_the_machine_in_order(make_engine: Any, run_source: Any) -> None:
    def handler(machine: Machine) -> None:
        machine.registers[7] = 1
        raise KeyError("no such thing")

    engine = make_engine()
    machine = engine.instantiate(assemble(".code\nload_imm r1, 3\necalli 3\ntrap\n"), gas=10, host={3: handler})
    with pytest.raises(KeyError, match="no such thing"):
        machine.run()
    assert (machine.pc, machine.gas, machine.registers[1], machine.registers[7]) == (3, 8, 3, 1)
    assert machine.run().reason is Reason.PANIC  # the call counts as made


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


def test_a_step_answers_a_host_call(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\necalli 1\ntrap\n"), host={1: lambda machine: None})
    assert machine.step() is None
    assert machine.step() == Exit(Reason.PANIC, 2, 10_000_000 - 2)


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


def test_the_host_sees_all_memory(make_engine: Any) -> None:
    memory = make_engine().instantiate(assemble(".code\ntrap\n")).memory
    memory.write(0xFFF, b"ab")
    assert memory.read(0xFFE, 4) == b"\0ab\0"
    assert memory.access(0xFFF) is None
    memory.map(0xFFF, 2, "r")
    assert [memory.access(a) for a in (0, 0x1000, 0x2000)] == ["r", "r", None]
    memory.map(0x1000, 0x20000, "rw")
    memory.map(0x20000, 1, None)
    assert [memory.access(a) for a in (0, 0x1000, 0xF000, 0x10000, 0x1F000, 0x20000)] == [
        "r", "rw", "rw", "rw", "rw", None,
    ]  # fmt: skip
    assert memory.read(0xFFE, 4) == b"\0ab\0"
    memory.write(0xFFFFFFFF, bytearray(b"z"))
    assert memory.read(0xFFFFFFFF, 1) == b"z"
    assert memory.read(1 << 32, 0) == b""


@pytest.mark.parametrize("address", [-1, 0xFFFFFFFF, 1 << 32, 1 << 70])
def test_host_accesses_outside_are_refused(make_engine: Any, address: int) -> None:
    memory = make_engine().instantiate(assemble(".code\ntrap\n")).memory
    for call in (
        lambda: memory.read(address, 2), lambda: memory.write(address, b"ab"), lambda: memory.map(address, 2, "r"),
    ):  # fmt: skip
        with pytest.raises(AddressError):
            call()
    with pytest.raises(AddressError):
        memory.read(5, -1)


def test_access_names(make_engine: Any) -> None:
    memory = make_engine().instantiate(assemble(".code\ntrap\n")).memory
    with pytest.raises(InputError, match="'rw', 'r' or None"):
        memory.map(0, 1, "w")


def test_registers_pc_and_gas_are_checked(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\ntrap\n"))
    assert len(machine.registers) == 13
    for value in (-1, 1 << 64, 1.5, None):
        with pytest.raises(AddressError):
            machine.registers[0] = value
    with pytest.raises(IndexError):
        machine.registers[13] = 0
    with pytest.raises(IndexError):
        machine.registers[13]
    with pytest.raises(TypeError):
        del machine.registers[0]
    machine.registers[-1] = MAX
    assert machine.registers[12] == MAX
    machine.registers[0:2] = [1, 2]
    assert machine.registers[:3] == [1, 2, 0]
    with pytest.raises(AddressError):
        machine.registers[0:2] = [1]
    for gas in (-1, 1 << 64):
        with pytest.raises(AddressError):
            machine.gas = gas
    for pc in (-1, 1 << 32):
        with pytest.raises(AddressError):
            machine.pc = pc
    machine.gas = MAX
    assert machine.run() == Exit(Reason.PANIC, 0, MAX - 1)


def test_registers_outlive_their_machine(make_engine: Any) -> None:
    registers: Registers = make_engine().instantiate(assemble(".code\ntrap\n")).registers
    registers[3] = 7
    assert list(registers) == [0, 0, 0, 7] + [0] * 9


@pytest.mark.parametrize(
    "options", [{"spec": "1.0"}, {"metering": "page"}], ids=["spec", "metering"]
)
def test_bad_options(make_engine: Any, options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="unknown"):
        make_engine(**options)


def test_bad_starts(make_engine: Any) -> None:
    engine, program = make_engine(), Program.parse(b"\0\0\1\0\1")
    with pytest.raises(InputError, match="a plain program takes none"):
        engine.instantiate(program, args=b"x")
    with pytest.raises(AddressError):
        engine.instantiate(program, gas=-1)
    with pytest.raises(AddressError):
        engine.instantiate(program, pc=1 << 40)


def test_an_empty_program_panics(make_engine: Any) -> None:
    machine = make_engine().instantiate(Program.parse(b"\0\0\0"), gas=5)
    assert machine.run() == Exit(Reason.PANIC, 0, 4)


def test_registers_are_assigned_as_a_whole_or_not_at_all(make_engine: Any, run_source: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\nmove_reg r2, r1\ntrap\n"))
    machine.registers = [0, 7] + [0] * 11
    assert machine.run().reason is Reason.PANIC
    assert machine.registers[2] == 7
    with pytest.raises(AddressError):
        machine.registers[0:3] = [1, 2, -1]
    assert machine.registers[:3] == [0, 7, 7]
    with pytest.raises(AttributeError):
        machine.memory = None


def test_an_empty_range_maps_no_page(make_engine: Any) -> None:
    memory = make_engine().instantiate(assemble(".code\ntrap\n")).memory
    memory.map(0x20001, 0, "rw")
    assert memory.access(0x20000) is None


def test_writing_a_number_is_no_way_to_write_zeros(make_engine: Any) -> None:
    memory = make_engine().instantiate(assemble(".code\ntrap\n")).memory
    with pytest.raises(TypeError):
        memory.write(0x20000, 5)


def test_wrong_types_are_refused(make_engine: Any) -> None:
    engine, program = make_engine(), assemble(".code\ntrap\n")
    for options in ({"gas": 5.5}, {"gas": None}, {"pc": 0.5}):
        with pytest.raises(AddressError, match="no integer"):
            engine.instantiate(program, **options)
    with pytest.raises(InputError, match=r"a pvm\.Program is needed"):
        engine.instantiate(b"\0\0\0")
    with pytest.raises(InputError, match="bytes are needed"):
        engine.instantiate(program, args="abc")
    with pytest.raises(TypeError):
        Program.parse(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("returned", [True, "halt", Reason.PAGE_FAULT])
def test_handlers_return_nothing_else(make_engine: Any, run_source: Any, returned: object) -> None:
    with pytest.raises(TypeError, match="a handler returns None or"):
        run_source(make_engine(), "ecalli 3\ntrap", host={3: lambda machine: returned})


def test_machines_are_not_copied(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\ntrap\n"))
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(machine)


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


CALLS = [0, 1, 127, 128, 2**31 - 1, 2**64 - 2**31, 2**64 - 128, 2**64 - 1]


@pytest.mark.parametrize("number", CALLS)
def test_handlers_of_all_calls_that_can_be_named(make_engine: Any, number: int) -> None:
    """The immediate is sign-extended: `ecalli -1` is call 2^64 - 1."""
    signed = number - (1 << 64) if number >> 63 else number
    program = assemble(f".code\necalli {signed}\ntrap\n")
    assert make_engine().instantiate(program).run().call == number
    assert make_engine().instantiate(program, host={number: lambda m: Reason.HALT}).run().reason is Reason.HALT


NO_CALLS = [-1, -(2**31), 2**31, 2**32 - 1, 2**64 - 2**31 - 1, 2**64, 10**5000, True, 3.0, "3", None]


@pytest.mark.parametrize("number", NO_CALLS, ids=range(len(NO_CALLS)))
def test_handlers_of_what_no_call_is_are_refused(make_engine: Any, number: Any) -> None:
    with pytest.raises(InputError, match=r"^host: .*: ecalli names 0 to 2\^31 - 1, and 2\^64 - 2\^31 to ") as refused:
        make_engine().instantiate(assemble(".code\ntrap\n"), host={number: lambda machine: None})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("handler", [None, 5, "a\nb"])
def test_handlers_are_functions(make_engine: Any, handler: Any) -> None:
    with pytest.raises(InputError, match=r"^host: 3: .* is no function$"):
        make_engine().instantiate(assemble(".code\ntrap\n"), host={3: handler})


def test_values_that_cannot_be_shown_are_refused_all_the_same(make_engine: Any) -> None:
    machine, huge = make_engine().instantiate(assemble(".code\ntrap\n")), 10**5000
    for name, value in (("gas", huge), ("pc", huge), ("gas", True), ("pc", True)):
        with pytest.raises(AddressError, match="no integer"):
            setattr(machine, name, value)
    with pytest.raises(AddressError, match="no integer"):
        machine.registers[0] = huge
    with pytest.raises(AddressError):
        machine.memory.read(0, huge)


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_a_run_that_poll_ends_goes_on_as_if_nothing_was(
    make_engine: Any, monkeypatch: pytest.MonkeyPatch, spec: str, metering: str
) -> None:
    for where, value in (("wasm_host.machine.interpreted.SLICE", 64), ("wasm_host.machine.translated.AUTO_SLICE", 64),
                         ("wasm_host.machine.translated.CALM_SLICE", 64), ("pvm.reference._POLLED", 64)):  # fmt: skip
        monkeypatch.setattr(where, value)
    engine = make_engine(spec=spec, metering=metering)
    program = assemble("loop: add_imm_64 r2, r2, 1\nadd_64 r3, r3, r2\nadd_imm_64 r4, r4, 3\njump loop", spec)
    whole, polled = (engine.instantiate(program, gas=1003) for _ in range(2))
    calls = []

    def poll(machine: Machine) -> None:
        calls.append(machine.gas)
        if len(calls) % 3:
            raise LimitError("that is enough")

    polled.poll = poll
    for _ in range(100):
        try:
            exit = polled.run()
            break
        except LimitError:
            pass
    assert exit == whole.run()
    assert polled.registers == whole.registers
    assert len(calls) > 10 and calls == sorted(calls, reverse=True)


def test_what_handlers_may_do_as_the_guest(make_engine: Any) -> None:
    """Rights, octets and gas, asked for in one go."""
    machine = make_engine().instantiate(assemble(".code\n trap\n"), gas=100)
    memory = machine.memory
    memory.map(0x20000, 0x2000, "rw")
    memory.map(0x22000, 0x1000, "r")
    memory.map(0x5000, 0x1000, "rw")
    memory.map(0xFFFFF000, 0x1000, "rw")
    memory.write(0x21FFE, b"abcd")
    assert memory.guest_read(0x21FFE, 4) == b"abcd" and memory.guest_read(0x22FFF, 1) == b"\0"
    for address, length in [(0x22FFF, 2), (0x1FFFF, 2), (0x5000, 1), (0xFFFFFFFF, 2), (1 << 40, 1), (5, 1 << 40)]:
        assert memory.guest_read(address, length) is None
        assert length > 2 or not memory.guest_write(address, bytes(length))
    assert memory.guest_read(1 << 50, 0) == b"" and memory.guest_write(1 << 50, b"")
    assert memory.guest_write(0x20FFF, b"xyz") and memory.read(0x20FFF, 3) == b"xyz"
    assert memory.guest_write(0xFFFFFFFF, b"x") and memory.guest_read(0xFFFFFFFF, 1) == b"x"
    assert not memory.guest_write(0x21FFF, b"xy") and memory.read(0x21FFF, 2) == b"bc"
    assert memory.is_writable(0x20000, 0x2000) and not memory.is_writable(0x20000, 0x2001)
    assert not memory.is_writable(0x5000, 1) and not memory.is_writable(0xFFFFFFFF, 2)
    assert [machine.charge(amount) for amount in (60, 41, 40, 1)] == [40, -1, 0, -1] and machine.gas == 0


def test_gas_of_more_than_a_slice_is_charged(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\n trap\n"), gas=1 << 40)
    assert machine.charge(1 << 39) == machine.gas == 1 << 39
    assert machine.charge((1 << 39) + 1) == -1 and machine.gas == 1 << 39
