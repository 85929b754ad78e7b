"""The codec of the Gray Paper (0.7.2, appendix C): a type's annotations are its one description.

A type is a frozen dataclass whose fields are encoded in order. What a field's annotation means:
`Annotated[int, Fixed(4)]` E_4; `Annotated[int, Natural(16)]` the general E, here for values below 2^16;
`Annotated[bytes, Octets(32)]` these octets; `Annotated[bytes, Blob()]` octets after their length; `bool` one octet;
`X | None` a discriminator, then X; `tuple[X, ...]` the items after their number;
`Annotated[tuple[X, ...], Exactly("cores")]` as many items as the constant says, and nothing before them;
`tuple[X, Y]` both. A `Custom` annotation brings its own codec.

Decoding takes hostile input: strict (one encoding a value, nothing left over), linear in the input's length, its errors
all `CodecError`, which say the field's path.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from struct import Struct
from struct import error as StructError
from typing import Any, TypeVar

from pvm.errors import CodecError
from pvm.jam.constants import Constants

T = TypeVar("T")

_INTEGERS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SMALL = [bytes((value,)) for value in range(0x80)]  # naturals of one octet
_ORDER = "<"  # of octets in `struct`, without padding


class Reader:
    """Octets and how far they are read. No sequence is taken that has more than `most` items."""

    __slots__ = ("data", "end", "most", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None, most: int = 1 << 32) -> None:
        self.data, self.position, self.most = data, position, most
        self.end = len(data) if end is None else end

    def take(self, size: int) -> bytes:
        """The next `size` octets. Raises CodecError if there are fewer."""
        start = self.position
        stop = start + size
        if stop > self.end:
            raise CodecError(f"{size} octets needed, {self.end - start} left")
        self.position = stop
        return self.data[start:stop]

    def natural(self) -> int:
        """A natural number below 2^64 in the general encoding. Raises CodecError for a longer form than needed."""
        first = self.take(1)[0]
        if first < 0x80:
            return first
        extra = 8 - (first ^ 0xFF).bit_length()
        low = int.from_bytes(self.take(extra), "little")
        value = low if extra == 8 else ((first & ((0x7F) >> extra)) << (8 * extra)) | low
        if value < 1 << (7 * extra):
            raise CodecError(f"{value} is encoded in {extra + 1} octets, which are more than it needs")
        return value

    def count(self, smallest: int) -> int:
        """A number of items, each at least `smallest` octets. Raises CodecError if they cannot be there."""
        number = self.natural()
        if number * smallest > self.end - self.position:
            raise CodecError(f"{number} items in {self.end - self.position} octets")
        if number > self.most:
            raise CodecError(f"{number} items: {self.most} are taken at most")
        return number


def encode_natural(value: int) -> bytes:
    """E(x), the general encoding of a natural number below 2^64 (C.1.1)."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    extra = (value.bit_length() - 1) // 7
    if extra >= 8:
        return b"\xff" + value.to_bytes(8, "little")
    return bytes((256 - (256 >> extra) + (value >> (8 * extra)),)) + (value & ((1 << (8 * extra)) - 1)).to_bytes(
        extra, "little"
    )


class Codec:
    """Encoder and decoder of one type under one set of constants. `smallest` is the least octets of a value.

    `layout` is its format for `struct`, if its size is fixed and it has no other rule.
    """

    __slots__ = ("layout", "read", "smallest", "to_json", "write")

    def __init__(
        self, read: Callable[[Reader], Any], write: Callable[[Any, bytearray], None], smallest: int,
        to_json: Callable[[Any], Any], layout: str = "",
    ) -> None:  # fmt: skip
        self.read, self.write, self.smallest, self.to_json, self.layout = read, write, smallest, to_json, layout

    def encode(self, value: Any) -> bytes:
        """The octets of a value of this type."""
        out = bytearray()
        self.write(value, out)
        return bytes(out)

    def decode(self, data: bytes) -> Any:
        """The value that all of `data` encodes. Raises CodecError."""
        reader = Reader(data)
        value = self.read(reader)
        if reader.position != reader.end:
            raise CodecError(f"{reader.end - reader.position} octets left over")
        return value


class Custom:
    """An annotation that builds the codec of its field: `base` is the annotated type."""

    def build(self, base: Any, constants: Constants) -> Codec:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Octets(Custom):
    """Exactly `size` octets, or as many as the constant of that name says."""

    size: int | str

    def build(self, base: Any, constants: Constants) -> Codec:
        size = _size(self.size, constants)

        def read(reader: Reader) -> bytes:
            start = reader.position
            stop = start + size
            if stop > reader.end:
                raise CodecError(f"{size} octets needed, {reader.end - start} left")
            reader.position = stop
            return reader.data[start:stop]

        def write(value: bytes, out: bytearray) -> None:
            if len(value) != size:
                raise CodecError(f"{len(value)} octets in place of {size}")
            out += value

        return Codec(read, write, size, _hex, f"{size}s")


@dataclasses.dataclass(frozen=True)
class Fixed(Custom):
    """E_l: a natural number in `size` octets, least significant first."""

    size: int

    def build(self, base: Any, constants: Constants) -> Codec:
        size, from_bytes = self.size, int.from_bytes

        def read(reader: Reader) -> int:
            start = reader.position
            stop = start + size
            if stop > reader.end:
                raise CodecError(f"{size} octets needed, {reader.end - start} left")
            reader.position = stop
            return from_bytes(reader.data[start:stop], "little")

        def write(value: int, out: bytearray) -> None:
            out += value.to_bytes(size, "little")

        return Codec(read, write, size, _same, _INTEGERS.get(size, ""))


@dataclasses.dataclass(frozen=True)
class Natural(Custom):
    """E: a natural number below 2^bits in the general encoding."""

    bits: int = 64

    def build(self, base: Any, constants: Constants) -> Codec:
        bits = self.bits

        def read(reader: Reader) -> int:
            value = reader.natural()
            if value >> bits:
                raise CodecError(f"{value} is not below 2^{bits}")
            return value

        def write(value: int, out: bytearray) -> None:
            out += encode_natural(value)

        return Codec(read, write, 1, _same)


@dataclasses.dataclass(frozen=True)
class Blob(Custom):
    """Octets after their length."""

    def build(self, base: Any, constants: Constants) -> Codec:
        def read(reader: Reader) -> bytes:
            return reader.take(reader.natural())

        def write(value: bytes, out: bytearray) -> None:
            out += encode_natural(len(value))
            out += value

        return Codec(read, write, 1, _hex)


@dataclasses.dataclass(frozen=True)
class Exactly(Custom):
    """A sequence of a known number of items, or as many as the constant of that name says."""

    number: int | str

    def build(self, base: Any, constants: Constants) -> Codec:
        number = _size(self.number, constants)
        item = codec(_item(base), constants)
        item_read, item_write, item_json = item.read, item.write, item.to_json

        def read(reader: Reader) -> tuple[Any, ...]:
            return _items(reader, item_read, number)

        def write(value: tuple[Any, ...], out: bytearray) -> None:
            if len(value) != number:
                raise CodecError(f"{len(value)} items in place of {number}")
            for each in value:
                item_write(each, out)

        return Codec(read, write, number * item.smallest, lambda value: [item_json(each) for each in value])


def codec(kind: Any, constants: Constants) -> Codec:
    """The codec of a dataclass, or of any annotation that may stand at a field (see the module's page)."""
    return _codec(kind, constants)


@cache
def _codec(kind: Any, constants: Constants) -> Codec:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        base, *notes = typing.get_args(kind)
        for note in notes:
            if isinstance(note, Custom):
                return note.build(base, constants)
        return codec(base, constants)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (each for each in typing.get_args(kind) if each is not type(None))
        return _maybe(codec(inner, constants))
    if origin is tuple:
        if typing.get_args(kind)[-1] is not Ellipsis:
            return _pair([codec(each, constants) for each in typing.get_args(kind)])
        return _sequence(codec(_item(kind), constants))
    if kind is bool:
        return Codec(_read_bool, _write_bool, 1, _same)
    if dataclasses.is_dataclass(kind):
        return _record(kind, constants)
    raise TypeError(f"no codec for {kind}")


def decode(kind: type[T], data: bytes, constants: Constants) -> T:
    """The value of a type that all of `data` encodes. Raises CodecError."""
    value: T = codec(kind, constants).decode(data)
    return value


def encode(value: Any, constants: Constants) -> bytes:
    """The octets of an instance of a dataclass."""
    return codec(type(value), constants).encode(value)


def to_json(value: Any, constants: Constants) -> Any:
    """A value of a dataclass as JSON has it: octets as "0x…", names of fields as they are."""
    return codec(type(value), constants).to_json(value)


def _record(kind: Any, constants: Constants) -> Codec:
    hints = typing.get_type_hints(kind, include_extras=True)
    names = tuple(field.name for field in dataclasses.fields(kind))
    codecs = [codec(hints[name], constants) for name in names]
    readers = tuple(zip(names, [each.read for each in codecs], strict=True))
    writers = tuple(zip(names, [each.write for each in codecs], strict=True))
    printers = tuple(zip(names, [each.to_json for each in codecs], strict=True))

    def read(reader: Reader) -> Any:
        values = []
        name = ""
        try:
            for name, field in readers:  # noqa: B007
                values.append(field(reader))
        except CodecError as error:
            raise error.within(name) from None
        return kind(*values)

    def write(value: Any, out: bytearray) -> None:
        for name, field in writers:
            field(getattr(value, name), out)

    def as_json(value: Any) -> Any:
        return {name: field(getattr(value, name)) for name, field in printers}

    smallest, layouts = sum(each.smallest for each in codecs), [each.layout for each in codecs]
    if not all(layouts):
        return Codec(read, write, smallest, as_json)
    is_numbers = all(layout in _INTEGERS.values() for layout in layouts)
    fast_read, fast_write = _packed(kind, names, Struct(_ORDER + "".join(layouts)), read, write)
    return Codec(fast_read, fast_write if is_numbers else write, smallest, as_json)


def _packed(
    kind: Any, names: tuple[str, ...], layout: Struct, read: Callable[[Reader], Any],
    write: Callable[[Any, bytearray], None],
) -> tuple[Callable[[Reader], Any], Callable[[Any, bytearray], None]]:  # fmt: skip
    """Reading and writing of a record of fixed size in one go; what fails is left to `read` and `write`, which say why.

    Octets are not to be written so: `struct` would fill them up.
    """
    size, unpack, pack, values = layout.size, layout.unpack_from, layout.pack, attrgetter(*names)
    if len(names) == 1:
        return read, write

    def fast_read(reader: Reader) -> Any:
        position = reader.position
        if position + size > reader.end:
            return read(reader)
        reader.position = position + size
        return kind(*unpack(reader.data, position))

    def fast_write(value: Any, out: bytearray) -> None:
        try:
            out += pack(*values(value))
        except StructError:
            write(value, out)

    return fast_read, fast_write


def _sequence(item: Codec) -> Codec:
    item_read, item_write, item_json, smallest = item.read, item.write, item.to_json, max(item.smallest, 1)

    def read(reader: Reader) -> tuple[Any, ...]:
        return _items(reader, item_read, reader.count(smallest))

    def write(value: tuple[Any, ...], out: bytearray) -> None:
        out += encode_natural(len(value))
        for each in value:
            item_write(each, out)

    return Codec(read, write, 1, lambda value: [item_json(each) for each in value])


def _items(reader: Reader, read: Callable[[Reader], Any], number: int) -> tuple[Any, ...]:
    values: list[Any] = []
    try:
        for _ in range(number):
            values.append(read(reader))
    except CodecError as error:
        raise error.within(f"[{len(values)}]") from None
    return tuple(values)


def _maybe(inner: Codec) -> Codec:
    inner_read, inner_write, inner_json = inner.read, inner.write, inner.to_json

    def read(reader: Reader) -> Any:
        return inner_read(reader) if _read_bool(reader) else None

    def write(value: Any, out: bytearray) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(1)
            inner_write(value, out)

    return Codec(read, write, 1, lambda value: None if value is None else inner_json(value))


def _pair(parts: list[Codec]) -> Codec:
    def read(reader: Reader) -> tuple[Any, ...]:
        return tuple([each.read(reader) for each in parts])

    def write(value: tuple[Any, ...], out: bytearray) -> None:
        for part, each in zip(parts, value, strict=True):
            part.write(each, out)

    def as_json(value: tuple[Any, ...]) -> list[Any]:
        return [part.to_json(each) for part, each in zip(parts, value, strict=True)]

    return Codec(read, write, sum(each.smallest for each in parts), as_json)


def _read_bool(reader: Reader) -> bool:
    octet = reader.take(1)[0]
    if octet > 1:
        raise CodecError(f"{octet} where 0 or 1 is needed")
    return octet == 1


def _write_bool(value: bool, out: bytearray) -> None:
    out.append(1 if value else 0)


def _item(kind: Any) -> Any:
    return typing.get_args(kind)[0]


def _size(size: int | str, constants: Constants) -> int:
    return int(getattr(constants, size)) if isinstance(size, str) else size


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _same(value: Any) -> Any:
    return value
