"""Standard programs and service preimages: a program blob with its memory.

In: bytes p = E_3(|o|) E_3(|w|) E_2(z) E_3(s) o w E_4(|c|) c (A.7), for a service with metadata E(|m|) m before it.
Out: a frozen `Sections`, the blob inside, and the memory layout that follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.errors import InputError, ProgramError
from pvm.printable import counted
from pvm.program.codec import in_bytes, read_fixed, read_natural, take

PAGE_SIZE = 1 << 12  # Z_P, bytes
ZONE_SIZE = 1 << 16  # Z_Z, bytes
INPUT_SIZE = 1 << 24  # Z_I, bytes
ADDRESS_SPACE = 1 << 32  # bytes
HALT_ADDRESS = ADDRESS_SPACE - ZONE_SIZE  # a dynamic jump there halts
STACK_END = ADDRESS_SPACE - 2 * ZONE_SIZE - INPUT_SIZE
ARGUMENTS_START = ADDRESS_SPACE - ZONE_SIZE - INPUT_SIZE


def round_up(size: int, unit: int) -> int:
    """`size` rounded up to a multiple of `unit`: the paper's P for pages and Q for zones."""
    return -(-size // unit) * unit


@dataclass(frozen=True)
class Segment:
    """`length` bytes of accessible pages from page-aligned `address`; they begin with `data`, zeros follow."""

    name: str
    address: int
    length: int
    access: str
    data: bytes = b""


@dataclass(frozen=True)
class Sections:
    """`read_only` is o, `read_write` is w, `heap_pages` is z, `stack_size` (bytes) is s.

    `read_only_zeros` bytes of zeros come after `read_only` and are o, too. Parsing a standard program gives none: they
    are for other formats, which do not write them out.

    Raises ProgramError unless they fit their fields and the address space (A.7's condition).
    """

    read_only: bytes = b""
    read_write: bytes = b""
    heap_pages: int = 0
    stack_size: int = 0
    read_only_zeros: int = 0

    def __repr__(self) -> str:
        return (
            f"<Sections of {in_bytes(self.read_only_size)} read-only, {len(self.read_write)} read-write, "
            f"{counted(self.heap_pages, 'heap page')}, {in_bytes(self.stack_size)} of stack>"
        )

    def __post_init__(self) -> None:
        self._check()

    @property
    def read_only_size(self) -> int:
        """|o|, in bytes."""
        return len(self.read_only) + self.read_only_zeros

    @property
    def heap_end(self) -> int:
        """The address after the read-write data and its zero pages: where `sbrk` starts."""
        return self._read_write_start + round_up(len(self.read_write), PAGE_SIZE) + self.heap_pages * PAGE_SIZE

    @property
    def heap_limit(self) -> int:
        """How far `sbrk` may grow the heap: one zone below the stack."""
        return STACK_END - round_up(self.stack_size, PAGE_SIZE) - ZONE_SIZE

    @property
    def grow_limit(self) -> int:
        """How far 0.8.0's `grow_heap` may grow it: as `sbrk`, but the stack counts in whole zones (upstream's #538)."""
        return STACK_END - round_up(self.stack_size, ZONE_SIZE) - ZONE_SIZE

    @property
    def _read_write_start(self) -> int:
        return 2 * ZONE_SIZE + round_up(self.read_only_size, ZONE_SIZE)

    def segments(self, arguments: bytes = b"") -> tuple[Segment, ...]:
        """The accessible memory at the start, by address. Raises InputError when the arguments exceed 2^24 bytes."""
        if len(arguments) > INPUT_SIZE:
            raise InputError(f"arguments: {in_bytes(len(arguments))}, but at most {INPUT_SIZE} fit")
        stack = round_up(self.stack_size, PAGE_SIZE)
        start = self._read_write_start
        segments = (
            Segment("read-only", ZONE_SIZE, round_up(self.read_only_size, PAGE_SIZE), "r", self.read_only),
            Segment("read-write", start, self.heap_end - start, "rw", self.read_write),
            Segment("stack", STACK_END - stack, stack, "rw"),
            Segment("arguments", ARGUMENTS_START, round_up(len(arguments), PAGE_SIZE), "r", arguments),
        )
        return tuple(segment for segment in segments if segment.length)

    def encode(self, blob: bytes) -> bytes:
        """The standard program made of these sections and an encoded program blob."""
        return b"".join((
            self.read_only_size.to_bytes(3, "little"), len(self.read_write).to_bytes(3, "little"),
            self.heap_pages.to_bytes(2, "little"), self.stack_size.to_bytes(3, "little"),
            self.read_only, bytes(self.read_only_zeros), self.read_write, len(blob).to_bytes(4, "little"), blob,
        ))  # fmt: skip

    def _check(self) -> None:
        """Raises ProgramError unless the sections fit their fields and the address space (A.7's condition)."""
        for what, size, limit in (
            ("read-only data", self.read_only_size, 1 << 24), ("read-write data", len(self.read_write), 1 << 24),
            ("heap pages", self.heap_pages, 1 << 16), ("stack size", self.stack_size, 1 << 24),
        ):  # fmt: skip
            if not 0 <= size < limit:
                raise ProgramError(f"{what}: {size} is not below {limit}")
        needed = (
            5 * ZONE_SIZE
            + round_up(self.read_only_size, ZONE_SIZE)
            + round_up(len(self.read_write) + self.heap_pages * PAGE_SIZE, ZONE_SIZE)
            + round_up(self.stack_size, ZONE_SIZE)
            + INPUT_SIZE
        )
        if needed > ADDRESS_SPACE:
            raise ProgramError(f"sections: they need {needed} bytes, the address space has {ADDRESS_SPACE}")


def parse_standard(data: bytes, offset: int = 0) -> tuple[Sections, bytes]:
    """The sections and the program blob of a standard program that begins at `offset` and ends with `data`.

    Raises ProgramError when a part is missing or left over, or the sections do not fit the address space.
    """
    read_only_size, offset = read_fixed(data, offset, 3, "read-only data length")
    read_write_size, offset = read_fixed(data, offset, 3, "read-write data length")
    heap_pages, offset = read_fixed(data, offset, 2, "heap page count")
    stack_size, offset = read_fixed(data, offset, 3, "stack size")
    read_only, offset = take(data, offset, read_only_size, "read-only data")
    read_write, offset = take(data, offset, read_write_size, "read-write data")
    blob_size, offset = read_fixed(data, offset, 4, "program blob length")
    blob, offset = take(data, offset, blob_size, "program blob")
    if offset != len(data):
        raise ProgramError(f"standard program: {in_bytes(len(data) - offset)} left over after offset {offset}")
    return Sections(read_only, read_write, heap_pages, stack_size), blob


def parse_metadata(data: bytes) -> tuple[bytes, int]:
    """A service preimage's metadata and the offset of the standard program after it. Raises ProgramError."""
    length, offset = read_natural(data, 0, "metadata length")
    return take(data, offset, length, "metadata")
