"""Program blobs: instruction data, opcode bitmask and jump table.

In: bytes p = E(|j|) E_1(z) E(|c|) E_z(j) E(c) E(k) (A.1, A.2). Out: a frozen `Blob`, which encodes back to the same
bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, overload

from pvm.errors import InputTypeError, ProgramError
from pvm.lazy import lazy
from pvm.printable import counted
from pvm.program.codec import encode_natural, in_bytes, read_fixed, read_natural, take

MAX_ENTRY_SIZE = 255  # octets of a jump table entry
MAX_ENTRIES = (1 << 64) - 1
# No dynamic jump reaches further: its address is below 2^32, and entries are 2 apart (A.4).
REACHABLE_ENTRIES = (1 << 31) - 1


@dataclass(frozen=True)
class ZeroEntries(Sequence[int]):
    """A jump table whose entries take no octets: `total` zeros, up to 2^64 - 1 of them, in no memory."""

    total: int

    def __len__(self) -> int:
        """At most as many as Python can count; `total` has them all."""
        return min(self.total, sys.maxsize)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> ZeroEntries: ...
    def __getitem__(self, index: int | slice) -> int | ZeroEntries:
        found = range(len(self))[index]  # raises IndexError
        return ZeroEntries(len(found)) if isinstance(found, range) else 0


@dataclass(frozen=True)
class Blob:
    """`code` is c. `bitmask` is k, packed, least significant bit first. `jump_table` is j; `jump_entry_size` is z.

    Entries of any size are numbers, however large; those of no octets become `ZeroEntries`. Raises ProgramError when
    the parts do not fit together.
    """

    code: bytes
    bitmask: bytes
    jump_table: Sequence[int] = ()
    jump_entry_size: int = 0

    def __post_init__(self) -> None:
        size, length = self.jump_entry_size, len(self.code)
        if not 0 <= size <= MAX_ENTRY_SIZE:
            raise ProgramError(f"jump table entry size: {size} bytes, but an entry has at most {MAX_ENTRY_SIZE}")
        table = self.jump_table
        if not isinstance(table, ZeroEntries):
            if table and not 0 <= min(table) <= max(table) < 1 << 8 * size:
                raise ProgramError(f"jump table: an entry does not fit {in_bytes(size)}")
            object.__setattr__(self, "jump_table", tuple(table) if size or not table else ZeroEntries(len(table)))
        elif size or not 0 <= table.total <= MAX_ENTRIES:
            raise ProgramError(f"jump table: {table.total} entries of no octets, of which each takes {size}")
        if len(self.bitmask) != (length + 7) // 8:
            raise ProgramError(f"bitmask: {in_bytes(len(self.bitmask))} for {in_bytes(length)} of code")
        if length % 8 and self.bitmask[-1] >> (length % 8):
            raise ProgramError(f"bitmask: bits are set beyond the {in_bytes(length)} of code")

    def __repr__(self) -> str:
        entries = counted(self.jump_count, "jump table entry", "jump table entries", separator="")
        return f"<Blob of {in_bytes(len(self.code))} of code, {entries}>"

    @property
    def jump_count(self) -> int:
        """|j|, at most 2^64 - 1: more than `len` can tell where entries take no octets."""
        return self.jump_table.total if isinstance(self.jump_table, ZeroEntries) else len(self.jump_table)

    @property
    def zero_entries(self) -> int:
        """How many entries of no octets a dynamic jump can reach; 0 where entries take any."""
        return min(self.jump_table.total, REACHABLE_ENTRIES) if isinstance(self.jump_table, ZeroEntries) else 0

    @property
    def stored_entries(self) -> tuple[int, ...]:
        """The entries that take octets in the blob."""
        return self.jump_table if isinstance(self.jump_table, tuple) else ()

    @lazy
    def jump_targets(self) -> frozenset[int]:
        """The different entries of the jump table."""
        return frozenset(self.stored_entries or (0,) * bool(self.jump_count))

    @lazy
    def starts(self) -> bytes:
        """k unpacked: one byte, 0 or 1, for each octet of the code."""
        bits = b"".join(_UNPACKED[byte] for byte in self.bitmask)
        return bits[: len(self.code)]

    @lazy
    def padded(self) -> bytes:
        """The paper's zeta: the code with zeros after it, as many as an instruction at its end may look at."""
        return self.code + bytes(32)

    def encode(self) -> bytes:
        """The bytes that `parse` reads."""
        entries = b"".join(entry.to_bytes(self.jump_entry_size, "little") for entry in self.stored_entries)
        return b"".join((
            encode_natural(self.jump_count), bytes([self.jump_entry_size]), encode_natural(len(self.code)),
            entries, self.code, self.bitmask,
        ))  # fmt: skip

    @staticmethod
    def parse(data: bytes) -> Blob:
        """Read a program blob. Raises ProgramError when a part is missing, left over or inconsistent."""
        count, offset = read_natural(data, 0, "jump table length")
        size, offset = read_fixed(data, offset, 1, "jump table entry size")
        length, offset = read_natural(data, offset, "code length")
        entries_text = counted(count, "entry", "entries", separator="")
        table, offset = take(data, offset, count * size, f"jump table of {entries_text}")
        code, offset = take(data, offset, length, "code")
        bitmask, offset = take(data, offset, (length + 7) // 8, "bitmask")
        if offset != len(data):
            raise ProgramError(f"bitmask: {in_bytes(len(data) - offset)} left over after offset {offset}")
        if not size:
            return Blob(code, bitmask, ZeroEntries(count) if count else ())
        entries = tuple(int.from_bytes(table[i : i + size], "little") for i in range(0, count * size, size))
        return Blob(code, bitmask, entries, size)


_UNPACKED = tuple(bytes((byte >> bit) & 1 for bit in range(8)) for byte in range(256))


def pack_bitmask(starts: bytes) -> bytes:
    """The inverse of `Blob.starts`: one bit for each byte of `starts`, zero-padded to whole octets."""
    return bytes(
        sum(bit << i for i, bit in enumerate(starts[at : at + 8])) for at in range(0, len(starts), 8)
    )


class HasBlob(Protocol):
    """A program, for one."""

    @property
    def blob(self) -> Blob:
        """Its program blob."""
        ...


Code = Blob | HasBlob
"""What there is code in: a blob, or a program."""


def blob_of(code: Code) -> Blob:
    """The blob of a program, or the blob itself. Raises InputTypeError for anything else."""
    found = code if isinstance(code, Blob) else getattr(code, "blob", None)
    if not isinstance(found, Blob):
        raise InputTypeError(f"a pvm.Program or a blob is needed (see Program.parse), not {type(code).__name__}")
    return found
