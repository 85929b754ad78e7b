"""What is compared: a task, how a contestant's run of it ended, or why there is none.

In: nothing but values. `describe` makes the ending out of a machine that stands at its exit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pvm.machine import Exit, Machine, Reason
from pvm.memory import Memory
from pvm.program import PAGE_SIZE

TRACE = "trace"  # the format of recorded runs
UNSEEN: Literal["not seen"] = "not seen"  # by this contestant's host
Unseen = Literal["not seen"]
_DIGITS = 16  # of hashes
_PIECE = 4096 * PAGE_SIZE  # bytes of memory that are read at a time, the most that the page reads at once
_RIGHTS = {"r": b"\1", "rw": b"\3"}
_BLANK = bytes(PAGE_SIZE)


@dataclass(frozen=True)
class Task:
    """Something to run. `format` is that of the program, or TRACE; of a trace, all but `spec` and `metering` is in it.

    At least one more run is measured after the first, as many as `rounds` while they take less than `patience` seconds.
    """

    name: str
    data: bytes = field(repr=False)
    format: str
    args: bytes = b""
    gas: int = 0
    pc: int = 0
    spec: str = "0.7.2"
    metering: str = "instruction"
    rounds: int = 5
    patience: float = 2.0


@dataclass(frozen=True)
class Ending:
    """How a run ended. Hashes are hexadecimal; a contestant whose host does not see one of these says UNSEEN.

    `result` is what the guest returned, `memory` all pages that are mapped with their rights, `calls` pc, gas and
    registers at each recorded host call.
    """

    reason: str
    pc: int
    gas: int
    registers: tuple[int, ...]
    address: int | Unseen | None = UNSEEN  # of the page that a fault is about
    call: int | Unseen | None = UNSEEN  # the number of the host call
    result: str | Unseen = UNSEEN
    memory: str | Unseen = UNSEEN
    calls: str | Unseen = UNSEEN


@dataclass(frozen=True)
class Outcome:
    """A run's ending, the gas that the guest used, and seconds: of the first run and of the fastest later one."""

    ending: Ending
    used: int
    cold: float | None = None
    warm: float | None = None


@dataclass(frozen=True)
class Missing:
    """Why there is no outcome: the contestant is "absent", was "left out", had "no end" in time, or has "failed"."""

    kind: Literal["absent", "left out", "no end", "failed"]
    text: str


Result = Outcome | Missing


def describe(machine: Machine, exit: Exit, is_trace: bool, calls: Sequence[tuple[int, ...]]) -> Ending:
    """The ending of a machine that stands at this exit, after these calls."""
    # To an invocation a page fault is a panic (A.8), and that is how traces record it.
    reason = Reason.PANIC if is_trace and exit.reason is Reason.PAGE_FAULT else exit.reason
    return Ending(
        reason.value, exit.pc, exit.gas, tuple(machine.registers), exit.address, exit.call,
        digest(machine.result()) if exit.reason is Reason.HALT else digest(b""), memory_hash(machine.memory),
        calls_hash(calls) if is_trace else UNSEEN,
    )  # fmt: skip


def digest(data: bytes) -> str:
    """The hash of some bytes."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def registers_hash(registers: Sequence[int]) -> str:
    """The hash of registers."""
    return digest(b"".join(value.to_bytes(8, "little") for value in registers))


def calls_hash(calls: Sequence[tuple[int, ...]]) -> str:
    """The hash of (number, pc, gas, *registers) at each call, after their count."""
    return f"{len(calls)}:{digest(repr([tuple(call) for call in calls]).encode())}"


def memory_hash(memory: Memory) -> str:
    """The hash of address, rights and contents of every page that is mapped; blank contents count as none."""
    found = hashlib.sha256()
    for address, length, access in memory.mapped():
        for start in range(address, address + length, _PIECE):
            data = memory.read(start, min(_PIECE, address + length - start))
            for offset in range(0, len(data), PAGE_SIZE):
                page = data[offset : offset + PAGE_SIZE]
                found.update((start + offset).to_bytes(4, "little") + _RIGHTS[access])
                found.update(b"" if page == _BLANK else page)
    return found.hexdigest()[:_DIGITS]
