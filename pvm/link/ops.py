"""PVM instructions before they have places: what `lower` makes, `fuse` and `dead` change, and `write` encodes.

In: the instruction table. Out: `Op`, and which registers each reads and writes.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pvm.isa.expr import (
    BINARY,
    MASK64,
    UNARY,
    Binary,
    Const,
    DynamicJump,
    Expr,
    HostCall,
    If,
    Imm,
    Jump,
    Load,
    Panic,
    Reg,
    Sbrk,
    SetReg,
    Unary,
    signed64,
    walk,
)
from pvm.isa.table import BY_NAME, Row

ZERO = 13  # a register that is always 0, as RISC-V's x0: no instruction that is written has it
REGISTERS = 13
LABEL = ".label"  # no instruction: `x` is the label's name
ALL = (1 << REGISTERS) - 1


class Op(NamedTuple):
    """An instruction by its row's name and fields (`pvm.isa.formats`). A target is a label, in `x` or `y`.

    The `x` of a call is "": the address of the instruction after it. `at` is where it comes from: number of the
    section among the code, times 2^32, plus the octet in it.
    """

    name: str
    a: int = 0
    b: int = 0
    d: int = 0
    x: int | str = 0
    y: int | str = 0
    at: int = 0


class Effects(NamedTuple):
    """What a row reads and writes, as fields of `Op` (1 a, 2 b, 3 d). `value` is a pure row's meaning."""

    row: Row
    reads: tuple[int, ...]
    write: int | None
    value: Expr | None
    ends: bool
    falls: bool  # whether the next instruction may come after it
    leaves: bool  # calls, host calls and dynamic jumps: nothing is known of what comes after, all may be read
    target: int | None  # the field that is a label
    accesses: bool  # whether it loads or stores


_FIELDS = {"a": 1, "b": 2, "d": 3, "x": 4, "y": 5}


@cache
def effects_of(name: str) -> Effects:
    """The facts about an instruction that are derived from its row."""
    row = BY_NAME[name]
    first = row.effects[0] if row.effects else None
    loads = any(isinstance(node, Load) for effect in row.effects for node in walk(effect))
    value = first.value if isinstance(first, SetReg) and len(row.effects) == 1 and not loads else None
    jumps = [effect for effect in row.effects if isinstance(effect, Jump)]
    unconditional = any(jump.condition is None for jump in jumps)
    dynamic = any(isinstance(effect, DynamicJump) for effect in row.effects)
    panics = any(isinstance(effect, Panic) for effect in row.effects)
    target = _FIELDS[jumps[0].target.field] if jumps else None
    leaves = dynamic or name == "load_imm_jump" or any(isinstance(effect, HostCall | Sbrk) for effect in row.effects)
    falls = not (unconditional or dynamic or panics) or name in ("load_imm_jump", "load_imm_jump_ind")
    return Effects(
        row, tuple(_FIELDS[field] for field in row.reads), _FIELDS[row.writes[0]] if row.writes else None, value,
        row.ends_block, falls, leaves, target, row.accesses_memory,
    )  # fmt: skip


def evaluate(expr: Expr, op: Op) -> int:
    """The value of a pure meaning with the op's fields put in: registers' fields hold values, not numbers."""
    match expr:
        case Reg(field) | Imm(field):
            value = op[_FIELDS[field]]
            assert isinstance(value, int)
            return value & MASK64
        case Const(value):
            return value
        case Unary(name, operand):
            return UNARY[name](evaluate(operand, op))
        case Binary(name, left, right):
            return BINARY[name](evaluate(left, op), evaluate(right, op))
        case If(condition, then, otherwise):
            return evaluate(then if evaluate(condition, op) else otherwise, op)
    raise AssertionError(f"no pure meaning: {expr}")


def fits(value: int) -> bool:
    """Whether a 64-bit value is the sign extension of its low 32 bits, as immediates are."""
    return -(1 << 31) <= signed64(value & MASK64) < 1 << 31


def signed32(value: int) -> int:
    """The low 32 bits as an immediate."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def load_constant(register: int, value: int, at: int) -> Op:
    """The instruction that sets a register."""
    value = signed64(value & MASK64)
    return Op("load_imm" if fits(value) else "load_imm_64", a=register, x=value, at=at)
