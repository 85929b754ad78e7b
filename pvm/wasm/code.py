"""Instructions as bytes that concatenate: WebAssembly specification, section 5.4.

Each function returns the encoding of one instruction, or of one structured instruction with its body.
Expressions are made by concatenation; nothing here checks that operands fit, an engine's validation
does. Indices are unsigned 32-bit. Every function raises ValueError for a number out of range or a name
that is not an instruction of the kind it encodes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from pvm.wasm.leb128 import signed, unsigned
from pvm.wasm.opcodes import BY_NAME, Immediate
from pvm.wasm.types import EXTERNREF, FUNCREF, ValueType

BlockType = ValueType | int | None
"""A block's type: no result, one result, or the index of a function type."""

_PLAIN: Final[Mapping[str, bytes]] = MappingProxyType(
    {i.name: i.encoding for i in BY_NAME.values() if i.immediate is Immediate.NONE}
)
_CODE: Final[Mapping[str, bytes]] = MappingProxyType({i.name: i.encoding for i in BY_NAME.values()})
_END: Final = _CODE["end"]
_I32_CONST: Final = _CODE["i32.const"]
_I64_CONST: Final = _CODE["i64.const"]
_MEMORY_BIT: Final = 0x40  # set in a memory argument's alignment when a memory index follows it


@lru_cache(maxsize=4096)
def index(n: int) -> bytes:
    """An index, section 5.5.1: unsigned 32-bit."""
    if not 0 <= n < 1 << 32:
        raise ValueError(f"index is not an unsigned 32-bit number: {n}")
    return unsigned(n)


def op(name: str) -> bytes:
    """An instruction without immediates, such as "i64.add"."""
    try:
        return _PLAIN[name]
    except KeyError:
        raise ValueError(f"not an instruction without immediates: {name!r}") from None


# Numeric constants


def i32_const(n: int) -> bytes:
    """i32.const; -2**31 <= n < 2**32, the upper half meaning the same bits as a negative number."""
    return _I32_CONST + signed(n if -0x80000000 <= n < 0x80000000 else _wrapped(n, 32))


def i64_const(n: int) -> bytes:
    """i64.const; -2**63 <= n < 2**64, the upper half meaning the same bits as a negative number."""
    return _I64_CONST + signed(n if -0x8000000000000000 <= n < 0x8000000000000000 else _wrapped(n, 64))


def _wrapped(n: int, bits: int) -> int:
    half = 1 << (bits - 1)
    if not -half <= n < 2 * half:
        raise ValueError(f"constant does not fit in {bits} bits: {n}")
    return n - 2 * half if n >= half else n


# Variables


@lru_cache(maxsize=1024)
def local_get(i: int) -> bytes:
    """local.get of the local, parameters first."""
    return _CODE["local.get"] + index(i)


@lru_cache(maxsize=1024)
def local_set(i: int) -> bytes:
    """local.set of the local, parameters first."""
    return _CODE["local.set"] + index(i)


@lru_cache(maxsize=1024)
def local_tee(i: int) -> bytes:
    """local.tee of the local, parameters first."""
    return _CODE["local.tee"] + index(i)


@lru_cache(maxsize=1024)
def global_get(i: int) -> bytes:
    """global.get of the global, imports first."""
    return _CODE["global.get"] + index(i)


@lru_cache(maxsize=1024)
def global_set(i: int) -> bytes:
    """global.set of the global, imports first."""
    return _CODE["global.set"] + index(i)


# Control


def call(function: int) -> bytes:
    """call of the function, imports first."""
    return _CODE["call"] + index(function)


def call_indirect(type_index: int, table: int = 0) -> bytes:
    """call_indirect through a table; the entry's number is on the stack."""
    return _CODE["call_indirect"] + index(type_index) + index(table)


def call_ref(type_index: int) -> bytes:
    """call_ref: the function reference, of the given type, is on the stack."""
    return _CODE["call_ref"] + index(type_index)


def return_call(function: int) -> bytes:
    """return_call: a tail call of the function, imports first."""
    return _CODE["return_call"] + index(function)


def return_call_indirect(type_index: int, table: int = 0) -> bytes:
    """return_call_indirect: a tail call through a table."""
    return _CODE["return_call_indirect"] + index(type_index) + index(table)


def return_call_ref(type_index: int) -> bytes:
    """return_call_ref: a tail call of the function reference on the stack."""
    return _CODE["return_call_ref"] + index(type_index)


@lru_cache(maxsize=1024)
def br(depth: int) -> bytes:
    """br to the label, 0 being the innermost."""
    return _CODE["br"] + index(depth)


@lru_cache(maxsize=1024)
def br_if(depth: int) -> bytes:
    """br_if to the label, 0 being the innermost."""
    return _CODE["br_if"] + index(depth)


def br_table(depths: Sequence[int], default: int) -> bytes:
    """br_table: the label numbered by the i32 on the stack, or `default` beyond them."""
    return b"".join([_CODE["br_table"], index(len(depths)), *map(index, depths), index(default)])


def block(*body: bytes, result: BlockType = None) -> bytes:
    """block ... end; `result` may also be the index of a function type."""
    return b"".join([_CODE["block"], _block_type(result), *body, _END])


def loop(*body: bytes, result: BlockType = None) -> bytes:
    """loop ... end; `result` may also be the index of a function type."""
    return b"".join([_CODE["loop"], _block_type(result), *body, _END])


def if_(then: bytes, otherwise: bytes | None = None, result: BlockType = None) -> bytes:
    """if ... else ... end, without `else` when `otherwise` is None; the condition is on the stack."""
    if otherwise is None:
        return b"".join([_CODE["if"], _block_type(result), then, _END])
    return b"".join([_CODE["if"], _block_type(result), then, _CODE["else"], otherwise, _END])


def open_block(result: BlockType = None) -> bytes:
    """The opener of a block, for code that is emitted in order; `close` ends it."""
    return _CODE["block"] + _block_type(result)


def open_loop() -> bytes:
    """The same for a loop."""
    return _CODE["loop"] + _block_type(None)


def close() -> bytes:
    """end: of what `open_block` or `open_loop` opened."""
    return _END


def _block_type(result: BlockType) -> bytes:
    if result is None:
        return b"\x40"
    if isinstance(result, ValueType):
        return result.encoding
    return _type_index(result)


def _type_index(n: int) -> bytes:
    """A type index where a type may stand instead: signed, so that types are the negative numbers."""
    if not 0 <= n < 1 << 32:
        raise ValueError(f"type index is not an unsigned 32-bit number: {n}")
    return signed(n)


# Memories


def load(name: str, offset: int = 0, memory: int = 0, align: int | None = None) -> bytes:
    """A load, such as "i64.load8_u"; `offset` in bytes, `align` log2 of bytes (None: natural)."""
    if ".load" not in name:
        raise ValueError(f"not a load: {name!r}")
    return _access(name, offset, memory, align)


def store(name: str, offset: int = 0, memory: int = 0, align: int | None = None) -> bytes:
    """A store, such as "i64.store8"; `offset` in bytes, `align` log2 of bytes (None: natural)."""
    if ".store" not in name:
        raise ValueError(f"not a store: {name!r}")
    return _access(name, offset, memory, align)


@lru_cache(maxsize=4096)
def _access(name: str, offset: int, memory: int, align: int | None) -> bytes:
    instruction = BY_NAME.get(name)
    if instruction is None or instruction.immediate is not Immediate.ACCESS:
        raise ValueError(f"not a load or store: {name!r}")
    natural = instruction.natural_alignment
    align = natural if align is None else align
    if not 0 <= align <= natural:
        raise ValueError(f"alignment of {name} is not in 0..{natural}: {align}")
    if not 0 <= offset < 1 << 32:
        raise ValueError(f"offset is not an unsigned 32-bit number: {offset}")
    if memory == 0:
        return instruction.encoding + unsigned(align) + unsigned(offset)
    return instruction.encoding + unsigned(align | _MEMORY_BIT) + index(memory) + unsigned(offset)


def memory_size(memory: int = 0) -> bytes:
    """memory.size: pages of 64 KiB."""
    return _CODE["memory.size"] + index(memory)


def memory_grow(memory: int = 0) -> bytes:
    """memory.grow by the number of pages on the stack."""
    return _CODE["memory.grow"] + index(memory)


def memory_fill(memory: int = 0) -> bytes:
    """memory.fill: on the stack the address, the byte, the length."""
    return _CODE["memory.fill"] + index(memory)


def memory_copy(to: int = 0, from_: int = 0) -> bytes:
    """memory.copy: on the stack the address written, the address read, the length."""
    return _CODE["memory.copy"] + index(to) + index(from_)


def memory_init(data: int, memory: int = 0) -> bytes:
    """memory.init from the passive data segment: on the stack the address, the segment's offset, the length."""
    return _CODE["memory.init"] + index(data) + index(memory)


def data_drop(data: int) -> bytes:
    """data.drop of the data segment."""
    return _CODE["data.drop"] + index(data)


# References and tables


def ref_null(type_: ValueType | int = FUNCREF) -> bytes:
    """ref.null of `funcref` or `externref`, or of the function type with the given index."""
    if isinstance(type_, int):
        return _CODE["ref.null"] + _type_index(type_)
    if type_ not in (FUNCREF, EXTERNREF):
        raise ValueError(f"not a plain reference type: {type_.name}")
    return _CODE["ref.null"] + type_.encoding


def ref_func(function: int) -> bytes:
    """ref.func; the function must be exported or stand in an element segment."""
    return _CODE["ref.func"] + index(function)


def table_get(table: int = 0) -> bytes:
    """table.get: the entry's number is on the stack."""
    return _CODE["table.get"] + index(table)


def table_set(table: int = 0) -> bytes:
    """table.set: on the stack the entry's number, then the reference."""
    return _CODE["table.set"] + index(table)


def table_size(table: int = 0) -> bytes:
    """table.size in entries."""
    return _CODE["table.size"] + index(table)


def table_grow(table: int = 0) -> bytes:
    """table.grow: on the stack the reference, then the number of entries to add."""
    return _CODE["table.grow"] + index(table)
