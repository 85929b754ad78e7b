"""What objects made for polkatool say beside their code: exported functions, imported ones, the stack they need.

In: a `Resolved`. Out: places and numbers. Raises InputError for what does not hold together.

`.polkavm_exports` has records of 17 octets: version 1, pointers to metadata and to the function. An import is the word
0x0000000b in the code with a pointer to metadata behind it. Metadata: version (1 or 2), flags (32 bits), length of the
symbol (32 bits), a pointer to it, how many registers go in and come out; in version 2 whether there is an index,
and the index (32 bits). `.polkavm_min_stack_size` has words of 32 bits. Pointers are relocations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pvm.errors import InputError
from pvm.isa.spec import Spec
from pvm.jam.host_calls.table import by_number
from pvm.link.elf import ElfFile, Relocation, Section
from pvm.link.places import described
from pvm.link.reach import LINKER_NAMES
from pvm.link.relocations import NUMBERS
from pvm.link.resolve import Place, Resolved, definition_of

EXPORTS, METADATA, STACK = ".polkavm_exports", ".polkavm_metadata", ".polkavm_min_stack_size"
IMPORT_WORD = 0x0000000B
POINTER_SIZE = 8
POINTERS = frozenset((NUMBERS["64"], NUMBERS["PCREL_HI20"]))  # what may be at a pointer
_EXPORT_SIZE = 1 + 2 * POINTER_SIZE
_LONGEST = 256  # octets of a symbol


class Metadata(NamedTuple):
    """`number` is the host call's, None where none is given."""

    symbol: str
    number: int | None


def exports(resolved: Resolved) -> dict[str, Place]:
    """The exported functions by name, in the order of the files. Raises InputError."""
    found: dict[str, Place] = {}
    for number, file in enumerate(resolved.files):
        for section in file.sections:
            if section.name != EXPORTS:
                continue
            pointers = {relocation.offset: relocation for relocation in section.relocations}
            for at in range(0, len(section.data), _EXPORT_SIZE):
                name, place = _export(resolved, number, section, at, pointers)
                if found.setdefault(name, place) != place:
                    raise InputError(f"{file.name}: {name} is exported twice")
    return found


def _export(
    resolved: Resolved, number: int, section: Section, at: int, pointers: dict[int, Relocation]
) -> tuple[str, Place]:
    where = f"{resolved.files[number].name}: {EXPORTS}+{at:#x}"
    if section.data[at] != 1 or at + _EXPORT_SIZE > len(section.data):
        raise InputError(f"{where}: no record of version 1")
    places = [_pointed(resolved, number, pointers, at + 1 + POINTER_SIZE * n, where) for n in range(2)]
    if places[1].file < 0 or not resolved.files[places[1].file].sections[places[1].section].is_code:
        raise InputError(f"{where}: it exports what is no code")
    return metadata(resolved, places[0]).symbol, places[1]


def _pointed(
    resolved: Resolved, number: int, pointers: dict[int, Relocation], offset: int, where: str
) -> Place:
    relocation = pointers.get(offset)
    if relocation is None or relocation.kind not in POINTERS:
        raise InputError(f"{where}: no relocation for the pointer at {offset:#x}")
    place = definition_of(resolved, number, relocation.symbol, LINKER_NAMES)
    return place._replace(offset=place.offset + relocation.addend)


def metadata(resolved: Resolved, place: Place) -> Metadata:
    """What a function is called, and its index. Raises InputError."""
    if place.file < 0:
        raise InputError("metadata of an exported or imported function: in no section")
    file = resolved.files[place.file]
    section, at = file.sections[place.section], place.offset
    where = f"{file.name}: metadata at {described(file, place.section, at)}"
    octets = section.data[at : at + 24] if at >= 0 else b""
    if len(octets) < 19 or octets[0] not in (1, 2) or len(octets) < (19, 24)[octets[0] - 1]:
        raise InputError(f"{where}: neither of version 1 nor 2, or cut off")
    size = int.from_bytes(octets[5:9], "little")
    if octets[1:5] != bytes(4) or not 0 < size <= _LONGEST:
        raise InputError(f"{where}: flags, or a symbol of {size} octets")
    pointers = {relocation.offset: relocation for relocation in section.relocations if relocation.offset == at + 9}
    name = _pointed(resolved, place.file, pointers, at + 9, where)
    strings = resolved.files[name.file].sections[name.section].data if name.file >= 0 else b""
    symbol = strings[name.offset : name.offset + size] if name.offset >= 0 else b""
    if len(symbol) < size:
        raise InputError(f"{where}: its symbol is cut off")
    index = int.from_bytes(octets[20:24], "little") if octets[0] == 2 and octets[19] else None
    return Metadata(symbol.decode("utf-8", "backslashreplace"), index)


def number_imports(resolved: Resolved, places: Iterable[Place], spec: Spec) -> dict[Place, Metadata]:
    """Each import, by the place of its metadata, with the number of its host call.

    That is its index, else that of the version's host call of its name; where no import has either, its place among the
    names in order, as polkatool counts. Raises InputError for a name that means nothing beside others that do.
    """
    found = {place: metadata(resolved, place) for place in dict.fromkeys(places)}
    named = {row.name: number for number, row in by_number(spec).items()}
    if all(one.number is None and one.symbol not in named for one in found.values()):
        named = {name: number for number, name in enumerate(sorted({one.symbol for one in found.values()}))}
    numbered = {}
    for place, one in found.items():
        index = named.get(one.symbol) if one.number is None else one.number
        if index is None:
            raise InputError(f"{resolved.files[place.file].name}: {one.symbol} is imported without an index, and no "
                             f"host call of {spec.name}")  # fmt: skip
        numbered[place] = one._replace(number=index)
    return numbered


def least_stack(files: Iterable[ElfFile]) -> int:
    """Octets of stack that objects ask for; 0 where none does."""
    words = [section.data for file in files for section in file.sections if section.name == STACK]
    return max((int.from_bytes(data[at : at + 4], "little") for data in words for at in range(0, len(data), 4)),
               default=0)  # fmt: skip
