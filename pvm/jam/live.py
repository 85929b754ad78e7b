"""Host calls of a machine that runs elsewhere: answered one by one, and taken back.

In: an invocation (B.2 to B.4), then calls with the registers, the gas and what is known of the memory. Out: answers as
values, the context after any number of calls. A call that was answered is kept with what it was answered by, so that
going back makes the context anew and repeats the calls before: answers follow from these alone. That takes time by
their number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pvm.errors import ResourceError
from pvm.jam.host_calls.handlers import handlers, other
from pvm.jam.invocations import Prepared
from pvm.machine import Reason
from pvm.memory import Memory, check_range
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE, ZONE_SIZE
from pvm.registers import Registers

MOST_KEPT = 1 << 27  # octets of the calls that are kept
_AROUND = 64  # octets that are asked for at least

Piece = tuple[int, bytes]


class Unknown(Exception):
    """A call needs octets that were not handed over."""

    def __init__(self, address: int, length: int) -> None:
        super().__init__(f"{length} octets at {address:#x}")
        self.address, self.length = address, length


class Seen(Memory):
    """What is known of a guest's memory: the rights of all pages, and octets of some ranges. Raises `Unknown`."""

    def __init__(self, mapped: Sequence[tuple[int, int, str]], pieces: Iterable[Piece]) -> None:
        self._starts = [address for address, _, _ in mapped]
        self._mapped = mapped
        self.pieces = dict(pieces)
        self.writes: list[Piece] = []
        self.maps: list[tuple[int, int, str | None]] = []

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        for start, data in self.pieces.items():
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        if length:
            raise Unknown(address, length)
        return b""

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        self.writes.append((address, bytes(data)))

    def map(self, address: int, length: int, access: str | None) -> None:
        self.maps.append((address, length, access))

    def access(self, address: int) -> str | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        start, length, access = self._mapped[index]
        return access if address < start + length else None

    def _allows(self, address: int, length: int, accesses: tuple[str, ...]) -> bool:
        """By ranges: a guest may name any length."""
        at, end = address, address + length
        if length and (at < ZONE_SIZE or end > ADDRESS_SPACE):
            return False
        while at < end:
            index = bisect_right(self._starts, at) - 1
            if index < 0:
                return False
            start, size, access = self._mapped[index]
            if at >= start + size or access not in accesses:
                return False
            at = start + size
        return True


@dataclass(frozen=True)
class Call:
    """A call as the machine stands at it: number, registers, gas before its price, memory as far as it is needed."""

    number: int
    registers: tuple[int, ...]
    gas: int
    mapped: tuple[tuple[int, int, str], ...]
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Answered:
    """What a call comes to: registers that change, octets written, pages mapped, the gas left, how the run ends."""

    registers: dict[int, int]
    writes: tuple[Piece, ...]
    maps: tuple[tuple[int, int, str | None], ...]
    gas: int
    end: Reason | None = None


@dataclass
class _Standing:
    """The machine for handlers: it stands, and takes what is done to it as values."""

    registers: Registers
    memory: Seen
    gas: int

    def charge(self, amount: int) -> int:
        """As `Machine.charge`: takes gas and returns what is left, or takes nothing and returns -1."""
        left = self.gas - amount
        if left < 0:
            return -1
        self.gas = left
        return left


@dataclass
class Live:
    """An invocation whose machine runs elsewhere. `prepare` makes its start anew, with the same in it each time.

    `learn` hears of every call that is answered the first time, with the context.
    """

    prepare: Callable[[], Prepared]
    version: str
    learn: Callable[[Call, Seen], object] | None = None
    _calls: dict[int, Call] = field(default_factory=dict)  # by how many calls came before, answered here or elsewhere
    _answers: dict[int, Answered] = field(default_factory=dict)
    _size: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The context as it is at the start."""
        self.prepared = self.prepare()
        program, context = self.prepared.program, self.prepared.context
        if program is not None and program.sections is not None:
            context.begin(program.sections)
        self._handlers = handlers(self.version, self.prepared.functions, context)
        self._other = other(self.version)
        self._at = 0  # calls below this number have been done to the context

    @property
    def context(self) -> Any:
        """What host calls work on, after the calls that `go_to` or `answer` were about last."""
        return self.prepared.context

    def go_to(self, index: int) -> None:
        """The context after the first `index` calls."""
        if index < self._at:
            self.begin()
        for each in sorted(self._calls):
            if self._at <= each < index:
                self._do(self._calls[each])
        self._at = index

    def forget(self, index: int) -> None:
        """Forget the answers from this call on: something else happens now."""
        for each in [each for each in self._calls if each >= index]:
            self._size -= _size(self._calls.pop(each))
            del self._answers[each]
        if index < self._at:
            self.begin()

    def answer(self, index: int, call: Call) -> Answered:
        """The answer to the call that `index` calls came before.

        Where the same call was answered there, it is that answer, and later ones stay. Raises Unknown for octets that
        are needed, ResourceError for more than is kept.
        """
        kept = self._calls.get(index)
        if kept is not None and _is_same(kept, call):
            return self._answers[index]
        self.forget(index)
        self.go_to(index)
        if self._size + _size(call) > MOST_KEPT:
            raise ResourceError(f"the calls so far handed over more than {MOST_KEPT >> 20} MiB, which are not kept")
        if self.learn is not None:
            self.learn(call, Seen(call.mapped, call.pieces))
        answered = self._do(call)
        self._calls[index], self._answers[index] = call, answered
        self._size += _size(call)
        self._at = index + 1
        return answered

    def _do(self, call: Call) -> Answered:
        machine: Any = _Standing(Registers(list(call.registers)), Seen(call.mapped, call.pieces), call.gas)
        handler = self._handlers.get(call.number)
        end = self._other(machine, call.number) if handler is None else handler(machine)
        after = enumerate(machine.registers.read())
        changed = {register: value for register, value in after if value != call.registers[register]}
        return Answered(changed, tuple(machine.memory.writes), tuple(machine.memory.maps), machine.gas, end)


def wanted(unknown: Unknown, memory: Seen) -> tuple[int, int]:
    """The range to ask for: some more than is needed, where the guest may read it."""
    size = max(unknown.length, _AROUND)
    end = min(unknown.address + size, -(-(unknown.address + unknown.length) // PAGE_SIZE) * PAGE_SIZE)
    return unknown.address, max(unknown.length, end - unknown.address)


def _is_same(kept: Call, call: Call) -> bool:
    """Whether two calls are the same as far as answers go: octets that only one has were not looked at by it."""
    if (kept.number, kept.registers, kept.gas, kept.mapped) != (call.number, call.registers, call.gas, call.mapped):
        return False
    memory = dict(call.pieces)
    return all(address in memory and memory[address] == data for address, data in kept.pieces)


def _size(call: Call) -> int:
    return sum(len(data) for _, data in call.pieces) + 16 * len(call.mapped)
