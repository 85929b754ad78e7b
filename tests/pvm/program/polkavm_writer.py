"""Writes PolkaVM blobs by hand, so that what is read in tests was written by other code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pvm.program import Blob
from pvm.program.codec import encode_natural

MEMORY, READ_ONLY, READ_WRITE, IMPORTS, EXPORTS, CODE = range(1, 7)
STRINGS, LINE_PROGRAMS, LINE_RANGES = 128, 129, 130


def counted(octets: bytes) -> bytes:
    return encode_natural(len(octets)) + octets


def section(number: int, contents: bytes) -> bytes:
    return bytes([number]) + counted(contents) if contents else b""


def container(version: int, *sections: bytes) -> bytes:
    body = b"".join(sections) + b"\0"
    return b"PVM\0" + bytes([version]) + (13 + len(body)).to_bytes(8, "little") + body


def memory(read_only: int = 0, read_write: int = 0, stack: int = 0) -> bytes:
    return section(MEMORY, b"".join(map(encode_natural, (read_only, read_write, stack))))


def imports(symbols: Sequence[bytes]) -> bytes:
    offsets, at = b"", 0
    for symbol in symbols:
        offsets += at.to_bytes(4, "little")
        at += len(symbol)
    return section(IMPORTS, encode_natural(len(symbols)) + offsets + b"".join(symbols))


def exports(found: Iterable[tuple[int, bytes]]) -> bytes:
    entries = [encode_natural(pc) + counted(name) for pc, name in found]
    return section(EXPORTS, encode_natural(len(entries)) + b"".join(entries))


def debug(names: Sequence[tuple[int, int, bytes, bytes]]) -> bytes:
    """Ranges of pcs with a namespace and a function, in the way in which polkatool writes them."""
    strings, programs, ranges = bytearray(b"\0"), bytearray(b"\1"), bytearray()

    def string(text: bytes) -> bytes:
        at = len(strings) if text else 0
        if text:
            strings.extend(counted(text))
        return encode_natural(at)

    for first, end, namespace, function in names:
        ranges += b"".join(number.to_bytes(4, "little") for number in (first, end, len(programs)))
        # Two frames: the lowest, and one that was inlined; then all of the range at once.
        programs += b"\x0a\2\2\5" + string(namespace) + b"\6" + string(function) + b"\7\0\x08\x21\x09\x05"
        programs += b"\1\1\3\6" + string(b"inlined") + b"\x0f" + encode_natural(end - first) + b"\0"
    return section(STRINGS, bytes(strings)) + section(LINE_PROGRAMS, bytes(programs)) + section(
        LINE_RANGES, bytes(ranges)
    )


def code(blob: Blob) -> bytes:
    return section(CODE, blob.encode())
