"""What names mean: one definition for each symbol, from objects and from those members of archives that are needed.

In: files as octets. Out: a frozen `Resolved`. Raises InputError for two definitions of one name, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pvm.errors import InputError
from pvm.link import archive
from pvm.link.elf import ABSOLUTE, COMMON, LOCAL, UNDEFINED, WEAK, ElfFile, Symbol, read_elf
from pvm.suggestions import did_you_mean


class Place(NamedTuple):
    """Octet `offset` of section `section` of object `file`, or of one of the files below that are no objects."""

    file: int
    section: int
    offset: int


class Common(NamedTuple):
    """Zeros for a COMMON symbol."""

    name: str
    size: int
    align: int


class Resolved(NamedTuple):
    """`names` has the global symbols; `commons` are the sections of file `COMMONS`."""

    files: tuple[ElfFile, ...]
    names: dict[str, Place]
    commons: tuple[Common, ...]


COMMONS = -2  # the file of COMMON symbols
VALUE = -1  # the file of absolute symbols: the value is the offset
LINKER = -3  # the file of symbols that the linker defines; the section is the number in its list


class _Definition(NamedTuple):
    place: Place
    strength: int  # 3 strong, 2 weak, 1 COMMON
    size: int
    align: int


def resolve(inputs: Sequence[tuple[str, bytes]], wanted: Iterable[str]) -> Resolved:
    """The objects among `inputs` (name, octets), and the members of archives that define what these or `wanted` need.

    Raises InputError.
    """
    files: list[ElfFile] = []
    defined: dict[str, _Definition] = {}
    needed = list(dict.fromkeys(wanted))
    members: list[ElfFile] = []
    for name, data in inputs:
        if data.startswith(b"!<"):
            members += [read_elf(content, title) for title, content in archive.members(data, name)]
        else:
            files.append(read_elf(data, name))
            needed += _include(files, defined)
    providers: dict[str, int] = {}
    for number, file in enumerate(members):
        for symbol in file.symbols:
            if symbol.binding != LOCAL and symbol.section not in (UNDEFINED, COMMON):
                providers.setdefault(symbol.name, number)
    included: set[int] = set()
    while needed:
        name = needed.pop()
        provider = providers.get(name)
        if provider is None or name in defined or provider in included:
            continue
        included.add(provider)
        files.append(members[provider])
        needed += _include(files, defined)
    commons: list[Common] = []
    names = {}
    for name, definition in defined.items():
        names[name] = definition.place
        if definition.strength == 1:
            names[name] = Place(COMMONS, len(commons), 0)
            commons.append(Common(name, definition.size, definition.align))
    return Resolved(tuple(files), names, tuple(commons))


def _include(files: Sequence[ElfFile], defined: dict[str, _Definition]) -> list[str]:
    """Put the definitions of the last file with the others; gives the names that it needs."""
    needed = []
    for symbol in files[-1].symbols:
        if symbol.binding == LOCAL or not symbol.name:
            continue
        if symbol.section != UNDEFINED:
            _define(defined, files, symbol)
        elif symbol.binding != WEAK:
            needed.append(symbol.name)
    return needed


def _define(defined: dict[str, _Definition], files: Sequence[ElfFile], symbol: Symbol) -> None:
    name, number = symbol.name, len(files) - 1
    if symbol.section == COMMON:
        align = symbol.value or 1
        if align & (align - 1) or align > 1 << 16 or symbol.size >= 1 << 32:
            raise InputError(f"{files[number].name}: {name}: {symbol.size} octets aligned to {align} do not fit")
        new = _Definition(Place(COMMONS, 0, 0), 1, symbol.size, align)
    else:
        file = VALUE if symbol.section == ABSOLUTE else number
        strength = 2 if symbol.binding == WEAK else 3
        new = _Definition(Place(file, symbol.section, symbol.value), strength, symbol.size, 1)
    old = defined.get(name)
    if old is None or new.strength > old.strength:
        defined[name] = new
    elif old.strength == new.strength == 1:
        defined[name] = _Definition(old.place, 1, max(old.size, new.size), max(old.align, new.align))
    elif old.strength == new.strength == 3:
        first = files[old.place.file].name if old.place.file >= 0 else "a value"
        raise InputError(f"{files[number].name}: {name} is defined already in {first}")


def definition_of(resolved: Resolved, file: int, number: int, linker_names: Sequence[str]) -> Place:
    """What a symbol of a file stands for; one that is weak and defined nowhere for 0.

    Raises InputError for another one that is defined nowhere.
    """
    symbols = resolved.files[file].symbols
    if not number:
        return Place(VALUE, 0, 0)
    symbol = symbols[number]
    if symbol.binding == LOCAL:
        if symbol.section in (UNDEFINED, COMMON):
            name = resolved.files[file].name
            raise InputError(f"{name}: the local symbol {symbol.name or number} is defined nowhere")
        return Place(VALUE if symbol.section == ABSOLUTE else file, symbol.section, symbol.value)
    place = resolved.names.get(symbol.name)
    if place is not None:
        return place
    if symbol.name in linker_names:
        return Place(LINKER, linker_names.index(symbol.name), 0)
    if symbol.binding == WEAK:
        return Place(VALUE, 0, 0)
    hint = did_you_mean(symbol.name, resolved.names, 1)
    raise InputError(f"{resolved.files[file].name}: {symbol.name} is defined nowhere{f': {hint}' if hint else ''}")
