"""ELF64 files of RISC-V: sections, symbols and relocations.

In: octets. Out: a frozen `ElfFile`. Raises InputError for what is no such file or does not hold together.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from pvm.errors import InputError
from pvm.link.relocations import DATA, NUMBERS

MAGIC = b"\x7fELF"
UNDEFINED, ABSOLUTE, COMMON = 0, 0xFFF1, 0xFFF2  # section numbers that are none
LOCAL, GLOBAL, WEAK = 0, 1, 2  # binding of a symbol
SECTION_SYMBOL, FILE_SYMBOL, TLS_SYMBOL = 3, 4, 6  # kinds of symbols
FUNCTION_SYMBOL = 2
PROGBITS, SYMBOLS, STRINGS, RELA, NOBITS, REL = 1, 2, 3, 4, 8, 9  # kinds of sections
INIT_ARRAY, FINI_ARRAY = 14, 15
INDIRECT_SYMBOL = 10  # a function that says which function is meant (IFUNC)
WRITE, ALLOCATE, EXECUTE, TLS = 1, 2, 4, 0x400  # flags of sections
RELOCATABLE, EXECUTABLE, SHARED = 1, 2, 3  # kinds of files
MAX_ADDRESS = 1 << 32  # sizes and alignments beyond the PVM's memory are refused

_HEADER = struct.Struct("<4sBBBBQHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
_RISCV = 243
_FLAG_FLOATS, _FLAG_RVE = 6, 8
_RELOCATED = (".debug_line", ".polkavm_exports")  # sections that have no place in memory, and are read


class Relocation(NamedTuple):
    """At octet `offset` of its section: `kind`, the number of a symbol, an addend."""

    offset: int
    kind: int
    symbol: int
    addend: int


class Symbol(NamedTuple):
    """`value` is an offset in its section, the alignment of a COMMON symbol, the value of an absolute one."""

    name: str
    section: int
    value: int
    size: int
    binding: int
    kind: int


@dataclass(frozen=True)
class Section:
    """`data` is empty for sections of zeros; `size` counts octets in memory."""

    name: str
    kind: int
    flags: int
    data: bytes
    size: int
    align: int
    relocations: tuple[Relocation, ...] = ()

    @property
    def is_code(self) -> bool:
        """Whether it holds instructions."""
        return bool(self.flags & EXECUTE)


@dataclass(frozen=True)
class ElfFile:
    """One object. `name` is what messages call it."""

    name: str
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]


class _RawSection(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


def read_elf(data: bytes, name: str) -> ElfFile:
    """The object in `data`: one to be linked, or an executable whose relocations were kept.

    Raises InputError, which begins with `name`.
    """
    try:
        return _read(data, name)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _read(data: bytes, name: str) -> ElfFile:
    kind, at, count, names = _read_header(data)
    raw = [_RawSection(*fields) for fields in _SECTION.iter_unpack(_cut(data, at, 64 * count, "section headers"))]
    if sum(section.size for section in raw if section.kind not in (0, NOBITS)) > 2 * len(data) + 4096:
        raise InputError("its sections overlap, or end after the file")
    contents = [b"" if section.kind == NOBITS or not section.kind
                else _cut(data, section.offset, section.size, f"section {number}")
                for number, section in enumerate(raw)]  # fmt: skip
    if names >= count:
        raise InputError(f"section names are in section {names}, but there are {count}")
    tables = [number for number, section in enumerate(raw) if section.kind == SYMBOLS]
    if len(tables) > 1:
        raise InputError("it has several symbol tables")
    is_placed = kind != RELOCATABLE
    symbols = _read_symbols(raw, contents, tables[0], is_placed) if tables else ()
    titles = [_name(contents[names], section.name, f"section {number}") for number, section in enumerate(raw)]
    relocations = _read_relocations(raw, contents, titles, len(symbols), is_placed)
    if is_placed:
        _add_relative(raw, contents, relocations, len(symbols))
        symbols += tuple(Symbol("", number, 0, 0, LOCAL, SECTION_SYMBOL) for number in range(count))
    sections = []
    for number, (section, content) in enumerate(zip(raw, contents, strict=True)):
        title = titles[number]
        align = section.align or 1
        if align & (align - 1) or align > MAX_ADDRESS or section.size > MAX_ADDRESS:
            raise InputError(f"section {title}: {section.size} octets aligned to {align} do not fit the memory")
        listed = relocations.get(number, ())
        data = _without_sums(content, listed) if is_placed else content
        sections.append(Section(title, section.kind, section.flags, data, section.size, align, listed))
    if is_placed and not relocations:
        raise InputError("an executable without relocations: link it with --emit-relocs, or give its objects")
    return ElfFile(name, tuple(sections), symbols)


def _add_relative(
    raw: list[_RawSection], contents: list[bytes], relocations: dict[int, tuple[Relocation, ...]], symbols: int
) -> None:
    """Add the pointers of a shared object, R_RISCV_RELATIVE: from `symbols` on, there is one for each section."""
    placed = sorted(
        (section.address, number) for number, section in enumerate(raw)
        if section.flags & ALLOCATE and not section.flags & TLS and section.size
    )  # fmt: skip

    def find(address: int) -> tuple[int, int] | None:
        at = bisect_right(placed, (address, len(raw))) - 1
        if at < 0 or address > placed[at][0] + raw[placed[at][1]].size:
            return None
        return placed[at][1], address - placed[at][0]

    found: dict[int, list[Relocation]] = {}
    for number, section in enumerate(raw):
        if section.kind != RELA or not section.flags & ALLOCATE or len(contents[number]) % _RELA.size:
            continue
        for at, info, addend in _RELA.iter_unpack(contents[number]):
            place, target = find(at), find(addend)
            if info & 0xFFFFFFFF == NUMBERS["RELATIVE"] and place is not None:
                kind = NUMBERS["64"] if target is not None else NUMBERS["RELATIVE"]
                about, offset = target or (0, 0)
                found.setdefault(place[0], []).append(Relocation(place[1], kind, symbols + about, offset))
    for number, listed in found.items():
        listed += relocations.get(number, ())
        listed.sort(key=lambda relocation: relocation.offset)
        relocations[number] = tuple(listed)


def _without_sums(data: bytes, relocations: tuple[Relocation, ...]) -> bytes:
    """Data of an executable with 0 where relocations add and subtract, as they did already."""
    sums = [(at, DATA[kind][0]) for at, kind, _, _ in relocations if kind in DATA and DATA[kind][1] in ("add", "sub")]
    if not sums:
        return data
    octets = bytearray(data)
    for at, size in sums:
        octets[at : at + size] = bytes(size)
    return bytes(octets[: len(data)])


def _read_header(data: bytes) -> tuple[int, int, int, int]:
    """Kind of file, where the section headers are, their number, and the section that has their names."""
    if data[:4] != MAGIC:
        raise InputError("no ELF file")
    if len(data) < _HEADER.size:
        raise InputError(f"an ELF file of {len(data)} octets, but its header alone has {_HEADER.size}")
    fields = _HEADER.unpack_from(data)
    bits, order, kind, machine, at, flags = fields[1], fields[2], fields[6], fields[7], fields[11], fields[12]
    entry, count, names = fields[16], fields[17], fields[18]
    if machine != _RISCV:
        raise InputError(f"ELF for machine {machine}, not for RISC-V (243)")
    if bits != 2 or order != 1:
        raise InputError("ELF of 32 bits: programs come from RV64E" if bits == 1 else "ELF of the wrong octet order")
    if kind not in (RELOCATABLE, EXECUTABLE, SHARED):
        raise InputError(f"ELF of kind {kind}: objects (1), executables (2) and shared objects (3) are linked")
    if flags & _FLAG_FLOATS:
        raise InputError("compiled for floating point registers, which the PVM lacks: -mabi=lp64e")
    if not flags & _FLAG_RVE:
        raise InputError("compiled for 31 registers: the PVM takes RV64E (-march=rv64ema_zbb -mabi=lp64e)")
    if at and entry != 64:
        raise InputError(f"section headers of {entry} octets, not 64")
    if not at:
        raise InputError("it has no sections")
    if not count or names == 0xFFFF:  # many sections: the numbers are in section 0
        first = _SECTION.unpack(_cut(data, at, 64, "section headers"))
        count, names = count or first[5], first[6] if names == 0xFFFF else names
    return kind, at, count, names


def _cut(data: bytes, at: int, size: int, what: str) -> bytes:
    if at + size > len(data):
        raise InputError(f"{what}: octets {at} to {at + size}, but the file ends at {len(data)}")
    return data[at : at + size]


def _name(strings: bytes, at: int, what: str) -> str:
    end = strings.find(b"\0", at, at + 4096)
    if at >= len(strings) or end < 0:
        raise InputError(f"{what}: its name is at {at} of {len(strings)} octets, or too long")
    return strings[at:end].decode("utf-8", "backslashreplace")


def _read_symbols(
    raw: list[_RawSection], contents: list[bytes], table: int, is_placed: bool
) -> tuple[Symbol, ...]:
    strings = raw[table].link
    if strings >= len(raw) or len(contents[table]) % _SYMBOL.size:
        raise InputError("the symbol table is malformed")
    large = next((contents[n] for n, section in enumerate(raw) if section.kind == 18 and section.link == table), b"")
    threads = min((s.address for s in raw if s.flags & TLS and s.flags & ALLOCATE), default=0)
    symbols = []
    for number, (name, info, _, section, value, size) in enumerate(_SYMBOL.iter_unpack(contents[table])):
        if section == 0xFFFF and 4 * number + 4 <= len(large):
            section = int.from_bytes(large[4 * number : 4 * number + 4], "little")
        elif section >= 0xFF00 and section not in (ABSOLUTE, COMMON):
            raise InputError(f"symbol {number}: section {section:#x} means nothing")
        is_real = section not in (UNDEFINED, ABSOLUTE, COMMON)
        if is_real and section >= len(raw):
            raise InputError(f"symbol {number}: section {section} of {len(raw)}")
        title = _name(contents[strings], name, f"symbol {number}") if name else ""
        if is_real and is_placed:
            is_thread = info & 15 == TLS_SYMBOL  # whose values count from the first section of thread-local storage
            value -= raw[section].address - (threads if is_thread else 0)
        if is_real and not 0 <= value <= raw[section].size:
            if raw[section].flags & ALLOCATE and info >> 4 != LOCAL:
                raise InputError(f"symbol {title or number}: {value:#x} is outside its section")
            value = max(0, min(value, raw[section].size))
        symbols.append(Symbol(title, section, value, size, info >> 4, info & 15))
    return tuple(symbols)


def _read_relocations(
    raw: list[_RawSection], contents: list[bytes], names: list[str], symbols: int, is_placed: bool
) -> dict[int, tuple[Relocation, ...]]:
    """By the section that they are about, in order of their offsets."""
    found: dict[int, tuple[Relocation, ...]] = {}
    for number, section in enumerate(raw):
        about = section.info
        if section.kind not in (RELA, REL) or about >= len(raw) or section.flags & ALLOCATE:
            continue  # those in memory are a dynamic linker's
        if not raw[about].flags & ALLOCATE and (section.kind == REL or names[about] not in _RELOCATED):
            continue  # of other debugging sections: nobody reads them
        if section.kind == REL or len(contents[number]) % _RELA.size:
            raise InputError(f"section {number}: relocations without addends, or cut off")
        if about in found:
            raise InputError(f"section {about}: relocated twice")
        start = raw[about].address if is_placed else 0
        listed = [Relocation(at - start, info & 0xFFFFFFFF, info >> 32, addend)
                  for at, info, addend in _RELA.iter_unpack(contents[number]) if info & 0xFFFFFFFF]  # fmt: skip
        for at, _, symbol, _ in listed:
            if not 0 <= at <= len(contents[about]):
                raise InputError(f"section {about}: a relocation at {at:#x}, outside it")
            if symbol >= max(symbols, 1):
                raise InputError(f"section {about}: a relocation by symbol {symbol} of {symbols}")
        listed.sort(key=lambda relocation: relocation.offset)
        found[about] = tuple(listed)
    return found
