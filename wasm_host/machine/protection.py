"""The guest's pages protected by the hardware: an access without the right to it is a trap.

In: a guest memory. Out: `ProtectedMemory`, which keeps the protection of the process's pages the same as the guest's
page table, and whether this host can do so (`obstacle`). wasmtime turns the signal of a refused access into a trap of
WebAssembly where it comes from generated code, and passes any other on.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import get_ident

import wasmtime

from pvm import abi
from pvm.errors import ResourceError
from pvm.memory import PageRanges, check_range, octets_of, page_range
from pvm.program import PAGE_SIZE
from pvm.program.standard import ADDRESS_SPACE
from pvm.turns import NOBODY, Turns, refuse
from wasm_host.code.modules import wasmtime_engine
from wasm_host.machine.memory import EngineState, GuestMemory

_NONE, _READ, _WRITE = 0, 1, 2  # PROT_NONE, PROT_READ, PROT_WRITE
_SIGSEGV = 11
_PROTECTIONS = {0: _NONE, abi.READABLE: _READ, abi.READABLE | abi.WRITABLE: _READ | _WRITE}
_PAGES = ADDRESS_SPACE // PAGE_SIZE
_RUNS = re.compile(rb"(?s)(.)\1*")


def obstacle() -> str | None:
    """Why pages cannot be protected here and now; None when they can.

    To be asked before generated code runs that relies on it, because others in this process may take the signal over
    (1 microsecond).
    """
    return _lasting_obstacle() or _signal_obstacle()


@cache
def _lasting_obstacle() -> str | None:
    if sys.platform != "linux":
        return f"not on {sys.platform}: only on Linux"
    # Elsewhere a store across two pages may change the first before the second refuses it.
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"not on {platform.machine()}: only on x86-64"
    if mmap.PAGESIZE != PAGE_SIZE:
        return f"this host's pages have {mmap.PAGESIZE} bytes, the guest's {PAGE_SIZE}"
    try:
        _calls()
    except (ImportError, AttributeError, OSError):
        return "mprotect, sigaction or dladdr cannot be called"
    return None


class _Calls:
    """Functions of the C library, and where the library is loaded that has to handle the signal."""

    def __init__(self) -> None:
        from wasmtime import _bindings as ffi

        library = ctypes.CDLL(None, use_errno=True)
        self.mprotect = library.mprotect
        self.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self.sigaction = library.sigaction
        self.sigaction.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self.dladdr = library.dladdr
        self.dladdr.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        function = ffi.dll.wasmtime_func_call_unchecked  # type: ignore[attr-defined]
        wasmtime_engine()  # takes the signal over
        self.wasmtime = self.library_of(ctypes.cast(function, ctypes.c_void_p).value)
        self.is_ours = cache(lambda handler: self.wasmtime is not None and self.library_of(handler) == self.wasmtime)

    def library_of(self, address: int | None) -> int | None:
        """Where the library begins that an address lies in, None if it lies in none."""
        found = (ctypes.c_void_p * 4)()  # Dl_info: file name, base address, symbol name, symbol address
        return found[1] if address and self.dladdr(address, ctypes.addressof(found)) else None


@cache
def _calls() -> _Calls:
    return _Calls()


def _signal_obstacle() -> str | None:
    """Whether the signal goes to wasmtime first: its handler is the only one that knows of generated code."""
    calls = _calls()
    action = (ctypes.c_void_p * 32)()  # struct sigaction begins with the handler; it has 152 bytes
    if calls.sigaction(_SIGSEGV, None, action):
        return "the handler of memory faults cannot be looked up"
    if not calls.is_ours(action[0]):
        return "something else than wasmtime handles memory faults in this process"
    return None


class ProtectedMemory(GuestMemory):
    """A guest memory whose pages have the protection that the page table says, from `protect` on.

    When the system has no room for the protection, `is_lost` becomes True, and all is accessible from then on: there
    are some 65,000 runs of pages for a process.
    """

    def __init__(
        self, guest: wasmtime.Memory, engine: EngineState, store: wasmtime.Store, turns: Turns = NOBODY
    ) -> None:
        super().__init__(guest, engine, store, turns)
        # Addresses and lengths whose protection may differ from the page table: a signal may have ended a change.
        self._doubtful: tuple[int, int] | None = None

    def protect(self) -> None:
        """Begin to protect, or leave all as it was."""
        self.is_on = True
        try:
            self._protect(0, _PAGES, _NONE)
            for first, end in self._extents():
                self.follow(first * PAGE_SIZE, (end - first) * PAGE_SIZE)
        except BaseException:  # a signal's
            _mprotect(self._base, 0, _PAGES, _READ | _WRITE)
            self.is_on = False
            raise

    def unprotect(self) -> None:
        """Make all accessible, for good."""
        self._doubtful = (0, ADDRESS_SPACE)
        # At the limit of what the system holds, this frees what the next takes: it joins all that are next to it.
        _mprotect(self._base, 0, _PAGES, _NONE)
        if not _mprotect(self._base, 0, _PAGES, _READ | _WRITE):
            reason = os.strerror(ctypes.get_errno())
            raise ResourceError(f"no room for page protection, and none to do without ({reason})")
        self.is_on, self.is_lost = False, True
        self._doubtful = None

    def settle(self) -> None:
        """Finish what a signal may have ended. To be called before generated code runs."""
        if self._doubtful is not None:
            self.follow(*self._doubtful)
            self._doubtful = None

    def map(self, address: int, length: int, access: str | None) -> None:
        check_range(address, length)
        self._refuse_others()
        self.settle()
        if self.is_on and length:
            self._doubtful = (address, length)
            super().map(address, length, access)
            self.follow(address, length)
            self._doubtful = None
            return
        super().map(address, length, access)

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        if not self.is_on or not length:
            return super().read(address, length)
        # A handler may close pages between a look at them and the reading, which would end the process.
        self._refuse_others()
        self.settle()
        if self._is_open(address, length, abi.READABLE):
            return super().read(address, length)
        with self._opened(address, length):
            return super().read(address, length)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        if type(data) is not bytes:
            data = octets_of(data)
        check_range(address, len(data))
        if not self.is_on or not data:
            super().write(address, data)
            return
        self._refuse_others()
        self.settle()
        if self._is_open(address, len(data), abi.READABLE | abi.WRITABLE):
            super().write(address, data)
            return
        with self._opened(address, len(data)):
            super().write(address, data)

    def guest_read(self, address: int, length: int) -> bytes | None:
        self.settle()
        return super().guest_read(address, length)

    def guest_write(self, address: int, data: bytes) -> bool:
        self.settle()
        return super().guest_write(address, data)

    def _refuse_others(self) -> None:
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)

    def _copies(self, first: int, end: int) -> Iterator[tuple[int, bytes]]:
        if not self.is_on:
            yield from super()._copies(first, end)
            return
        self._refuse_others()
        self.settle()
        if self._is_open(first * PAGE_SIZE, (end - first) * PAGE_SIZE, abi.READABLE):
            found = list(super()._copies(first, end))
        else:
            with self._opened(first * PAGE_SIZE, (end - first) * PAGE_SIZE):
                found = list(super()._copies(first, end))
        yield from found

    def become(self, mapped: Sequence[tuple[int, int, str]], contents: Sequence[tuple[int, bytes]]) -> None:
        if not self.is_on:
            super().become(mapped, contents)
            return
        for address, length in (*((one[0], one[1]) for one in mapped), *((one[0], len(one[1])) for one in contents)):
            check_range(address, length)
        self._refuse_others()
        self.settle()
        asked = (*((one[0], one[1]) for one in mapped), *((one[0], len(one[1])) for one in contents))
        ranges = PageRanges().all(*self._extents(), *(page_range(address, length) for address, length in asked))
        if not ranges:
            return
        self._doubtful = ranges[0][0] * PAGE_SIZE, (ranges[-1][1] - ranges[0][0]) * PAGE_SIZE
        for first, end in ranges:
            self._protect(first, end, _READ | _WRITE)
        was_on = self.is_on  # there may have been no room for that
        try:
            self.is_on = False
            super().become(mapped, contents)
        finally:
            self.is_on = was_on
        if was_on:
            for first, end in ranges:
                self.follow(first * PAGE_SIZE, (end - first) * PAGE_SIZE)
        self._doubtful = None

    def forget(self) -> None:
        if not self.is_on:
            super().forget()
            return
        self._refuse_others()
        self.settle()
        self.become((), ())

    def _zero(self, address: int, length: int) -> None:
        if not self.is_on or not length:
            super()._zero(address, length)
            return
        self.settle()
        with self._opened(address, length):
            super()._zero(address, length)

    def follow(self, address: int, length: int) -> None:
        """Give the pages of a range the protection that the page table says."""
        first, end = address // PAGE_SIZE, -(-(address + length) // PAGE_SIZE)
        if first < abi.LOW_PAGES:  # never accessible, whatever they are mapped as
            self._protect(first, min(end, abi.LOW_PAGES), _NONE)
            first = abi.LOW_PAGES
        at = first
        for run in _RUNS.finditer(self._rights(first, end)):
            length = len(run[0])
            self._protect(at, at + length, _PROTECTIONS[run[0][0]])
            at += length

    def _is_open(self, address: int, length: int, needed: int) -> bool:
        """Whether the guest has at least these rights to all of a range, and so has this process."""
        first, end = address // PAGE_SIZE, (address + length - 1) // PAGE_SIZE + 1
        return first >= abi.LOW_PAGES and min(self._rights(first, end)) >= needed

    @contextmanager
    def _opened(self, address: int, length: int) -> Iterator[None]:
        """Let this process access a range that the guest may not."""
        self._doubtful = (address, length)
        try:
            self._protect(address // PAGE_SIZE, -(-(address + length) // PAGE_SIZE), _READ | _WRITE)
            yield
        finally:
            self.follow(address, length)
        self._doubtful = None

    def _rights(self, first: int, end: int) -> bytes:
        return ctypes.string_at(self._table + first, end - first) if first < end else b""

    def _protect(self, first: int, end: int, protection: int) -> None:
        if self.is_on and first < end and not _mprotect(self._base, first, end, protection):
            self.unprotect()


def _mprotect(base: int, first: int, end: int, protection: int) -> bool:
    """Whether pages [first, end) of the memory at `base` could be given a protection."""
    return not _calls().mprotect(base + first * PAGE_SIZE, (end - first) * PAGE_SIZE, protection)
