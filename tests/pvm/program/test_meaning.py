"""What single instructions mean, in text and in values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvm.isa import GP_072, GP_080
from pvm.program import Blob, Instruction, assemble, decode_at, pack_bitmask
from pvm.program.meaning import Place, meaning_of, operands_of, reads_of, writes_of


def first(source: str) -> Instruction:
    return decode_at(assemble(source).blob, GP_072, 0)


@pytest.mark.parametrize(
    ("source", "meaning"),
    [
        ("add_64 r7, r8, r9", "r7' = r8 + r9"),
        ("add_imm_64 r7, r8, -5", "r7' = r8 + -5"),
        ("store_imm_ind_u8 [r1 + 4], -5", "u8[r1 + 4]' = -5"),
        ("branch_eq_imm r1, 5, pc + 0", "jump 0 if r1 == 5"),
        ("load_imm_jump_ind r1, 5, r2 + 4", "r1' = 5; djump r2 + 4"),
        ("ecalli 5", "host call 5"),
        ("sbrk r1, r2", "r1' = sbrk(r2)"),
        ("load_u8 r1, [0x20000]", "r1' = u8[131072]"),
        ("trap", "panic"),
        ("fallthrough", ""),
    ],
)
def test_meaning(source: str, meaning: str) -> None:
    assert "; ".join(meaning_of(first(source))) == meaning


def test_operands_are_signed_but_targets() -> None:
    assert operands_of(first("add_imm_64 r7, r8, -5")) == (("a", 7), ("b", 8), ("x", -5))
    assert operands_of(first("branch_eq_imm r1, -1, pc + 0")) == (("a", 1), ("x", -1), ("y", 0))


def test_reads_and_writes() -> None:
    load = first("load_ind_u32 r7, [r8 - 4]")
    assert reads_of(load) == (Place("r8", 8), Place("u32[r8 + -4]", None, 4, 8, (1 << 64) - 4))
    assert writes_of(load) == (Place("r7", 7),)
    store = first("store_u16 [0x20000], r3")
    assert reads_of(store) == (Place("r3", 3),)
    assert writes_of(store) == (Place("u16[131072]", None, 2, None, 0x20000),)


@given(st.binary(min_size=1, max_size=30), st.sampled_from((GP_072, GP_080)))
@settings(deadline=None)
def test_every_instruction_has_them(code: bytes, spec: object) -> None:
    blob = Blob(code, pack_bitmask(b"\1" + bytes(len(code) - 1)))
    instruction = decode_at(blob, spec, 0)
    for text in meaning_of(instruction):
        assert text and "None" not in text
    for place in (*reads_of(instruction), *writes_of(instruction)):
        assert (place.register is None) == (place.width is not None)
    assert len(operands_of(instruction)) == len(instruction.row.format.fields)
