"""Program formats: blobs, standard programs, service preimages; what is refused and how it is said."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm.errors import InputError, ProgramError
from pvm.program import Blob, Program, Sections, pack_bitmask
from pvm.program.blob import ZeroEntries
from pvm.program.codec import encode_natural, read_natural

BLOB = Blob(b"\x33\x07\x05\x00", pack_bitmask(b"\1\0\0\1"), (3, 0x1234), 2)


@given(st.integers(0, (1 << 64) - 1))
def test_natural_numbers_round_trip(value: int) -> None:
    encoded = encode_natural(value)
    assert read_natural(encoded, 0, "number") == (value, len(encoded))


@pytest.mark.parametrize("value", [0, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 56) - 1, 1 << 56, (1 << 64) - 1])
def test_natural_numbers_at_their_edges(value: int) -> None:
    assert read_natural(encode_natural(value), 0, "number")[0] == value


@pytest.mark.parametrize("encoded", ["8000", "c00000", "807f", "ff00000000000000"])
def test_longer_or_truncated_numbers_are_refused(encoded: str) -> None:
    with pytest.raises(ProgramError, match="number"):
        read_natural(bytes.fromhex(encoded), 0, "number")


def test_blob_round_trip() -> None:
    assert Blob.parse(BLOB.encode()) == BLOB
    assert BLOB.starts == b"\1\0\0\1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "jump table length: needs 1 byte at offset 0"),
        (b"\0", "jump table entry size"),
        (b"\0\0", "code length"),
        (b"\0\0\5\1\2", "code: needs 5 bytes at offset 3, but only 2"),
        (b"\0\0\1\0", "bitmask: needs 1 byte"),
        (b"\0\0\1\0\1\0", "1 byte left over"),
        (b"\0\0\1\0\3", "set beyond the 1 byte"),
        (b"\2\1\1\0\0\1", "code: needs|bitmask"),
        (b"\2\x09\1" + bytes(17), "jump table of 2 entries: needs 18 bytes at offset 3, but only 17"),
        (b"\xff" + b"\xff" * 8 + b"\4\1\0\1", "jump table of"),
    ],
)
def test_bad_blobs(data: bytes, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        Blob.parse(data)


@pytest.mark.parametrize("size", [1, 4, 8, 9, 100, 255])
def test_jump_tables_with_entries_of_any_size(size: int) -> None:
    entries = (0, 1, 255, (1 << 8 * size) - 1)
    data = b"\4" + bytes([size]) + b"\1" + b"".join(entry.to_bytes(size, "little") for entry in entries) + b"\0\1"
    blob = Blob.parse(data)
    assert blob.jump_table == entries
    assert blob.jump_targets == {*entries}
    assert blob.encode() == data


@pytest.mark.parametrize("count", [1, 5, 1 << 31, (1 << 64) - 1])
def test_jump_tables_of_no_octets(count: int) -> None:
    """However many entries there are, all are 0, and they take no memory."""
    data = encode_natural(count) + b"\0\1\0\1"
    blob = Blob.parse(data)
    assert (blob.jump_count, blob.jump_targets, blob.stored_entries) == (count, {0}, ())
    assert blob.jump_table[min(count, 1 << 30) - 1] == 0
    with pytest.raises(IndexError):
        blob.jump_table[sys.maxsize]
    assert blob.encode() == data


def test_entries_of_no_octets_are_the_same_however_they_are_given() -> None:
    assert Blob(b"\0", b"\1", (0, 0)) == Blob(b"\0", b"\1", ZeroEntries(2))
    assert list(ZeroEntries(5)[1:3]) == [0, 0]
    for table, size in (((1,), 0), (ZeroEntries(2), 1), (ZeroEntries(1 << 64), 0)):
        with pytest.raises(ProgramError, match="jump table: "):
            Blob(b"\0", b"\1", table, size)


def test_standard_program_layout() -> None:
    sections = Sections(b"abc", b"d" * 5000, heap_pages=3, stack_size=100)
    program = Program.parse(sections.encode(BLOB.encode()))
    assert program.format == "standard"
    assert program.sections == sections
    layout = [(s.name, s.address, s.length, s.access) for s in sections.segments(b"xy")]
    assert layout == [
        ("read-only", 0x10000, 0x1000, "r"),
        ("read-write", 0x30000, 0x5000, "rw"),
        ("stack", 0xFEFDF000, 0x1000, "rw"),
        ("arguments", 0xFEFF0000, 0x1000, "r"),
    ]
    assert sections.heap_end == 0x35000


def test_empty_sections_are_not_mapped() -> None:
    assert Sections().segments() == ()


def test_a_service_preimage_is_detected_and_encoded_back() -> None:
    data = b"\x04name" + Sections(stack_size=1).encode(BLOB.encode())
    program = Program.parse(data)
    assert (program.format, program.metadata) == ("jam", b"name")
    assert program.encode() == data
    assert Program.parse(data, format="jam") == program


@pytest.mark.parametrize("format", ["standard", "jam"])
def test_the_wrong_format_is_refused(format: str) -> None:
    with pytest.raises(ProgramError):
        Program.parse(BLOB.encode(), format=format)


def test_unknown_format() -> None:
    with pytest.raises(InputError, match="auto, jam, standard, plain"):
        Program.parse(BLOB.encode(), format="elf")


def test_an_empty_program_says_so() -> None:
    with pytest.raises(ProgramError, match="empty"):
        Program.parse(b"")


def test_detection_says_why_no_format_fits() -> None:
    with pytest.raises(ProgramError, match=r"as standard: .*as jam: .*as plain: "):
        Program.parse(b"\xff\xff\xff")


def test_sections_that_do_not_fit_the_address_space() -> None:
    Sections(b"", b"", heap_pages=0xFFFF, stack_size=0xFFFFFF)  # the fields alone never reach 2^32 ...
    with pytest.raises(ProgramError, match="stack size"):
        Sections(stack_size=1 << 24)  # ... so a field is what can be too large


@pytest.mark.parametrize("cut", range(0, 30, 3))
def test_truncated_standard_programs(cut: int) -> None:
    data = Sections(b"abc", b"de", 1, 1).encode(BLOB.encode())
    with pytest.raises(ProgramError):
        Program.parse(data[: min(cut, len(data) - 1)], format="standard")


def test_a_program_is_bytes() -> None:
    for error in (InputError, TypeError):
        with pytest.raises(error, match=r"a program is bytes, but got str: bytes.fromhex reads hexadecimal"):
            Program.parse("00")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a program is bytes, but got int"):
        Program.parse(5)  # type: ignore[arg-type]
    assert Program.parse(memoryview(BLOB.encode())).blob == Program.parse(bytearray(BLOB.encode())).blob == BLOB


def test_arguments_that_are_too_long() -> None:
    with pytest.raises(InputError, match="at most 16777216"):
        Sections().segments(bytes((1 << 24) + 1))


@given(st.binary(max_size=200), st.sampled_from(["auto", "jam", "standard", "plain"]))
def test_parsing_never_fails_otherwise_and_round_trips(data: bytes, format: str) -> None:
    try:
        program = Program.parse(data, format=format)
    except ProgramError as error:
        assert "\n" not in str(error)
        return
    assert program.encode() == data


@given(st.binary(min_size=1, max_size=60), st.integers(0, 7), st.integers(0, 255))
def test_mutated_programs_are_parsed_or_refused(data: bytes, bit: int, place: int) -> None:
    good = bytearray(b"\x04name" + Sections(data, data[::-1], 1, 9).encode(BLOB.encode()))
    good[place % len(good)] ^= 1 << bit
    try:
        program = Program.parse(bytes(good))
    except ProgramError:
        return
    assert program.encode() == bytes(good)
