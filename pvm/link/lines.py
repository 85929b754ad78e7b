"""Line tables of DWARF (versions 2 to 5): which source line each octet of code came from.

In: an `ElfFile`. Out: rows (section, octet, file, line). A table that is malformed gives no more rows: it is never a
reason to refuse a program. Tables whose steps are relocated, as gcc makes them for code to be relaxed, are not read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from pvm.link.elf import ElfFile, Section

_MAX_ROWS = 1 << 22


class Row(NamedTuple):
    """From octet `offset` of `section` on; `line` 0 where nothing is known."""

    section: int
    offset: int
    file: str
    line: int


class _MalformedError(Exception):
    """The table ends, or says what no table says."""


class _Reader:
    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def number(self, size: int, signed: bool = False) -> int:
        if self.at + size > self.end:
            raise _MalformedError
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little", signed=signed)

    def uleb(self) -> int:
        value = shift = 0
        while True:
            octet = self.number(1)
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value
            if shift > 70:
                raise _MalformedError

    def sleb(self) -> int:
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def text(self) -> str:
        end = self.data.find(b"\0", self.at, min(self.end, self.at + 4096))
        if end < 0:
            raise _MalformedError
        found = self.data[self.at : end].decode("utf-8", "backslashreplace")
        self.at = end + 1
        return found


def line_rows(file: ElfFile) -> tuple[Row, ...]:
    """All rows of an object, by section and octet."""
    rows: list[Row] = []
    strings = {s.name: s.data for s in file.sections if s.name in (".debug_line_str", ".debug_str")}
    for section in file.sections:
        if section.name != ".debug_line":
            continue
        moved = {
            relocation.offset: (relocation.symbol, relocation.addend)
            for relocation in section.relocations if relocation.symbol < len(file.symbols)
        }  # fmt: skip
        at = 0
        while at + 4 <= len(section.data) and len(rows) < _MAX_ROWS:
            size = int.from_bytes(section.data[at : at + 4], "little")
            if size >= 0xFFFFFFF0 or at + 4 + size > len(section.data):
                break
            with suppress(_MalformedError):
                _read_unit(file, section, at + 4, at + 4 + size, moved, strings, rows)
            at += 4 + size
    return tuple(sorted(rows))


_Moved = dict[int, tuple[int, int]]


def _read_unit(
    file: ElfFile, section: Section, at: int, end: int, moved: _Moved, strings: dict[str, bytes], rows: list[Row]
) -> None:
    reader = _Reader(section.data, at, end)
    version = reader.number(2)
    if not 2 <= version <= 5:
        raise _MalformedError
    if version == 5:
        reader.number(2)  # sizes of addresses and of selectors
    program_at = reader.number(4)
    program_at += reader.at
    least = reader.number(1)
    if version >= 4:
        reader.number(1)
    reader.number(1)
    base, line_range, opcodes = reader.number(1, True), reader.number(1), reader.number(1)
    if not line_range or not opcodes:
        raise _MalformedError
    lengths = [reader.number(1) for _ in range(opcodes - 1)]
    names = _names_5(file, reader, moved, strings) if version == 5 else _names_4(reader)
    reader.at = program_at
    _run(file, reader, (least, base, line_range, opcodes), lengths, names, moved, rows)


def _names_4(reader: _Reader) -> list[str]:
    folders = [""]
    while name := reader.text():
        folders.append(name)
    names = [""]
    while name := reader.text():
        folder = reader.uleb()
        reader.uleb()
        reader.uleb()
        names.append(_joined(folders[folder] if folder < len(folders) else "", name))
    return names


def _names_5(file: ElfFile, reader: _Reader, moved: _Moved, strings: dict[str, bytes]) -> list[str]:
    tables: list[list[tuple[str, int]]] = []
    for _ in range(2):
        form = [(reader.uleb(), reader.uleb()) for _ in range(reader.number(1))]
        table: list[tuple[str, int]] = []
        for _ in range(reader.uleb()):
            name, folder = "", 0
            for content, kind in form:
                value = _form(file, reader, kind, moved, strings)
                if content == 1:
                    name = str(value)
                elif content == 2 and isinstance(value, int):
                    folder = value
            table.append((name, folder))
            if not form:
                raise _MalformedError
        tables.append(table)
    folders = [name for name, _ in tables[0]]
    return [_joined(folders[folder] if 0 < folder < len(folders) else "", name) for name, folder in tables[1]]


def _form(file: ElfFile, reader: _Reader, kind: int, moved: _Moved, strings: dict[str, bytes]) -> str | int:
    match kind:
        case 0x08:
            return reader.text()
        case 0x1F | 0x0E:  # line_strp, strp
            place = reader.at
            offset = reader.number(4)
            if place in moved:
                symbol, addend = moved[place]
                offset = file.symbols[symbol].value + addend
            table = strings.get(".debug_line_str" if kind == 0x1F else ".debug_str", b"")
            return _Reader(table, max(offset, 0), len(table)).text()
        case 0x0B | 0x05 | 0x06 | 0x07:
            return reader.number({0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8}[kind])
        case 0x0F:
            return reader.uleb()
        case 0x1E:
            return reader.number(8) + reader.number(8)
    raise _MalformedError


def _joined(folder: str, name: str) -> str:
    return name if not folder or name.startswith("/") else f"{folder}/{name}"


def _run(
    file: ElfFile, reader: _Reader, head: tuple[int, int, int, int], lengths: list[int], names: list[str],
    moved: _Moved, rows: list[Row],
) -> None:  # fmt: skip
    """The line number program: rows for each sequence whose section is known."""
    least, base, line_range, opcodes = head
    section, address, source, line = -1, 0, 1, 1

    def put(at_line: int) -> None:
        if section >= 0 and len(rows) < _MAX_ROWS:
            rows.append(Row(section, address, names[source] if 0 <= source < len(names) else "", at_line))

    while reader.at < reader.end:
        opcode = reader.number(1)
        if opcode >= opcodes:
            step = opcode - opcodes
            address += step // line_range * least
            line += base + step % line_range
            put(line)
            continue
        match opcode:
            case 0:
                size = reader.uleb()
                after = reader.at + size
                extended = reader.number(1) if size else 0
                if extended == 1:
                    put(0)
                    section, address, source, line = -1, 0, 1, 1
                elif extended == 2:
                    section, address = -1, 0
                    if reader.at in moved:
                        symbol, addend = moved[reader.at]
                        found = file.symbols[symbol]
                        section = found.section if 0 < found.section < len(file.sections) else -1
                        address = found.value + addend
                reader.at = after
            case 1:
                put(line)
            case 2:
                address += reader.uleb() * least
            case 3:
                line += reader.sleb()
            case 4:
                source = reader.uleb()
            case 5:
                reader.uleb()
            case 8:
                address += (255 - opcodes) // line_range * least
            case 9:
                address += reader.number(2)
            case _:
                for _ in range(lengths[opcode - 1]):
                    reader.uleb()
