"""A machine's whole state as a value, between any two instructions.

In: nothing. Out: `State`, which `Machine.save` makes and `Machine.restore` and `AnyEngine.resume` take: in another
tier, engine, process or browser. It is frozen, compared by value, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pvm.errors import InputError
from pvm.program.program import Program
from pvm.program.standard import PAGE_SIZE
from pvm.registers import REGISTER_COUNT

_ZERO_PAGE = bytes(PAGE_SIZE)


@dataclass(frozen=True)
class State:
    """What a machine is, its handlers aside.

    `mapped` are address, length and access of what the guest may access, `contents` address and octets of all pages
    that are not zero, accessible or not; both in whole pages, by address, and neighbours joined. `charged` is whether
    the block around `pc` is paid for (block metering), `called` whether the instruction there is a host call that has
    been made, `halted` whether it has halted, and there is a result. `heap_end` is where `sbrk` goes on, `heap_limit`
    how far.
    """

    program: Program = field(repr=False)
    spec: str
    metering: str
    pc: int
    gas: int
    registers: tuple[int, ...]
    heap_end: int
    heap_limit: int
    charged: bool
    called: bool
    mapped: tuple[tuple[int, int, str], ...] = field(repr=False)
    contents: tuple[tuple[int, bytes], ...] = field(repr=False)
    halted: bool = False

    def check(self, program: Program, spec: str, metering: str) -> None:
        """Raises InputError unless it is the state of a machine with these."""
        if self.program != program:
            raise InputError("state: it is of another program")
        if (self.spec, self.metering) != (spec, metering):
            raise InputError(
                f"state: it is of a machine with spec {self.spec}, metering {self.metering}, not {spec}, {metering}"
            )
        if len(self.registers) != REGISTER_COUNT:
            raise InputError(f"state: {len(self.registers)} registers")


def joined_ranges(ranges: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Neighbouring ranges with the same access as one; they come by address."""
    last: tuple[int, int, str] | None = None
    for address, length, access in ranges:
        if last is not None and last[0] + last[1] == address and last[2] == access:
            last = last[0], last[1] + length, access
            continue
        if last is not None:
            yield last
        last = address, length, access
    if last is not None:
        yield last


def without_zeros(runs: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Addresses and octets of runs of pages, by address, cut where pages are zero, neighbours joined."""
    start, parts, end = 0, list[bytes](), -1
    for address, data in runs:
        zeros = [at for at in range(0, len(data), PAGE_SIZE) if data.startswith(_ZERO_PAGE, at)]
        first = 0
        for zero in (*zeros, len(data)):
            if zero > first:
                if parts and address + first != end:
                    yield start, parts[0] if len(parts) == 1 else b"".join(parts)
                    parts = []
                start = start if parts else address + first
                parts.append(data if zero - first == len(data) else data[first:zero])
                end = address + zero
            first = zero + PAGE_SIZE
    if parts:
        yield start, parts[0] if len(parts) == 1 else b"".join(parts)


def joined_pages(pages: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Addresses and octets of pages, those of zeros left out, neighbours joined; they come by address."""
    start, parts = 0, list[bytes]()
    for address, data in pages:
        if data == _ZERO_PAGE:
            continue
        if parts and address != start + len(parts) * PAGE_SIZE:
            yield start, b"".join(parts)
            parts = []
        if not parts:
            start = address
        parts.append(data)
    if parts:
        yield start, b"".join(parts)
