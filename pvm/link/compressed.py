"""RISC-V's instructions of 16 bits (C): each stands for one of 32 bits.

In: a half word. Out: the `Decoded` of what it stands for, with 2 as its size. Raises InputError.
"""

from __future__ import annotations

from functools import cache

from pvm.errors import InputError
from pvm.link.riscv import ROWS, Decoded

_BY_NAME = {row.name: row for row in ROWS}


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


@cache
def expand(half: int) -> Decoded:
    """The instruction in a half word. Raises InputError for one that means nothing, or uses floating point."""
    found = _expand(half)
    if found is None:
        raise InputError(f"{half:#06x} is no instruction of RV64C without floating point")
    name, rd, rs1, rs2, imm = found
    return Decoded(_BY_NAME[name], rd, rs1, rs2, imm, 2)


def _expand(half: int) -> tuple[str, int, int, int, int] | None:
    def bits(high: int, low: int) -> int:
        return half >> low & ((1 << (high - low + 1)) - 1)

    full, second = bits(11, 7), bits(6, 2)
    small, other = 8 + bits(9, 7), 8 + bits(4, 2)
    imm6 = _signed(bits(12, 12) << 5 | second, 6)
    shift = bits(12, 12) << 5 | second
    word = bits(5, 5) << 6 | bits(12, 10) << 3 | bits(6, 6) << 2
    double = bits(6, 5) << 6 | bits(12, 10) << 3
    match half & 3, bits(15, 13):
        case 0, 0:
            if not half:
                return "unimp", 0, 0, 0, 0
            imm = bits(10, 7) << 6 | bits(12, 11) << 4 | bits(5, 5) << 3 | bits(6, 6) << 2
            return ("addi", other, 2, 0, imm) if imm else None
        case 0, 2:
            return "lw", other, small, 0, word
        case 0, 3:
            return "ld", other, small, 0, double
        case 0, 6:
            return "sw", 0, small, other, word
        case 0, 7:
            return "sd", 0, small, other, double
        case 1, 0:
            return "addi", full, full, 0, imm6
        case 1, 1:
            return ("addiw", full, full, 0, imm6) if full else None
        case 1, 2:
            return "addi", full, 0, 0, imm6
        case 1, 3:
            if full == 2:
                imm = bits(12, 12) << 9 | bits(4, 3) << 7 | bits(5, 5) << 6 | bits(2, 2) << 5 | bits(6, 6) << 4
                return ("addi", 2, 2, 0, _signed(imm, 10)) if imm else None
            return ("lui", full, 0, 0, imm6 << 12) if imm6 else None
        case 1, 4:
            return _arithmetic(bits(11, 10), bits(12, 12) << 2 | bits(6, 5), small, other, shift, imm6)
        case 1, 5:
            imm = (bits(12, 12) << 11 | bits(8, 8) << 10 | bits(10, 9) << 8 | bits(6, 6) << 7 | bits(7, 7) << 6
                   | bits(2, 2) << 5 | bits(11, 11) << 4 | bits(5, 3) << 1)  # fmt: skip
            return "jal", 0, 0, 0, _signed(imm, 12)
        case 1, (6 | 7) as which:
            imm = bits(12, 12) << 8 | bits(6, 5) << 6 | bits(2, 2) << 5 | bits(11, 10) << 3 | bits(4, 3) << 1
            return "beq" if which == 6 else "bne", 0, small, 0, _signed(imm, 9)
        case 2, 0:
            return "slli", full, full, 0, shift
        case 2, 2:
            return ("lw", full, 2, 0, bits(3, 2) << 6 | bits(12, 12) << 5 | bits(6, 4) << 2) if full else None
        case 2, 3:
            return ("ld", full, 2, 0, bits(4, 2) << 6 | bits(12, 12) << 5 | bits(6, 5) << 3) if full else None
        case 2, 4:
            if second:
                return "add", full, full if bits(12, 12) else 0, second, 0
            if not full:
                return ("ebreak", 0, 0, 0, 0) if bits(12, 12) else None
            return "jalr", bits(12, 12), full, 0, 0
        case 2, 6:
            return "sw", 0, 2, second, bits(8, 7) << 6 | bits(12, 9) << 2
        case 2, 7:
            return "sd", 0, 2, second, bits(9, 7) << 6 | bits(12, 10) << 3
    return None


def _arithmetic(
    group: int, which: int, rd: int, rs2: int, shift: int, imm: int
) -> tuple[str, int, int, int, int] | None:
    if group < 3:
        name = ("srli", "srai", "andi")[group]
        return name, rd, rd, 0, imm if group == 2 else shift
    name = ("sub", "xor", "or", "and", "subw", "addw", "", "")[which]
    return (name, rd, rd, rs2, 0) if name else None
