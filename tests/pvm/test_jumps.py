"""Jumps, block starts and traps, rule by rule, on each engine (A.2 to A.5)."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Machine, Program, Reason
from pvm.program import Blob, assemble, pack_bitmask
from pvm.program.codec import encode_natural

HALT = 0xFFFF0000
MAX = (1 << 64) - 1


# --- the paper's djump -----------------------------------------------------------------------------------------------

# jump_ind r1 | ecalli 1 | fallthrough | ecalli 2 | load_imm r5 | trap; no block starts at 7.
JUMPER = bytes.fromhex("3201 0a01 01 0a02 3305 00")
STARTS = bytes.fromhex("0100 0100 01 0100 0100 01")
TABLE = (2, 5, 7, 200, 3, 1, 1 << 40, 2)


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        (2, 1), (4, 2),  # the first two entries
        (2 + (1 << 32), 1), ((MAX ^ 0xFFFFFFFF) + 4, 2),  # mod 2^32
        (HALT, "halt"), (HALT + (7 << 32), "halt"),
        (0, None), (1, None), (3, None), (5, None), (HALT + 1, None),  # 0, and odd ones
        (6, None), (8, None), (10, None), (12, None), (14, None),  # entries that are no block starts
        (16, 1),  # the last one
        (18, None), (20, None), (HALT - 2, None), (0xFFFFFFFE, None), (0x80000002, None), (MAX, None),  # none
    ],
)  # fmt: skip
@pytest.mark.parametrize("load", [False, True], ids=["jump_ind", "load_imm_jump_ind"])
def test_dynamic_jumps(make_engine: Any, address: int, goes: int | str | None, load: bool) -> None:
    # load_imm_jump_ind r1, r1, 0x55, 0: it takes the address from the register before it sets it.
    code, starts = (b"\xb4\x11\x01\x55", b"\1\0\0\0") if load else (JUMPER[:2], STARTS[:2])
    table = tuple(entry + 2 * load for entry in TABLE)
    blob = Blob(code + JUMPER[2:], pack_bitmask(starts + STARTS[2:]), table, 8)
    machine = make_engine().instantiate(Program(blob), gas=9)
    machine.registers[1] = address
    exit = machine.run()
    assert machine.registers[1] == (0x55 if load else address)  # whatever happens
    if goes is None:
        assert exit == Exit(Reason.PANIC, 0, 8)
    elif goes == "halt":
        assert exit == Exit(Reason.HALT, 0, 8)
    else:
        assert (exit.reason, exit.call, exit.gas) == (Reason.HOST_CALL, goes, 7)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 16, 255])
def test_jump_tables_of_any_width(make_engine: Any, width: int) -> None:
    """fallthrough | jump_ind r1 | ecalli 1 | trap: entries are little-endian, and none is cut off."""
    most = 256**width
    entries = [3, *(3 + part for part in (1 << 8, 1 << 16, 1 << 32, 1 << 64, most - 256) if 0 < part < most - 3)]
    blob = bytes([len(entries), width, 6]) + b"".join(entry.to_bytes(width, "little") for entry in entries)
    program = Program.parse(blob + bytes.fromhex("01 3201 0a01 00") + b"\x2b", "plain")
    assert list(program.jump_table) == entries
    for place in range(len(entries)):
        machine = make_engine().instantiate(program, gas=9)
        machine.registers[1] = 2 * (place + 1)
        exit = machine.run()
        assert exit == (Exit(Reason.PANIC, 1, 7) if place else Exit(Reason.HOST_CALL, 3, 6, call=1))


@pytest.mark.parametrize("count", [0, 1, 5, 100, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 63) + 7, (1 << 64) - 1])
@pytest.mark.parametrize("starts", [True, False], ids=["pc 0 starts a block", "pc 0 is not marked"])
def test_jump_tables_of_no_width(make_engine: Any, count: int, starts: bool) -> None:
    """All entries are 0. An address that halts does so, whatever the table has there."""
    parts = encode_natural(count), b"\0\4", bytes.fromhex("01 3201 00"), bytes([0b1010 + starts])
    program = Program.parse(b"".join(parts), "plain")
    for address in (0, 1, 2, 3, 4, 10, 11, 12, 200, 202, HALT - 2, HALT, HALT + 1, HALT + 2, 0xFFFFFFFE, 0xFFFFFFFF):
        machine = make_engine().instantiate(program, gas=1, pc=1)
        machine.registers[1] = address
        is_entry = address % 2 == 0 and 1 <= address // 2 <= count
        if address == HALT:
            expected = Exit(Reason.HALT, 1, 0)
        else:
            expected = Exit(Reason.OUT_OF_GAS, 0, 0) if is_entry and starts else Exit(Reason.PANIC, 1, 0)
        assert machine.run() == expected, hex(address)


# --- where blocks start ----------------------------------------------------------------------------------------------

TERMINATORS = {0, 1, 40, 50, *range(80, 91), *range(170, 176), 180}
DEFINED = {*TERMINATORS, 10, 20, *range(30, 34), *range(51, 63), *range(70, 74), *range(100, 112), *range(120, 162),
           *range(190, 231)}  # fmt: skip


def starts_of(engine: Any, code: bytes, marks: bytes) -> set[int]:
    """The pcs to which a jump_ind jumps, put behind the code and a fallthrough; any other makes it panic."""
    blob = Blob(code + b"\1\x32\1", pack_bitmask(marks + b"\1\1\0"), tuple(range(len(code) + 6)), 2)
    machine = engine.instantiate(Program(blob))
    jump = len(code) + 1
    found = set()
    for target in range(len(code) + 6):
        machine.pc, machine.gas, machine.registers[1] = jump, 1, 2 * target + 2
        exit = machine.run()
        if exit == Exit(Reason.OUT_OF_GAS, target, 0):
            found.add(target)
        else:
            assert exit == Exit(Reason.PANIC, jump, 0), target
    return found - {jump}


@pytest.mark.parametrize(
    ("code", "marks", "starts"),
    [
        ("01 330105 01 3301 00", "1 100 1 10 1", {0, 1, 5, 8}),
        ("", "", {0}), ("01", "0", set()), ("01 01", "0 1", {2}), ("ff", "1", set()), ("ff 01", "1 1", {2}),
        ("330101 330205", "100 100", {0}),  # a terminator's octet among operands
        ("01 ff 01 00", "1 1 1 1", {0, 3, 4}),  # an undefined opcode starts none, nor does what follows it
        ("01 33 00", "1 0 1", {0, 2, 3}), ("01 33 00", "1 0 0", {0, 3}),  # unmarked octets belong to the terminator
        ("01" + 24 * "33" + "00", "1" + 24 * "0" + "1", {0, 25, 26}),
        ("01" + 25 * "33" + "00", "1" + 25 * "0" + "1", {0, 27}),  # 24 at most: none at 25, none behind that
        ("00" * 60, "1" + 59 * "0", {0}),
    ],
)
def test_block_starts(make_engine: Any, code: str, marks: str, starts: set[int]) -> None:
    found = starts_of(make_engine(), bytes.fromhex(code), bytes(map(int, marks.replace(" ", ""))))
    assert found == starts


def test_block_starts_behind_every_opcode(make_engine: Any) -> None:
    """Each opcode with an octet, and a load_imm behind it; and in front of each a fallthrough."""
    code = b"".join(bytes((opcode, 0, 0x33, 0)) for opcode in range(256))
    expected = {4 * opcode + 2 for opcode in TERMINATORS} | {0}
    assert starts_of(make_engine(), code, b"\1\0" * 512) == expected
    code = b"".join(bytes((1, opcode, 0x33)) for opcode in range(256))
    found = starts_of(make_engine(), code, b"\1" * len(code))
    assert {pc for pc in found if pc % 3 == 1} == {3 * opcode + 1 for opcode in DEFINED}


def test_undefined_opcodes_are_traps(make_engine: Any) -> None:
    """Entered, and fallen into; by block they end theirs."""
    undefined = sorted(set(range(256)) - DEFINED)
    code = b"".join(bytes((0x33, opcode)) for opcode in undefined)
    for metering in ("instruction", "block"):
        machine = make_engine(metering=metering).instantiate(Program(Blob(code, pack_bitmask(b"\1" * len(code)))))
        for pc in range(len(code)):
            machine.pc, machine.gas = pc, 999  # enough for whatever a translation may run into
            into = pc + 1 - pc % 2
            cost = 2 if metering == "block" else 1 + (pc % 2 == 0)
            assert machine.run() == Exit(Reason.PANIC, into, 999 - cost), (metering, pc)
            machine.pc, machine.gas = pc, 0
            assert machine.run() == Exit(Reason.OUT_OF_GAS, pc, 0)


def test_unmarked_octets_are_traps(make_engine: Any) -> None:
    """Whichever way they are come to: from the start, from a host function, after 24 others."""

    def move(machine: Machine) -> None:
        machine.pc = 4

    for metering in ("instruction", "block"):
        engine = make_engine(metering=metering)
        # load_imm r7 and ecalli 3, not marked; a load_imm among operands; fallthrough, not marked, and after 24 others.
        for code, marks, entries in (
            ("330755 00", "000 1", (0, 1, 2)), ("0a03 00", "00 1", (0, 1)),
            ("0a03 3305330755 00", "10 10000 1", (3, 4, 5, 6)),
            ("01" * 40 + "00", "0" * 40 + "1", range(40)), ("01" * 31 + "00", "1" + "0" * 30 + "1", range(1, 31)),
        ):  # fmt: skip
            blob = Blob(bytes.fromhex(code), pack_bitmask(bytes(map(int, marks.replace(" ", "")))))
            machine = engine.instantiate(Program(blob), host={3: move})
            for pc in entries:
                machine.pc, machine.gas = pc, 999
                assert machine.run() == Exit(Reason.PANIC, pc, 998), (code, pc)
                machine.pc, machine.gas = pc, 0
                assert machine.run() == Exit(Reason.OUT_OF_GAS, pc, 0)
                assert machine.registers == [0] * 13
        exit = engine.instantiate(Program(blob), gas=999).run()
        assert exit == Exit(Reason.PANIC, 25, 997)  # behind the fallthrough and 24 octets
        blob = Blob(bytes.fromhex("0a03 330533075500"), pack_bitmask(b"\1\0\1\0\0\0\0\1"))
        exit = engine.instantiate(Program(blob), gas=999, host={3: move}).run()
        assert exit == Exit(Reason.PANIC, 4, 997 if metering == "instruction" else 995)


# --- the paper's branch ----------------------------------------------------------------------------------------------


JUMPS = ("jump pc + {}", "load_imm_jump r2, 7, pc + {}", "branch_eq r3, r4, pc + {}", "branch_eq_imm r3, 0, pc + {}")


@pytest.mark.parametrize("name", JUMPS)
def test_static_jumps(make_engine: Any, run_source: Any, name: str) -> None:
    """Each pc of a small program and some around it as the target: of those that are no block starts the jump panics,
    with its gas alone, and as the text has it with its register set."""
    engine = make_engine()
    length = len(assemble(f".code\n{name.format(64)}\n").code)
    after, end = 1 + length, 1 + length + 6
    for target in (*range(-2, end + 3), 100, -100, 0x7FFF):
        source = f"fallthrough\n{name.format(target - 1)}\necalli 1\nload_imm r5, 1\ntrap"
        source = source.replace("+ -", "- ")
        exit, machine = run_source(engine, source, gas=50)
        moved = len(machine.program.code) - end  # of far targets, which take more octets
        if target == after + moved:
            assert (exit.reason, exit.pc, exit.gas) == (Reason.HOST_CALL, after + moved, 47), target
        elif target in (0, 1):
            assert (exit.reason, exit.gas) == (Reason.OUT_OF_GAS, 0), target
        else:
            assert exit == Exit(Reason.PANIC, 1, 48), target
        assert machine.registers[2] == (7 if name.startswith("load") else 0), target


def test_loops_that_overlap(make_engine: Any) -> None:
    """Neither lies in the other, so that not both can be loops of WebAssembly."""
    source = """
        load_imm r1, 0
        fallthrough
    first:
        add_imm_64 r1, r1, 1
        fallthrough
    second:
        add_imm_64 r2, r2, 1
        branch_lt_u_imm r1, 3, first
        add_imm_64 r3, r3, 1
        branch_lt_u_imm r2, 5, second
        trap
    """
    machine = make_engine().instantiate(assemble(f".code\n{source}\n"), gas=100)
    exit = machine.run()
    assert (exit.reason, exit.gas) == (Reason.PANIC, 100 - 2 - 3 * 2 - 5 * 2 - 3 * 2 - 1)
    assert machine.registers[1:4] == [3, 5, 3]


def test_a_branch_that_is_not_taken_goes_on(make_engine: Any, run_source: Any) -> None:
    """Whatever its target is. (The text stays at the branch, where a step would never end.)"""
    source = "branch_ne r1, r2, pc + 100\nbranch_ne_imm r1, 0, pc - 50\nbranch_lt_u r1, r2, pc + 1\necalli 9"
    exit, machine = run_source(make_engine(), source)
    assert (exit.reason, exit.call, exit.gas) == (Reason.HOST_CALL, 9, 996)
    assert exit.pc == len(machine.program.code) - 2
