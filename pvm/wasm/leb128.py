"""LEB128 integers: WebAssembly specification, section 5.2.2 (binary format, integers)."""

from pvm.wasm.errors import WasmError

_LAST = tuple(bytes([n]) for n in range(0x80))
_MORE = tuple(bytes([n | 0x80]) for n in range(0x80))


def unsigned(n: int) -> bytes:
    """The shortest unsigned LEB128 encoding of `n`; ValueError when `n` is negative."""
    if 0 <= n < 0x80:
        return _LAST[n]
    if 0 <= n < 0x200000:
        return _MORE[n & 0x7F] + (_LAST[n >> 7] if n < 0x4000 else _MORE[n >> 7 & 0x7F] + _LAST[n >> 14])
    if n < 0:
        raise ValueError(f"unsigned LEB128 of a negative number: {n}")
    encoded = bytearray()
    while n > 0x7F:
        encoded.append(n & 0x7F | 0x80)
        n >>= 7
    encoded.append(n)
    return bytes(encoded)


def signed(n: int) -> bytes:
    """The shortest signed LEB128 encoding of `n`, of any size."""
    # Most constants of programs are as short as this; the loop takes 4 times as long, and so does a cache that misses.
    if -0x40 <= n < 0x40:
        return _LAST[n & 0x7F]
    if -0x2000 <= n < 0x2000:
        return _MORE[n & 0x7F] + _LAST[n >> 7 & 0x7F]
    if -0x100000 <= n < 0x100000:
        return _MORE[n & 0x7F] + _MORE[n >> 7 & 0x7F] + _LAST[n >> 14 & 0x7F]
    encoded = bytearray()
    while not -0x40 <= n < 0x40:
        encoded.append(n & 0x7F | 0x80)
        n >>= 7
    encoded.append(n & 0x7F)
    return bytes(encoded)


def read_unsigned(data: bytes, offset: int, bits: int = 64) -> tuple[int, int]:
    """Read an unsigned LEB128 integer of at most `bits` bits at `offset`.

    Returns the value and the offset after it. Encodings longer than needed are legal, up to
    ceil(bits / 7) bytes. Raises WasmError when the data ends first or the value does not fit.
    """
    value, _, at = _groups(data, offset, bits)
    if value >> bits:
        raise WasmError(f"integer does not fit in {bits} bits", offset)
    return value, at


def read_signed(data: bytes, offset: int, bits: int) -> tuple[int, int]:
    """Read a signed LEB128 integer of at most `bits` bits at `offset`.

    Returns the value and the offset after it; raises WasmError as `read_unsigned` does.
    """
    value, shift, at = _groups(data, offset, bits)
    if value >> (shift - 1):
        value -= 1 << shift
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise WasmError(f"integer does not fit in {bits} bits", offset)
    return value, at


def _groups(data: bytes, offset: int, bits: int) -> tuple[int, int, int]:
    """The raw 7-bit groups at `offset` as one number, the number of bits in them, the offset after them."""
    value = 0
    shift = 0
    at = offset
    while True:
        if at >= len(data):
            raise WasmError("data ends inside an integer", offset)
        if shift >= bits:
            raise WasmError(f"integer longer than {bits} bits", offset)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, shift, at
