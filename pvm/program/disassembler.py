"""Disassembler: programs to text.

In: a `Program` and a `Spec`. Out: text in the language of `pvm.program.assembler`, from which the assembler makes
the same program again, octet for octet, and which shows exactly the instructions that execution can visit (A.2, A.5):

    l12:
        branch_ne_imm   r8, 0, l20              ; 12

        load_ind_u64    r7, [r1 + 8/4]          ; 16

A line ends with its pc, an empty line ends a basic block, and labels are called by their pc. Octets that the
assembler would not make from any instruction become `.raw` with the instruction in a comment. Positions that are
executed although the bitmask does not mark them (the first, and after 24 unmarked octets) become `.unmarked`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from pvm.isa.expr import signed64
from pvm.isa.spec import GP_072, Spec
from pvm.isa.spec import spec as find_spec
from pvm.printable import escaped
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
from pvm.program.decode import Instruction, decode
from pvm.program.facts import call_symbol
from pvm.program.program import Program
from pvm.program.standard import Sections

_INDENT = "    "
_OCTETS_A_LINE = 32
_ENTRIES_A_LINE = 8
_HOST_CALL = "ecalli"
_MAX_ATTEMPTS = 3  # to find the widths of offsets that need not be written
_ZEROS = re.compile(rb"\0*")


def disassemble(program: Program, spec: Spec | str = GP_072) -> str:
    """The whole text of a program, about 60 characters an instruction. No program makes it fail."""
    return "\n".join(disassemble_lines(program, spec)) + "\n"


def disassemble_lines(program: Program, spec: Spec | str = GP_072) -> Iterator[str]:
    """The same text line by line, for those who do not need all of it."""
    spec = find_spec(spec)
    yield from _container_lines(program)
    yield from _header_lines(program)
    instructions = list(decode(program.blob, spec))
    labels = _labelled(program.blob, instructions)
    yield from _jump_table_lines(program.blob, labels)
    yield ".code"
    yield from _code_lines(program, spec, instructions, labels)


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
            yield f"; import {number} {escaped(symbol)}"


def _notes(program: Program) -> dict[int, list[str]]:
    """A PolkaVM blob's exports and functions by the pc where they begin, as comments."""
    notes: dict[int, list[str]] = {}
    if program.polkavm is not None:
        for export in program.polkavm.exports:
            notes.setdefault(export.pc, []).append(f"; export {escaped(export.name)}")
        for function in program.polkavm.functions:
            notes.setdefault(function.pc, []).append(f"; function {escaped(function.name)}")
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


def _jump_table_lines(blob: Blob, labels: Mapping[int, str]) -> Iterator[str]:
    size, table = blob.jump_entry_size, blob.stored_entries
    if not size:
        if blob.jump_count:
            yield f".jump_table entry_size=0 count={blob.jump_count}"
        return
    setting = f" entry_size={size}"
    for at in range(0, len(table) or 1, _ENTRIES_A_LINE):
        entries = (labels.get(entry) or _number(entry) for entry in table[at : at + _ENTRIES_A_LINE])
        yield f".jump_table{setting} {', '.join(entries)}".rstrip()
        setting = ""


# --- code --------------------------------------------------------------------------------------------------------


def _target(instruction: Instruction) -> int | None:
    """The pc of a jump's or branch's target."""
    fields = instruction.row.format.immediates
    if not fields or not fields[-1].offset:
        return None
    return instruction.x if fields[-1].name == "x" else instruction.y


def _labelled(blob: Blob, instructions: list[Instruction]) -> dict[int, str]:
    """Labels of the visited pcs, and of the end, that are a target or in the jump table."""
    pcs = {instruction.pc for instruction in instructions} | {len(blob.code)}
    wanted = {target for instruction in instructions if (target := _target(instruction)) is not None}
    return {pc: f"l{pc}" for pc in sorted(pcs & (wanted | blob.jump_targets))}


def _dynamic_addresses(blob: Blob, labels: Mapping[int, str]) -> dict[int, str]:
    """Labels by the dynamic address that `@` gives for them: that of their first entry, which takes octets."""
    first = {pc: index for index, pc in reversed(list(enumerate(blob.stored_entries)))}
    return {2 * (index + 1): labels[pc] for pc, index in first.items() if pc in labels}


def _code_lines(
    program: Program, spec: Spec, instructions: list[Instruction], labels: Mapping[int, str]
) -> Iterator[str]:
    blob, notes = program.blob, _notes(program)
    written = [_written_widths(blob, spec, instruction) for instruction in instructions]
    _keep_fitting(instructions, written, labels)
    returns = _dynamic_addresses(blob, labels)
    for instruction, widths in zip(instructions, written, strict=True):
        pc = instruction.pc
        yield from notes.get(pc, ())
        if pc in labels:
            yield f"{labels[pc]}:"

        def label_of(target: int, pc: int = pc) -> str:
            return labels.get(target) or (f"pc + {target - pc}" if target >= pc else f"pc - {pc - target}")

        if widths is not None:
            text = _format(instruction, label_of, widths, returns)
            symbol = call_symbol(program, instruction.x, spec) if instruction.row.name == _HOST_CALL else None
            yield f"{_INDENT}{text:<39} ; {pc}{f' {escaped(symbol)}' if symbol else ''}"
        else:
            octets = blob.code[pc : instruction.next_pc].hex()
            if blob.starts[pc]:
                yield f"{_INDENT}.raw 0x{octets} ; {pc} {format_instruction(instruction, label_of)}"
            else:
                yield f"{_INDENT}.unmarked 0x{octets} ; {pc} trap ; not marked"
        if blob.starts[pc] and instruction.valid and instruction.row.ends_block:
            yield ""
    if len(blob.code) in labels:
        yield f"{labels[len(blob.code)]}:"


def _written_widths(blob: Blob, spec: Spec, instruction: Instruction) -> dict[str, int] | None:
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


def _keep_fitting(
    instructions: list[Instruction], written: list[dict[str, int] | None], labels: Mapping[int, str]
) -> None:
    """Also write those widths that `fit_offsets` would not choose although they are the least for their offset.

    An offset that reaches over its own octets, or over other such offsets, can be the least in two layouts. Once those
    are written the others stay as they are, except where `fit_offsets` gives up: then all widths are written.
    """
    fitted = [
        _Fitted(instruction, target, instruction.row.format.immediates[-1].name, widths)
        for instruction, widths in zip(instructions, written, strict=True)
        if widths is not None and (target := _target(instruction)) in labels and target is not None
    ]
    fitted = [branch for branch in fitted if branch.field not in branch.widths]
    for _ in range(_MAX_ATTEMPTS):
        chosen = _chosen_widths(fitted)
        different = [branch for branch, width in zip(fitted, chosen, strict=True) if branch.width != width]
        if not different:
            return
        for branch in different:
            branch.widths[branch.field] = branch.width
        fitted = [branch for branch in fitted if branch.field not in branch.widths]
    for branch in fitted:
        branch.widths[branch.field] = branch.width


class _Fitted(NamedTuple):
    """A branch to a label whose width need not be written, so far."""

    instruction: Instruction
    target: int
    field: str
    widths: dict[str, int]

    @property
    def width(self) -> int:
        return width_of(self.target - self.instruction.pc)


def _chosen_widths(fitted: list[_Fitted]) -> list[int]:
    """What `fit_offsets` makes of them."""
    before = list(accumulate((branch.width for branch in fitted), initial=0))
    pcs = [branch.instruction.pc for branch in fitted]
    offsets = []
    for index, branch in enumerate(fitted):
        target_index = bisect_left(pcs, branch.target)
        offsets.append(Offset(pcs[index] - before[index], branch.target - before[target_index], target_index))
    return fit_offsets(offsets)
