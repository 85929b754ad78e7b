"""A program at a glance.

In: a program and a version. Out: a frozen `Summary`; counts of host calls; sizes of parts.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress

from pvm.flow.index import CALL, TRAP, Index, index_of
from pvm.isa.spec import GP_080, Spec
from pvm.isa.spec import spec as find_spec
from pvm.program import Blob, Instruction, Program, Segment, decode_at, invalid_at
from pvm.program.facts import ENTRY_POINTS

INVALID, UNMARKED = "(invalid opcode)", "(not marked)"  # in `Summary.mix`


@dataclass(frozen=True)
class Entry:
    """Where a program can be entered. `instruction` is None where none begins."""

    pc: int
    purpose: str
    instruction: Instruction | None


@dataclass(frozen=True)
class Summary:
    """What a program consists of.

    `size` and `code_bytes` are octets, `mix` how often each instruction stands in the code, by name and most first,
    `calls` how often each host call does, by number. `bad_targets` are the jump table's entries at which no basic block
    starts, `invalid` and `unmarked` the pcs of undefined opcodes and of those that the bitmask does not mark though
    execution may get there. `invalid_080` says why 0.8.0 does not run the program, None if it does.
    """

    format: str
    spec: str
    size: int
    code_bytes: int
    instructions: int
    blocks: int
    jump_entries: int
    jump_entry_size: int
    bad_targets: tuple[int, ...]
    mix: Mapping[str, int]
    calls: Mapping[int, int]
    invalid: tuple[int, ...]
    unmarked: tuple[int, ...]
    entries: tuple[Entry, ...]
    segments: tuple[Segment, ...]
    invalid_080: str | None


def summary(program: Program, spec: Spec | str = "0.7.2") -> Summary:
    """The program at a glance, in linear time. Raises InputError for an unknown version."""
    spec, blob = find_spec(spec), program.blob
    index, starts = index_of(blob, spec), blob.starts
    traps = array("I", compress(index.pcs, (kind == TRAP for kind in index.kinds)))
    return Summary(
        program.format, spec.name, len(program.encode()), len(blob.code), len(index.pcs), index.blocks.count(1),
        blob.jump_count, blob.jump_entry_size,
        tuple(sorted(pc for pc in blob.jump_targets if not index.starts_block(pc))),
        dict(Counter(_names(blob, spec, index)).most_common()), _calls(blob, spec, index),
        tuple(pc for pc in traps if starts[pc] and spec.by_opcode[blob.code[pc]] is None),
        tuple(pc for pc in traps if not starts[pc]), _entries(program, spec),
        () if program.sections is None else program.sections.segments(), invalid_at(blob, GP_080),
    )  # fmt: skip


def calls_of(program: Program, spec: Spec | str = "0.7.2") -> Counter[int]:
    """How often each host call stands in the code, by number. Raises InputError for an unknown version."""
    spec = find_spec(spec)
    return _calls(program.blob, spec, index_of(program.blob, spec))


def sizes_of(program: Program) -> dict[str, int]:
    """Octets of a program's parts: its code, bitmask, jump table, data, and what is left."""
    blob, sections = program.blob, program.sections
    parts = {
        "code": len(blob.code), "bitmask": -(-len(blob.code) // 8),
        "jump table": blob.jump_count * blob.jump_entry_size,
        "read-only data": len(sections.read_only) if sections else 0,
        "read-write data": len(sections.read_write) if sections else 0,
        "metadata": len(program.metadata or b""),
    }  # fmt: skip
    return {**parts, "other": max(0, len(program.encode()) - sum(parts.values()))}


def _names(blob: Blob, spec: Spec, index: Index) -> Iterator[str]:
    """The name of each instruction."""
    names, starts = [INVALID if row is None else row.name for row in spec.by_opcode], blob.starts
    return (names[blob.code[pc]] if starts[pc] else UNMARKED for pc in index.pcs)


def _calls(blob: Blob, spec: Spec, index: Index) -> Counter[int]:
    return Counter(decode_at(blob, spec, pc).x for pc in compress(index.pcs, (kind == CALL for kind in index.kinds)))


def _entries(program: Program, spec: Spec) -> tuple[Entry, ...]:
    blob, found = program.blob, program.polkavm
    entries = ENTRY_POINTS if found is None else tuple((export.pc, export.name) for export in found.exports)
    begins = {pc for pc, _ in entries if any(blob.starts[pc : pc + 1])}
    return tuple(Entry(pc, name, decode_at(blob, spec, pc) if pc in begins else None) for pc, name in entries)
