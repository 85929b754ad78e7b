"""Hostile ELF files and archives: a line each, never another error."""

from __future__ import annotations

import random
import struct

import pytest

from pvm.errors import InputError
from pvm.link import Options, link
from tests.pvm.link.elves import CODE, DATA, RET, Elf, i_type, words


def good() -> bytes:
    elf = Elf()
    code = words(0x37 | 10 << 7, i_type(0x13, 10, 10, 0), 0x97, i_type(0x67, 1, 1, 0), RET)
    start = elf.add(".text.start", CODE, code, "start")
    table = elf.add(".data", DATA, bytes(16), "data")
    elf.add(".bss", DATA, 100, "zeros")
    elf.add(".text.callee", CODE, words(RET), "callee")
    elf.relocate(start, 0, "HI20", "data")
    elf.relocate(start, 4, "LO12_I", "data")
    elf.relocate(start, 8, "CALL_PLT", "callee")
    elf.relocate(table, 0, "64", "callee")
    elf.relocate(table, 8, "64", "zeros")
    return elf.encode()


def try_to_link(data: bytes) -> bool:
    """Whether it links; anything but InputError of one line fails."""
    try:
        link([("bad.o", data)], Options(("start",)))
    except InputError as error:
        text = str(error)
        assert text and "\n" not in text and len(text) < 1000
        return False
    return True


def archive(*members: tuple[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def test_the_good_one_links() -> None:
    assert try_to_link(good()) and try_to_link(archive(("a.o", good())))


def test_truncated_at_every_octet() -> None:
    data = good()
    assert not any(try_to_link(data[:size]) for size in range(len(data)))


def test_truncated_archives() -> None:
    data = archive(("a.o", good()))
    assert not any(try_to_link(data[:size]) for size in range(0, len(data), 7))


@pytest.mark.parametrize("seed", range(8))
def test_random_changes(seed: int) -> None:
    chance, data = random.Random(seed), good()
    headers = int.from_bytes(data[40:48], "little")
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            start, end = chance.choice(((0, len(data)), (0, 64), (headers, len(data))))
            at = chance.randrange(start, end)
            changed[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        if chance.random() < 0.3:
            at = chance.randrange(0, len(data) - 8)
            changed[at : at + 8] = struct.pack("<Q", chance.choice((1 << 31, 1 << 32, 1 << 40, 1 << 63, (1 << 64) - 1)))
        try_to_link(bytes(changed))


@pytest.mark.parametrize("seed", range(2))
def test_random_code(seed: int) -> None:
    """Random instructions, of which many can be linked."""
    chance = random.Random(seed)
    for _ in range(200):
        elf = Elf()
        elf.add(".text.start", CODE, chance.randbytes(2 * chance.randrange(1, 20)), "start")
        try_to_link(elf.encode())


def test_what_is_no_elf_file() -> None:
    for data in (b"", b"\x7fELF", b"int main", bytes(100), b"!<arch>\n", b"!<thin>\n", b"\x7fELF" + bytes(60)):
        assert not try_to_link(data)


@pytest.mark.parametrize(("change", "text"), [
    ({"machine": 62}, "ELF for machine 62"), ({"flags": 0}, "31 registers"), ({"flags": 12}, "floating point regis"),
    ({"kind": 4}, "ELF of kind 4"),
])  # fmt: skip
def test_other_machines(change: dict[str, int], text: str) -> None:
    elf = Elf(**change)
    elf.add(".text", CODE, words(RET), "start")
    with pytest.raises(InputError, match=text):
        link([("x.o", elf.encode())], Options(("start",)))


def test_huge_zeros_are_refused() -> None:
    elf = Elf()
    start = elf.add(".text", CODE, words(0x37 | 10 << 7, RET), "start")
    for number in range(4):
        elf.add(f".bss{number}", DATA, 1 << 30, f"zeros{number}")
        elf.relocate(start, 0, "HI20", f"zeros{number}")
    with pytest.raises(InputError, match="above 2\\^31"):
        link([("x.o", elf.encode())], Options(("start",)))


@pytest.mark.parametrize("seed", range(4))
def test_line_tables_are_never_a_reason_to_fail(seed: int) -> None:
    chance = random.Random(seed)
    for version in (2, 3, 4, 5, chance.randrange(65536)):
        for _ in range(60):
            head = struct.pack("<HI", version, chance.choice((0, 20, chance.randrange(100), 1 << 31)))
            if version == 5:
                head = struct.pack("<HBBI", version, 8, 0, chance.choice((0, 30, 1 << 31)))
            body = head + bytes([1, 1, 1, 251, 14, 13]) + chance.randbytes(chance.randrange(200))
            table = struct.pack("<I", chance.choice((len(body), len(body), 5, 1 << 31))) + body
            elf = Elf()
            elf.add(".text", CODE, words(RET), "start")
            section = elf.add(".debug_line", 0, table)
            for at in range(0, len(table) - 8, chance.choice((1, 7, 50))):
                elf.relocate(section, at, "64", "start", chance.choice((0, 1, -1, 1 << 40)))
            found = link([("x.o", elf.encode())], Options(("start",))).source_map()
            assert found.place(0) is not None


def test_a_source_map_that_is_none() -> None:
    from pvm.link.source_map import SourceMap

    without_format = '{"program":"","functions":[],"files":[],"lines":[]}'
    for text in ("", "{", "[]", "1", '{"functions": 1}', "[" * 100_000, without_format):
        with pytest.raises(InputError):
            SourceMap.parse(text)
