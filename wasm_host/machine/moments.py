"""Moments: what a machine was, so that it can be that again.

In: a machine's state and memory. Out: a frozen `Moment`. Code that checks and keeps nothing (protection
"bare" of `pvm.emit.recompiler`) can be run from a moment on as long as the host has no part in what happens: when an
access is refused, what it did is taken back, and done again by code that is exact.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from pvm import abi
from wasm_host.machine.memory import EngineState, GuestMemory

LARGEST = 1 << 25  # bytes that the guest may write, at most: to keep them takes 0.1 to 0.3 ms a MiB

_FIRST = abi.REGISTERS
_LENGTH = max(field.offset + field.size for field in abi.STATE.values()) - _FIRST


@dataclass(frozen=True)
class Moment:
    """`state` is the engine's, `reserve` the gas beyond it; `writable` has the pages that the guest may write."""

    state: bytes
    reserve: int
    writable: tuple[tuple[int, bytes], ...]

    def restore(self, state: EngineState, guest: GuestMemory) -> None:
        """Make it all what it was. Meanwhile no page has been mapped and none has lost a right."""
        for address, data in self.writable:
            ctypes.memmove(guest.base + address, data, len(data))
        state.write(_FIRST, self.state)


def moment_of(state: EngineState, guest: GuestMemory, reserve: int) -> Moment | None:
    """What is now; None where that is too much to keep."""
    ranges = [(max(address, _LOW), address + length) for address, length, access in guest.mapped() if access == "rw"]
    if sum(max(0, end - address) for address, end in ranges) > LARGEST:
        return None
    writable = tuple(
        (address, ctypes.string_at(guest.base + address, end - address)) for address, end in ranges if address < end
    )
    return Moment(state.read(_FIRST, _LENGTH), reserve, writable)


_LOW = abi.LOW_PAGES << abi.GUEST_PAGE_BITS  # below, the guest may access nothing
