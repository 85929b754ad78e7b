"""The table of instructions: WebAssembly specification, section 5.4 (binary format, instructions).

Covers the integer, control, memory and table instructions of WebAssembly 3.0, and the wide-arithmetic
proposal. Leaves out floats, vectors, atomics, exceptions and garbage collection. The writer (`code`)
and the reader (`text`) both read this table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from pvm.wasm.leb128 import unsigned


class Immediate(Enum):
    """What follows an instruction's opcode, in the order of the binary format."""

    NONE = auto()
    BLOCK_TYPE = auto()
    LABEL = auto()
    LABELS = auto()  # a vector of labels, then the default label
    FUNCTION = auto()
    TYPE = auto()
    TYPE_TABLE = auto()
    LOCAL = auto()
    GLOBAL = auto()
    TABLE = auto()
    TABLE_TABLE = auto()  # destination, source
    ELEMENT = auto()
    ELEMENT_TABLE = auto()
    MEMORY = auto()
    MEMORY_MEMORY = auto()  # destination, source
    DATA = auto()
    DATA_MEMORY = auto()
    ACCESS = auto()  # alignment with or without a memory index, then an offset
    I32 = auto()
    I64 = auto()
    HEAP_TYPE = auto()
    VALUE_TYPES = auto()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    `name` is the specification's spelling, `encoding` the opcode's bytes, `width` the number of bytes
    that a load or store touches (0 for any other instruction).
    """

    name: str
    encoding: bytes
    immediate: Immediate
    width: int = 0

    @property
    def natural_alignment(self) -> int:
        """log2 of the bytes a load or store touches."""
        return self.width.bit_length() - 1


# Opcodes from 0x100 are written as the prefix byte 0xfc and then (opcode - 0x100) in LEB128.
PREFIX: Final = 0xFC
PREFIXED: Final = 0x100

# (first opcode, immediate, names of consecutive opcodes)
_RUNS: Final = (
    (0x00, Immediate.NONE, "unreachable nop"),
    (0x02, Immediate.BLOCK_TYPE, "block loop if"),
    (0x05, Immediate.NONE, "else"),
    (0x0B, Immediate.NONE, "end"),
    (0x0C, Immediate.LABEL, "br br_if"),
    (0x0E, Immediate.LABELS, "br_table"),
    (0x0F, Immediate.NONE, "return"),
    (0x10, Immediate.FUNCTION, "call"),
    (0x11, Immediate.TYPE_TABLE, "call_indirect"),
    (0x12, Immediate.FUNCTION, "return_call"),
    (0x13, Immediate.TYPE_TABLE, "return_call_indirect"),
    (0x14, Immediate.TYPE, "call_ref return_call_ref"),
    (0x1A, Immediate.NONE, "drop select"),
    (0x1C, Immediate.VALUE_TYPES, "select"),
    (0x20, Immediate.LOCAL, "local.get local.set local.tee"),
    (0x23, Immediate.GLOBAL, "global.get global.set"),
    (0x25, Immediate.TABLE, "table.get table.set"),
    (0x28, Immediate.ACCESS, "i32.load i64.load"),
    (0x2C, Immediate.ACCESS, "i32.load8_s i32.load8_u i32.load16_s i32.load16_u"),
    (0x30, Immediate.ACCESS, "i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"),
    (0x36, Immediate.ACCESS, "i32.store i64.store"),
    (0x3A, Immediate.ACCESS, "i32.store8 i32.store16 i64.store8 i64.store16 i64.store32"),
    (0x3F, Immediate.MEMORY, "memory.size memory.grow"),
    (0x41, Immediate.I32, "i32.const"),
    (0x42, Immediate.I64, "i64.const"),
    (0x45, Immediate.NONE, "i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u"),
    (0x4C, Immediate.NONE, "i32.le_s i32.le_u i32.ge_s i32.ge_u"),
    (0x50, Immediate.NONE, "i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u"),
    (0x57, Immediate.NONE, "i64.le_s i64.le_u i64.ge_s i64.ge_u"),
    (0x67, Immediate.NONE, "i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s"),
    (0x70, Immediate.NONE, "i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"),
    (0x79, Immediate.NONE, "i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s"),
    (0x82, Immediate.NONE, "i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"),
    (0xA7, Immediate.NONE, "i32.wrap_i64"),
    (0xAC, Immediate.NONE, "i64.extend_i32_s i64.extend_i32_u"),
    (0xC0, Immediate.NONE, "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s"),
    (0xD0, Immediate.HEAP_TYPE, "ref.null"),
    (0xD1, Immediate.NONE, "ref.is_null"),
    (0xD2, Immediate.FUNCTION, "ref.func"),
    (0xD4, Immediate.NONE, "ref.as_non_null"),
    (0xD5, Immediate.LABEL, "br_on_null br_on_non_null"),
    (PREFIXED + 8, Immediate.DATA_MEMORY, "memory.init"),
    (PREFIXED + 9, Immediate.DATA, "data.drop"),
    (PREFIXED + 10, Immediate.MEMORY_MEMORY, "memory.copy"),
    (PREFIXED + 11, Immediate.MEMORY, "memory.fill"),
    (PREFIXED + 12, Immediate.ELEMENT_TABLE, "table.init"),
    (PREFIXED + 13, Immediate.ELEMENT, "elem.drop"),
    (PREFIXED + 14, Immediate.TABLE_TABLE, "table.copy"),
    (PREFIXED + 15, Immediate.TABLE, "table.grow table.size table.fill"),
    (PREFIXED + 19, Immediate.NONE, "i64.add128 i64.sub128 i64.mul_wide_s i64.mul_wide_u"),
)


def _width(name: str, immediate: Immediate) -> int:
    """The bytes a load or store touches, from its name: i64.load16_u touches 2, i64.load 8."""
    if immediate is not Immediate.ACCESS:
        return 0
    value_type, operation = name.split(".")
    digits = "".join(filter(str.isdigit, operation)) or value_type[1:]
    return int(digits) // 8


def _table() -> Iterator[tuple[int, Instruction]]:
    for first, immediate, names in _RUNS:
        for opcode, name in enumerate(names.split(), first):
            prefixed = opcode >= PREFIXED
            encoding = bytes([PREFIX]) + unsigned(opcode - PREFIXED) if prefixed else bytes([opcode])
            yield opcode, Instruction(name, encoding, immediate, _width(name, immediate))


BY_OPCODE: Final[Mapping[int, Instruction]] = MappingProxyType(dict(_table()))
"""Every instruction by its opcode; PREFIXED + n stands for the byte 0xfc followed by n."""

BY_NAME: Final[Mapping[str, Instruction]] = MappingProxyType(
    # `select` has two encodings: the name means the one without value types.
    {i.name: i for i in BY_OPCODE.values() if i.immediate is not Immediate.VALUE_TYPES}
)
"""Every instruction by its name."""
