"""How large a program may be in 0.8.0."""

from __future__ import annotations

import pytest

from pvm import Exit, Reason, ReferenceEngine
from pvm.program import Blob, Program, invalid_at, pack_bitmask

MOST_CODE, MOST_ENTRIES = 1 << 25, 1 << 24


def of_size(size: int) -> Blob:
    """A valid program but for its size: an instruction every 25 octets, as far apart as they may be."""
    starts = bytearray(b"\1" + bytes(24)) * (size // 25)
    starts += b"\1" * (size - len(starts))
    return Blob(b"\1" * size, pack_bitmask(bytes(starts)))


def test_code() -> None:
    assert invalid_at(of_size(MOST_CODE), "0.8.0") is None
    large = Program(of_size(MOST_CODE + 1))
    assert invalid_at(large.blob, "0.8.0") == "there are 33,554,433 octets of code, more than 33,554,432"
    assert ReferenceEngine("0.8.0").instantiate(large, gas=9).run() == Exit(Reason.PANIC, 0, 9)


@pytest.mark.parametrize(("entries", "is_valid"), [(MOST_ENTRIES, True), (MOST_ENTRIES + 1, False), (1 << 60, False)])
def test_jump_tables(entries: int, is_valid: bool) -> None:
    """Entries of no octets count, too: a table can be large without taking room."""
    blob = Blob.parse(table_of(entries))
    assert blob.jump_count == entries
    assert (invalid_at(blob, "0.8.0") is None) == is_valid
    machine = ReferenceEngine("0.8.0").instantiate(Program(blob), gas=9)
    assert machine.run() == Exit(Reason.PANIC, 0, 7 if is_valid else 9)


def table_of(entries: int) -> bytes:
    """A trap behind a jump table whose entries have no octets."""
    count = b"\xff" + entries.to_bytes(8, "little") if entries >> 56 else natural(entries)
    return count + b"\0" + b"\1" + b"\0" + b"\1"


def natural(number: int) -> bytes:
    """The paper's E, for numbers below 2^56."""
    extra = next(n for n in range(8) if number < 1 << 7 * (n + 1))
    high = (0xFF << (8 - extra)) & 0xFF | number >> 8 * extra
    return bytes([high]) + (number & ((1 << 8 * extra) - 1)).to_bytes(extra, "little")
