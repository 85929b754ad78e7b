"""The guest's memory as hosts see it (4.24): 4 GiB in pages, each with the guest's access.

In: addresses, octets. Out: `Memory`, which every engine subclasses, and the checks of what hosts ask for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NoReturn

from pvm.errors import AddressError, InputError, InputTypeError
from pvm.interface import public_names
from pvm.printable import counted, shown
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE, ZONE_SIZE

_MOST_RANGES = 64  # noted one by one; a machine starts with some four
ACCESSES: tuple[str | None, ...] = (None, "r", "rw")


class Memory(ABC):
    """The guest's 4 GiB as the host sees them: reads and writes ignore the guest's access rights."""

    def __dir__(self) -> list[str]:
        return public_names(Memory)

    @abstractmethod
    def read(self, address: int, length: int) -> bytes:
        """`length` bytes from `address`; pages never written are zero. Raises AddressError beyond 2^32."""

    @abstractmethod
    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Put `data` at `address`. Raises AddressError beyond 2^32."""

    @abstractmethod
    def map(self, address: int, length: int, access: str | None) -> None:
        """Give the guest "rw", "r" or no (None) access to every page that the range touches; contents stay.

        An empty range touches none.

        The guest panics below 2^16 whatever is mapped there (A.4). Raises AddressError beyond 2^32.
        """

    @abstractmethod
    def access(self, address: int) -> str | None:
        """The guest's access to the page of `address`: "rw", "r" or None. Raises AddressError beyond 2^32."""

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        """Address, length and access of what is mapped of a range, in one or several whole pages at a time, by address.

        Raises AddressError beyond 2^32.
        """
        check_range(address, length)
        for page in range(address - address % PAGE_SIZE, address + length, PAGE_SIZE):
            access = self.access(page)
            if access is not None:
                yield page, PAGE_SIZE, access

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Address and octets of all pages that are not zero, mapped or not, by address; neighbours are joined."""
        raise NotImplementedError

    def clear(self, address: int = 0, length: int = ADDRESS_SPACE) -> None:
        """Make a range zero, and give whole pages of it back to the system. The guest's access stays.

        Raises AddressError beyond 2^32.
        """
        raise NotImplementedError

    def forget(self) -> None:
        """Make all zero, and nothing accessible, as it was before the start."""
        self.clear()
        for address, length, _ in list(self.mapped()):
            self.map(address, length, None)

    def become(self, mapped: Sequence[tuple[int, int, str]], contents: Sequence[tuple[int, bytes]]) -> None:
        """Have nothing mapped but these addresses, lengths and accesses, and all zero but these addresses and octets.

        Both come by address and do not overlap. Raises AddressError beyond 2^32.
        """
        self.forget()
        for address, length, access in mapped:
            self.map(address, length, access)
        for address, data in contents:
            self.write(address, data)

    def __repr__(self) -> str:
        pages = sum(length for _, length, _ in self.mapped()) // PAGE_SIZE
        return f"<{type(self).__name__}, {counted(pages, 'page')} mapped>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("memory is that of a machine: Machine.save gives its contents as a value")

    def read_int(self, address: int, octets: int) -> int:
        """An unsigned little-endian number of so many octets. Raises AddressError beyond 2^32."""
        return int.from_bytes(self.read(address, octets), "little")

    def write_int(self, address: int, value: int, octets: int) -> None:
        """Put a number there, modulo 2^(8 * octets). Raises AddressError beyond 2^32."""
        self.write(address, (value & ((1 << 8 * octets) - 1)).to_bytes(octets, "little"))

    def is_readable(self, address: int, length: int) -> bool:
        """Whether the guest may read all of a range; of an empty one it may. It never may below 2^16."""
        return self._allows(address, length, ("r", "rw"))

    def is_writable(self, address: int, length: int) -> bool:
        """Whether the guest may write all of a range; of an empty one it may. It never may below 2^16."""
        return self._allows(address, length, ("rw",))

    def guest_read(self, address: int, length: int) -> bytes | None:
        """What the guest could read; None where it may not. Any integers from 0 on; no octets can always be read.

        It is for handlers, and so for the thread that runs the machine; so is `guest_write`.
        """
        if not length:
            return b""
        if address + length > ADDRESS_SPACE or not self.is_readable(address, length):
            return None
        return self.read(address, length)

    def guest_write(self, address: int, data: bytes) -> bool:
        """Write where the guest could write all of `data`. Whether it could."""
        if not data:
            return True
        if address + len(data) > ADDRESS_SPACE or not self.is_writable(address, len(data)):
            return False
        self.write(address, data)
        return True

    def _allows(self, address: int, length: int, accesses: tuple[str, ...]) -> bool:
        if length == 0:
            return True
        if address < ZONE_SIZE or address + length > ADDRESS_SPACE:
            return False
        first, last = address // PAGE_SIZE, (address + length - 1) // PAGE_SIZE
        return all(self.access(page * PAGE_SIZE) in accesses for page in range(first, last + 1))


class PageRanges:
    """Ranges of pages of a memory, some too many as one that spans them: outside of all, nothing was ever put."""

    def __init__(self) -> None:
        self._ranges: set[tuple[int, int]] = set()
        self._hull = (ADDRESS_SPACE // PAGE_SIZE, 0)

    def add(self, first: int, end: int) -> None:
        """Note the pages [first, end)."""
        if self._hull[0] <= first and end <= self._hull[1]:
            return
        self._ranges.add((first, end))
        if len(self._ranges) > _MOST_RANGES:
            ranges = [self._hull, *self._ranges]
            self._hull = min(first for first, _ in ranges), max(end for _, end in ranges)
            self._ranges.clear()

    def all(self, *others: tuple[int, int]) -> list[tuple[int, int]]:
        """All of them and others, by address and apart."""
        found: list[tuple[int, int]] = []
        for first, end in sorted([*self._ranges, self._hull, *others]):
            if first >= end:
                continue
            if found and first <= found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((first, end))
        return found


def page_range(address: int, length: int) -> tuple[int, int]:
    """The pages [first, end) that a range touches."""
    return address // PAGE_SIZE, -(-(address + length) // PAGE_SIZE) if length else address // PAGE_SIZE


def check_range(address: int, length: int) -> None:
    """Raises AddressError unless `length` bytes from `address` lie within the 4 GiB."""
    if not isinstance(address, int) or not isinstance(length, int):
        raise AddressError(f"address {shown(address)}, length {shown(length)}: integers are needed")
    if address < 0 or length < 0 or address + length > ADDRESS_SPACE:
        raise AddressError(f"address {address:#x}: {shown(length)} bytes from there do not lie within the 4 GiB")


def octets_of(data: bytes | bytearray | memoryview) -> bytes:
    """The data as bytes. Raises InputTypeError for what holds none."""
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise InputTypeError(f"write: bytes are needed, not {type(data).__name__}") from None


def check_access(access: str | None) -> None:
    """Raises InputError for anything but "rw", "r" and None."""
    if access not in ACCESSES:
        raise InputError(f"access {access!r}: choose 'rw', 'r' or None")
