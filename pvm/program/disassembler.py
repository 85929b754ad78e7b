"""Disassembler: programs to text.

In: a `Program` and a `Spec`. Out: text in the language of `pvm.program.assembler`, from which the assembler makes
the same program again, octet for octet, and which shows exactly the instructions that execution can visit (A.2, A.5):

    l12:
        branch_ne_imm   r8, 0, l20              ; 12

        load_ind_u64    r7, [r1 + 8/4]          ; 16

A line ends with its pc, an empty line ends a basic block, and labels are called by their pc. Octets that the
assembler would not make from any instruction become `.raw` with the instruction in a comment. Positions that are
executed although the bitmask does not mark them (the first, and after 24 unmarked octets) become `.unmarked`.

Lines are made one at a time: all that is kept of the whole program is an octet or two for each of its octets, and some
hundred octets for each jump to a label.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import accumulate, chain, compress, pairwise
from operator import and_, not_

from pvm.isa.expr import signed64
from pvm.isa.spec import GP_072, Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.assembly_syntax import (
    Kind,
    Offset,
    Operand,
    encode_instruction,
    fit_offsets,
    operands_of,
    width_of,
    widths_in,
)
from pvm.program.blob import Blob
from pvm.program.decode import Instruction, decode_at, instruction_pcs
from pvm.program.facts import call_symbol, shown_name
from pvm.program.program import Program
from pvm.program.standard import Sections

_INDENT = "    "
_OCTETS_A_LINE = 32
_ENTRIES_A_LINE = 8
_HOST_CALL = "ecalli"
_MAX_ATTEMPTS = 3  # to find the widths of offsets that need not be written
_KEPT_TEXTS = 1 << 14  # of instructions, by their octets: programs repeat themselves
_RAW = f"{_INDENT}.raw "
_ZEROS = re.compile(rb"\0*")


def disassemble(program: Program, spec: Spec | str = GP_072) -> str:
    """The whole text of a program, about 60 characters an instruction. No program makes it fail."""
    text = StringIO()
    for line in disassemble_lines(program, spec):
        text.write(line)
        text.write("\n")
    return text.getvalue()


def disassemble_lines(program: Program, spec: Spec | str = GP_072) -> Iterator[str]:
    """The same text line by line, for those who do not need all of it."""
    spec = find_spec(spec)
    yield from _container_lines(program)
    yield from _header_lines(program)
    blob, jumps = program.blob, _jumps(program.blob, spec)
    labels = _labelled(blob, jumps)
    yield from _jump_table_lines(blob, labels)
    yield ".code"
    widened, returns = _widened(blob, jumps, labels), _dynamic_addresses(blob, labels)
    yield from _code_lines(_Text(program, spec, labels, jumps.plain, widened, returns))


def format_instruction(instruction: Instruction, label_of: Callable[[int], str] | None = None) -> str:
    """One instruction as one line of text without its pc; targets are written as pcs unless `label_of` names them."""
    if not instruction.valid:
        return "trap ; invalid opcode"
    return _format(instruction, label_of or str, {}, {})


def _format(
    instruction: Instruction, label_of: Callable[[int], str], widths: Mapping[str, int], returns: Mapping[int, str]
) -> str:
    """`widths` has those immediates whose width is to be written, `returns` labels by their dynamic address."""
    row = instruction.row
    if len(row.effects) == 1:  # no call, which sets a register to where it shall return
        returns = {}
    operands = (_format_operand(instruction, operand, label_of, widths, returns) for operand in operands_of(row))
    return f"{instruction.row.name:<15} {', '.join(operands)}".rstrip()


def _format_operand(
    instruction: Instruction,
    operand: Operand,
    label_of: Callable[[int], str],
    widths: Mapping[str, int],
    returns: Mapping[int, str],
) -> str:
    text = f"r{getattr(instruction, operand.register)}" if operand.register else ""
    if operand.immediate:
        value: int = getattr(instruction, operand.immediate)
        suffix = f"/{widths[operand.immediate]}" if operand.immediate in widths else ""
        if operand.kind is Kind.TARGET:
            text = label_of(value) + suffix
        elif operand.kind is Kind.IMMEDIATE:
            text = (f"@{returns[value]}" if value in returns else _number(signed64(value))) + suffix
        elif not operand.register:
            text = f"{value & 0xFFFF_FFFF:#x}{suffix}"
        elif value or suffix:
            sign, size = ("-", -signed64(value)) if value >> 63 else ("+", value)
            text += f" {sign} {_number(size)}{suffix}"
    return f"[{text}]" if operand.kind is Kind.MEMORY else text


def _number(value: int) -> str:
    return str(value) if -(1 << 16) < value < 1 << 16 else hex(value)


def _container_lines(program: Program) -> Iterator[str]:
    """What assembly cannot say of a PolkaVM blob, as comments."""
    found = program.polkavm
    if found is None:
        return
    yield f"; a PolkaVM blob, {found.instruction_set.name}; this text makes a standard program of it"
    for number, symbol in enumerate(found.imports):
        if symbol:
            yield f"; import {number} {shown_name(symbol)}"


def _notes(program: Program) -> dict[int, list[str]]:
    """A PolkaVM blob's exports and functions by the pc where they begin, as comments."""
    notes: dict[int, list[str]] = {}
    if program.polkavm is not None:
        for export in program.polkavm.exports:
            notes.setdefault(export.pc, []).append(f"; export {shown_name(export.name)}")
        for function in program.polkavm.functions:
            notes.setdefault(function.pc, []).append(f"; function {shown_name(function.name)}")
    return notes


# --- header and data ---------------------------------------------------------------------------------------------


def _header_lines(program: Program) -> Iterator[str]:
    sections = program.sections
    if sections is None:
        yield ".plain"
        return
    yield f".standard stack={sections.stack_size} heap={sections.heap_pages}"
    if program.metadata is not None:
        for at in range(0, len(program.metadata) or 1, _OCTETS_A_LINE):
            yield ".metadata " + _string_or_hex(program.metadata[at : at + _OCTETS_A_LINE])
    yield from _data_lines(sections)


def _data_lines(sections: Sections) -> Iterator[str]:
    for name, data, more in (
        (".rodata", sections.read_only, sections.read_only_zeros), (".data", sections.read_write, 0)
    ):  # fmt: skip
        if data or more:
            yield name
        at = 0
        while at < len(data):
            zeros = _ZEROS.match(data, at)
            if zeros and len(zeros[0]) >= _OCTETS_A_LINE:
                yield f"{_INDENT}.zero {len(zeros[0])}"
                at = zeros.end()
            else:
                yield f"{_INDENT}.hex {data[at : at + _OCTETS_A_LINE].hex()}"
                at += _OCTETS_A_LINE
        if more:
            yield f"{_INDENT}.zero {more}"


def _string_or_hex(octets: bytes) -> str:
    plain = all(32 <= octet < 127 and octet not in b'"\\' for octet in octets)
    return f'"{octets.decode()}"' if plain else "0x" + octets.hex()


def _jump_table_lines(blob: Blob, labels: _Labels) -> Iterator[str]:
    size, table = blob.jump_entry_size, blob.stored_entries
    if not size:
        if blob.jump_count:
            yield f".jump_table entry_size=0 count={blob.jump_count}"
        return
    setting = f" entry_size={size}"
    for at in range(0, len(table) or 1, _ENTRIES_A_LINE):
        entries = (labels.name(entry) or _number(entry) for entry in table[at : at + _ENTRIES_A_LINE])
        yield f".jump_table{setting} {', '.join(entries)}".rstrip()
        setting = ""


# --- labels ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Labels:
    """Which pcs have a label: `marks` is 1 there, for each octet of the code and its end."""

    marks: bytes

    def __contains__(self, pc: int) -> bool:
        return 0 <= pc < len(self.marks) and self.marks[pc] == 1

    def name(self, pc: int) -> str | None:
        return f"l{pc}" if pc in self else None


@dataclass(frozen=True)
class _Jumps:
    """The instructions that have a target, an entry each.

    `is_least`: the width is the least for the offset. `plain` is 1 for each pc where that is so of all immediates.
    """

    pcs: array[int]
    targets: array[int]
    is_least: bytes
    plain: bytes


def _jumps(blob: Blob, spec: Spec) -> _Jumps:
    pcs, targets, is_least, plain = array("q"), array("q"), bytearray(), bytearray(len(blob.code))
    jumps, code = _with_target(spec), blob.code
    for pc in instruction_pcs(blob):
        if jumps[code[pc]]:
            instruction = decode_at(blob, spec, pc)
            target = _target(instruction)
            if target is not None:
                written = _written_widths(blob, instruction)
                plain[pc] = written is not None and not written
                pcs.append(pc)
                targets.append(target)
                is_least.append(written is not None and instruction.row.format.immediates[-1].name not in written)
    return _Jumps(pcs, targets, bytes(is_least), bytes(plain))


def _labelled(blob: Blob, jumps: _Jumps) -> _Labels:
    """Labels of the visited pcs, and of the end, that are a target or in the jump table."""
    size = len(blob.code)
    visited, wanted = bytearray(size + 1), bytearray(size + 1)
    for pc in chain(instruction_pcs(blob), (size,)):
        visited[pc] = 1
    for target in chain(jumps.targets, blob.jump_targets):
        if 0 <= target <= size:
            wanted[target] = 1
    both = int.from_bytes(visited, "little") & int.from_bytes(wanted, "little")
    return _Labels(both.to_bytes(size + 1, "little"))


@cache
def _with_target(spec: Spec) -> bytes:
    """By opcode, whether its instructions have a target."""
    last = (row.format.immediates[-1:] if row is not None else () for row in spec.by_opcode)
    return bytes(bool(field and field[0].offset) for field in last)


def _target(instruction: Instruction) -> int | None:
    """The pc of a jump's or branch's target."""
    fields = instruction.row.format.immediates
    if not fields or not fields[-1].offset:
        return None
    return instruction.x if fields[-1].name == "x" else instruction.y


def _dynamic_addresses(blob: Blob, labels: _Labels) -> dict[int, str]:
    """Labels by the dynamic address that `@` gives for them: that of their first entry, which takes octets."""
    found: dict[int, str] = {}
    seen = bytearray(len(blob.code) + 1)
    for index, pc in enumerate(blob.stored_entries):
        if pc in labels and not seen[pc]:
            seen[pc] = 1
            found[2 * (index + 1)] = f"l{pc}"
    return found


# --- code --------------------------------------------------------------------------------------------------------


def _code_lines(text: _Text) -> Iterator[str]:
    blob, spec, notes = text.program.blob, text.spec, _notes(text.program)
    jumps, starts, code, marks, size = _with_target(spec), blob.starts, blob.code, text.labels.marks, len(blob.code)
    ends = bytes(row is not None and row.ends_block for row in spec.by_opcode)
    known: dict[bytes, tuple[str, str]] = {}  # of instructions without a target
    for pc, end in pairwise(chain(instruction_pcs(blob), (size,))):
        opcode = code[pc]
        if pc in notes:
            yield from notes[pc]
        if marks[pc]:
            yield f"l{pc}:"
        found = None if jumps[opcode] else known.get(code[pc:end])
        if found is None or not starts[pc]:
            found = text.line(pc)
            # Not what raw octets mean, which may depend on those after them.
            if not jumps[opcode] and not found[0].startswith(_RAW) and starts[pc]:
                if len(known) == _KEPT_TEXTS:
                    known.clear()
                known[code[pc:end]] = found
        before, after = found
        yield f"{before}{pc}{after}"
        if ends[opcode] and starts[pc]:
            yield ""
    if marks[size]:
        yield f"l{size}:"


@dataclass(frozen=True)
class _Text:
    """What lines depend on: `plain` of `_Jumps`, `widened` of `_widened`, `returns` of `_dynamic_addresses`."""

    program: Program
    spec: Spec
    labels: _Labels
    plain: bytes
    widened: bytes
    returns: Mapping[int, str]

    def line(self, pc: int) -> tuple[str, str]:
        """The line of an instruction, before and after its pc."""
        blob = self.program.blob
        instruction = decode_at(blob, self.spec, pc)

        def label_of(target: int) -> str:
            return self.labels.name(target) or (f"pc + {target - pc}" if target >= pc else f"pc - {pc - target}")

        widths = {} if self.plain[pc] else _written_widths(blob, instruction)
        if widths is None:
            octets = f"0x{blob.code[pc : instruction.next_pc].hex()} ; "
            if blob.starts[pc]:
                return _RAW + octets, f" {format_instruction(instruction, label_of)}"
            return f"{_INDENT}.unmarked {octets}", " trap ; not marked"
        if self.widened[pc]:
            widths[instruction.row.format.immediates[-1].name] = _width(pc, _target(instruction))
        is_call = instruction.row.name == _HOST_CALL
        symbol = call_symbol(self.program, instruction.x, self.spec) if is_call else None
        text = _format(instruction, label_of, widths, self.returns)
        return f"{_INDENT}{text:<39} ; ", f" {shown_name(symbol)}" if symbol else ""


def _written_widths(blob: Blob, instruction: Instruction) -> dict[str, int] | None:
    """The widths to write, all that are not the least; None when the assembler cannot make these octets."""
    pc, row = instruction.pc, instruction.row
    if not blob.starts[pc] or not instruction.valid:
        return None
    octets = blob.code[pc : instruction.next_pc]
    widths = widths_in(row.format, octets)
    if widths is None:
        return None
    values = {name: getattr(instruction, name) for name in row.format.fields}
    written = {}
    for field, width in zip(row.format.immediates, widths, strict=True):
        if field.offset:
            values[field.name] -= pc
        if not field.wide and width != width_of(values[field.name] if field.offset else signed64(values[field.name])):
            written[field.name] = width
    return written if encode_instruction(row.format, octets[0], values, widths) == octets else None


def _widened(blob: Blob, jumps: _Jumps, labels: _Labels) -> bytes:
    """Which jumps to a label need their width written although it is the least: 1 for each such pc.

    They are those for which `fit_offsets` would choose another. An offset that reaches over its own octets, or over
    other such offsets, can be the least in two layouts. Once those are written the others stay as they are, except
    where `fit_offsets` gives up: then all widths are written.
    """
    widened = bytearray(len(blob.code) + 1)
    fitted = bytes(map(and_, jumps.is_least, map(labels.__contains__, jumps.targets)))
    pcs, targets = _only(jumps.pcs, fitted), _only(jumps.targets, fitted)
    for attempt in range(_MAX_ATTEMPTS + 1):
        widths = bytes(map(_width, pcs, targets))
        kept = bytes(map(int.__eq__, widths, _chosen_widths(pcs, targets, widths)))
        if attempt == _MAX_ATTEMPTS:
            kept = bytes(len(pcs))
        for pc in compress(pcs, map(not_, kept)):
            widened[pc] = 1
        if all(kept):
            break
        pcs, targets = _only(pcs, kept), _only(targets, kept)
    return bytes(widened)


def _only(numbers: array[int], wanted: bytes) -> array[int]:
    return array("q", compress(numbers, wanted))


def _width(pc: int, target: int | None) -> int:
    """The least width of the offset from a pc to a target."""
    return 0 if target is None else width_of(target - pc)


def _chosen_widths(pcs: array[int], targets: array[int], widths: bytes) -> list[int]:
    """What `fit_offsets` makes of jumps, which have their widths now."""
    before = list(accumulate(widths, initial=0))
    offsets = []
    for index, (pc, target) in enumerate(zip(pcs, targets, strict=True)):
        target_index = bisect_left(pcs, target)
        offsets.append(Offset(pc - before[index], target - before[target_index], target_index))
    return fit_offsets(offsets)
