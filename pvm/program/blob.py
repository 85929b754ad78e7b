"""Program blobs: instruction data, opcode bitmask and jump table.

In: bytes p = E(|j|) E_1(z) E(|c|) E_z(j) E(c) E(k) (A.1, A.2). Out: a frozen `Blob`, which encodes back to the same
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pvm.errors import ProgramError
from pvm.program.codec import encode_natural, read_fixed, read_natural, take


@dataclass(frozen=True)
class Blob:
    """`code` is c. `bitmask` is k, packed, least significant bit first. `jump_table` is j; `jump_entry_size` is z.

    Raises ProgramError when they do not fit together.
    """

    code: bytes
    bitmask: bytes
    jump_table: tuple[int, ...] = ()
    jump_entry_size: int = 0

    def __post_init__(self) -> None:
        count, length = len(self.jump_table), len(self.code)
        if count and self.jump_entry_size > 8:
            raise ProgramError(f"jump table entry size: {self.jump_entry_size} bytes, but an entry has at most 8")
        if count and not 0 <= min(self.jump_table) <= max(self.jump_table) < 1 << 8 * self.jump_entry_size:
            raise ProgramError(f"jump table: an entry does not fit {self.jump_entry_size} bytes")
        if len(self.bitmask) != (length + 7) // 8:
            raise ProgramError(f"bitmask: {len(self.bitmask)} bytes for {length} bytes of code")
        if length % 8 and self.bitmask[-1] >> (length % 8):
            raise ProgramError(f"bitmask: bits are set beyond the {length} bytes of code")

    def __repr__(self) -> str:
        return f"<Blob of {len(self.code)} bytes of code, {len(self.jump_table)} jump table entries>"

    @cached_property
    def starts(self) -> bytes:
        """k unpacked: one byte, 0 or 1, for each octet of the code."""
        bits = b"".join(_UNPACKED[byte] for byte in self.bitmask)
        return bits[: len(self.code)]

    @cached_property
    def padded(self) -> bytes:
        """The paper's zeta: the code with zeros after it, as many as an instruction at its end may look at."""
        return self.code + bytes(32)

    def encode(self) -> bytes:
        """The bytes that `parse` reads."""
        entries = b"".join(entry.to_bytes(self.jump_entry_size, "little") for entry in self.jump_table)
        return b"".join((
            encode_natural(len(self.jump_table)), bytes([self.jump_entry_size]), encode_natural(len(self.code)),
            entries, self.code, self.bitmask,
        ))  # fmt: skip

    @staticmethod
    def parse(data: bytes) -> Blob:
        """Read a program blob. Raises ProgramError when a part is missing, left over or inconsistent."""
        count, offset = read_natural(data, 0, "jump table length")
        size, offset = read_fixed(data, offset, 1, "jump table entry size")
        length, offset = read_natural(data, offset, "code length")
        if count and size > 8:
            raise ProgramError(f"jump table entry size: {size} bytes, but an entry has at most 8")
        table, offset = take(data, offset, count * size, f"jump table of {count} entries")
        code, offset = take(data, offset, length, "code")
        bitmask, offset = take(data, offset, (length + 7) // 8, "bitmask")
        if offset != len(data):
            raise ProgramError(f"bitmask: {len(data) - offset} bytes are left over after offset {offset}")
        if count and not size and count > len(data):
            # Entries of no octets cost the blob nothing; without this bound a short blob could ask for 2^64 of them.
            raise ProgramError(f"jump table: {count} entries of 0 bytes are more than the blob has bytes")
        entries = tuple(int.from_bytes(table[i : i + size], "little") for i in range(0, count * size, size or 1))
        return Blob(code, bitmask, entries if size else (0,) * count, size)


_UNPACKED = tuple(bytes((byte >> bit) & 1 for bit in range(8)) for byte in range(256))


def pack_bitmask(starts: bytes) -> bytes:
    """The inverse of `Blob.starts`: one bit for each byte of `starts`, zero-padded to whole octets."""
    return bytes(
        sum(bit << i for i, bit in enumerate(starts[at : at + 8])) for at in range(0, len(starts), 8)
    )
