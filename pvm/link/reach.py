"""Which sections a program needs: those that its entry points lead to by relocations, and constructors.

In: a `Resolved` and the places of entry points. Out: sections in the order of the files. Linear in relocations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvm.errors import InputError
from pvm.link.elf import ALLOCATE, FINI_ARRAY, INDIRECT_SYMBOL, INIT_ARRAY, UNDEFINED
from pvm.link.places import described
from pvm.link.relocations import IGNORED
from pvm.link.resolve import Place, Resolved, definition_of
from pvm.suggestions import did_you_mean

LINKER_NAMES: tuple[str, ...] = (
    "__init_array_start", "__init_array_end", "__heap_base", "__heap_end", "_end", "__stack_top", "__stack_bottom",
    "__fini_array_start", "__fini_array_end",
)  # fmt: skip


_METADATA = ".polkavm_metadata"  # of imports: read when linking, not by the program


def entry_place(resolved: Resolved, name: str, exports: Mapping[str, Place]) -> Place:
    """Where an entry point is: an exported function, or a symbol. Raises InputError unless it is code."""
    place = exports.get(name) or resolved.names.get(name)
    if place is None:
        hint = did_you_mean(name, (*exports, *resolved.names), 1)
        raise InputError(f"entry point {name}: defined nowhere; {hint}".rstrip("; "))
    if place.file < 0 or not resolved.files[place.file].sections[place.section].is_code:
        raise InputError(f"entry point {name}: it is no code")
    return place


def reach(resolved: Resolved, entries: Sequence[Place]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """The needed sections (file, section), and the needed COMMON symbols by number. Raises InputError."""
    found: set[tuple[int, int]] = set()
    queue: list[tuple[int, int]] = []
    indirect = {
        Place(number, symbol.section, symbol.value)
        for number, file in enumerate(resolved.files) for symbol in file.symbols
        if symbol.kind == INDIRECT_SYMBOL and symbol.section != UNDEFINED
    }  # fmt: skip

    def need(place: Place) -> None:
        key = place.file, place.section
        if key not in found:
            found.add(key)
            if place.file >= 0:
                queue.append(key)

    for place in entries:
        need(place)
    for number, file in enumerate(resolved.files):
        for index, section in enumerate(file.sections):
            is_table = section.name.startswith((".init_array", ".fini_array")) and section.flags & ALLOCATE
            if section.kind in (INIT_ARRAY, FINI_ARRAY) or is_table:
                need(Place(number, index, 0))
    while queue:
        number, index = queue.pop()
        file = resolved.files[number]
        section = file.sections[index]
        if not section.flags & ALLOCATE:
            raise InputError(f"{file.name}: section {section.name or index} is needed, and has no place in memory")
        for relocation in section.relocations:
            if relocation.kind in IGNORED:
                continue
            try:
                place = definition_of(resolved, number, relocation.symbol, LINKER_NAMES)
                if place in indirect:
                    name = file.symbols[relocation.symbol].name
                    raise InputError(f"{file.name}: {name} is found when the program runs (IFUNC), which is not linked")
            except InputError as error:
                where = described(file, index, relocation.offset)
                raise InputError(f"{error} (needed by {where})") from None
            if place.file < 0 or resolved.files[place.file].sections[place.section].name != _METADATA:
                need(place)
    return tuple(sorted(key for key in found if key[0] >= 0)), tuple(sorted(key[1] for key in found if key[0] == -2))
