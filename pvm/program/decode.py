"""Decoding: instruction data to instructions.

In: a `Blob` and a `Spec`. Out: `Instruction` values. Follows A.2 (skip), A.3 (blocks) and A.5 (operands).

Execution visits the positions 0, 0 + 1 + skip(0), ...: every opcode that the bitmask marks, and after 24 unmarked
octets also a position that it does not mark. `decode` yields exactly these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from pvm.isa.expr import MASK64
from pvm.isa.formats import Format, ImmediateField, RegisterField
from pvm.isa.spec import Spec
from pvm.isa.table import BY_NAME, Row
from pvm.program.blob import Blob

MAX_SKIP = 24  # octets
LAST_REGISTER = 12
_ZEROS = bytes(32)  # what the paper's zeta has after the code

TRAP = BY_NAME["trap"]


class Instruction(NamedTuple):
    """One decoded instruction; operands that its format lacks are 0.

    `x` and `y` are unsigned 64-bit immediates, or for offsets the target's pc (which may lie outside the code).
    An invalid opcode decodes to the row of `trap` with `valid` False.
    """

    pc: int
    length: int
    row: Row
    a: int = 0
    b: int = 0
    d: int = 0
    x: int = 0
    y: int = 0
    valid: bool = True

    @property
    def next_pc(self) -> int:
        """The pc of the instruction after it."""
        return self.pc + self.length


def skip(starts: bytes, pc: int) -> int:
    """The paper's skip(pc): octets between an opcode and the next one. `starts` is `Blob.starts`."""
    found = starts.find(1, pc + 1, pc + 1 + MAX_SKIP)
    if found < 0:
        return min(MAX_SKIP, max(0, len(starts) - pc - 1))
    return found - pc - 1


def decode_at(blob: Blob, spec: Spec, pc: int) -> Instruction:
    """The instruction at any pc, whether or not the bitmask marks it; beyond the code it is a trap."""
    if pc >= len(blob.code):
        return Instruction(pc, 1, TRAP)
    length = skip(blob.starts, pc) + 1
    row = spec.by_opcode[blob.code[pc]]
    if row is None:
        return Instruction(pc, length, TRAP, valid=False)
    return Instruction(pc, length, row, *_operand_reader(row.format)(blob.padded, pc, length - 1))


def decode_octets(octets: bytes, length: int, spec: Spec) -> Instruction:
    """The instruction of `length` octets at the start of `octets`, as if at pc 0: its offsets are relative to it."""
    row = spec.by_opcode[octets[0]]
    if row is None:
        return Instruction(0, length, TRAP, valid=False)
    return Instruction(0, length, row, *_operand_reader(row.format)(octets + _ZEROS, 0, length - 1))


def is_closed(octets: bytes, spec: Spec) -> bool:
    """Whether an instruction's own octets say all about it. Operands may lie beyond them, in the next instruction."""
    row = spec.by_opcode[octets[0]]
    if row is None:
        return True
    fixed, length_field = _fixed_octets(row.format)
    if len(octets) < fixed:
        return False
    if length_field is None:
        return True
    return length_field.start + _immediate_length(octets, 0, length_field, len(octets) - 1) <= len(octets)


def decode(blob: Blob, spec: Spec) -> Iterator[Instruction]:
    """All instructions that execution from pc 0 can visit, by pc, without the implicit trap after the end."""
    pc = 0
    while pc < len(blob.code):
        instruction = decode_at(blob, spec, pc)
        yield instruction
        pc += instruction.length


def block_starts(blob: Blob, spec: Spec) -> frozenset[int]:
    """The paper's set of pcs where basic blocks begin, the only legal targets of jumps (A.3)."""
    ends = bytes(row is not None and row.ends_block for row in spec.by_opcode)
    starts, code = blob.starts, blob.code
    found = {0}
    pc = starts.find(1)
    while pc >= 0:
        if ends[code[pc]]:
            found.add(pc + 1 + skip(starts, pc))
        pc = starts.find(1, pc + 1)
    if spec.validates:
        found = {n for n in found if n < len(code) and starts[n] and spec.by_opcode[code[n]] is not None}
    return frozenset(found)


def is_valid(blob: Blob, spec: Spec) -> bool:
    """0.8.0's check of the whole program: valid opcodes from 0 to the very end, the last a terminator (A.1)."""
    return invalid_at(blob, spec) is None


@lru_cache(maxsize=16)
def invalid_at(blob: Blob, spec: Spec) -> str | None:
    """What that check finds first, or None. Remembered for the last programs, because every machine asks for it."""
    pc, before, end, starts = 0, 0, len(blob.code), blob.starts
    last: Row | None = None
    while pc < end:
        last = spec.by_opcode[blob.code[pc]]
        if not starts[pc]:
            return f"the bitmask marks no instruction at pc {pc}"
        if last is None:
            return f"the opcode {blob.code[pc]} at pc {pc} is invalid"
        before, pc = pc, pc + 1 + skip(starts, pc)
    if last is None:
        return "there is no code"
    return None if last.ends_block else f"the last instruction, at pc {before}, does not end a block"


def is_entry(blob: Blob, spec: Spec, pc: int) -> bool:
    """Whether a machine may be entered at `pc`: always in 0.7.2, only at an instruction in 0.8.0 (A.1)."""
    if not spec.validates:
        return True
    return pc < len(blob.code) and blob.starts[pc] == 1 and spec.by_opcode[blob.code[pc]] is not None


_Operands = tuple[int, int, int, int, int]


@cache
def _operand_reader(format: Format) -> Callable[[bytes, int, int], _Operands]:
    """A function (padded code, pc, skip length) -> (a, b, d, x, y) for one format. It runs for every instruction."""
    registers = {field.name: field for field in format.registers}
    a, b, d = (registers.get(name) for name in "abd")
    x, y = ({field.name: field for field in format.immediates}.get(name) for name in "xy")

    def read(code: bytes, pc: int, length: int) -> _Operands:
        a_number = _register(code, pc, a) if a else 0
        b_number = _register(code, pc, b) if b else 0
        d_number = _register(code, pc, d) if d else 0
        if x is None:
            return a_number, b_number, d_number, 0, 0
        x_length = _immediate_length(code, pc, x, length)
        x_value = _immediate(code, pc, x, x.start, x_length)
        if y is None:
            return a_number, b_number, d_number, x_value, 0
        y_length = min(4, max(0, length - x_length - y.used))
        return a_number, b_number, d_number, x_value, _immediate(code, pc, y, y.start + x_length, y_length)

    return read


@cache
def _fixed_octets(format: Format) -> tuple[int, ImmediateField | None]:
    """Octets that the operands take however long the instruction is, and the immediate that names its own length."""
    ends = [field.octet for field in format.registers]
    named = None
    for field in format.immediates:
        if field.wide:
            ends.append(field.start + 7)
        if field.length_octet is not None:
            ends.append(field.length_octet)
            named = field
    return 1 + max(ends, default=0), named


def _register(code: bytes, pc: int, field: RegisterField) -> int:
    number = (code[pc + field.octet] >> field.shift) & field.mask
    return number if number < LAST_REGISTER else LAST_REGISTER


def _immediate_length(code: bytes, pc: int, field: ImmediateField, length: int) -> int:
    if field.wide:
        return 8
    if field.length_octet is not None:
        return min(4, (code[pc + field.length_octet] >> field.length_shift) & 7)
    return min(4, max(0, length - field.used))


def _immediate(code: bytes, pc: int, field: ImmediateField, start: int, length: int) -> int:
    start += pc
    value = int.from_bytes(code[start : start + length], "little", signed=not field.wide)
    return pc + value if field.offset else value & MASK64
