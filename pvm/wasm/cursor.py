"""Reading the parts all sections share: WebAssembly specification, sections 5.1 to 5.3."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pvm.printable import counted
from pvm.wasm.errors import WasmError
from pvm.wasm.leb128 import read_signed, read_unsigned
from pvm.wasm.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, FunctionType, ValueType, reference

_VALUE_TYPES: Final[Mapping[int, ValueType]] = MappingProxyType(
    {t.encoding[0]: t for t in (I32, I64, F32, F64, FUNCREF, EXTERNREF)}
)
_HEAP_TYPES: Final[Mapping[int, str]] = MappingProxyType({-0x10: "func", -0x11: "extern"})
_REF_NULL: Final = 0x63
_REF: Final = 0x64


class Cursor:
    """A place in `data` that reading moves towards `end`; every method raises WasmError at bad input."""

    __slots__ = ("data", "end", "offset")

    def __init__(self, data: bytes, offset: int, end: int) -> None:
        self.data = data
        self.offset = offset
        self.end = end

    def byte(self) -> int:
        """The next byte."""
        if self.offset >= self.end:
            raise WasmError("unexpected end", self.offset)
        self.offset += 1
        return self.data[self.offset - 1]

    def u32(self) -> int:
        """An unsigned 32-bit integer."""
        if self.offset < self.end and (byte := self.data[self.offset]) < 0x80:
            self.offset += 1
            return byte
        return self._move(*read_unsigned(self.data, self.offset, 32))

    def signed(self, bits: int) -> int:
        """A signed integer of the given size."""
        return self._move(*read_signed(self.data, self.offset, bits))

    def _move(self, value: int, offset: int) -> int:
        if offset > self.end:
            raise WasmError("integer crosses the end of its section", self.offset)
        self.offset = offset
        return value

    def part(self, size: int) -> "Cursor":
        """A cursor over the next `size` bytes, which this one skips."""
        start = self.offset
        if size > self.end - start:
            raise WasmError(f"{counted(size, 'byte')} announced, {self.end - start} left", start)
        self.offset = start + size
        return Cursor(self.data, start, self.offset)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        part = self.part(size)
        return self.data[part.offset : part.end]

    def string(self) -> str:
        """A name: UTF-8 after its length."""
        start = self.offset
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError:
            raise WasmError("name is not UTF-8", start) from None

    def vector(self) -> Iterator[int]:
        """0, 1, ... for each item of a list; the caller reads the item before asking for the next."""
        start = self.offset
        count = self.u32()
        # Every item of every list takes a byte at least.
        if count > self.end - self.offset:
            left = counted(self.end - self.offset, "byte")
            raise WasmError(f"{counted(count, 'item')} announced, {left} left", start)
        return iter(range(count))

    def done(self) -> bool:
        """Whether nothing is left."""
        return self.offset >= self.end

    def finish(self, what: str) -> None:
        """Raise WasmError unless nothing is left of `what`."""
        if self.offset != self.end:
            raise WasmError(f"{counted(self.end - self.offset, 'byte')} left over in {what}", self.offset)

    # Types

    def value_type(self) -> ValueType:
        """A value type."""
        start = self.offset
        byte = self.byte()
        if byte in _VALUE_TYPES:
            return _VALUE_TYPES[byte]
        if byte not in (_REF_NULL, _REF):
            raise WasmError(f"unknown value type {byte:#04x}", start)
        heap_type = self.heap_type()
        if isinstance(heap_type, int):
            return reference(heap_type, nullable=byte == _REF_NULL)
        if byte == _REF_NULL:
            return FUNCREF if heap_type == "func" else EXTERNREF
        return ValueType(f"(ref {heap_type})", self.data[start : self.offset])

    def reference_type(self) -> ValueType:
        """A value type that is a reference."""
        start = self.offset
        value_type = self.value_type()
        if value_type in (I32, I64, F32, F64):
            raise WasmError(f"{value_type.name} is not a reference type", start)
        return value_type

    def heap_type(self) -> int | str:
        """The index of a function type, or "func" or "extern"."""
        start = self.offset
        value = self.signed(33)
        if value >= 0:
            return value
        if value not in _HEAP_TYPES:
            raise WasmError(f"unknown heap type {value}", start)
        return _HEAP_TYPES[value]

    def block_type(self) -> ValueType | int | None:
        """A block's type: nothing, one result, or the index of a function type."""
        start = self.offset
        byte = self.byte()
        if byte == 0x40:
            return None
        self.offset = start
        if byte in _VALUE_TYPES or byte in (_REF_NULL, _REF):
            return self.value_type()
        value = self.signed(33)
        if value < 0:
            raise WasmError(f"unknown block type {byte:#04x}", start)
        return value

    def function_type(self) -> FunctionType:
        """A function type."""
        start = self.offset
        form = self.byte()
        if form != 0x60:
            raise WasmError(f"type form {form:#04x} is not a function type", start)
        params = tuple(self.value_type() for _ in self.vector())
        return FunctionType(params, tuple(self.value_type() for _ in self.vector()))
