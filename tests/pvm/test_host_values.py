"""What the host reads and writes of a machine from outside, on each engine, and which values are refused."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pvm import AddressError, Exit, InputError, Program, Reason
from pvm.program import assemble
from pvm.registers import Registers

MAX = (1 << 64) - 1


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


def test_machines_are_not_copied(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\ntrap\n"))
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(machine)


def test_values_that_cannot_be_shown_are_refused_all_the_same(make_engine: Any) -> None:
    machine, huge = make_engine().instantiate(assemble(".code\ntrap\n")), 10**5000
    for name, value in (("gas", huge), ("pc", huge), ("gas", True), ("pc", True)):
        with pytest.raises(AddressError, match="no integer"):
            setattr(machine, name, value)
    with pytest.raises(AddressError, match="no integer"):
        machine.registers[0] = huge
    with pytest.raises(AddressError):
        machine.memory.read(0, huge)
