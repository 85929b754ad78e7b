"""The answers of a recorded run, for a program that may ask otherwise by now.

In: the recorded calls. Out: `Recorded`, answers in the order of the record, and the first divergence from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import LOG_CALL, HostCallRow, by_number
from pvm.machine import Machine
from pvm.printable import counted
from pvm.program.standard import ADDRESS_SPACE
from pvm.registers import REGISTER_COUNT
from pvm.trace.answers import FIRST_PARAMETER, UNANSWERED, Answer, charged
from pvm.trace.ecalli import Call, MemoryChunk


@dataclass(frozen=True)
class Divergence:
    """Where a run first asks something else than was recorded: its host call, from 1, and what differs."""

    call: int
    text: str


class Recorded:
    """The answers of a recorded run, in its order. `divergence` is the first call that is not as recorded.

    Compared are the call's number, its arguments, and the memory that the host read; neither pc nor gas, which differ
    once the program was built anew. A `log` more or less than recorded is no divergence. A call of another number gets
    the next recorded answer to that number, if there is one. Memory that was written where a parameter `out` said is
    written where it says now, and gas changes by as much as it did.
    """

    def __init__(self, calls: Sequence[Call], spec: Spec | str, stops: bool = False) -> None:
        self._calls, self._spec, self._stops = calls, find_spec(spec), stops
        self._next = self._made = 0
        self._left = Counter(call.number for call in calls)  # what may still come, so that no search is in vain
        self.divergence: Divergence | None = None

    def find(self, machine: Machine, number: int) -> Answer | None:
        self._made += 1
        if self._stops and self.divergence is not None:
            return UNANSWERED
        if number == LOG_CALL and not self._stands_at(LOG_CALL):
            return None
        while number != LOG_CALL and self._stands_at(LOG_CALL):
            self._take()
        if not self._stands_at(number):
            self._diverge(self._other(number))
            if self._stops:
                return UNANSWERED
            if not self._left[number]:
                return None
            while not self._stands_at(number):
                self._take()
        call = self._take()
        row = by_number(self._spec).get(number)
        difference = None if number == LOG_CALL else _argument_difference(machine, call, row)
        if difference is not None:
            self._diverge(f"{_name(number, row)} (line {call.state.line}): {difference}")
            if self._stops:
                return UNANSWERED
        return _recorded_answer(machine, call, row)

    @property
    def left(self) -> int:
        """How many recorded calls were not asked for, `log` aside."""
        return sum(call.number != LOG_CALL for call in self._calls[self._next :])

    def _stands_at(self, number: int) -> bool:
        return self._next < len(self._calls) and self._calls[self._next].number == number

    def _take(self) -> Call:
        call = self._calls[self._next]
        self._next += 1
        self._left[call.number] -= 1
        return call

    def _other(self, number: int) -> str:
        asked = _name(number, by_number(self._spec).get(number))
        if self._next >= len(self._calls):
            return f"{asked}: no call is recorded after {len(self._calls)}"
        call = self._calls[self._next]
        wanted = _name(call.number, by_number(self._spec).get(call.number))
        return f"{asked}, where {wanted} was recorded (line {call.state.line})"

    def _diverge(self, text: str) -> None:
        if self.divergence is None:
            self.divergence = Divergence(self._made, text)


def _name(number: int, row: HostCallRow | None) -> str:
    return f"host call {number}" if row is None else f"host call {number} ({row.name})"


def _argument_difference(machine: Machine, call: Call, row: HostCallRow | None) -> str | None:
    names = ("",) * (REGISTER_COUNT - FIRST_PARAMETER) if row is None else row.parameters
    for register, parameter in enumerate(names, FIRST_PARAMETER):
        found, recorded, name = machine.registers[register], call.state.registers[register], parameter.partition("@")[0]
        if found != recorded:
            return f"r{register}{f' ({name})' if name else ''} is {found:#x}, recorded was {recorded:#x}"
    for chunk in call.reads:
        if machine.memory.read(chunk.address, len(chunk.data)) != chunk.data:
            return f"{counted(len(chunk.data), 'byte')} at {chunk.address:#x}: not what was recorded"
    return None


def _recorded_answer(machine: Machine, call: Call, row: HostCallRow | None) -> Answer:
    moved = {}
    for register, name in enumerate(row.parameters if row else (), FIRST_PARAMETER):
        if name == "out":
            moved[call.state.registers[register]] = machine.registers[register] % ADDRESS_SPACE
    writes = tuple(
        MemoryChunk(start, chunk.data)
        for chunk in call.writes
        if (start := moved.get(chunk.address, chunk.address)) + len(chunk.data) <= ADDRESS_SPACE
    )
    reads = None  # what is logged may be elsewhere, and more
    if call.number != LOG_CALL:
        reads = tuple(MemoryChunk(c.address, machine.memory.read(c.address, len(c.data))) for c in call.reads)
    answer = Answer(call.registers, writes, reads)
    return answer if call.gas is None else charged(machine, call.state.gas - call.gas, answer)
