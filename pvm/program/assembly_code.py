"""The code and jump table that an assembler collects: instructions in, octets, bitmask and entries out.

Follows A.2. Offsets of branches without a given width are left out of the octets until `link`, when all labels are
known; a position before that is a pair (octets before it, left-out offsets before it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from pvm.errors import AssemblyError
from pvm.isa.formats import Format
from pvm.printable import counted
from pvm.program.assembly_syntax import Offset, encode_instruction, fit_offsets, width_of
from pvm.program.blob import MAX_ENTRIES, ZeroEntries, pack_bitmask


class _Reference(NamedTuple):
    """An offset to a label: of the instruction at `position`, to be put at octet `at`."""

    line: int
    label: str
    position: tuple[int, int]
    at: int
    width: int = 0


class CodeWriter:
    """Instructions in the order in which they are written. `labels` gives the positions of those defined so far."""

    def __init__(self) -> None:
        self.labels: dict[str, tuple[int, int]] = {}
        self._octets = bytearray()
        self._starts = bytearray()
        self._fitted: list[_Reference] = []  # the width is to be found
        self._given: list[_Reference] = []  # the width is given, and its octets are there
        self._entries: list[tuple[int, str | int]] = []  # of the jump table: line, label or number
        self._entry_of: dict[str, int] = {}
        self._entry_size: tuple[int, int] | None = None  # line, octets
        self._zero_entries = 0  # entries of no octets that are not listed
        self._written: list[tuple[int, int, int]] = []  # line and position of what was written
        self._before: list[int] = [0]  # once linked: octets of left-out offsets before each of them

    @property
    def _position(self) -> tuple[int, int]:
        return len(self._octets), len(self._fitted)

    def define(self, label: str) -> None:
        """Define a label here."""
        self.labels[label] = self._position

    def label_of_pc(self, pc: int) -> str:
        """A label of a fixed pc, with a name that no source can write."""
        name = f"={pc}"
        self.labels[name] = (pc, 0)
        return name

    def label_in_table(self, line: int) -> str:
        """A new label, with a name that no source can write, and its place in the jump table; to be defined."""
        name = f":{len(self._entries)}"
        self.add_entry(line, name)
        return name

    def write(self, line: int, octets: bytes, marked: bool) -> None:
        """Append octets; the bitmask marks the first when `marked`."""
        self._written.append((line, *self._position))
        self._octets += octets
        self._starts.append(marked)
        self._starts += bytes(len(octets) - 1)

    def write_instruction(
        self, line: int, format: Format, opcode: int, values: Mapping[str, int | str], widths: Mapping[str, int]
    ) -> None:
        """Append an instruction. `values` are its operand fields, an offset is a number or a label's name.

        `widths` are those of immediates that are not to have the least. Raises AssemblyError when one is too small.
        """
        numbers = {name: 0 if isinstance(value, str) else value for name, value in values.items()}
        chosen: list[int] = []
        for field in format.immediates:
            least = 8 if field.wide else width_of(numbers[field.name])
            chosen.append(widths.get(field.name, least))
            if chosen[-1] < least:
                message = f"{numbers[field.name]} needs {counted(least, 'octet')}, /{chosen[-1]} is not enough"
                raise AssemblyError(line, message)
        position = self._position
        self.write(line, encode_instruction(format, opcode, numbers, chosen), marked=True)
        last = format.immediates[-1].name if format.immediates else ""
        target = values.get(last)
        if isinstance(target, str):
            at = len(self._octets) - chosen[-1]
            group = self._given if last in widths else self._fitted
            group.append(_Reference(line, target, position, at, chosen[-1]))

    def add_entry(self, line: int, target: str | int) -> None:
        """Append a label or a number to the jump table."""
        if isinstance(target, str):
            self._entry_of.setdefault(target, len(self._entries))
        self._entries.append((line, target))

    def dynamic_address(self, line: int, label: str) -> int:
        """The address of a label for dynamic jumps, (index + 1) · 2; appends it to the jump table if need be."""
        if label not in self._entry_of:
            self.add_entry(line, label)
        return 2 * (self._entry_of[label] + 1)

    def set_entry_size(self, line: int, octets: int) -> None:
        """Fix the octets of a jump table entry."""
        if self._entry_size is not None:
            raise AssemblyError(line, "entry_size is given twice")
        self._entry_size = line, octets

    def add_zero_entries(self, line: int, count: int) -> None:
        """Append `count` entries, which must be of no octets."""
        if self._entry_size is None or self._entry_size[1]:
            raise AssemblyError(line, "count= goes with entry_size=0")
        self._zero_entries += count
        if self._zero_entries > MAX_ENTRIES:
            raise AssemblyError(line, "a jump table has fewer than 2^64 entries")

    def references(self) -> Iterator[tuple[int, str]]:
        """All uses of labels, with their lines."""
        for group in (self._fitted, self._given):
            yield from ((reference.line, reference.label) for reference in group)
        yield from ((line, target) for line, target in self._entries if isinstance(target, str))

    def link(self) -> tuple[bytes, bytes]:
        """The code and its packed bitmask. All labels must be defined. Raises AssemblyError on too small a width."""
        widths = fit_offsets([Offset(ref.position[0], *self.labels[ref.label]) for ref in self._fitted])
        self._before = list(accumulate(widths, initial=0))
        code, starts = bytearray(), bytearray()
        done = 0
        for reference, width in zip(self._fitted, widths, strict=True):
            code += self._octets[done : reference.at]
            starts += self._starts[done : reference.at]
            code += self._offset(reference).to_bytes(width, "little", signed=True)
            starts += bytes(width)
            done = reference.at
        code += self._octets[done:]
        starts += self._starts[done:]
        for reference in self._given:
            offset = self._offset(reference)
            if width_of(offset) > reference.width:
                needed = counted(width_of(offset), "octet")
                message = f"the offset {offset} needs {needed}, /{reference.width} is not enough"
                raise AssemblyError(reference.line, message)
            at = reference.at + self._before[reference.position[1]]
            code[at : at + reference.width] = offset.to_bytes(reference.width, "little", signed=True)
        return bytes(code), pack_bitmask(bytes(starts))

    def link_jump_table(self) -> tuple[Sequence[int], int]:
        """The jump table's entries and the octets of each, after `link`. Raises AssemblyError on too small a size."""
        table = tuple(self._pc(target) if isinstance(target, str) else target for _, target in self._entries)
        if self._entry_size is None:
            return table, max(1, (max(table).bit_length() + 7) // 8) if table else 0
        size = self._entry_size[1]
        for (at, _), entry in zip(self._entries, table, strict=True):
            if entry.bit_length() > 8 * size:
                raise AssemblyError(at, f"the jump table entry {entry} does not fit entry_size={size}")
        if self._zero_entries:
            return ZeroEntries(len(table) + self._zero_entries), size
        return table, size

    def pcs_of_labels(self) -> dict[str, int]:
        """The pcs of the labels that the source names, after `link`."""
        return {name: self._pc(name) for name in self.labels if name[0] not in ":="}

    def pcs_and_lines(self) -> list[tuple[int, int]]:
        """For all that was written its pc and its line, in the order of both, after `link`."""
        return [(octets + self._before[offsets], line) for line, octets, offsets in self._written]

    def _pc(self, label: str) -> int:
        octets, offsets = self.labels[label]
        return octets + self._before[offsets]

    def _offset(self, reference: _Reference) -> int:
        octets, offsets = reference.position
        return self._pc(reference.label) - octets - self._before[offsets]
