"""The assembler: encodings, labels, directives, errors with their line."""

from __future__ import annotations

import pickle
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm.errors import AssemblyError, InputError
from pvm.isa import GAS_VECTORS, GP_072, GP_080
from pvm.program import Blob, Program, Sections, assemble, assembler, decode
from pvm.program.assembly_syntax import MAX_PASSES, Offset, fit_offsets, operands_of

DOCUMENTED = textwrap.dedent(
    (assembler.__doc__ or "").split("argument octets:\n", 1)[-1].split("\nLines.", 1)[0]
)


def code(source: str) -> str:
    return assemble(source).code.hex(" ")


def test_documented_example() -> None:
    program = assemble(DOCUMENTED)
    assert program.format == "standard"
    assert program.sections == Sections((1000).to_bytes(8, "little"), bytes(8), 0, 4096)
    assert program.jump_table == (11,)
    assert Program.parse(program.encode()) == program
    names = [instruction.row.name for instruction in decode(program.blob, GP_072)]
    assert names == [
        "move_reg", "load_u64", "load_imm_jump", "store_u64", "load_imm", "load_imm", "jump_ind",
        "add_64", "branch_eq", "load_ind_u8", "add_64", "add_imm_64", "branch_lt_u", "jump_ind",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "octets"),
    [
        ("trap", "00"),
        ("ecalli 100", "0a 64"),
        ("ecalli 0", "0a"),
        ("ecalli 0/2", "0a 00 00"),
        ("load_imm_64 r7, -2", "14 07 fe ff ff ff ff ff ff ff"),
        ("load_imm_64 r7, 0x123456789abcdef0", "14 07 f0 de bc 9a 78 56 34 12"),
        ("store_imm_u8 [0x20000], 5", "1e 03 00 00 02 05"),
        ("store_imm_u32 [0xfffff000], 0xffffffff", "20 02 00 f0 ff"),
        ("jump_ind a0", "32 07"),
        ("jump_ind ra - 2 + 1", "32 00 ff"),
        ("load_imm r7, 5/4", "33 07 05 00 00 00"),
        ("load_imm r7, 'a' + 1", "33 07 62"),
        ("load_imm r7, 0xffffffffffffffff", "33 07 ff"),
        ("load_u64 r12, [0xfeff0000]", "3a 0c 00 00 ff fe"),
        ("store_imm_ind_u8 [r7 + 1/2], 5", "46 27 01 00 05"),
        ("load_imm_jump r3, 4, pc + 6", "50 13 04 06"),
        ("branch_ne_imm r8, 0, pc - 3/2", "52 08 fd ff"),
        ("move_reg r1, r2", "64 21"),
        ("store_ind_u64 [r1 + 8], r7", "7b 17 08"),
        ("load_ind_u64 r7, [r1]", "82 17"),
        ("add_imm_64 r8, r9, -1", "95 98 ff"),
        ("branch_lt_u r1, r2, pc + 0", "ac 21"),
        ("load_imm_jump_ind r0, 7/1, r5 + 4", "b4 50 01 07 04"),
        ("add_64 r7, r8, r9", "c8 98 07"),
        ("cmov_iz r7, r8, r9", "da 98 07"),
        ("ret", "32 00"),
        (".raw 0x33ff ff", "33 ff ff"),
    ],
)
def test_encodings(source: str, octets: str) -> None:
    assert code(source) == octets


def test_every_row_has_all_its_fields_as_operands() -> None:
    for row in GP_072.rows + GP_080.rows:
        fields = [name for operand in operands_of(row) for name in (operand.register, operand.immediate) if name]
        assert sorted(fields) == sorted(row.format.fields), row.name


def test_opcodes_are_those_of_the_spec() -> None:
    assert assemble("unlikely", GP_080).code == b"\x02"
    assert assemble("unlikely", GAS_VECTORS).code == b"\x03"
    assert assemble("reverse_bytes r1, r2", GP_080).code == b"\x6e\x21"
    with pytest.raises(AssemblyError, match="line 1: sbrk is no instruction of"):
        assemble("sbrk r1, r2", GP_080)


def test_offsets_grow_as_needed() -> None:
    near = assemble("jump end\n" + "trap\n" * 125 + "end: trap")
    far = assemble("jump end\n" + "trap\n" * 126 + "end: trap")
    back = assemble("start: trap\n" + "trap\n" * 127 + "jump start")
    assert near.code[:3] == b"\x28\x7f\x00"
    assert far.code[:3] == b"\x28\x81\x00"
    assert back.code[-2:] == b"\x28\x80"


def test_offsets_settle_in_linear_time() -> None:
    # Each branch jumps over the next ones, so far that it grows when the last of them does.
    count = 40 * MAX_PASSES
    offsets = [Offset(i * 2, i * 2 + 200, min(i + 100, count)) for i in range(count)]
    widths = fit_offsets(offsets)
    before = [sum(widths[:index]) for index in range(count + 1)]
    for index, (base, target, target_index) in enumerate(offsets):
        offset = target + before[target_index] - base - before[index]
        assert -(1 << (8 * widths[index] - 1)) <= offset < 1 << (8 * widths[index] - 1)


def test_targets_need_not_be_block_starts() -> None:
    assert code("jump there\nmove_reg r1, r1\nthere: trap") == "28 04 64 11 00"
    assert code("trap\njump 0") == "00 28 ff ff ff ff"
    assert code("jump end\nend:") == "28 02"


def test_dynamic_addresses_and_calls() -> None:
    program = assemble("""
        .jump_table other
        main: call t0, function
        load_imm r5, @function
        load_imm r6, @other
        function: trap
        other: trap
    """)
    assert program.jump_table == (11, 4, 10)
    assert program.code.hex(" ") == "50 12 04 0a 33 05 06 33 06 02 00 00"
    assert program.blob.jump_entry_size == 1


def test_explicit_jump_table() -> None:
    program = assemble(".jump_table entry_size=3 a, 70000, 1\n.jump_table a\na: trap")
    assert program.blob == Blob(b"\0", b"\1", (0, 70000, 1, 0), 3)
    assert assemble(".jump_table 70000").blob.jump_entry_size == 3
    assert assemble(".jump_table entry_size=200").blob.jump_entry_size == 200


def test_data() -> None:
    program = assemble("""
        .standard stack=1, heap=2
        .metadata "na\\x6de"   ; two lines are joined
        .metadata 0x00 ff
        .equ SIZE, 2 + 2
        .rodata
        a: .ascii "h;\\"\\n\\xff"
        .align 4
        b: .u8 1, -1, 'c'
        .data
        c: .u16 0x1234
        .u32 b, SIZE
        .u64 c - a, @main
        .zero SIZE
        .hex 0aFF 0b
        .code
        main: load_imm r7, b + 1
    """)
    assert program.metadata == b"name\0\xff"
    assert program.sections == Sections(
        b'h;"\n\xff\0\0\0\x01\xffc',
        bytes.fromhex("3412 08000100 04000000 0000020000000000 0200000000000000 00000000 0aff0b"),
        2,
        1,
    )
    assert program.code.hex(" ") == "33 07 09 00 01"
    assert program.jump_table == (0,)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("\nlod_imm r7, 5", 2, "did you mean load_imm"),
        ("jump nowhere", 1, "unknown label 'nowhere'"),
        ("there: jump ther", 1, "did you mean there?"),
        (".equ size, 5\nload_imm r7, siez", 2, "unknown value 'siez': did you mean size?"),
        (".rodta", 1, "unknown instruction '.rodta': did you mean .rodata?"),
        ("unlikely", 1, "unlikely is no instruction of 0.7.2; 0.8.0 has it (--spec 0.8.0)"),
        ("load_imm r7, @nowhere", 1, "unknown label 'nowhere'"),
        ("a: trap\na: trap", 2, "'a' is defined twice"),
        ("sp: trap", 1, "reserved"),
        ("load_imm r13, 5", 1, "expected a register in load_imm rA, x"),
        ("load_imm r7, 0x80000000", 1, "does not fit a sign-extended immediate"),
        ("load_imm_64 r7, 1 - 1 + 0x10000000000000000", 1, "does not fit 64 bits"),
        ("load_imm r7, 300/1", 1, "300 needs 2 octets, /1 is not enough"),
        ("load_imm r7, 1/5", 1, "not in 0 … 4"),
        ("jump end/1\n" + "trap\n" * 200 + "end:", 1, "offset 202 needs 2 octets"),
        ("add_64 r1, r2", 1, "takes 3 operands: add_64 rD, rA, rB"),
        ("add_64 r1, r2, r3, r4", 1, "too much after the operands"),
        ("load_ind_u8 r1, r2", 1, "expected '['"),
        ("load_ind_u8 r1, [r2 8]", 1, "expected ']'"),
        ("load_imm r7, later\nlater: trap", 1, "unknown value 'later'"),
        ("here: load_imm r7, here", 1, "write @here"),
        ("jump pc", 1, "expected + or - after pc"),
        (".standard\n.code\n.data", 3, "sections come once"),
        (".data", 1, "needs .standard"),
        (".metadata 0x00", 1, "needs .standard"),
        ("trap\n.standard", 2, "comes before the sections"),
        (".standard stack=99999999", 1, "not in 0"),
        (".standard\n.rodata\ntrap", 3, "belong into .code"),
        (".u8 1", 1, "belongs into .rodata or .data"),
        (".standard\n.data\n.u8 256", 3, "does not fit 8 bits"),
        (".standard\n.data\n.zero 99999999", 3, "not in 0"),
        (".standard\n.data\n.zero 0xffffff\n.u8 1", 4, "16777216 bytes or more"),
        ('.standard\n.data\n.ascii "abc', 3, "closing quote"),
        ('.standard\n.data\n.ascii "\\q"', 3, "unknown escape"),
        (".standard\n.data\n.hex 0", 3, "pairs of hexadecimal digits"),
        (".jump_table entry_size=256 0", 1, "not in 0 … 255"),
        (".jump_table entry_size=1 count=2", 1, "count= goes with entry_size=0"),
        (".jump_table count=2", 1, "count= goes with entry_size=0"),
        (".jump_table entry_size=0 count=0xffffffffffffffff\n.jump_table count=1", 2, "fewer than 2^64 entries"),
        ("\n.jump_table 256\n.jump_table entry_size=1", 2, "does not fit entry_size=1"),
        (".raw", 1, ".raw without octets"),
        ("ecalli 9x", 1, "'9x' is no number"),
        ("ecalli " + "9" * 5000, 1, "is no number"),
        ("ecalli", 1, "expected a value, found the end of the line"),
        (".equ a 5", 1, "expected ','"),
        ("trap trap", 1, "too much"),
        ("%", 1, "expected a directive or an instruction"),
    ],
)
def test_errors_name_the_line(source: str, line: int, message: str) -> None:
    with pytest.raises(AssemblyError) as error:
        assemble(source)
    assert error.value.line == line
    assert message in str(error.value)


def test_all_errors_of_a_text() -> None:
    source = "trap\n  lod_imm r7, 5 ; oh\n load_imm r99, 1\nadd_64 r1, r2\n"
    with pytest.raises(AssemblyError) as caught:
        assemble(source)
    found = caught.value
    assert (found.line, found.column, found.more) == (2, 3, 0) and found.errors[0] is found
    assert str(found) == "line 2: unknown instruction 'lod_imm': did you mean load_imm?"
    assert [(one.line, one.column, one.text) for one in found.errors] == [
        (2, 3, "lod_imm r7, 5 ; oh"), (3, 11, "load_imm r99, 1"), (4, 14, "add_64 r1, r2"),
    ]  # fmt: skip
    copy = pickle.loads(pickle.dumps(found))
    assert [(one.line, str(one), one.text) for one in copy.errors] == [
        (one.line, str(one), one.text) for one in found.errors
    ]


@pytest.mark.parametrize("line", ["x", "jump x"])
def test_errors_are_kept_up_to_a_bound_and_counted(line: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(f"{line}\n" * 5_000)
    assert (len(caught.value.errors), caught.value.more) == (20, 4_980)
    with pytest.raises(AssemblyError) as caught:
        assemble(f"{line}\n" * 200_000)
    assert (len(caught.value.errors), caught.value.more) == (20, 9_980)


@pytest.mark.parametrize(
    "source",
    [
        ".rodata\n.u8 1\n.u8 2\n.code\ntrap",
        ".standard stack=x\n.rodata\n.u8 1\n.code\ntrap",
        ".standard\n.data\n.u8 1\ntrap\ntrap",
        ".equ a, nothing\nload_imm r1, a\nload_imm r2, a",
    ],
)
def test_one_mistake_is_one_error(source: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(source)
    assert len(caught.value.errors) == 1


def test_only_text_is_assembled() -> None:
    for error in (InputError, TypeError):
        with pytest.raises(error, match=r"assembly is text \(str\), but got bytes: decode it first"):
            assemble(b"trap")  # type: ignore[arg-type]


_SYNTAX = """
.standard .plain .metadata .rodata .data .code .ascii .hex .zero .align .u8 .u64 .raw .unmarked .equ .jump_table
entry_size stack = call ret pc r0 sp r12 r13 a b @ : , [ ] + - / " ' \\ ; 0 1 0x10 255 -1 "text" 'c' 4294967296
"""
_WORDS = st.sampled_from([row.name for row in GP_072.rows] + _SYNTAX.split() + ["\n"] * 5)


@given(st.lists(_WORDS, max_size=30))
def test_words_at_random_fail_only_with_assembly_error(words: list[str]) -> None:
    _only_assembly_errors(" ".join(words))


@given(st.text(st.characters()))
def test_characters_at_random_fail_only_with_assembly_error(source: str) -> None:
    _only_assembly_errors(source)


def _only_assembly_errors(source: str) -> None:
    try:
        program = assemble(source)
    except AssemblyError as error:
        assert 1 <= error.line <= source.count("\n") + 1
    else:
        assert Program.parse(program.encode(), program.format) == program


@pytest.mark.parametrize(
    "line", ['"\\' * 500_000, "'" * 1_000_000, "-" * 1_000_000, "a:" * 3, "ecalli " + "1+" * 500_000, ";" * 1_000_000]
)
def test_a_long_line_takes_linear_time(line: str) -> None:
    _only_assembly_errors(line)
