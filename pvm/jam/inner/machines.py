"""Inner machines on any engine: values until they run, machines of the engine while they are among the last that ran.

In: an engine, program blobs, pages, gas and registers. Out: `InnerMachines`, and what a run came to. An engine's
machine takes 8 GiB of address space, so that at most `LIVE` are kept; another one takes the place of that which ran
longest ago, whose memory becomes a value again: that takes time by the pages that are mapped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pvm.errors import ResourceError
from pvm.jam.inner.pages import Pages
from pvm.machine import PC_LIMIT, AnyEngine, Machine, Reason
from pvm.program.decode import skip
from pvm.program.program import Program
from pvm.program.standard import PAGE_SIZE

LIVE = 64  # 0.8.0 lets a service have 63, which so all stay machines
_CHUNK = 16  # pages that are read at a time
_NOWHERE = PC_LIMIT - 1  # a pc behind any code, in place of one that has no place in 32 bits


class Ran(NamedTuple):
    """How an inner run ended: the reason, and what goes with it: a fault's address or a host call's number."""

    reason: Reason
    detail: int
    gas: int
    registers: list[int]


@dataclass
class Inner:
    """One inner machine: its program, the pc that `invoke` starts from, its memory.

    `pages` has the access rights always, the contents while `machine` is None. `is_paid` is 0.8.0's flag: whether the
    block around the pc is charged.
    """

    program: Program
    pc: int
    pages: Pages = field(default_factory=Pages)
    heap_end: int = 0
    is_paid: bool = False
    machine: Machine | None = None


class InnerMachines:
    """The paper's m. Numbers that are not in it raise KeyError, addresses are checked by the caller."""

    def __init__(self, engine: AnyEngine, live: int = LIVE) -> None:
        self._engine, self._most = engine, live
        self._by_number: dict[int, Inner] = {}
        self._live: OrderedDict[int, Inner] = OrderedDict()
        self._free = 0  # no number below it is free

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, number: int) -> bool:
        return number in self._by_number

    def __getitem__(self, number: int) -> Inner:
        return self._by_number[number]

    @property
    def numbers(self) -> list[int]:
        """Those in use, in order."""
        return sorted(self._by_number)

    def free_number(self) -> int:
        """The least number that is not in use."""
        while self._free in self._by_number:
            self._free += 1
        return self._free

    def add(self, program: Program, pc: int) -> int:
        """A new machine under the least free number, with nothing mapped."""
        number = self.free_number()
        self._by_number[number] = Inner(program, pc)
        return number

    def remove(self, number: int) -> int:
        """Forget a machine; its pc."""
        inner = self._by_number.pop(number)
        self._live.pop(number, None)
        self._free = min(self._free, number)
        if inner.machine is not None:  # an engine may use again what it leaves behind
            inner.machine.close()
        inner.machine = None
        return inner.pc

    # --- memory

    def is_readable(self, number: int, address: int, length: int) -> bool:
        """Whether the guest may read a range, which may be empty."""
        return not length or self._by_number[number].pages.is_open(address, length, "r", "rw")

    def is_writable(self, number: int, address: int, length: int) -> bool:
        """Whether the guest may write a range, which may be empty."""
        return not length or self._by_number[number].pages.is_open(address, length, "rw")

    def read(self, number: int, address: int, length: int) -> bytes:
        """Octets of its memory."""
        inner = self._by_number[number]
        return (inner.pages if inner.machine is None else inner.machine.memory).read(address, length)

    def write(self, number: int, address: int, data: bytes) -> None:
        """Put octets into its memory."""
        inner = self._by_number[number]
        (inner.pages if inner.machine is None else inner.machine.memory).write(address, data)

    def set_pages(self, number: int, first: int, count: int, access: str | None, keep: bool) -> None:
        """Give pages these rights; unless they are kept, their contents become zero."""
        inner = self._by_number[number]
        machine = inner.machine
        if not keep and machine is not None:
            if count > _CHUNK:  # zeros in an engine's memory would take the room of all these pages
                self._store(number)
                machine = None
            else:
                machine.memory.write(first * PAGE_SIZE, bytes(count * PAGE_SIZE))
        if not keep:
            inner.pages.clear(first, count)
        inner.pages.allow(first, count, access)
        if machine is not None:
            machine.memory.map(first * PAGE_SIZE, count * PAGE_SIZE, access)

    # --- running

    def run(self, number: int, gas: int, registers: Sequence[int]) -> Ran:
        """Ψ (A.1) from where it stands, with this gas and these registers.

        Afterwards it stands where it goes on: after a host call, at the instruction of a fault or of the lack of gas,
        and at 0 after its end. Raises ResourceError without room for one more machine.
        """
        inner = self._by_number[number]
        machine = self._machine(number, inner)
        machine.gas = gas
        machine.registers = registers
        exit = machine.run()
        self._follow_heap(inner, machine)
        reason, detail = exit.reason, 0
        if reason is Reason.HOST_CALL:
            detail = exit.call or 0
            inner.pc = exit.pc + skip(inner.program.blob.starts, exit.pc) + 1
        elif reason is Reason.PAGE_FAULT:
            detail, inner.pc = exit.address or 0, exit.pc
        elif reason is Reason.OUT_OF_GAS:
            if inner.pc < PC_LIMIT:
                inner.pc = exit.pc
        else:
            inner.pc = machine.pc = 0
        inner.is_paid = reason in (Reason.HOST_CALL, Reason.PAGE_FAULT)
        return Ran(reason, detail, exit.gas, machine.registers[:])

    def _machine(self, number: int, inner: Inner) -> Machine:
        if inner.machine is not None:
            self._live.move_to_end(number)
            return inner.machine
        while len(self._live) >= self._most:
            self._store(next(iter(self._live)))
        machine = self._instantiate(inner.program)
        memory, pages = machine.memory, inner.pages
        for first, count, access in pages.ranges():
            if access is not None:
                memory.map(first * PAGE_SIZE, count * PAGE_SIZE, access)
        for page, data in pages.contents.items():
            memory.write(page * PAGE_SIZE, data)
        pages.contents = {}
        machine.heap_end = inner.heap_end
        pc = min(inner.pc, _NOWHERE)
        if inner.is_paid:
            machine.resume_at(pc)
        else:
            machine.pc = pc
        inner.machine = machine
        self._live[number] = inner
        return machine

    def _instantiate(self, program: Program) -> Machine:
        """A machine; where there is no room for one more, those that are kept make some."""
        try:
            return self._engine.instantiate(program)
        except ResourceError:
            if not self._live:
                raise
        for number in list(self._live):
            self._store(number)
        return self._engine.instantiate(program)

    def _follow_heap(self, inner: Inner, machine: Machine) -> None:
        """Note the pages that `sbrk` has mapped."""
        end = machine.heap_end
        if end != inner.heap_end:
            first, last = -(-inner.heap_end // PAGE_SIZE), -(-end // PAGE_SIZE)
            inner.pages.allow(first, last - first, "rw")
            inner.heap_end = end

    def _store(self, number: int) -> None:
        """Make a machine a value again."""
        inner = self._live.pop(number)
        machine, contents = inner.machine, inner.pages.contents
        assert machine is not None
        for first, count, _ in self._mapped(inner):
            for start in range(first, first + count, _CHUNK):
                size = min(_CHUNK, first + count - start)
                data = machine.memory.read(start * PAGE_SIZE, size * PAGE_SIZE)
                if data.count(0) == len(data):
                    continue
                for page in range(size):
                    part = data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
                    if part.count(0) != PAGE_SIZE:
                        contents[start + page] = part
        inner.machine = None

    def _mapped(self, inner: Inner) -> list[tuple[int, int, str | None]]:
        return [one for one in inner.pages.ranges() if one[2] is not None]

