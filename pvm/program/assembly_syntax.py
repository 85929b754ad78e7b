"""What assembler and disassembler share: the operands of each row in text, and their encoding.

In: rows of the instruction table. Out: `operands_of`, the written form, derived from a row's format and effects;
`encode_instruction`, the inverse of `pvm.program.decode` (A.5); `fit_offsets`, the widths of branch offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from pvm.isa.expr import Binary, DynamicJump, Effect, Expr, Imm, Load, Reg, Sbrk, SetReg, Store, walk
from pvm.isa.formats import Format
from pvm.isa.table import Row

REGISTER_NAMES: tuple[str, ...] = tuple(f"r{number}" for number in range(13))
_ALIASES = ("ra", "sp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5")
REGISTERS: dict[str, int] = {
    name: number for names in (REGISTER_NAMES, _ALIASES) for number, name in enumerate(names)
}

MAX_WIDTH = 4  # octets of an immediate that is not `wide`
MAX_PASSES = 16  # of `fit_offsets`, before it settles for wider offsets


class Kind(Enum):
    """How an operand is written."""

    REGISTER = "a register"
    IMMEDIATE = "a value"
    MEMORY = "[register + value] or [address]"
    INDIRECT = "register + value"
    TARGET = "a label"


class Operand(NamedTuple):
    """One written operand: the operand fields that it stands for, "" where there is none.

    `wraps`: only the value's low 32 bits matter, so that it may also be written as an unsigned 32-bit number.
    """

    kind: Kind
    register: str = ""
    immediate: str = ""
    wraps: bool = False


@cache
def operands_of(row: Row) -> tuple[Operand, ...]:
    """The operands of a row as they are written: destinations first, then in the order of the format."""
    shown: list[Operand] = []
    for effect in row.effects:
        for operand in _operands_of_effect(row.format, effect):
            if operand not in shown:
                shown.append(operand)
    return tuple(shown)


def usage(row: Row) -> str:
    """An instruction with its operands' names, for messages: `load_ind_u8 rA, [rB + x]`."""
    shown = []
    for operand in operands_of(row):
        text = " + ".join(filter(None, (operand.register and "r" + operand.register.upper(), operand.immediate)))
        shown.append(f"[{text}]" if operand.kind is Kind.MEMORY else "label" if operand.kind is Kind.TARGET else text)
    return f"{row.name} {', '.join(shown)}".rstrip()


def _operands_of_effect(format: Format, effect: Effect) -> list[Operand]:
    shown: list[Operand] = []
    addresses: list[Expr] = []
    if isinstance(effect, SetReg | Sbrk):
        shown.append(Operand(Kind.REGISTER, effect.field))
    if isinstance(effect, DynamicJump):
        shown.append(_address(Kind.INDIRECT, effect.address))
        addresses.append(effect.address)
    for node in walk(effect):
        if isinstance(node, Load | Store):
            shown.append(_address(Kind.MEMORY, node.address))
            addresses.append(node.address)
    grouped = {name for address in addresses for name in _fields(address)}
    rest = _fields(effect) - grouped - {operand.register for operand in shown}
    word = isinstance(effect, Store) and effect.width == 4
    shown += [Operand(Kind.REGISTER, f.name) for f in format.registers if f.name in rest]
    shown += [
        Operand(Kind.TARGET if f.offset else Kind.IMMEDIATE, "", f.name, wraps=word)
        for f in format.immediates
        if f.name in rest
    ]
    return shown


def _fields(node: Expr | Effect) -> set[str]:
    return {below.field for below in walk(node) if isinstance(below, Reg | Imm)}


def _address(kind: Kind, address: Expr) -> Operand:
    match address:
        case Imm(field):
            return Operand(kind, "", field, wraps=True)
        case Binary("add", Reg(register), Imm(field)):
            return Operand(kind, register, field, wraps=True)
    raise AssertionError(f"an address of another shape: {address}")


def width_of(value: int) -> int:
    """The least number of octets from which sign extension gives back the signed `value`; 0 for 0."""
    return (value if value >= 0 else ~value).bit_length() // 8 + 1 if value else 0


@cache
def head_size(format: Format) -> int:
    """Octets before the first immediate, with the opcode."""
    if format.immediates:
        return format.immediates[0].start
    return 1 + max((field.octet for field in format.registers), default=0)


def encode_instruction(format: Format, opcode: int, values: Mapping[str, int], widths: Sequence[int]) -> bytes:
    """The octets of one instruction.

    `values` holds its operand fields (an offset relative to its pc); `widths` the octets of each immediate.
    """
    octets = bytearray(head_size(format))
    octets[0] = opcode
    for register in format.registers:
        octets[register.octet] |= values[register.name] << register.shift
    for immediate, width in zip(format.immediates, widths, strict=True):
        if immediate.length_octet is not None:
            octets[immediate.length_octet] |= width << immediate.length_shift
        octets += (values[immediate.name] & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return bytes(octets)


def widths_in(format: Format, octets: bytes) -> tuple[int, ...] | None:
    """The widths with which `encode_instruction` could have made these octets; None when no widths could."""
    left = len(octets) - head_size(format)
    widths: list[int] = []
    for index, immediate in enumerate(format.immediates):
        if left < 0:
            return None
        if index < len(format.immediates) - 1 and immediate.length_octet is not None:
            width = octets[immediate.length_octet] >> immediate.length_shift
        else:
            width = left
        if width != 8 if immediate.wide else width > MAX_WIDTH:
            return None
        widths.append(width)
        left -= width
    return None if left else tuple(widths)


class Offset(NamedTuple):
    """A branch whose offset's width is to be found.

    Positions count octets without any such offset: `base` of the instruction, `target_base` of its target, which
    comes after `target_index` such offsets.
    """

    base: int
    target_base: int
    target_index: int


def fit_offsets(offsets: Sequence[Offset]) -> list[int]:
    """The octets that each offset, in the order of the code, needs. Takes linear time.

    Widths start at 0 and grow, which ends at the least that are enough. A long chain of branches, each widened by the
    next, could take a pass a branch; after `MAX_PASSES` each offset gets what it needs if all others have 4 octets.
    """
    widths = [0] * len(offsets)
    for _ in range(MAX_PASSES):
        needed = _needed(offsets, widths)
        if needed == widths:
            return widths
        widths = needed
    return _needed(offsets, [MAX_WIDTH] * len(offsets))


def _needed(offsets: Sequence[Offset], widths: Sequence[int]) -> list[int]:
    before = list(accumulate(widths, initial=0))
    return [
        width_of(target + before[target_index] - base - before[index])
        for index, (base, target, target_index) in enumerate(offsets)
    ]
