"""The natural-number codec of the Gray Paper's serialisation (appendix C) as program formats use it.

In: bytes and an offset. Out: numbers and the offset after them. Encodings that are longer than needed are refused,
so that every value has one encoding and parsing followed by encoding gives back the same bytes.
"""

from __future__ import annotations

from pvm.errors import ProgramError
from pvm.printable import counted


def in_bytes(count: int) -> str:
    """So many bytes, for the messages of readers; `pvm.standalone` writes the same."""
    return counted(count, "byte", separator="")


def take(data: bytes, offset: int, length: int, what: str) -> tuple[bytes, int]:
    """`length` bytes at `offset` and the offset after them. Raises ProgramError when they are not there."""
    end = offset + length
    if end > len(data):
        left = len(data) - offset
        raise ProgramError(f"{what}: needs {in_bytes(length)} at offset {offset}, but only {left} left")
    return data[offset:end], end


def read_fixed(data: bytes, offset: int, octets: int, what: str) -> tuple[int, int]:
    """The paper's E_l^-1: a little-endian number of `octets` octets."""
    raw, offset = take(data, offset, octets, what)
    return int.from_bytes(raw, "little"), offset


def read_natural(data: bytes, offset: int, what: str) -> tuple[int, int]:
    """The paper's E^-1: a number below 2^64 of 1 to 9 octets; the first octet's leading ones count those after it."""
    first, offset = read_fixed(data, offset, 1, what)
    extra = 8 - (first ^ 0xFF).bit_length()
    low, offset = read_fixed(data, offset, extra, what)
    value = ((first & (0xFF >> (extra + 1))) << (8 * extra)) | low if extra < 8 else low
    if extra and value < 1 << (7 * extra):
        raise ProgramError(f"{what}: the number {value} at offset {offset - extra - 1} is encoded longer than needed")
    return value, offset


def encode_natural(value: int) -> bytes:
    """The paper's E on a number below 2^64."""
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            prefix = (0xFF00 >> extra) & 0xFF
            return bytes([prefix | value >> (8 * extra)]) + (value & ((1 << 8 * extra) - 1)).to_bytes(extra, "little")
    return b"\xff" + value.to_bytes(8, "little")
