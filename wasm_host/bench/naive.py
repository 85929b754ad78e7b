"""The yardstick for the recompiler's Python: an emitter that lowers every instruction anew.

In: decoded instructions. Out: for each one that goes straight on, its WebAssembly. Nothing is remembered from one
instruction to the next, and there is no control flow, no gas and no exit: a whole emitter of this kind takes longer.
"""

from __future__ import annotations

from collections.abc import Iterable

from pvm import abi
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import low, value
from pvm.isa.expr import Effect, Sbrk, SetReg, Store
from pvm.isa.table import Row
from pvm.machine import REGISTER_COUNT
from pvm.program import Instruction
from pvm.wasm import I32, I64
from pvm.wasm.code import call, i32_const, i64_const, if_, load, local_get, local_set, op, store

# The function that the code is for: its locals, its memories, and the function that it calls for `sbrk`.
ADDRESS, SCRATCH = 0, 1
FIRST_REGISTER = SCRATCH + LOCALS
LOCAL_TYPES = (I32,) + (I64,) * (LOCALS + REGISTER_COUNT)
GUEST, ENGINE = 0, 1
SBRK = 0


def emit_anew(instructions: Iterable[Instruction]) -> list[bytes]:
    """The WebAssembly of each straight instruction, which leaves the stack as it was."""
    return [
        b"".join([_effect_code(effect, _Operands(instruction)) for effect in instruction.row.effects])
        for instruction in instructions
        if is_straight(instruction.row)
    ]


def is_straight(row: Row) -> bool:
    """Whether the row goes straight on to the next instruction."""
    return all(isinstance(effect, SetReg | Store | Sbrk) for effect in row.effects)


class _Operands:
    """The operands of one instruction: `pvm.emit.lower.Binding`."""

    def __init__(self, instruction: Instruction) -> None:
        self._registers = {"a": instruction.a, "b": instruction.b, "d": instruction.d}
        self._immediates = {"x": instruction.x, "y": instruction.y}

    def register(self, field: str) -> bytes:
        return local_get(FIRST_REGISTER + self._registers[field])

    def register_low(self, field: str) -> bytes:
        return self.register(field) + op("i32.wrap_i64")

    def set_register(self, field: str) -> bytes:
        return local_set(FIRST_REGISTER + self._registers[field])

    def immediate(self, field: str) -> bytes:
        return i64_const(self._immediates[field])

    def immediate_low(self, field: str) -> bytes:
        return i32_const(self._immediates[field] & 0xFFFFFFFF)

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        name = "i64.load" if width == 8 else f"i64.load{8 * width}_{'s' if signed else 'u'}"
        return self.checked(address, width, abi.READABLE) + load(name, 0, GUEST, align=0)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address, once both ends of the access are seen to grant the right `bit`."""
        rights = _page_rights(local_get(ADDRESS))
        if width > 1:
            rights += _page_rights(local_get(ADDRESS) + i32_const(width - 1) + op("i32.add")) + op("i32.and")
        refused = rights + i32_const(bit) + op("i32.and") + op("i32.eqz") + if_(op("unreachable"))
        return address + local_set(ADDRESS) + refused + local_get(ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, SCRATCH)


def _page_rights(address: bytes) -> bytes:
    page = address + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u")
    return page + load("i32.load8_u", abi.PAGE_TABLE, ENGINE)


def _effect_code(effect: Effect, bind: _Operands) -> bytes:
    match effect:
        case SetReg(field, expr):
            return value(expr, bind) + bind.set_register(field)
        case Sbrk(field, amount):
            return value(amount, bind) + call(SBRK) + bind.set_register(field)
        case Store(width, address, expr):
            name = "i64.store" if width == 8 else f"i64.store{8 * width}"
            checked = bind.checked(low(address, bind), width, abi.WRITABLE)
            return checked + value(expr, bind) + store(name, 0, GUEST, align=0)
        case _:
            raise AssertionError(f"{effect} is not straight")
