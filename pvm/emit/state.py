"""Access to the engine memory from generated code: the state's fields, decoded records, the page table.

In: names of `pvm.abi`. Out: bytes. Shared by the files of this package that work on the engine memory.
"""

from __future__ import annotations

from functools import cache

from pvm.abi import STATE
from pvm.wasm.code import i32_const, i64_const, load, local_get, op, store

GUEST = 0  # memory indices
ENGINE = 1

_ZERO = i32_const(0)
_LOADS = {4: "i32.load", 8: "i64.load"}
_STORES = {4: "i32.store", 8: "i64.store"}


@cache
def get_state(name: str) -> bytes:
    """Push a field of the state: i32 or i64 by its size."""
    field = STATE[name]
    return i32_const(0) + load(_LOADS[field.size], field.offset, ENGINE)


def set_state(name: str, value: bytes) -> bytes:
    """Set a field of the state to what `value` pushes."""
    return _ZERO + value + _store_to(name)


@cache
def _store_to(name: str) -> bytes:
    field = STATE[name]
    return store(_STORES[field.size], field.offset, ENGINE)


def set_pc(pc: bytes) -> bytes:
    """Set the state's pc to the i32 that `pc` pushes; with the same store, it is stale no more."""
    return _ZERO + pc + op("i64.extend_i32_u") + _store_pc()


def set_pc_to(pc: int) -> bytes:
    """The same for a constant."""
    return _ZERO + i64_const(pc) + _store_pc()


@cache
def _store_pc() -> bytes:
    assert STATE["at_entry"].offset == STATE["pc"].offset + 4
    return store("i64.store", STATE["pc"].offset, ENGINE)


def get_byte(address: bytes, offset: int = 0) -> bytes:
    """Push the engine memory's byte at what `address` pushes plus `offset`, zero-extended to i32."""
    return address + load("i32.load8_u", offset, ENGINE)


def set_byte(address: bytes, offset: int, value: bytes) -> bytes:
    return address + value + store("i32.store8", offset, ENGINE)


def get_word(address: bytes, offset: int = 0) -> bytes:
    """Push the engine memory's 4 bytes there as an i32."""
    return address + load("i32.load", offset, ENGINE)


def set_word(address: bytes, offset: int, value: bytes) -> bytes:
    return address + value + store("i32.store", offset, ENGINE)


def add(first: bytes, second: bytes | int) -> bytes:
    """Push the i32 sum of two pushes, or of a push and a constant."""
    return first + (i32_const(second) if isinstance(second, int) else second) + op("i32.add")


def has(value: bytes, bits: int) -> bytes:
    """Push an i32 that is not 0 when `value` has one of the bits."""
    return value + i32_const(bits) + op("i32.and")


def increment(local: int, by: int) -> bytes:
    """Add a constant to an i32 local."""
    return add(local_get(local), by)
