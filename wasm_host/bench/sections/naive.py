"""The yardstick for the recompiler's Python: an emitter that lowers every instruction anew.

In: decoded instructions. Out: for each one that goes straight on, its WebAssembly. Nothing is remembered from one
instruction to the next, and there is no control flow, no gas and no exit: a whole emitter of this kind takes longer.
"""

from __future__ import annotations

from collections.abc import Iterable

from pvm import abi
from pvm.emit.guest import guest_load, guest_store, is_refused
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import low, value
from pvm.isa.expr import Effect, Sbrk, SetReg, Store
from pvm.isa.table import Row
from pvm.program import Instruction
from pvm.registers import REGISTER_COUNT
from pvm.wasm import I32, I64
from pvm.wasm.code import call, i32_const, i64_const, if_, local_get, local_set, op

# The function that the code is for: its locals, and the function that it calls for `sbrk`.
ADDRESS, SCRATCH = 0, 1
FIRST_REGISTER = SCRATCH + LOCALS
LOCAL_TYPES = (I32,) + (I64,) * (LOCALS + REGISTER_COUNT)
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
        return self.checked(address, width, abi.READABLE) + guest_load(width, signed)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address, once both ends of the access are seen to grant the right `bit`."""
        refused = is_refused(ADDRESS, width, bit) + if_(op("unreachable"))
        return address + local_set(ADDRESS) + refused + local_get(ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, SCRATCH)


def _effect_code(effect: Effect, bind: _Operands) -> bytes:
    match effect:
        case SetReg(field, expr):
            return value(expr, bind) + bind.set_register(field)
        case Sbrk(field, amount):
            return value(amount, bind) + call(SBRK) + bind.set_register(field)
        case Store(width, address, expr):
            return bind.checked(low(address, bind), width, abi.WRITABLE) + value(expr, bind) + guest_store(width)
        case _:
            raise AssertionError(f"{effect} is not straight")
