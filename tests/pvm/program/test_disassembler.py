"""The disassembler: its text, and that assembling it gives back every program."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm.isa import GAS_VECTORS, GP_072, GP_080, Spec
from pvm.program import (
    Blob,
    Program,
    Sections,
    assemble,
    decode,
    disassemble,
    disassemble_lines,
    format_instruction,
    pack_bitmask,
)
from pvm.program.blob import ZeroEntries

SHARED = Path(__file__).parents[4] / "shared"
SPECS = st.sampled_from([GP_072, GP_080, GAS_VECTORS])


def check(program: Program, spec: Spec = GP_072) -> None:
    text = disassemble(program, spec)
    again = assemble(text, spec)
    assert again == program, text[:2000]
    assert again.encode() == program.encode()


GOLDEN = """\
.standard stack=8192 heap=1
.metadata "a name"
.rodata
    .hex 68690102
.data
    .zero 100
.jump_table entry_size=2 l5, 3, l20
.code
    load_imm_jump   r0, @l5, l10/2          ; 0

l5:
    load_imm        r7, 0x10000             ; 5
l10:
    load_ind_u64    r7, [r1 + 8/4]          ; 10
    .raw 0x64ff ; 16 move_reg        r12, r12
    .raw 0xff ; 18 trap ; invalid opcode
    trap                                    ; 19

l20:
"""


def test_text() -> None:
    source = """
        .standard stack=8192 heap=1
        .metadata "a name"
        .rodata
        text: .ascii "hi\\x01\\x02"
        .data
        .zero 100
        .jump_table entry_size=2 after, 3, end
        .code
        load_imm_jump r0, @after, go/2
        after: load_imm r7, text
        go: load_ind_u64 r7, [sp + 8/4]
        .raw 0x64ff
        .raw ff
        trap
        end:
    """
    program = assemble(source)
    assert disassemble(program) == GOLDEN
    check(program)


def test_unmarked_octets_show_what_would_run() -> None:
    blob = Blob(b"\x01" * 30, bytes(4))
    assert disassemble(Program(blob)) == f"""\
.plain
.code
    .unmarked 0x{"01" * 25} ; 0 trap ; not marked
    .unmarked 0x{"01" * 5} ; 25 trap ; not marked
"""


@pytest.mark.parametrize(
    ("table", "size", "line"),
    [
        (ZeroEntries(1), 0, "entry_size=0 count=1"),
        (ZeroEntries((1 << 64) - 1), 0, "entry_size=0 count=18446744073709551615"),
        ((5, (1 << 2040) - 1), 255, f"entry_size=255 5, {(1 << 2040) - 1:#x}"),
        ((), 255, "entry_size=255"),
    ],
)
def test_odd_jump_tables(table: Sequence[int], size: int, line: str) -> None:
    program = Program(Blob(b"\x01", b"\1", table, size))
    assert f".jump_table {line}\n" in disassemble(program)
    check(program)


def test_an_address_in_a_table_of_no_octets_is_a_number() -> None:
    """`@` would append another entry."""
    program = Program(Blob(assemble("load_imm r3, 2\njump_ind r3").code, bytes([9]), ZeroEntries(100), 0))
    assert "@" not in disassemble(program)
    check(program)


def test_format_instruction() -> None:
    source = """
        branch_ne_imm r8, -1, there
        store_imm_ind_u8 [r7 - 2], 5
        load_u8 r7, [0xfeff0000]
        jump_ind r0
        load_imm_jump_ind r0, 2, r5 + 4
        load_imm_64 r1, 0xffffffffffffff00
        there: add_64 r7, r8, r9
        .raw ff
    """
    instructions = list(decode(assemble(source).blob, GP_072))
    assert [" ".join(format_instruction(instruction).split()) for instruction in instructions] == [
        "branch_ne_imm r8, -1, 31",
        "store_imm_ind_u8 [r7 - 2], 5",
        "load_u8 r7, [0xfeff0000]",
        "jump_ind r0",
        "load_imm_jump_ind r0, 2, r5 + 4",
        "load_imm_64 r1, -256",
        "add_64 r7, r8, r9",
        "trap ; invalid opcode",
    ]
    assert format_instruction(instructions[0], "at_{}".format).endswith("at_31")


def test_minimal_offsets_that_could_be_shorter() -> None:
    # The offset of 128 takes 2 octets, but with 1 octet it would be 127, which takes 1: both are minimal.
    code = b"\x28\x80\x00" + bytes(126)
    program = Program(Blob(code, pack_bitmask(b"\1\0\0" + b"\1" * 126)))
    assert "l128/2" in disassemble(program)
    check(program)


@st.composite
def blobs(draw: st.DrawFn) -> Blob:
    code = draw(
        st.one_of(
            st.binary(max_size=200),
            st.lists(st.sampled_from([40, 80, 82, 170, 171, 180, 10, 33, 0, 1, 2, 4, 255, 130, 16]), max_size=400)
            .map(bytes),
        )
    )
    density = draw(st.sampled_from([1, 2, 5, 30]))
    marks = draw(st.lists(st.integers(0, density).map(lambda n: n < 1 or density == 1), min_size=len(code),
                          max_size=len(code)))  # fmt: skip
    size = draw(st.integers(0, 8))
    table = draw(st.lists(st.one_of(st.integers(0, 255), st.integers(0, (1 << 64) - 1)), max_size=6))
    fitting = tuple(entry & ((1 << 8 * size) - 1) for entry in table)
    return Blob(code, pack_bitmask(bytes(marks)), fitting, size if fitting else draw(st.integers(0, 255)))


# An opcode and operands of any length, often small: every instruction, complete or not.
_INSTRUCTIONS = st.tuples(
    st.sampled_from([bytes([opcode]) for opcode, row in enumerate(GP_072.by_opcode) if row is not None]),
    st.one_of(st.binary(max_size=12), st.lists(st.sampled_from([0, 1, 2, 4, 16, 17, 33, 255]), max_size=12).map(bytes)),
).map(b"".join)


@st.composite
def marked_blobs(draw: st.DrawFn) -> Blob:
    instructions = draw(st.lists(_INSTRUCTIONS, max_size=60))
    starts = b"".join(b"\1" + bytes(len(octets) - 1) for octets in instructions)
    return Blob(b"".join(instructions), pack_bitmask(starts), (0, 5, 3, 5), 2)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    blob = draw(st.one_of(blobs(), marked_blobs()))
    if draw(st.booleans()):
        return Program(blob)
    data = st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 100).map(bytes)), max_size=4).map(b"".join)
    sections = Sections(draw(data), draw(data), draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 0xFFFFFF)))
    return Program(blob, sections, draw(st.none() | st.binary(max_size=80)))


@given(programs(), SPECS)
def test_round_trip(program: Program, spec: Spec) -> None:
    check(program, spec)


@given(st.integers(100, 140), st.integers(100, 140), st.lists(st.integers(-150, 150), min_size=2, max_size=60))
def test_round_trip_of_offsets_near_the_limits(first: int, second: int, jumps: list[int]) -> None:
    octets, starts = bytearray(), bytearray()
    for jump in jumps:
        width = 1 if -128 <= jump < 128 else 2
        octets += b"\x28" + jump.to_bytes(width, "little", signed=True)
        starts += b"\1" + bytes(width)
    octets += bytes(first + second)
    starts += b"\1" * (first + second)
    check(Program(Blob(bytes(octets), pack_bitmask(bytes(starts)))))


def _vectors() -> list[Path]:
    return sorted(SHARED.glob("vectors/*/*.json"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared with the public vectors is absent")
def test_round_trip_of_public_vectors() -> None:
    paths = _vectors()
    assert paths
    for path in paths:
        data = json.loads(path.read_text())
        spec = GP_072 if path.parent.name == "pvm-0.7.2" else GAS_VECTORS
        check(Program(Blob.parse(bytes(data["program"]))), spec)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared with the large programs is absent")
@pytest.mark.parametrize("name", ["doom", "pinky", "prime-sieve"])
def test_round_trip_of_large_programs(name: str) -> None:
    data = json.loads((SHARED / "programs" / "static" / f"{name}.json").read_text())
    program = Program(Blob.parse(bytes(data["program"])))
    check(program, GAS_VECTORS)


@pytest.mark.parametrize("seed", range(3))
def test_round_trip_of_long_random_code(seed: int) -> None:
    source = random.Random(seed)
    check(Program(Blob(source.randbytes(80_000), source.randbytes(10_000))))


MEGABYTE = 1 << 20  # and an eighth of that as code, whose text is a megabyte or more


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        (bytes([40, 0]), b"\1\0"),  # jumps to themselves, an octet wider than needed
        (bytes([40, 0x7F]), b"\1\0"),
        (bytes([40, 0x7F, 0x80, 40, 0xFD]), b"\1\0\0\1\0"),  # targets all over the place
        (bytes([51, 7]), b"\0\0"),
        (bytes([255]) * 30, b"\1" + bytes(29)),
    ],
)
def test_long_code(code: bytes, starts: bytes) -> None:
    count = MEGABYTE // 8 // len(code)
    check(Program(Blob(code * count, pack_bitmask(starts * count))))


def test_a_megabyte_of_data() -> None:
    data = (bytes(31) + b"\1") * (MEGABYTE // 32)
    check(Program(Blob(b"", b""), Sections(data, bytes(MEGABYTE) + data)))


def test_lines_come_one_by_one() -> None:
    program = assemble("trap\n" * 3)
    assert "\n".join(disassemble_lines(program)) + "\n" == disassemble(program)


def test_lines_take_little_memory() -> None:
    count = 50_000
    program = Program(Blob(bytes([1, 40, 0]) * count, pack_bitmask(b"\1\1\0" * count)))
    tracemalloc.start()
    try:
        lines = sum(1 for _ in disassemble_lines(program))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == 2 + 5 * count  # a label, two instructions, an empty line after each
    assert peak < 60 * len(program.code), "the whole text, or all instructions, were in memory"
