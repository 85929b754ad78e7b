"""The guest's memory as hosts see it (4.24): 4 GiB in pages, each with the guest's access.

In: addresses, octets. Out: `Memory`, which every engine subclasses, and the checks of what hosts ask for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from pvm.errors import AddressError, InputError
from pvm.printable import shown
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE, ZONE_SIZE

ACCESSES: tuple[str | None, ...] = (None, "r", "rw")


class Memory(ABC):
    """The guest's 4 GiB as the host sees them: reads and writes ignore the guest's access rights."""

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

    def mapped(self) -> Iterator[tuple[int, int, str]]:
        """Address, length and access of what is mapped, in one or several pages at a time, by address."""
        for address in range(0, ADDRESS_SPACE, PAGE_SIZE):
            access = self.access(address)
            if access is not None:
                yield address, PAGE_SIZE, access

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


def check_range(address: int, length: int) -> None:
    """Raises AddressError unless `length` bytes from `address` lie within the 4 GiB."""
    if not isinstance(address, int) or not isinstance(length, int):
        raise AddressError(f"address {shown(address)}, length {shown(length)}: integers are needed")
    if address < 0 or length < 0 or address + length > ADDRESS_SPACE:
        raise AddressError(f"address {address:#x}: {shown(length)} bytes from there do not lie within the 4 GiB")


def check_access(access: str | None) -> None:
    """Raises InputError for anything but "rw", "r" and None."""
    if access not in ACCESSES:
        raise InputError(f"access {access!r}: choose 'rw', 'r' or None")
