"""Translations of instructions that go straight on, as templates with holes for what differs between two of a kind.

In: a row and its register numbers. Out: a frozen `Straight`, cached; `fill` makes the bytes of one instruction from it.
Lowering takes 5 to 9 microseconds, filling a template less than 1 (without `bail`): programs use the same rows on the
same registers again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pvm import abi
from pvm.emit.guest import guest_load, guest_store, is_refused
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import low, value
from pvm.emit.state import ENGINE
from pvm.isa.expr import Effect, Sbrk, SetReg, Store
from pvm.isa.table import Row
from pvm.machine import REGISTER_COUNT
from pvm.program.decode import Instruction
from pvm.wasm import I32, I64
from pvm.wasm.code import call, i32_const, i64_const, if_, load, local_get, local_set, op, store

# Locals of a region's function.
ENTRY, CODE, PC, ADDRESS, GAS, UNUSED, SCRATCH = range(7)
FIRST_REGISTER = SCRATCH + LOCALS
LOCAL_TYPES = (I32,) * 3 + (I64,) * (2 + LOCALS + REGISTER_COUNT)

SBRK = 0  # index of the imported function

# Holes: markers that no instruction's encoding contains by chance.
_MARK = b"\xff\xff\xff\xff\xff"
_X, _Y, _X_LOW, _Y_LOW, _BAIL = range(1, 6)
_HOLES = re.compile(re.escape(_MARK) + rb"([\x01-\x05])")


@dataclass(frozen=True, eq=False)
class Straight:
    """`parts` alternates bytes and holes (by number); `used` and `written` are register numbers."""

    parts: tuple[bytes | int, ...]
    used: frozenset[int]
    written: frozenset[int]


def is_straight(row: Row) -> bool:
    """Whether every effect of the row is one that a template has."""
    return all(isinstance(effect, SetReg | Store | Sbrk) for effect in row.effects)


@cache
def straight(row: Row, a: int, b: int, d: int, covered: bool) -> Straight:
    """The template of a row with the operand registers a, b and d; `covered`: its access has been checked before."""
    wide, low_half = {"x": _hole(_X), "y": _hole(_Y)}, {"x": _hole(_X_LOW), "y": _hole(_Y_LOW)}
    bind = Operands({"a": a, "b": b, "d": d}, wide, low_half, _hole(_BAIL), covered)
    parts = _HOLES.split(b"".join(effect_code(effect, bind) for effect in row.effects))
    # The pieces between holes stand at even places, the holes' numbers at odd ones.
    numbered = tuple(part[0] if place % 2 else part for place, part in enumerate(parts) if place % 2 or part)
    return Straight(numbered, frozenset(bind.used), frozenset(bind.written))


def _hole(number: int) -> bytes:
    return _MARK + bytes([number])


def fill(template: Straight, instruction: Instruction, bail: Callable[[], bytes]) -> bytes:
    """The bytes of one instruction. `bail` makes the code that leaves to the interpreter there."""
    out = []
    for part in template.parts:
        if part.__class__ is bytes:
            out.append(part)
        elif part == _X:
            out.append(i64_const(instruction.x))
        elif part == _Y:
            out.append(i64_const(instruction.y))
        elif part == _X_LOW:
            out.append(i32_const(instruction.x & 0xFFFFFFFF))
        elif part == _Y_LOW:
            out.append(i32_const(instruction.y & 0xFFFFFFFF))
        else:
            out.append(bail())
    return b"".join(out)


class Operands:
    """Operands known at translation time: `pvm.emit.lower.Binding` for the recompiler.

    Registers are locals; `wide` and `low` are what pushes an immediate; `bail` leaves to the interpreter. Nothing of
    an access is checked when it is `covered`.
    """

    def __init__(
        self, registers: dict[str, int], wide: dict[str, bytes], low: dict[str, bytes], bail: bytes, covered: bool
    ) -> None:
        self.registers, self.wide, self.low, self.bail, self.covered = registers, wide, low, bail, covered
        self.used: set[int] = set()
        self.written: set[int] = set()

    def register(self, field: str) -> bytes:
        number = self.registers[field]
        self.used.add(number)
        return local_get(FIRST_REGISTER + number)

    def register_low(self, field: str) -> bytes:
        return self.register(field) + op("i32.wrap_i64")

    def set_register(self, field: str) -> bytes:
        """Set the register to what is on the stack."""
        number = self.registers[field]
        self.written.add(number)
        return local_set(FIRST_REGISTER + number)

    def immediate(self, field: str) -> bytes:
        return self.wide[field]

    def immediate_low(self, field: str) -> bytes:
        return self.low[field]

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        return self.checked(address, width, abi.READABLE) + guest_load(width, signed)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address, having left for the interpreter unless the guest has access there."""
        if self.covered:
            return address
        return checked_range(address, width, bit, self.bail) + local_get(ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, SCRATCH)


def operands_of(instruction: Instruction) -> Operands:
    """The operands of one instruction, its immediates known too. It must not access memory."""
    values = {"x": instruction.x, "y": instruction.y}
    return Operands(
        {"a": instruction.a, "b": instruction.b, "d": instruction.d},
        {name: i64_const(number) for name, number in values.items() if 0 <= number < 1 << 64},
        {name: i32_const(number & 0xFFFFFFFF) for name, number in values.items()},
        b"", covered=True,
    )  # fmt: skip


def effect_code(effect: Effect, bind: Operands) -> bytes:
    """A straight effect; nothing for any other."""
    match effect:
        case SetReg(field, expr):
            return value(expr, bind) + bind.set_register(field)
        case Sbrk(field, amount):
            return value(amount, bind) + call(SBRK) + bind.set_register(field)
        case Store(width, address, expr):
            return bind.checked(low(address, bind), width, abi.WRITABLE) + value(expr, bind) + guest_store(width)
        case _:
            return b""


def checked_range(address: bytes, length: int, bit: int, bail: bytes) -> bytes:
    """Put the address into its local, and run `bail` unless the guest has access to both ends of the range."""
    return address + local_set(ADDRESS) + is_refused(ADDRESS, length, bit) + if_(bail)


def load_register(number: int) -> bytes:
    """From the state into its local."""
    return i32_const(0) + load("i64.load", abi.REGISTERS + 8 * number, ENGINE) + local_set(FIRST_REGISTER + number)


def store_register(number: int) -> bytes:
    """From its local into the state."""
    return i32_const(0) + local_get(FIRST_REGISTER + number) + store("i64.store", abi.REGISTERS + 8 * number, ENGINE)
