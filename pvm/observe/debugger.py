"""Breakpoints and watchpoints.

In: a machine. Out: a `Debugger`, whose runs end with an exit, a `Breakpoint` or an `Access`.

Pages with watched octets are hidden from the guest while it runs, so that its accesses fault; each such instruction is
carried out by itself. Handlers and whoever looks at a machine that does not run see the pages as they are. What is
watched costs only where it is: the rest runs at the interpreter's speed, and on translations without breakpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pvm.breaking import in_turn, run_to, stands_at
from pvm.counting import Counting, next_pc
from pvm.errors import InputError
from pvm.gas.metering import INSTRUCTION
from pvm.isa.expr import Sbrk
from pvm.lazy import lazy
from pvm.machine import Exit, Machine, Reason
from pvm.memory import check_range
from pvm.program import PAGE_SIZE, decode, decode_at
from pvm.program.meaning import Place, reads_of, writes_of
from pvm.program.standard import ADDRESS_SPACE


@dataclass(frozen=True)
class Watch:
    """Octets whose accesses are told: "r" reads, "w" writes, "rw" both."""

    address: int
    length: int
    access: str


@dataclass(frozen=True)
class Breakpoint:
    """The machine stands before the instruction at `pc`, with so much gas."""

    pc: int
    gas: int


@dataclass(frozen=True)
class Access:
    """The instruction at `pc` has read or written ("r", "w") the `length` octets at `address`, some of them watched.

    `before` and `after` are what they were and are. The machine stands behind the instruction, with so much gas.
    """

    pc: int
    gas: int
    access: str
    address: int
    length: int
    before: bytes
    after: bytes
    watch: Watch


class Debugger:
    """Runs a machine with breakpoints and watchpoints.

    `breakpoints` is a set of pcs that may be changed at any time when the machine does not run.
    """

    def __init__(self, machine: Machine, breakpoints: Iterable[int] = ()) -> None:
        self.machine, self.breakpoints = machine, set(breakpoints)
        self.watches: list[Watch] = []
        self._hidden: dict[int, str] = {}  # pages by address, and the guest's access to them

    def __repr__(self) -> str:
        return f"<Debugger breakpoints={sorted(self.breakpoints)} watches={self.watches}>"

    def watch(self, address: int, length: int, access: str = "rw") -> Watch:
        """Have accesses to some octets end a run. To watch no more, remove what this returns from `watches`.

        Raises AddressError beyond 2^32, InputError for no octets or another access.
        """
        check_range(address, length)
        if access not in ("r", "w", "rw"):
            raise InputError(f"access {access!r}: choose 'r', 'w' or 'rw'")
        if not length:
            raise InputError("watch: no octets to watch")
        watch = Watch(address, length, access)
        self.watches.append(watch)
        return watch

    def run(self) -> Exit | Breakpoint | Access:
        """Run to an exit, to before an instruction at a breakpoint, or to behind an access to watched octets.

        It leaves the breakpoint where it stands. Raises what `Machine.run` raises.
        """
        machine = self.machine
        if not self.watches:
            exit = run_to(machine, self.breakpoints)
            return self._stopped() if exit is None else exit
        while True:
            event = self._run_hidden()
            if event is not None:
                return event
            if stands_at(machine, self.breakpoints):
                return self._stopped()

    def step(self) -> Exit | Access | None:
        """Carry out one instruction; None when the machine can go on and nothing watched was accessed."""
        return self._step_watched() if self.watches else self.machine.step()

    def _stopped(self) -> Breakpoint:
        return Breakpoint(next_pc(self.machine), self.machine.gas)

    def _run_hidden(self) -> Exit | Breakpoint | Access | None:
        """Run with the watched pages hidden; None where it goes on."""
        machine = self.machine
        stops = self.breakpoints | (self._growing if self._may_grow() else set())
        handlers, other = machine._handlers, machine.other  # they are to see the pages as they are
        try:
            machine._handlers, machine.other = {}, None
            self._hide()
            exit = run_to(machine, stops)
        finally:
            self._reveal()
            machine._handlers, machine.other = handlers, other
        if exit is None:
            return self._stopped() if stands_at(machine, self.breakpoints) else self._step_watched()
        if exit.call is not None:
            return in_turn(machine, lambda: machine._answer(exit))
        if exit.reason is not Reason.PAGE_FAULT or not self._is_watched(exit.address or 0):
            return exit
        if machine.metering == INSTRUCTION:
            machine.gas += 1  # it will be carried out again, and by block is paid for
        if isinstance(machine, Counting):
            machine.take_back(exit.pc)
        return self._step_watched()

    def _step_watched(self) -> Exit | Access | None:
        """One instruction, with the pages as they are."""
        machine, pc = self.machine, next_pc(self.machine)
        found = self._accesses(pc)
        exit = machine.step()
        if exit is not None or found is None:
            return exit
        access, address, length, before, watch = found
        after = machine.memory.read(address, length)
        return Access(pc, machine.gas, access, address, length, before, after, watch)

    def _accesses(self, pc: int) -> tuple[str, int, int, bytes, Watch] | None:
        """What the instruction at a pc is about to access, if any of it is watched: a write rather than a read."""
        instruction = decode_at(self.machine.program.blob, self.machine.spec, pc)
        sides: tuple[tuple[str, Callable[..., tuple[Place, ...]]], ...] = (("w", writes_of), ("r", reads_of))
        for access, places_of in sides:
            for place in places_of(instruction):
                if place.width is None:
                    continue
                base = 0 if place.base is None else self.machine.registers[place.base]
                address = (base + place.offset) % ADDRESS_SPACE
                if address + place.width > ADDRESS_SPACE:
                    continue
                for watch in self.watches:
                    if (
                        access in watch.access and address < watch.address + watch.length
                        and watch.address < address + place.width
                    ):  # fmt: skip
                        before = self.machine.memory.read(address, place.width)
                        return access, address, place.width, before, watch
        return None

    def _hide(self) -> None:
        memory = self.machine.memory
        for watch in self.watches:
            for address, length, access in list(memory.mapped(watch.address, watch.length)):
                for page in range(address, address + length, PAGE_SIZE):
                    if page < watch.address + watch.length and page + PAGE_SIZE > watch.address:
                        self._hidden.setdefault(page, access)
                        memory.map(page, 1, None)

    def _reveal(self) -> None:
        """Give the guest its access back. Done again after an interruption, it does no harm."""
        for page, access in list(self._hidden.items()):
            self.machine.memory.map(page, 1, access)
            del self._hidden[page]

    def _is_watched(self, page: int) -> bool:
        """Whether the page of a fault was hidden only."""
        return self.machine.memory.access(page) is not None and any(
            watch.address < page + PAGE_SIZE and page < watch.address + watch.length for watch in self.watches
        )

    def _may_grow(self) -> bool:
        """Whether watched octets may become accessible by sbrk."""
        machine = self.machine
        end = max(watch.address + watch.length for watch in self.watches)
        return end > machine.heap_end - machine.heap_end % PAGE_SIZE and machine.heap_end < machine.heap_limit

    @lazy
    def _growing(self) -> set[int]:
        """The pcs of sbrk."""
        machine = self.machine
        return {
            instruction.pc for instruction in decode(machine.program.blob, machine.spec)
            if any(isinstance(effect, Sbrk) for effect in instruction.row.effects)
        }  # fmt: skip
