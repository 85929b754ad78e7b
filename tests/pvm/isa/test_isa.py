"""The instruction set: numbering of both versions, derived facts, operators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.isa import BY_NAME, FORMATS, GAS_VECTORS, GP_072, GP_080, ROWS, Row, spec
from pvm.isa.expr import BINARY, UNARY, show, sign_extend, signed64, walk

MAX = (1 << 64) - 1


def test_each_version_has_139_instructions() -> None:
    assert len(GP_072.rows) == len(GP_080.rows) == 139
    assert {row.name for row in GP_072.rows} - {row.name for row in GP_080.rows} == {"sbrk"}
    assert {row.name for row in GP_080.rows} - {row.name for row in GP_072.rows} == {"unlikely"}


def test_numbers_are_those_of_the_published_map(shared: Path) -> None:
    published = json.loads((shared / "design/opcode_map_072_080.json").read_text())["opcodes"]
    assert {row.name: [row.opcode_072, row.opcode_080] for row in ROWS} == published


def test_the_gas_vectors_numbering_adds_unlikely_to_072() -> None:
    assert GAS_VECTORS.opcodes == {**GP_072.opcodes, "unlikely": 3}


def test_an_unknown_spec_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"0\.7\.2, 0\.8\.0"):
        spec("0.6.0")


@pytest.mark.parametrize(
    ("name", "reads", "writes", "ends"),
    [
        ("trap", (), (), True),
        ("ecalli", (), (), False),
        ("unlikely", (), (), False),
        ("load_imm_64", (), ("a",), False),
        ("store_u8", ("a",), (), False),
        ("load_ind_u64", ("b",), ("a",), False),
        ("load_imm_jump_ind", ("b",), ("a",), True),
        ("branch_eq", ("a", "b"), (), True),
        ("cmov_iz", ("a", "b", "d"), ("d",), False),
        ("add_64", ("a", "b"), ("d",), False),
        ("sbrk", ("a",), ("d",), False),
    ],
)
def test_derived_facts(name: str, reads: tuple[str, ...], writes: tuple[str, ...], ends: bool) -> None:
    row = BY_NAME[name]
    assert (row.reads, row.writes, row.ends_block) == (reads, writes, ends)


def test_instructions_that_end_blocks() -> None:
    """Those of the paper's set T: traps, fallthrough, jumps and branches."""
    ends = {row.name for row in ROWS if row.ends_block}
    named = {"trap", "fallthrough", "jump", "jump_ind", "load_imm_jump", "load_imm_jump_ind"}
    assert ends == named | {row.name for row in ROWS if row.name.startswith("branch_")} and len(ends) == 22


def test_every_operand_of_a_format_is_used_by_its_rows() -> None:
    def fields(row: Row) -> set[str]:
        found = {node.field for e in row.effects for node in walk(e) if hasattr(node, "field")}
        return found | {e.field for e in row.effects if hasattr(e, "field")}

    for row in ROWS:
        assert fields(row) == set(row.format.fields), row.name


def test_formats_are_the_paper_s_thirteen() -> None:
    assert len(FORMATS) == 13
    assert {row.format for row in ROWS} == set(FORMATS)


@pytest.mark.parametrize(
    ("op", "left", "right", "result"),
    [
        ("add", MAX, 1, 0),
        ("sub", 0, 1, MAX),
        ("shl", 1, 64, 1),
        ("shr_s", 1 << 63, 63, MAX),
        ("rotl", 1 << 63, 1, 1),
        ("rotr", 1, 1, 1 << 63),
        ("rotl32", 0x80000001, 33, 3),
        ("rotr32", 1, 1, 0x80000000),
        ("div_s", MAX - 6, 2, MAX - 2),  # -7 / 2 = -3
        ("rem_s", MAX - 6, 2, MAX),  # -7 rem 2 = -1
        ("rem_s", 7, MAX - 1, 1),  # 7 rem -2 = 1
        ("mul_upper_u_u", MAX, MAX, MAX - 1),
        ("mul_upper_s_s", MAX, MAX, 0),
        ("mul_upper_s_u", MAX, MAX, MAX),
        ("lt_s", MAX, 0, 1),
        ("lt_u", MAX, 0, 0),
        ("ge_s", 0, MAX, 1),
    ],
)
def test_binary_operators(op: str, left: int, right: int, result: int) -> None:
    assert BINARY[op](left, right) == result


@pytest.mark.parametrize(
    ("op", "operand", "result"),
    [
        ("sext8", 0x180, MAX - 0x7F),
        ("sext16", 0x7FFF, 0x7FFF),
        ("sext32", 0x80000000, 0xFFFFFFFF80000000),
        ("zext16", MAX, 0xFFFF),
        ("clz", 0, 64),
        ("ctz", 0, 64),
        ("ctz", 8, 3),
        ("popcnt", MAX, 64),
        ("reverse_bytes", 0x0102030405060708, 0x0807060504030201),
    ],
)
def test_unary_operators(op: str, operand: int, result: int) -> None:
    assert UNARY[op](operand) == result


def test_sign_extension() -> None:
    assert signed64(MAX) == -1
    assert sign_extend(0, 0) == 0
    assert sign_extend(0xFF, 1) == MAX
    assert sign_extend(0x7F, 1) == sign_extend(0x17F, 1) == 0x7F  # what is above does not count


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shlo_l_64", "rD' = rA << rB"), ("add_64", "rD' = rA + rB"), ("mul_upper_u_u", "rD' = mul_upper_u_u(rA, rB)"),
        ("load_ind_u8", "rA' = u8[rB + x]"), ("store_u16", "u16[x]' = rA"), ("jump_ind", "djump rA + x"),
    ],
)  # fmt: skip
def test_text_of_what_an_instruction_does(name: str, text: str) -> None:
    assert "; ".join(map(show, BY_NAME[name].effects)) == text
