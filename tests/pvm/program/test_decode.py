"""Decoding: the skip rule, operands past the end, invalid opcodes, block starts, 0.8.0's validity."""

from __future__ import annotations

import pytest

from pvm.errors import ProgramError
from pvm.isa import GP_072, GP_080
from pvm.program import Blob, assemble, block_starts, decode, decode_at, is_entry, is_valid, pack_bitmask, skip

MAX = (1 << 64) - 1


def blob(code: bytes, starts: bytes | None = None, table: tuple[int, ...] = ()) -> Blob:
    return Blob(code, pack_bitmask(starts or b"\1" + bytes(len(code) - 1)), table, 4 if table else 0)


def test_skip_counts_to_the_next_mark_but_not_beyond_24() -> None:
    starts = b"\1\0\0\1" + bytes(40) + b"\1"
    assert skip(starts, 0) == 2
    assert skip(starts, 3) == 24
    assert skip(starts, 43) == 0
    assert skip(b"\1\0\0", 0) == 2  # the end of the code counts as a mark


def test_operands_past_the_end_are_zeros() -> None:
    instruction = decode_at(blob(b"\x14\x05\xff"), GP_072, 0)  # load_imm_64 r5, of whose 8 octets one is there
    assert (instruction.a, instruction.x, instruction.length) == (5, 0xFF, 3)


def test_an_invalid_opcode_is_a_trap() -> None:
    instruction = decode_at(blob(b"\x02"), GP_072, 0)
    assert (instruction.row.name, instruction.valid) == ("trap", False)
    assert decode_at(blob(b"\x02"), GP_080, 0).row.name == "unlikely"


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_entries_of_a_jump_table_fit_their_size(size: int) -> None:
    most = (1 << 8 * size) - 1
    assert Blob(b"\0", b"\1", (0, most), size).jump_table == (0, most)
    for entry in (most + 1, -1):
        with pytest.raises(ProgramError, match="an entry does not fit"):
            Blob(b"\0", b"\1", (0, entry), size)


def test_a_pc_beyond_the_code_is_a_trap() -> None:
    assert decode_at(blob(b"\x01"), GP_072, 9).row.name == "trap"


@pytest.mark.parametrize(
    ("code", "operands"),
    [
        ("33 1d ff", (12, 0, 0, MAX, 0)),  # load_imm: register nibble 13 is 12, the immediate is signed
        ("33 05 7f", (5, 0, 0, 0x7F, 0)),
        ("33 05", (5, 0, 0, 0, 0)),  # no octets: 0
        ("1e 07 01 02 03 04 05", (0, 0, 0, 0x04030201, 5)),  # store_imm_u8: a length of 7 is 4
        ("1e 01 80 90", (0, 0, 0, MAX - 0x7F, MAX - 0x6F)),
        ("52 21 34 12 fe", (1, 0, 0, 0x1234, -2)),  # branch_ne_imm: its target is relative
        ("b4 21 01 05 06", (1, 2, 0, 5, 6)),  # load_imm_jump_ind
        ("c8 21 03", (1, 2, 3, 0, 0)),  # add_64
        ("c8 fe fd", (12, 12, 12, 0, 0)),
        ("64 21", (2, 0, 1, 0, 0)),  # move_reg: rD is the low nibble
    ],
)
def test_operands(code: str, operands: tuple[int, ...]) -> None:
    instruction = decode_at(blob(bytes.fromhex(code)), GP_072, 0)
    assert (instruction.a, instruction.b, instruction.d, instruction.x, instruction.y) == operands


def test_decode_visits_what_execution_visits() -> None:
    starts = b"\1" + bytes(59)
    assert [i.pc for i in decode(blob(bytes(60), starts), GP_072)] == [0, 25, 50]


def test_blocks_start_after_terminators() -> None:
    program = assemble(".code\nload_imm r1, 5\njump end\nload_imm r2, 1\nend: trap\n")
    pcs = [i.pc for i in decode(program.blob, GP_072)]
    for spec in (GP_072, GP_080):
        assert block_starts(program.blob, spec) == {0, pcs[2]}  # not the end of the code, where no opcode is


def test_an_unmarked_terminator_starts_no_block() -> None:
    code = b"\x01\x00\x00"
    assert block_starts(blob(code, b"\0\0\1"), GP_072) == set()
    assert block_starts(blob(b"\x64\x12\x01\x00", b"\1\0\0\1"), GP_072) == {0}


def test_blocks_start_at_marked_and_defined_opcodes_alone() -> None:
    """After three terminators: an undefined opcode, an octet that is not marked (after 24 of that kind), the end."""
    code = b"\x01\xff\x01" + bytes(25) + b"\x00"
    starts = b"\1\1\1" + bytes(25) + b"\1"
    assert block_starts(blob(code, starts), GP_072) == {0}
    assert block_starts(blob(b"\xff\x00", b"\1\1"), GP_072) == set()  # nor at 0


def test_an_opcode_that_is_not_marked_is_a_trap() -> None:
    b = blob(b"\x33\x07\x05\x01", b"\1\0\0\1")
    found = [decode_at(b, GP_072, pc) for pc in range(5)]
    assert [(i.row.name, i.valid) for i in found] == [
        ("load_imm", True), ("trap", False), ("trap", False), ("fallthrough", True), ("trap", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "valid"),
    [
        ("fallthrough", True),
        ("load_imm r1, 5", False),  # the last one is no terminator
        (".raw 0xff\ntrap", False),  # an invalid opcode
        (".unmarked 0x00\ntrap", False),
        ("load_imm r1, 5\ntrap", True),
    ],
)
def test_validity(source: str, valid: bool) -> None:
    assert is_valid(assemble(f".code\n{source}\n").blob, GP_080) is valid


def test_entries() -> None:
    b = blob(b"\x33\x07\x05\x00", b"\1\0\0\1")
    assert [is_entry(b, GP_080, pc) for pc in range(5)] == [True, False, False, True, False]
    assert is_entry(b, GP_072, 77)
