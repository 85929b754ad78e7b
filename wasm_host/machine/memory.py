"""The two memories of an instance as the host sees them.

In: addresses of wasmtime linear memories. Out: `GuestMemory`, with the interface of `pvm.Memory`, and `EngineState`,
the numbers of `pvm.abi.STATE`. Everything here keeps its store alive, and checks every address that it gets.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from threading import get_ident

import wasmtime

from pvm import abi
from pvm.memory import Memory, PageRanges, check_access, check_range, octets_of, page_range
from pvm.program import PAGE_SIZE
from pvm.program.standard import ADDRESS_SPACE
from pvm.registers import REGISTER_COUNT, Registers
from pvm.saved import without_zeros
from pvm.turns import NOBODY, Turns, refuse
from wasm_host.machine.pages import give_back, resident

_RIGHTS: dict[str | None, int] = {None: 0, "r": abi.READABLE, "rw": abi.READABLE | abi.WRITABLE}
_ACCESS = {rights: access for access, rights in _RIGHTS.items()}
_WRITABLE = abi.READABLE | abi.WRITABLE
_PAGES = ADDRESS_SPACE // PAGE_SIZE
_LOW_END, _PAGE_BITS = abi.LOW_PAGES * PAGE_SIZE, abi.GUEST_PAGE_BITS
_AT_HAND, _AT_ONCE = 4096, 64  # written pages that are remembered, of one write
_MANY_PAGES = 256  # from here on, the system is asked which pages it has given memory
_PAGES_AT_ONCE = 1 << 14  # that are copied
_FEW_PAGES = 16  # so many are quicker to fill with zeros than to give back
_RUN = re.compile(rb"([^\0])\1*", re.DOTALL)  # of mapped pages in a page table


def base_address(memory: wasmtime.Memory, store: wasmtime.Store) -> int:
    """Where a linear memory begins in this process. It never moves: see `wasm_host.code.modules`."""
    return ctypes.addressof(memory.data_ptr(store).contents)


def _bytes_at(address: int, length: int) -> bytes:
    """A copy of memory of this process. ctypes.string_at alone takes lengths below 2^31."""
    if length < 1 << 31:
        return ctypes.string_at(address, length)
    return memoryview((ctypes.c_char * length).from_address(address)).cast("B").tobytes()


class EngineState:
    """The state at the start of the engine memory. Each field of `pvm.abi.STATE` is a ctypes integer here."""

    def __init__(self, memory: wasmtime.Memory, store: wasmtime.Store, turns: Turns = NOBODY) -> None:
        self._memory, self._store = memory, store
        self.base = base = base_address(memory, store)
        self.field = {
            name: (ctypes.c_uint64 if field.size == 8 else ctypes.c_uint32).from_address(base + field.offset)
            for name, field in abi.STATE.items()
        }
        values = (ctypes.c_uint64 * REGISTER_COUNT).from_address(base + abi.REGISTERS)
        # The owner is not this object: in a cycle, machines would wait for the garbage collector to be freed.
        self.registers = Registers(memoryview(values).cast("B").cast("Q"), (store, memory), turns)

    def write(self, address: int, data: bytes) -> None:
        """Put `data` into the engine memory. The caller has made room (`reserve`)."""
        ctypes.memmove(self.base + address, data, len(data))

    def read(self, address: int, length: int) -> bytes:
        """`length` bytes of the engine memory, which must be there: for tests."""
        return _bytes_at(self.base + address, length)

    def size(self) -> int:
        """Bytes of the engine memory."""
        return self._memory.size(self._store) * abi.WASM_PAGE

    def reserve(self, size: int) -> None:
        """Make the engine memory at least `size` bytes long."""
        missing = -(-size // abi.WASM_PAGE) - self._memory.size(self._store)
        if missing > 0:
            self._memory.grow(self._store, missing)


class GuestMemory(Memory):
    """The guest's 4 GiB, and its page table in the engine memory."""

    is_on = False  # whether the pages are protected by the hardware
    is_lost = False  # whether they were to be, and could not be

    def __init__(
        self, guest: wasmtime.Memory, engine: EngineState, store: wasmtime.Store, turns: Turns = NOBODY
    ) -> None:
        self._store, self._engine, self._turns = store, engine, turns
        self._base = self.base = base_address(guest, store)  # in this process
        self._table = engine.base + abi.PAGE_TABLE
        # For handlers: a third of the time that ctypes' functions take.
        self._octets = memoryview((ctypes.c_char * ADDRESS_SPACE).from_address(self._base)).cast("B")
        self._page_rights = memoryview((ctypes.c_char * _PAGES).from_address(self._table)).cast("B")
        self._noted = PageRanges()  # that were mapped or written
        self._written: set[int] = set()  # pages that are known to be noted
        self._heap_start = ADDRESS_SPACE  # where sbrk began to map pages

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        return _bytes_at(self._base + address, length)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        if type(data) is not bytes:
            data = octets_of(data)
        check_range(address, len(data))
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        ctypes.memmove(self._base + address, data, len(data))
        page = address // PAGE_SIZE
        if page not in self._written or (address + len(data) - 1) // PAGE_SIZE != page:
            self._note_write(address, len(data))

    def map(self, address: int, length: int, access: str | None) -> None:
        check_range(address, length)
        check_access(access)
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        self._give(address, length, access)

    def _give(self, address: int, length: int, access: str | None) -> None:
        if not length:
            return
        first, end = page_range(address, length)
        self._noted.add(first, end)
        rights, low_end = _RIGHTS[access], min(end, abi.LOW_PAGES)
        if first < low_end:
            ctypes.memset(self._table + first, rights << abi.LOW_SHIFT, low_end - first)
            first = low_end
        if first < end:
            ctypes.memset(self._table + first, rights, end - first)

    def access(self, address: int) -> str | None:
        check_range(address, 1)
        page = address // PAGE_SIZE
        rights = ctypes.c_uint8.from_address(self._table + page).value
        return _ACCESS[rights >> abi.LOW_SHIFT if page < abi.LOW_PAGES else rights]

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        check_range(address, length)
        asked = page_range(address, length)
        for first, end in self._extents():
            first, end = max(first, asked[0]), min(end, asked[1])
            if first >= end:
                continue
            table = ctypes.string_at(self._table + first, end - first)
            if first < abi.LOW_PAGES:
                low = min(end, abi.LOW_PAGES) - first
                table = bytes(rights >> abi.LOW_SHIFT for rights in table[:low]) + table[low:]
            for run in _RUN.finditer(table):
                yield (first + run.start()) * PAGE_SIZE, len(run[0]) * PAGE_SIZE, _ACCESS[run[0][0]] or ""

    def contents(self) -> Iterator[tuple[int, bytes]]:
        return without_zeros(run for first, end in self._extents() for run in self._copies(first, end))

    def clear(self, address: int = 0, length: int = ADDRESS_SPACE) -> None:
        check_range(address, length)
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        asked = page_range(address, length)
        for first, end in self._extents():
            first, end = max(first, asked[0]), min(end, asked[1])
            if first < end:
                start, stop = max(address, first * PAGE_SIZE), min(address + length, end * PAGE_SIZE)
                self._zero(start, stop - start)

    def forget(self) -> None:
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        for first, end in self._extents():
            self._zero(first * PAGE_SIZE, (end - first) * PAGE_SIZE)
            ctypes.memset(self._table + first, 0, end - first)

    def become(self, mapped: Sequence[tuple[int, int, str]], contents: Sequence[tuple[int, bytes]]) -> None:
        for address, data in contents:
            check_range(address, len(data))
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        extents, number = self._extents(), 0
        for first, end in extents:
            at, stop = first * PAGE_SIZE, end * PAGE_SIZE
            while at < stop:  # what becomes other octets need not become zero first
                while number < len(contents) and contents[number][0] + len(contents[number][1]) <= at:
                    number += 1
                start, size = (contents[number][0], len(contents[number][1])) if number < len(contents) else (stop, 0)
                if at < start:
                    self._zero(at, min(start, stop) - at)
                at = max(at, start + size)
            ctypes.memset(self._table + first, 0, end - first)
        self._noted, self._heap_start = PageRanges(), ADDRESS_SPACE
        self._written.clear()
        for address, data in contents:
            ctypes.memmove(self._base + address, data, len(data))
            self._note_write(address, len(data))
        for address, length, access in mapped:
            self._give(address, length, access)

    def heap_starts(self, address: int) -> None:
        """From now on `sbrk` maps from there."""
        end = self._engine.field["heap_end"].value
        if self._heap_start < end:
            self._noted.add(*page_range(self._heap_start, end - self._heap_start))
        self._heap_start = address

    def _note_write(self, address: int, length: int) -> None:
        if length:
            first, end = page_range(address, length)
            self._noted.add(first, end)
            self._written.update(range(first, min(end, first + _AT_ONCE)))
            if len(self._written) > _AT_HAND:
                self._written.clear()

    def _extents(self) -> list[tuple[int, int]]:
        """Ranges of pages, by address and apart, outside of which nothing is mapped and all is zero."""
        heap_end = self._engine.field["heap_end"].value
        return self._noted.all(page_range(self._heap_start, max(0, heap_end - self._heap_start)))

    def _copies(self, first: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Addresses and octets of runs of these pages. Of many, those that the system has given memory."""
        if end - first <= _MANY_PAGES:
            yield self._copy(first, end)
            return
        start = stop = first
        for page in resident(self._base, first, end):
            if page != stop or stop - start == _PAGES_AT_ONCE:
                if start < stop:
                    yield self._copy(start, stop)
                start = page
            stop = page + 1
        if start < stop:
            yield self._copy(start, stop)

    def _copy(self, first: int, end: int) -> tuple[int, bytes]:
        return first * PAGE_SIZE, ctypes.string_at(self._base + first * PAGE_SIZE, (end - first) * PAGE_SIZE)

    def _zero(self, address: int, length: int) -> None:
        """Make a range zero, of whose pages whole ones go back to the system."""
        first, end = -(-address // PAGE_SIZE), (address + length) // PAGE_SIZE
        if end - first < _FEW_PAGES or not give_back(self._base + first * PAGE_SIZE, (end - first) * PAGE_SIZE):
            ctypes.memset(self._base + address, 0, length)
            return
        ctypes.memset(self._base + address, 0, first * PAGE_SIZE - address)
        ctypes.memset(self._base + end * PAGE_SIZE, 0, address + length - end * PAGE_SIZE)

    def is_readable(self, address: int, length: int) -> bool:
        return self._grants(address, length, abi.READABLE)

    def is_writable(self, address: int, length: int) -> bool:
        return self._grants(address, length, _WRITABLE)

    def guest_read(self, address: int, length: int) -> bytes | None:
        if not self._grants(address, length, abi.READABLE):
            return None
        return self._octets[address : address + length].tobytes()

    def guest_write(self, address: int, data: bytes) -> bool:
        length = len(data)
        if not self._grants(address, length, _WRITABLE):
            return False
        self._octets[address : address + length] = data
        return True

    def _grants(self, address: int, length: int, least: int) -> bool:
        """Whether the guest has at least these rights to all pages of a range, which may be empty."""
        if not length:
            return True
        if address < _LOW_END or address + length > ADDRESS_SPACE:
            return False
        first, last = address >> _PAGE_BITS, (address + length - 1) >> _PAGE_BITS
        if first == last:
            return self._page_rights[first] >= least
        return min(self._page_rights[first : last + 1]) >= least
