"""The passes in their order.

In: files and `Options`. Out: a `Linked`. Raises InputError.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pvm.errors import InputError
from pvm.isa.spec import spec as find_spec
from pvm.link.dead import drop_dead
from pvm.link.elf import ElfFile
from pvm.link.fuse import fuse
from pvm.link.layout import Key, Layout, Pointers, lay_out, make_sections, note_pointers
from pvm.link.lines import Row, line_rows
from pvm.link.lower import label, lower
from pvm.link.polkavm import Metadata, exports, least_stack
from pvm.link.reach import LINKER_NAMES, entry_place, reach
from pvm.link.relocations import GOT_HIGH, PAIR_HIGH
from pvm.link.resolve import Place, Resolved, definition_of, resolve
from pvm.link.source_map import SourceMap, make_map
from pvm.link.straighten import load_by_jumps, straighten
from pvm.link.write import write
from pvm.program.program import Program
from pvm.program.standard import Sections

DEFAULT_STACK, DEFAULT_HEAP = 1 << 16, 1 << 16  # octets
FORMATS = ("auto", "jam", "standard", "plain")
# Without --entry: those of these names that are defined, pc 0 and 5 as JAM calls them; then an ordinary program.
_SERVICE, _OTHERS = ("refine", "accumulate"), ("is_authorized", "_start", "main")
# Names that services in Rust export.
_EXPORTED_SERVICES = _SERVICE, ("refine_ext", "accumulate_ext"), ("is_authorized_ext",)


@dataclass(frozen=True)
class Options:
    """How to link. `entries` are symbols, for pc 0, 5, …; found by their names when there are none.

    `stack` and `heap` are octets. `metadata` is a service's, of `format` "jam"; "auto" is that for a service, and
    "standard" for others. `spec` names the version of opcodes. `keep_frames` keeps s0 as the frame pointer that code
    compiled with one has, for backtraces.
    """

    entries: tuple[str, ...] = ()
    format: str = "auto"
    stack: int = DEFAULT_STACK
    heap: int = DEFAULT_HEAP
    metadata: bytes = b""
    spec: str = "0.7.2"
    keep_frames: bool = False


@dataclass(frozen=True)
class Linked:
    """`entries` are symbols with their pcs, `functions` all functions' names by pc, in order.

    `origins` has a (pc, file, section, octet) for each instruction that comes from a file: files and sections by
    number. `imports` are host calls by the names and numbers that objects made for polkatool give them.
    """

    program: Program
    entries: tuple[tuple[str, int], ...]
    functions: tuple[tuple[int, str], ...]
    files: tuple[str, ...]
    origins: tuple[tuple[int, int, int, int], ...]
    objects: tuple[ElfFile, ...]
    imports: tuple[Metadata, ...] = ()

    def source_map(self) -> SourceMap:
        """Functions and source lines by pc. Lines are there if the objects were compiled with -g."""
        tables: dict[int, dict[int, list[Row]]] = {}
        lines: list[tuple[int, str, int]] = []
        for pc, file, section, octet in self.origins:
            if file not in tables:
                tables[file] = {}
                for row in line_rows(self.objects[file]):
                    tables[file].setdefault(row.section, []).append(row)
            rows = tables[file].get(section, [])
            at = bisect_right(rows, octet, key=lambda row: row.offset) - 1
            lines.append((pc, rows[at].file, rows[at].line) if at >= 0 else (pc, "", 0))
        return make_map(self.program.encode(), self.functions, lines)


def link(inputs: Sequence[tuple[str, bytes]], options: Options = Options()) -> Linked:
    """Link objects and archives, each a name and its octets, to a program.

    Raises InputError, in one line, for what is malformed, not supported, or defined nowhere.
    """
    if options.format not in FORMATS:
        raise InputError(f"format {options.format}: a linked program is {', '.join(FORMATS)}")
    if not inputs:
        raise InputError("nothing to link")
    version = find_spec(options.spec)
    resolved = resolve(inputs, options.entries or (*_SERVICE, *_OTHERS[:2]))
    exported = exports(resolved)
    entries = options.entries or _found_entries(resolved, exported)
    starts_at = [entry_place(resolved, name, exported) for name in entries]
    needed, commons = reach(resolved, starts_at)
    stack = max(options.stack, least_stack(resolved.files))
    slots = _got_slots(resolved, needed)
    layout = lay_out(resolved, needed, commons, options.heap, stack, slots)
    pointers = Pointers(layout)
    note_pointers(layout, pointers)
    keys = tuple(Key(*place) for place in starts_at)
    code = lower(layout, pointers, keys, version)
    numbers = {key: number for number, key in enumerate(layout.code)}
    starts = [label(numbers, key) for key in keys]
    pointed = [label(numbers, key) for key in pointers.indices]
    is_plain = options.format == "plain"
    if is_plain and (layout.read_only or layout.read_write or layout.end > layout.data_start + 16):
        raise InputError("a plain program has no data: link a standard one")
    scratch, keep = None if is_plain else layout.scratch, frozenset((*starts, *pointed))
    held = 1 << 5 if options.keep_frames else 0
    ops = drop_dead(fuse(code.ops, scratch), keep, held)
    # Where code was copied, more is known: jumps that are always taken, constants.
    ops = load_by_jumps(drop_dead(fuse(straighten(ops, keep), scratch), keep, held))
    blob, places = write(ops, starts, pointed, version)
    sections: Sections | None = None if is_plain else make_sections(layout, pointers, options.heap, stack)
    is_jam = options.format == "jam" or (options.format == "auto" and (len(entries) > 1 or bool(options.metadata)))
    metadata = options.metadata if is_jam else None
    origins = tuple((pc, *layout.code[at >> 32], at & 0xFFFFFFFF) for pc, at in places if at >= 0)
    return Linked(
        Program(blob, sections, metadata), tuple((name, 5 * number) for number, name in enumerate(entries)),
        _functions(layout, origins), tuple(file.name for file in resolved.files), origins, resolved.files,
        code.imports,
    )  # fmt: skip


def is_linkable(data: bytes) -> bool:
    """Whether these octets claim to be ELF of RISC-V, in 64 bits."""
    return data[:5] == b"\x7fELF\2" and data[18:20] == b"\xf3\0"


def _found_entries(resolved: Resolved, exported: Mapping[str, Place]) -> tuple[str, ...]:
    if exported:
        for names in _EXPORTED_SERVICES:
            if all(name in exported for name in names):
                return names
        return tuple(exported)
    if "refine" in resolved.names and "accumulate" in resolved.names:
        return _SERVICE
    # The run-time library always has a `_start`, which is of use to those who have a `main`.
    order = (*_OTHERS, *_SERVICE) if "main" in resolved.names else (_OTHERS[0], *_SERVICE, *_OTHERS[1:])
    for name in order:
        if name in resolved.names:
            return (name,)
    raise InputError(f"no entry point: none of {', '.join((*_SERVICE, *_OTHERS))} is defined (--entry names another)")


def _got_slots(resolved: Resolved, needed: Sequence[tuple[int, int]]) -> int:
    """How many slots the global offset table must have at most."""
    found: tuple[set[Place], set[Place]] = set(), set()
    for file, section in needed:
        for relocation in resolved.files[file].sections[section].relocations:
            is_pair = relocation.kind == PAIR_HIGH
            if is_pair or relocation.kind in GOT_HIGH:
                place = definition_of(resolved, file, relocation.symbol, LINKER_NAMES)
                found[is_pair].add(place._replace(offset=place.offset + relocation.addend))
    return len(found[0]) + 2 * len(found[1])


def _functions(layout: Layout, origins: Sequence[tuple[int, int, int, int]]) -> tuple[tuple[int, str], ...]:
    """The first pc of each function that the symbols name."""
    named: dict[tuple[int, int], list[tuple[int, str]]] = {}
    wanted = set(layout.code)
    for number, file in enumerate(layout.resolved.files):
        for symbol in file.symbols:
            if symbol.kind == 2 and symbol.name and (number, symbol.section) in wanted:
                named.setdefault((number, symbol.section), []).append((symbol.value, symbol.name))
    found: list[tuple[int, str]] = []
    for symbols in named.values():
        symbols.sort(reverse=True)
    for pc, number, section, octet in origins:
        symbols = named.get((number, section), [])
        while symbols and symbols[-1][0] <= octet:
            found.append((pc, symbols.pop()[1]))
    return tuple(found)
