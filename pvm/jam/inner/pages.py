"""The memory of an inner machine as a value: access rights by ranges of pages, contents where something was written.

In: pages, addresses, octets. Out: `Pages`. A guest may map nearly 4 GiB for the gas of one call, so that nothing here
takes time or room by the pages of a range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from pvm.memory import ACCESSES
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE, ZONE_SIZE

PAGES = ADDRESS_SPACE // PAGE_SIZE
_ZEROS = bytes(PAGE_SIZE)


class Pages:
    """Rights ("rw", "r" or None) and octets of 2^20 pages; at first none and zeros."""

    def __init__(self) -> None:
        self._starts: list[int] = [0]  # of the ranges, whose rights follow
        self._rights: list[str | None] = [None]
        self.contents: dict[int, bytes] = {}  # by page; a page that is not here is zero

    def allow(self, first: int, count: int, access: str | None) -> None:
        """Give so many pages these rights. Nothing is changed for none."""
        assert access in ACCESSES
        if not count:
            return
        starts, rights, end = self._starts, self._rights, first + count
        low, high = bisect_right(starts, first) - 1, bisect_right(starts, end) - 1
        before, after = rights[low], rights[high]
        head = 0 if starts[low] == first else 1
        new_starts, new_rights = [first], [access]
        if end < PAGES and starts[high] != end:
            new_starts.append(end)
            new_rights.append(after)
        if head == 1 and before == access:
            del new_starts[0], new_rights[0]
        top = high if end < PAGES and starts[high] == end else high + 1
        starts[low + head : top] = new_starts
        rights[low + head : top] = new_rights

    def ranges(self, first: int = 0, count: int = PAGES) -> Iterator[tuple[int, int, str | None]]:
        """First page, count and rights of the ranges that these pages fall into, cut to them."""
        end, index = first + count, bisect_right(self._starts, first) - 1
        while first < end:
            stop = self._starts[index + 1] if index + 1 < len(self._starts) else PAGES
            stop = min(stop, end)
            yield first, stop - first, self._rights[index]
            first, index = stop, index + 1

    def has(self, first: int, count: int, *accesses: str) -> bool:
        """Whether all of the pages have one of these rights."""
        return all(access in accesses for _, _, access in self.ranges(first, count))

    def is_open(self, address: int, length: int, *accesses: str) -> bool:
        """Whether a guest with one of these rights may access all of a range, which is not empty."""
        if address < ZONE_SIZE or address + length > ADDRESS_SPACE:
            return False
        first = address // PAGE_SIZE
        return self.has(first, (address + length - 1) // PAGE_SIZE + 1 - first, *accesses)

    def clear(self, first: int, count: int) -> None:
        """Make pages zero."""
        contents = self.contents
        if count > len(contents):
            for page in [page for page in contents if first <= page < first + count]:
                del contents[page]
        else:
            for page in range(first, first + count):
                contents.pop(page, None)

    def read(self, address: int, length: int) -> bytes:
        """Octets from an address; the range lies within the 4 GiB."""
        parts, end = [], address + length
        while address < end:
            page, offset = divmod(address, PAGE_SIZE)
            size = min(PAGE_SIZE - offset, end - address)
            parts.append(self.contents.get(page, _ZEROS)[offset : offset + size])
            address += size
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Put octets at an address; the range lies within the 4 GiB."""
        done = 0
        while done < len(data):
            page, offset = divmod(address + done, PAGE_SIZE)
            size = min(PAGE_SIZE - offset, len(data) - done)
            old = self.contents.get(page, _ZEROS)
            self.contents[page] = old[:offset] + data[done : done + size] + old[offset + size :]
            done += size
