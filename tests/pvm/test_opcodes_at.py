"""The paper's opcode(n) and its block starts (A.2, A.3, A.5) on every engine, by every way to get to a pc."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvm import Exit, Program, Reason
from pvm.isa import GP_072
from pvm.program import Blob, pack_bitmask
from pvm.program.blob import ZeroEntries

LOAD_IMM = bytes([GP_072.opcodes["load_imm"], 7, 9])  # r7 = 9
ECALLI = bytes([GP_072.opcodes["ecalli"], 5])
TRAP, FALLTHROUGH, JUMP, UNDEFINED = b"\x00", b"\x01", bytes([GP_072.opcodes["jump"]]), b"\xff"
JUMP_IND = bytes([GP_072.opcodes["jump_ind"], 3])
LOAD_IMM_JUMP = bytes([GP_072.opcodes["load_imm_jump"]])
BRANCH_EQ = bytes([GP_072.opcodes["branch_eq"]])

METERINGS = ("instruction", "block")


def program(*parts: bytes, table: tuple[int, ...] | ZeroEntries = (), size: int = 0, unmarked: str = "") -> Program:
    """A plain program of these instructions, of which those whose index is in `unmarked` are not marked."""
    starts = b"".join(
        bytes([str(number) not in unmarked.split()]) + bytes(len(part) - 1) for number, part in enumerate(parts)
    )
    return Program(Blob(b"".join(parts), pack_bitmask(starts), table, size))


@pytest.mark.parametrize("metering", METERINGS)
def test_recorded_cases(shared: Path, make_engine: Any, metering: str) -> None:
    cases = json.loads((shared / "cases" / "engine-0.7.2.json").read_text())["cases"]
    for case in cases:
        loaded = Program.parse(bytes.fromhex(case["program"]), "plain")
        machine = make_engine(metering=metering).instantiate(loaded, gas=case["gas"], pc=case["pc"])
        for register, value in case.get("registers", {}).items():
            machine.registers[int(register)] = value
        exit = machine.run()
        found = {"status": exit.reason.value, "pc": exit.pc, "gas": exit.gas, "r7": machine.registers[7]}
        assert {name: found[name] for name in case["expect"]} == case["expect"], case["name"]


@pytest.mark.parametrize("metering", METERINGS)
@pytest.mark.parametrize("opcode", [LOAD_IMM, ECALLI, FALLTHROUGH, JUMP + b"\0", UNDEFINED], ids=bytes.hex)
class TestNoInstruction:
    """An opcode that is not marked, or undefined: a trap for 1 gas, however one gets there."""

    def test_as_the_entry(self, make_engine: Any, metering: str, opcode: bytes) -> None:
        machine = make_engine(metering=metering).instantiate(program(opcode, TRAP, unmarked="0"), gas=10)
        assert machine.run() == Exit(Reason.PANIC, 0, 9)
        assert list(machine.registers) == [0] * 13

    def test_by_setting_pc(self, make_engine: Any, metering: str, opcode: bytes) -> None:
        machine = make_engine(metering=metering).instantiate(program(TRAP, opcode, TRAP, unmarked="1"), gas=10)
        machine.pc = 1
        assert machine.step() == Exit(Reason.PANIC, 1, 9)

    def test_after_24_unmarked_octets(self, make_engine: Any, metering: str, opcode: bytes) -> None:
        code = program(LOAD_IMM + bytes(22), opcode, TRAP, unmarked="1")
        machine = make_engine(metering=metering).instantiate(code, gas=10)
        assert machine.run() == Exit(Reason.PANIC, 25, 8)
        assert machine.registers[7] == 9
        machine.pc, machine.gas = 0, 1
        assert machine.run() == Exit(Reason.OUT_OF_GAS, 25 if metering == "instruction" else 0, 0)

    def test_as_a_jump_s_target(self, make_engine: Any, metering: str, opcode: bytes) -> None:
        """There is the jump's gas alone: were the target entered, it would run out."""
        code = program(JUMP + b"\x03", TRAP, opcode, TRAP, unmarked="2")
        machine = make_engine(metering=metering).instantiate(code, gas=1)
        assert machine.run() == Exit(Reason.PANIC, 0, 0)

    def test_as_a_dynamic_target(self, make_engine: Any, metering: str, opcode: bytes) -> None:
        code = program(JUMP_IND, TRAP, opcode, TRAP, table=(3,), size=1, unmarked="2")
        machine = make_engine(metering=metering).instantiate(code, gas=1)
        machine.registers[3] = 2
        assert machine.run() == Exit(Reason.PANIC, 0, 0)


@pytest.mark.parametrize("metering", METERINGS)
@pytest.mark.parametrize("target", [2, 5, 6, 7, 99, -1])  # operand, undefined, unmarked, end, beyond, before
class TestNoBlockStart:
    """Targets that are none: it panics at the jump. The code: 5 octets, then an undefined opcode, then one unmarked."""

    def run(self, make_engine: Any, metering: str, jump: bytes, gas: int, **more: Any) -> tuple[Exit, Any]:
        code = program(jump + bytes(5 - len(jump)), UNDEFINED, TRAP, unmarked="2", **more)
        machine = make_engine(metering=metering).instantiate(code, gas=gas)
        machine.registers[3] = 2
        return machine.run(), machine

    def test_jump(self, make_engine: Any, metering: str, target: int) -> None:
        exit, _ = self.run(make_engine, metering, JUMP + target.to_bytes(1, "little", signed=True), 1)
        assert exit == Exit(Reason.PANIC, 0, 0)

    def test_branch(self, make_engine: Any, metering: str, target: int) -> None:
        jump = BRANCH_EQ + b"\x11" + target.to_bytes(1, "little", signed=True)
        exit, _ = self.run(make_engine, metering, jump, 1)
        assert exit == Exit(Reason.PANIC, 0, 0)

    def test_load_imm_jump_has_set_its_register(self, make_engine: Any, metering: str, target: int) -> None:
        jump = LOAD_IMM_JUMP + b"\x17\x09" + target.to_bytes(1, "little", signed=True)
        exit, machine = self.run(make_engine, metering, jump, 1)
        assert exit == Exit(Reason.PANIC, 0, 0)
        assert machine.registers[7] == 9

    def test_dynamic_jump(self, make_engine: Any, metering: str, target: int) -> None:
        for size in (1, 4, 9, 255):
            entry = target % (1 << 8 * size)
            exit, _ = self.run(make_engine, metering, JUMP_IND, 1, table=(entry,), size=size)
            assert exit == Exit(Reason.PANIC, 0, 0), size


@pytest.mark.parametrize("metering", METERINGS)
@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_jump_table_of_no_octets(make_engine: Any, metering: str, spec: str) -> None:
    """Every even address up to twice the count leads to pc 0; there is no more memory for more entries."""
    for count in (1, 3, 100, 1 << 30, (1 << 31) - 1, (1 << 64) - 1):
        machine = make_engine(spec=spec, metering=metering).instantiate(
            program(JUMP_IND, table=ZeroEntries(count)), gas=5
        )
        if spec == "0.8.0" and count > 1 << 24:  # more than it allows
            assert machine.run() == Exit(Reason.PANIC, 0, 5)
            continue
        for address in (0, 2, 3, 2 * count, 2 * count + 2, (1 << 32) - 2):
            address %= 1 << 32
            leads = address % 2 == 0 and 0 < address <= 2 * count
            machine.pc, machine.gas, machine.registers[3] = 0, 5, address
            assert machine.run() == Exit(*((Reason.OUT_OF_GAS, 0, 0) if leads else (Reason.PANIC, 0, 4))), address
        machine.pc, machine.gas, machine.registers[3] = 0, 5, 0xFFFF0000
        assert machine.run() == Exit(Reason.HALT, 0, 4)


def test_jump_table_of_no_octets_where_no_block_starts_at_0(make_engine: Any) -> None:
    code = program(UNDEFINED, JUMP_IND, table=ZeroEntries(9))
    machine = make_engine().instantiate(code, gas=5, pc=1)
    machine.registers[3] = 2
    assert machine.run() == Exit(Reason.PANIC, 1, 4)
