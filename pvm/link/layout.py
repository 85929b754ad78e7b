"""Where sections lie: read-only data, read-write data, zeros, heap; and what symbols are worth there.

In: a `Resolved` and the sections that are needed. Out: a `Layout`, and the octets of data with relocations applied.
Code has no addresses: a pointer to it is its place in the jump table (A.4's dynamic jumps), 2 · (index + 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pvm.errors import InputError
from pvm.link.elf import FINI_ARRAY, INIT_ARRAY, NOBITS, WRITE, ElfFile, Relocation
from pvm.link.places import described
from pvm.link.reach import LINKER_NAMES
from pvm.link.relocations import DATA, IGNORED, name_of
from pvm.link.resolve import COMMONS, LINKER, VALUE, Place, Resolved, definition_of
from pvm.program.standard import PAGE_SIZE, STACK_END, ZONE_SIZE, Sections, round_up

_SCRATCH = 16  # octets of memory in which `fuse` may keep registers


class Key(NamedTuple):
    """A place in code that data or instructions point to."""

    file: int
    section: int
    offset: int


@dataclass(frozen=True)
class Layout:
    """`addresses` by (file, section) of all that is no code; `names` of the linker's symbols; sizes in octets."""

    resolved: Resolved
    addresses: Mapping[tuple[int, int], int]
    names: Mapping[str, int]
    code: tuple[tuple[int, int], ...]
    read_only: tuple[tuple[int, int], ...]
    read_write: tuple[tuple[int, int], ...]
    read_only_size: int
    data_start: int
    data_size: int
    end: int
    got_start: int
    scratch: int

    def place(self, file: int, relocation: Relocation) -> Place:
        """What a relocation is about, its addend included. Raises InputError."""
        found = definition_of(self.resolved, file, relocation.symbol, LINKER_NAMES)
        return found._replace(offset=found.offset + relocation.addend)


class Pointers:
    """The places in code that have a place in the jump table, in the order in which they were met."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.indices: dict[Key, int] = {}
        self.got: dict[tuple[Place, bool], int] = {}  # number of the slot in the global offset table, or of a pair
        self._slots = 0

    def value(self, place: Place) -> int:
        """A place's address, or what points to it as code; a signed value below 2^63."""
        layout = self._layout
        if place.file == VALUE:
            return place.offset
        if place.file == LINKER:
            return layout.names[LINKER_NAMES[place.section]] + place.offset
        address = layout.addresses.get((place.file, place.section))
        if address is not None:
            return address + place.offset
        return 2 * (self.indices.setdefault(Key(*place), len(self.indices)) + 1)

    def slot(self, place: Place, is_pair: bool = False) -> int:
        """The address of the place's slot in the global offset table; of two slots, a module (0) and it."""
        key = place, is_pair
        if key not in self.got:
            self.got[key] = self._slots
            self._slots += 1 + is_pair
        return self._layout.got_start + 8 * self.got[key]


def lay_out(
    resolved: Resolved, needed: Sequence[tuple[int, int]], commons: Sequence[int], heap: int, stack: int, slots: int
) -> Layout:
    """Give every section its address. `heap` and `stack` are octets, `slots` those of the global offset table.

    Raises InputError when the data do not fit the format of standard programs (A.7).
    """
    code, read_only, read_write, zeros, constructors, destructors = [], [], [], [], [], []
    for key in needed:
        section = resolved.files[key[0]].sections[key[1]]
        if section.is_code:
            code.append(key)
        elif section.name.startswith(".init_array") or section.kind == INIT_ARRAY:
            constructors.append(key)
        elif section.name.startswith(".fini_array") or section.kind == FINI_ARRAY:
            destructors.append(key)
        elif section.kind == NOBITS:
            zeros.append(key)
        elif section.flags & WRITE and not section.name.startswith((".data.rel.ro", ".relro")):
            read_write.append(key)
        else:
            read_only.append(key)
    addresses: dict[tuple[int, int], int] = {}
    at = ZONE_SIZE
    bounds = [at]
    for table in (constructors, destructors):
        # `.init_array.N` come by N, those without one last.
        table.sort(key=lambda key: _priority(resolved.files[key[0]].sections[key[1]].name))
        for key in table:
            at = _put(addresses, resolved, key, at)
        bounds.append(at)
    for key in read_only:
        at = _put(addresses, resolved, key, at)
    got_start = round_up(at, 8)
    at = got_start + 8 * slots if slots else at
    read_only_size = at - ZONE_SIZE
    start = at = 2 * ZONE_SIZE + round_up(read_only_size, ZONE_SIZE)
    for key in read_write:
        at = _put(addresses, resolved, key, at)
    data_size = at - start
    for key in zeros:
        at = _put(addresses, resolved, key, at)
    for number in commons:
        common = resolved.commons[number]
        at = round_up(at, common.align)
        addresses[COMMONS, number] = at
        at += common.size
    scratch = round_up(at, 8)
    at = end = scratch + _SCRATCH
    if at > 1 << 31:
        raise InputError(f"data: they end at {at:#x}, but must lie below 2^31")
    names = {
        "__init_array_start": bounds[0], "__init_array_end": bounds[1], "_end": end,
        "__fini_array_start": bounds[1], "__fini_array_end": bounds[2],
        "__heap_base": round_up(end, 16), "__heap_end": round_up(end + heap, PAGE_SIZE),
        "__stack_top": STACK_END - (1 << 32), "__stack_bottom": STACK_END - round_up(stack, PAGE_SIZE) - (1 << 32),
    }  # fmt: skip
    return Layout(
        resolved, addresses, names, tuple(code), (*constructors, *destructors, *read_only), tuple(read_write),
        read_only_size, start, data_size, end, got_start, scratch,
    )  # fmt: skip


def _priority(name: str) -> int:
    last = name.rpartition(".")[2]
    return int(last) if last.isdigit() and len(last) < 9 else 1 << 30


def _put(addresses: dict[tuple[int, int], int], resolved: Resolved, key: tuple[int, int], at: int) -> int:
    section = resolved.files[key[0]].sections[key[1]]
    at = addresses[key] = round_up(at, section.align)
    if at + section.size > 1 << 31:
        where = f"{resolved.files[key[0]].name}: {section.name}"
        raise InputError(f"{where}: it ends at {at + section.size:#x}, above 2^31")
    return at + section.size


def note_pointers(layout: Layout, pointers: Pointers) -> None:
    """Give a place in the jump table to all code that data point to."""
    for file, section in (*layout.read_only, *layout.read_write):
        for relocation in layout.resolved.files[file].sections[section].relocations:
            if relocation.kind in DATA:
                pointers.value(layout.place(file, relocation))


def make_sections(layout: Layout, pointers: Pointers, heap: int, stack: int) -> Sections:
    """The data of the program, relocated, with `heap` more octets after the zeros. Raises InputError."""
    if layout.read_only_size >= 1 << 24 or layout.data_size >= 1 << 24:
        size = max(layout.read_only_size, layout.data_size)
        raise InputError(f"data: {size} octets, but a standard program has less than 2^24")
    read_only, read_write = bytearray(layout.read_only_size), bytearray(layout.data_size)
    _fill(layout, pointers, layout.read_only, read_only, ZONE_SIZE)
    _fill(layout, pointers, layout.read_write, read_write, layout.data_start)
    for (place, is_pair), number in pointers.got.items():
        at = layout.got_start - ZONE_SIZE + 8 * (number + is_pair)
        read_only[at : at + 8] = (pointers.value(place) & (1 << 64) - 1).to_bytes(8, "little")
    data = bytes(read_write).rstrip(b"\0")
    end = round_up(layout.end + heap, PAGE_SIZE)
    pages = (end - round_up(layout.data_start + len(data), PAGE_SIZE)) // PAGE_SIZE
    return Sections(bytes(read_only), data, max(pages, 0), stack)


def _fill(
    layout: Layout, pointers: Pointers, keys: Sequence[tuple[int, int]], memory: bytearray, start: int
) -> None:
    for key in keys:
        file = layout.resolved.files[key[0]]
        section = file.sections[key[1]]
        address = layout.addresses[key]
        at = address - start
        memory[at : at + len(section.data)] = section.data
        for relocation in section.relocations:
            if relocation.kind not in IGNORED:
                _apply(layout, pointers, file, key, relocation, memory, start)


def _apply(
    layout: Layout, pointers: Pointers, file: ElfFile, key: tuple[int, int], relocation: Relocation, memory: bytearray,
    start: int,
) -> None:  # fmt: skip
    section = file.sections[key[1]]
    size, how = DATA.get(relocation.kind, (0, ""))
    if not how or relocation.offset + size > len(section.data):
        what = "ends outside its section" if how else "is no relocation of data that is linked"
        where = f"{file.name}: {described(file, key[1], relocation.offset)}"
        raise InputError(f"{where}: {name_of(relocation.kind)} {what}")
    address = layout.addresses[key] + relocation.offset
    value = pointers.value(layout.place(key[0], relocation))
    at = address - start
    old = int.from_bytes(memory[at : at + size], "little")
    value = {"set": value, "pc": value - address, "add": old + value, "sub": old - value}[how]
    memory[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
