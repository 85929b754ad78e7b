"""Writes ELF files for tests: sections of octets, symbols, relocations."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pvm.link.relocations import NUMBERS

CODE, DATA, RODATA = 6, 3, 2  # flags


@dataclass
class Elf:
    """`sections` are (name, flags, data or a number of zeros), `symbols` (name, section from 1 on, value, binding)."""

    sections: list[tuple[str, int, bytes | int]] = field(default_factory=list)
    symbols: list[tuple[str, int, int, int]] = field(default_factory=list)
    relocations: dict[int, list[tuple[int, str, str, int]]] = field(default_factory=dict)
    kind: int = 1
    flags: int = 8
    machine: int = 243

    def add(self, name: str, flags: int, data: bytes | int, symbol: str | None = None, binding: int = 1) -> int:
        self.sections.append((name, flags, data))
        number = len(self.sections)
        if symbol is not None:
            self.symbols.append((symbol, number, 0, binding))
        return number

    def relocate(self, section: int, offset: int, kind: str, symbol: str, addend: int = 0) -> None:
        self.relocations.setdefault(section, []).append((offset, kind, symbol, addend))

    def encode(self) -> bytes:
        names, strings = bytearray(b"\0"), bytearray(b"\0")

        def put(table: bytearray, text: str) -> int:
            if table is names and (found := names.find(text.encode() + b"\0")) >= 0:
                return found
            table += text.encode() + b"\0"
            return len(table) - len(text) - 1

        numbers = {symbol[0]: index for index, symbol in enumerate(self.symbols, 1)}
        for listed in self.relocations.values():
            for _, _, symbol, _ in listed:
                if symbol not in numbers:
                    self.symbols.append((symbol, 0, 0, 1))
                    numbers[symbol] = len(self.symbols)
        table = bytes(24) + b"".join(
            struct.pack("<IBBHQQ", put(strings, name), binding << 4 | (2 if section else 0), 0, section, value, 0)
            for name, section, value, binding in self.symbols
        )
        body, headers = bytearray(64), [bytes(64)]

        def header(name: str, kind: int, flags: int, data: bytes | int, link: int = 0, info: int = 0) -> None:
            body.extend(bytes(-len(body) % 8))
            size = data if isinstance(data, int) else len(data)
            fields = put(names, name), kind, flags, 0, len(body), size, link, info, 8, 0
            headers.append(struct.pack("<IIQQQQIIQQ", *fields))
            if isinstance(data, bytes):
                body.extend(data)

        for name, flags, data in self.sections:
            header(name, 8 if isinstance(data, int) else 1, flags, data)
        symbols_at = len(headers)
        header(".symtab", 2, 0, table, symbols_at + 1)
        header(".strtab", 3, 0, bytes(strings))
        for section, listed in self.relocations.items():
            data = b"".join(
                struct.pack("<QQq", offset, numbers[symbol] << 32 | NUMBERS[kind], addend)
                for offset, kind, symbol, addend in listed
            )
            header(f".rela{section}", 4, 0, data, symbols_at, section)
        put(names, ".shstrtab")
        header(".shstrtab", 3, 0, bytes(names))
        body.extend(bytes(-len(body) % 8))
        at = len(body)
        body[:64] = struct.pack(
            "<4sBBBBQHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, self.kind, self.machine, 1, 0, 0, at, self.flags, 64, 0,
            0, 64, len(headers), len(headers) - 1,
        )  # fmt: skip
        return bytes(body) + b"".join(headers)


def words(*values: int) -> bytes:
    """Instructions of 32 bits."""
    return b"".join(value.to_bytes(4, "little") for value in values)


def r_type(match: int, rd: int, rs1: int, rs2: int) -> int:
    return match | rd << 7 | rs1 << 15 | rs2 << 20


def i_type(match: int, rd: int, rs1: int, imm: int) -> int:
    return match | rd << 7 | rs1 << 15 | (imm & 0xFFF) << 20


def s_type(match: int, rs1: int, rs2: int, imm: int) -> int:
    return match | rs1 << 15 | rs2 << 20 | (imm & 31) << 7 | (imm >> 5 & 127) << 25


def b_type(match: int, rs1: int, rs2: int, imm: int) -> int:
    low = (imm >> 1 & 15) << 8 | (imm >> 5 & 63) << 25
    return match | rs1 << 15 | rs2 << 20 | low | (imm >> 11 & 1) << 7 | (imm >> 12 & 1) << 31


def j_type(rd: int, imm: int) -> int:
    low = (imm >> 1 & 1023) << 21 | (imm >> 11 & 1) << 20
    return 0x6F | rd << 7 | low | (imm >> 12 & 255) << 12 | (imm >> 20 & 1) << 31


JR_T0 = i_type(0x67, 0, 5, 0)  # a jump after which every register counts as read
RET = i_type(0x67, 0, 1, 0)
