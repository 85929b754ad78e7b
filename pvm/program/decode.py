"""Decoding: instruction data to instructions.

In: a `Blob` and a `Spec`. Out: `Instruction` values. Follows A.2 (skip), A.3 (blocks) and A.5 (operands).

Execution visits the positions 0, 0 + 1 + skip(0), ...: every opcode that the bitmask marks, and after 24 unmarked
octets also a position that it does not mark. `decode` yields exactly these. What is executed at a pc is the paper's
opcode(pc): a trap wherever the bitmask marks no opcode, or an undefined one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain, compress
from typing import NamedTuple

from pvm.isa.expr import MASK64
from pvm.isa.formats import Format, ImmediateField
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.isa.table import BY_NAME, Row
from pvm.program.blob import Blob, Code, blob_of

MAX_SKIP = 24  # octets
# Of a valid program in 0.8.0. The text has no such limits; upstream's changelog of 2026-09-10 and #559 have them.
MAX_CODE, MAX_JUMP_TABLE = 1 << 25, 1 << 24  # octets, entries
LAST_REGISTER = 12
_ZEROS = bytes(32)  # what the paper's zeta has after the code

TRAP = BY_NAME["trap"]


class Instruction(NamedTuple):
    """One decoded instruction; operands that its format lacks are 0.

    `x` and `y` are unsigned 64-bit immediates, or for offsets the target's pc (which may lie outside the code).
    An opcode that is undefined or not marked decodes to the row of `trap` with `valid` False.
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


def decode_at(blob: Blob, spec: Spec | str, pc: int) -> Instruction:
    """The instruction at any pc: a trap where the bitmask marks none, and beyond the code."""
    spec = find_spec(spec)
    if pc >= len(blob.code):
        return Instruction(pc, 1, TRAP)
    length = skip(blob.starts, pc) + 1
    row = spec.by_opcode[blob.code[pc]] if blob.starts[pc] else None
    if row is None:
        return Instruction(pc, length, TRAP, valid=False)
    return Instruction(pc, length, row, *_operand_reader(row.format)(blob.padded, pc, length - 1))


def decode_octets(octets: bytes, length: int, spec: Spec) -> Instruction:
    """The instruction of `length` octets at the start of `octets`, as if at pc 0: its offsets are relative to it."""
    row = spec.by_opcode[octets[0]]
    if row is None:
        return Instruction(0, length, TRAP, valid=False)
    return Instruction(0, length, row, *_operand_reader(row.format)(octets + _ZEROS, 0, length - 1))


def decode(blob: Code, spec: Spec | str) -> Iterator[Instruction]:
    """All instructions that execution from pc 0 can visit, by pc, without the implicit trap after the end."""
    blob, spec, pc = blob_of(blob), find_spec(spec), 0
    while pc < len(blob.code):
        instruction = decode_at(blob, spec, pc)
        yield instruction
        pc += instruction.length


def is_instruction(blob: Blob, spec: Spec, pc: int) -> bool:
    """Whether the bitmask marks a defined opcode at `pc`, which may lie anywhere."""
    return 0 <= pc < len(blob.code) and blob.starts[pc] == 1 and spec.by_opcode[blob.code[pc]] is not None


def instruction_pcs(blob: Blob) -> Iterator[int]:
    """The pcs of `decode`, without decoding anything."""
    size, before = len(blob.code), 0
    if not size:
        return
    yield 0
    for pc in chain(compress(range(1, size), memoryview(blob.starts)[1:]), (size,)):
        while pc - before > MAX_SKIP + 1:
            before += MAX_SKIP + 1
            yield before
        if pc < size:
            yield pc
        before = pc


def block_starts(blob: Code, spec: Spec | str) -> frozenset[int]:
    """The paper's set of pcs where basic blocks begin, the only legal targets of jumps (A.3)."""
    blob, spec = blob_of(blob), find_spec(spec)
    ends = bytes(row is not None and row.ends_block for row in spec.by_opcode)
    starts, code = blob.starts, blob.code
    found = {0}
    pc = starts.find(1)
    while pc >= 0:
        if ends[code[pc]]:
            found.add(pc + 1 + skip(starts, pc))
        pc = starts.find(1, pc + 1)
    return frozenset(pc for pc in found if is_instruction(blob, spec, pc))


def is_valid(blob: Code, spec: Spec | str) -> bool:
    """0.8.0's check of the whole program: valid opcodes from 0 to the very end, the last a terminator (A.1).

    What is larger than `MAX_CODE` or `MAX_JUMP_TABLE` is not valid either.
    """
    return invalid_at(blob, spec) is None


def invalid_at(blob: Code, spec: Spec | str) -> str | None:
    """What that check finds first, or None. Remembered for the last programs, because every machine asks for it."""
    return _invalid_at(blob_of(blob), find_spec(spec))


@lru_cache(maxsize=16)
def _invalid_at(blob: Blob, spec: Spec) -> str | None:
    if len(blob.code) > MAX_CODE:
        return f"there are {len(blob.code):,} octets of code, more than {MAX_CODE:,}"
    if blob.jump_count > MAX_JUMP_TABLE:
        return f"there are {blob.jump_count:,} jump table entries, more than {MAX_JUMP_TABLE:,}"
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


def is_entry(blob: Blob, spec: Spec | str, pc: int) -> bool:
    """Whether a machine may be entered at `pc`: always in 0.7.2, only at an instruction in 0.8.0 (A.1)."""
    spec = find_spec(spec)
    return not spec.validates or is_instruction(blob, spec, pc)


_Operands = tuple[int, int, int, int, int]
_Reader = Callable[[bytes, int, int], _Operands]


@cache
def _operand_reader(format: Format) -> _Reader:
    """A function (padded code, pc, skip length) -> (a, b, d, x, y) for one format.

    It runs for every instruction that is decoded, in 0.6 microseconds.
    """
    x, y = ({field.name: field for field in format.immediates}.get(name) for name in "xy")
    by_octet, last = _register_table(format), max((field.octet for field in format.registers), default=0)
    if x is None:
        if last < 2:
            return lambda code, pc, length: (*by_octet[code[pc + 1]], 0, 0)
        return lambda code, pc, length: (*by_octet[code[pc + 1]][:2], min(code[pc + 2], LAST_REGISTER), 0, 0)
    if y is None:
        return _reader_of_one(x, by_octet)
    return _reader_of_two(x, y, by_octet)


def _reader_of_one(x: ImmediateField, by_octet: Sequence[tuple[int, int, int]]) -> _Reader:
    start, used, is_offset = x.start, x.used, x.offset

    def read(code: bytes, pc: int, length: int) -> _Operands:
        a, b, d = by_octet[code[pc + 1]]
        at = pc + start
        if x.wide:
            return a, b, d, int.from_bytes(code[at : at + 8], "little"), 0
        octets = length - used  # below 0 where the instruction is too short, and then there are none
        value = int.from_bytes(code[at : at + (octets if octets < 4 else 4)], "little", signed=True)
        return a, b, d, pc + value if is_offset else value & MASK64, 0

    return read


def _reader_of_two(
    x: ImmediateField, y: ImmediateField, by_octet: Sequence[tuple[int, int, int]]
) -> _Reader:
    def read(code: bytes, pc: int, length: int) -> _Operands:
        a, b, d = by_octet[code[pc + 1]]
        x_length = immediate_length(code, pc, x, length)
        y_length = min(4, max(0, length - x_length - y.used))
        at = pc + y.start + x_length
        value = int.from_bytes(code[pc + x.start : pc + x.start + x_length], "little", signed=True)
        second = int.from_bytes(code[at : at + y_length], "little", signed=True)
        return a, b, d, value & MASK64, pc + second if y.offset else second & MASK64

    return read


def _register_table(format: Format) -> list[tuple[int, int, int]]:
    """The registers a, b and d that the octet after the opcode names, 0 for those that it does not."""
    fields = {field.name: field for field in format.registers if field.octet == 1}

    def number(name: str, octet: int) -> int:
        field = fields.get(name)
        return min(octet >> field.shift & field.mask, LAST_REGISTER) if field else 0

    return [(number("a", octet), number("b", octet), number("d", octet)) for octet in range(256)]


def immediate_length(code: bytes, pc: int, field: ImmediateField, length: int) -> int:
    """How many octets an immediate of the instruction at a pc has, which skips `length`; `code` is padded."""
    if field.wide:
        return 8
    if field.length_octet is not None:
        return min(4, (code[pc + field.length_octet] >> field.length_shift) & 7)
    return min(4, max(0, length - field.used))
