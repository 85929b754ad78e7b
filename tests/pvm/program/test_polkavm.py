"""PolkaVM blobs: what is read of them, where it lies in memory, how they run; and that bad ones are refused."""

from __future__ import annotations

import time
from random import Random

import pytest

from pvm import InputError, ProgramError, Reason, ReferenceEngine
from pvm.program import Blob, Program, assemble, disassemble, parse_polkavm
from pvm.program.codec import encode_natural
from pvm.program.debug_names import Function
from pvm.program.facts import call_symbol, check_numbering, default_entry, entries_of, find_entry
from tests.pvm.program.polkavm_writer import (
    CODE,
    EXPORTS,
    IMPORTS,
    LINE_PROGRAMS,
    LINE_RANGES,
    MEMORY,
    READ_ONLY,
    READ_WRITE,
    STRINGS,
    code,
    container,
    debug,
    exports,
    imports,
    memory,
    section,
)

SOURCE = """.plain
.code
add:
    add_64 r7, r7, r8
    ret
double:
    ecalli 2
    ret
last:
    load_u8 r7, [0x10000]
    load_imm r8, 0
    ret
"""
BLOB = assemble(SOURCE).blob
EXPORTED = [(0, b"add_numbers"), (5, b"double"), (9, b"last")]
PARTS = (
    memory(100, 10_000, 70_000), section(READ_ONLY, b"\x2anly"), section(READ_WRITE, b"data"),
    imports([b"first", b"", b"get_third_number"]), exports(EXPORTED), code(BLOB),
)  # fmt: skip
DEBUG = debug([(0, 3, b"guest", b"add"), (3, 5, b"guest", b"add"), (5, 9, b"", b"double")])
FILE = container(0, *PARTS, DEBUG)


def refuse(data: bytes, format: str = "polkavm") -> str:
    with pytest.raises(ProgramError) as caught:
        Program.parse(data, format)
    text = str(caught.value)
    assert text.startswith("PolkaVM blob: ") and "\n" not in text
    return text.removeprefix("PolkaVM blob: ")


def test_what_is_in_it() -> None:
    program = Program.parse(FILE)
    found = program.polkavm
    assert found == parse_polkavm(FILE) and program == Program.parse(FILE, "polkavm")
    assert (program.format, program.blob, program.encode()) == ("polkavm", BLOB, FILE)
    assert (found.instruction_set.name, found.spec, found.foreign) == ("revive_v1", "0.7.2", ())
    assert found.imports == ("first", "", "get_third_number")
    assert [(export.pc, export.name.encode()) for export in found.exports] == EXPORTED
    assert [part.number for part in found.parts] == [
        MEMORY, READ_ONLY, READ_WRITE, IMPORTS, EXPORTS, CODE, STRINGS, LINE_PROGRAMS, LINE_RANGES
    ]  # fmt: skip
    assert all(FILE[part.offset - 1 - len(encode_natural(part.size))] == part.number for part in found.parts)
    assert found.functions == (Function(0, 5, "guest::add"), Function(5, 9, "double"))
    assert "revive_v1" in repr(found) and "polkavm" in repr(program)


def test_memory_is_laid_out_as_polkavm_lays_it_out() -> None:
    """Zones of 64 KiB with one between; the stack ends below 2^24 octets of auxiliary data, JAM's arguments."""
    segments = {segment.name: segment for segment in Program.parse(FILE).sections.segments(b"arguments")}
    places = {name: (s.address, s.length, s.access, s.data) for name, s in segments.items()}
    assert places == {
        "read-only": (0x10000, 4096, "r", b"\x2anly"),
        "read-write": (0x30000, 3 * 4096, "rw", b"data"),
        "stack": (0xFEFE_0000 - 18 * 4096, 18 * 4096, "rw", b""),
        "arguments": (0xFEFF_0000, 4096, "r", b"arguments"),
    }
    big = Program.parse(container(0, memory(65_537), code(BLOB)))
    assert (big.sections.read_only_size, big.sections.segments()[0].length) == (65_537, 17 * 4096)
    assert big.sections.heap_end == 0x40000


def test_running() -> None:
    program = Program.parse(FILE)
    engine = ReferenceEngine()
    machine = engine.instantiate(program, pc=find_entry(program, "add_numbers"))
    machine.registers[7:9] = [40, 2]
    assert machine.run().reason is Reason.HALT and machine.registers[7] == 42
    machine = engine.instantiate(program, pc=find_entry(program, "double"))
    exit = machine.run()
    assert (exit.reason, call_symbol(program, exit.call, engine.spec)) == (Reason.HOST_CALL, "get_third_number")
    assert [call_symbol(program, call, engine.spec) for call in (None, 0, 1, 3)] == [None, "first", None, None]
    machine = engine.instantiate(program, pc=9)
    assert machine.run().reason is Reason.HALT and machine.registers[7] == 42


def test_entries() -> None:
    program = Program.parse(FILE)
    assert entries_of(program) == (("add_numbers", 0), ("double", 5), ("last", 9))
    with pytest.raises(InputError, match="which has add_numbers, double, last; did you mean double"):
        find_entry(program, "dubble")
    with pytest.raises(InputError, match="several exports"):
        default_entry(program)
    assert default_entry(Program.parse(container(0, exports([(9, b"last")]), code(BLOB)))) == 9
    assert default_entry(Program.parse(container(0, code(BLOB)))) == 0
    many = Program.parse(container(0, exports([(9, b"x" * 500)] * 2000), code(BLOB)))
    with pytest.raises(InputError) as caught:
        find_entry(many, "y" * 100_000)
    assert len(str(caught.value)) < 300 and default_entry(many) == 9


def test_assembly_has_the_names_and_makes_a_standard_program_of_it() -> None:
    program = Program.parse(FILE)
    text = disassemble(program)
    assert "; import 2 get_third_number\n" in text and "ecalli          2                       ; 5 get_third" in text
    assert "; export double\n; function double\n" in text and "; function guest::add\n" in text
    again = assemble(text)
    assert again.format == "standard" and again.blob == program.blob
    assert again.sections.segments() == tuple(
        segment if segment.name != "read-only" else type(segment)(*_with_zeros(segment, 100))
        for segment in program.sections.segments()
    )
    assert Program.parse(again.encode()) == again


def _with_zeros(segment, size):
    return segment.name, segment.address, segment.length, segment.access, segment.data.ljust(size, b"\0")


def test_names_cannot_break_out_of_comments() -> None:
    name = b"a\n    trap\x1b[31m"
    parts = imports([name, name, name]), exports([(5, name)]), code(BLOB), debug([(5, 9, name, name)])
    text = disassemble(Program.parse(container(0, *parts)))
    assert "\x1b" not in text and assemble(text).blob == BLOB


def test_long_names_are_cut_where_code_repeats_them() -> None:
    blob = assemble(".plain\n.code\n" + "ecalli 0\n" * 500 + "trap").blob
    names = imports([b"x" * 50_000]), exports([(0, b"y" * 50_000)] * 9)
    program = Program.parse(container(0, *names, code(blob)))
    assert len(disassemble(program)) < 150_000 and len(program.polkavm.imports[0]) == 50_000


def test_instruction_sets() -> None:
    assert Program.parse(container(3, code(BLOB))).polkavm.spec == "0.8.0"
    odd = assemble(".plain\n.code\n.raw 0x02\n.raw 0x03\ntrap\nload_imm r2, 0x0203\n.raw 0x03").blob
    assert Program.parse(container(2, code(odd))).polkavm.foreign == (("memset", 1), ("unlikely", 2))
    assert Program.parse(container(0, code(odd))).polkavm.foreign == ()
    assert refuse(container(1, code(BLOB))) == (
        "its instruction set, latest32, has registers of 32 bits; only 64 can be run"
    )
    assert refuse(container(4, code(BLOB))) == "version 4 is unknown"
    engine = ReferenceEngine("0.8.0")
    check_numbering(Program.parse(container(3, code(BLOB))), engine.spec)
    check_numbering(Program.parse(BLOB.encode()), engine.spec)
    with pytest.raises(InputError, match=r"jam_v1, has the opcodes of 0\.8\.0, not of 0\.7\.2"):
        check_numbering(Program.parse(container(3, code(BLOB))), ReferenceEngine().spec)


def test_sections_that_need_not_be_there_or_be_understood() -> None:
    bare = Program.parse(container(0, code(BLOB), section(200, b"new"), section(131, b"x"), section(131, b"y")))
    assert (bare.polkavm.imports, bare.polkavm.exports, bare.polkavm.functions) == ((), (), ())
    assert bare.sections.segments() == ()
    assert [part.number for part in bare.polkavm.parts] == [6, 200, 131, 131]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"PVM", "it does not begin with PVM\\0"),
        (b"PVM\0", "version: needs 1 byte"),
        (FILE[:-1], f"it has {len(FILE) - 1} bytes, not {len(FILE)} as its header says"),
        (FILE + b"x", f"it has {len(FILE) + 1} bytes, not {len(FILE)} as"),
        (container(0), "it has no code"),
        (container(0, PARTS[0]), "it has no code"),
        (container(0, code(BLOB), code(BLOB)), "section 6 at offset"),
        (container(0, code(BLOB), PARTS[0]), "is out of order"),
        (container(0, section(7, b"x"), code(BLOB)), "section 7 at offset 13 is unknown"),
        (container(0, section(CODE, b"\0\0\1\0\2")), "code and jump table: bitmask: bits are set"),
        (container(0, b"\6\x7f\0"), "code and jump table: needs 127 bytes"),
        (container(0, code(BLOB) + b"\0\0"), "2 bytes left over"),
        (container(0, section(READ_ONLY, b"data"), code(BLOB)), "read-only data: 4 bytes, more than its size, 0"),
        (container(0, memory(9, 3), section(READ_WRITE, b"data"), code(BLOB)), "read-write data: 4 bytes, more"),
        (container(0, memory(1 << 24), code(BLOB)), "read-only data: 16777216 is not below"),
        (container(0, memory(0, (1 << 64) - 1), code(BLOB)), "heap pages: "),
        (container(0, memory(0, 0, 1 << 32), code(BLOB)), "stack size: "),
        (container(0, section(MEMORY, b"\0\0"), code(BLOB)), "stack size: needs 1 byte"),
        (container(0, section(MEMORY, b"\0\0\0\0"), code(BLOB)), "memory: 1 byte left over"),
        (container(0, imports([b""] * 1025), code(BLOB)), "imports: 1025 are more than 1024"),
        (container(0, section(IMPORTS, b"\2\4\0\0\0"), code(BLOB)), "imports: needs 8 bytes"),
        (container(0, section(IMPORTS, b"\1\4\0\0\0abc"), code(BLOB)), "imports: symbols are out of order, or beyond"),
        (container(0, section(IMPORTS, b"\2\1\0\0\0\0\0\0\0abc"), code(BLOB)), "imports: symbols are out of order"),
        (container(0, section(EXPORTS, b"\2\0\1a"), code(BLOB)), "export: needs 1 byte"),
        (container(0, section(EXPORTS, b"\1\0\5a"), code(BLOB)), "export: needs 5 bytes"),
        (container(0, exports([(1 << 32, b"a")]), code(BLOB)), "exports: the pc 4294967296 is not below 2^32"),
        (container(0, section(EXPORTS, b"\xff" * 9), code(BLOB)), "exports: 18446744073709551615 are more than 65536"),
    ],
)
def test_bad_containers(data: bytes, text: str) -> None:
    assert text in refuse(data)


def test_auto_says_what_is_wrong_with_the_container_alone() -> None:
    assert refuse(FILE[:-1], "auto") == refuse(FILE[:-1])


def test_symbols_that_are_no_text() -> None:
    found = Program.parse(container(0, imports([b"\xff\0"]), exports([(0, b"\xfe")]), code(BLOB))).polkavm
    assert (found.imports, found.exports[0].name) == (("0xff00",), "0xfe")


def _damaged(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(5, len(changed))
        match random.randrange(3):
            case 0:
                changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 1:
                del changed[at : at + random.randrange(1, 9)]
            case 2:
                changed[at:at] = random.randbytes(random.randrange(1, 9))
    if random.randrange(4):  # else the length is wrong, which nothing gets past
        changed[5:13] = len(changed).to_bytes(8, "little")
    return bytes(changed)


def test_truncated_and_damaged_containers() -> None:
    """Refused as bad input or read; what is read can be encoded, named, laid out, disassembled and run."""
    random, read = Random(11), 0
    cut = [FILE[:size] for size in range(len(FILE))]
    cut += [one[:5] + len(one).to_bytes(8, "little") + one[13:] for one in cut if len(one) >= 13]
    for data in (*cut, *(_damaged(random, FILE) for _ in range(3000))):
        try:
            program = Program.parse(data, "polkavm")
        except ProgramError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        found = program.polkavm
        assert program.encode() == data and len(found.functions) <= len(data) and found.foreign is not None
        assert assemble(disassemble(program, found.spec), found.spec).blob.code == program.code
        if program.sections.read_only_size < 1 << 20 and len(program.sections.segments()) and found.spec == "0.7.2":
            pc = found.exports[0].pc if found.exports else 0
            ReferenceEngine().instantiate(program, gas=50, pc=min(pc, 1 << 31)).run()
    assert read > 300


def test_what_lies_about_its_size_costs_nothing() -> None:
    began = time.perf_counter()
    size = 1 << 17
    numbers = encode_natural(size // 12)
    overlapping = section(STRINGS, b"\xc0" * size)  # at each offset begins a string of 64 KiB and more
    ranges = b"".join((i).to_bytes(4, "little") + (i + 1).to_bytes(4, "little") + (1 + 4 * i).to_bytes(4, "little")
                      for i in range(size // 12))  # fmt: skip
    programs = b"\1" + b"".join(b"\6" + encode_natural((1 << 14) + i)[:3] for i in range(size // 12))
    for data in (
        container(0, section(EXPORTS, b"\xff" + b"\xff" * 8 + b"\0\0" * size), code(BLOB)),
        container(0, memory((1 << 24) - 1, 1 << 28, (1 << 24) - 1), code(BLOB)),
        container(0, code(BLOB), overlapping, section(LINE_PROGRAMS, programs), section(LINE_RANGES, ranges)),
        container(0, code(BLOB), section(STRINGS, numbers), section(LINE_PROGRAMS, b"\1\3" * size),
                  section(LINE_RANGES, bytes(size))),
        container(0, *(section(128 + i % 100, b"x") for i in range(size // 4)), code(BLOB)),
    ):  # fmt: skip
        try:
            program = Program.parse(data, "polkavm")
        except ProgramError:
            continue
        functions = program.polkavm.functions
        assert sum(len(function.name) for function in functions) < 64 * len(data)
        assert sum(len(segment.data) for segment in program.sections.segments()) <= len(data)
    assert time.perf_counter() - began < 60


def test_plain_blobs_that_begin_like_a_container_are_still_read() -> None:
    """0x50 entries of 0x56 octets are no jump table of ours, but a service's metadata may begin with VM."""
    sections = assemble(".standard\n.code\ntrap")
    service = Program(sections.blob, sections.sections, b"VM\0" + bytes(0x50 - 3)).encode()
    assert service.startswith(b"PVM\0") and Program.parse(service).format == "jam"


def test_code_with_a_jump_table() -> None:
    blob = Blob(BLOB.code, BLOB.bitmask, (0, 5), 2)
    assert Program.parse(container(0, code(blob))).jump_table == (0, 5)
