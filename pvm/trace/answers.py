"""Answering host calls: what a host does at one, and the ways to come by it.

In: a machine that stands at a host call. Out: an `Answer`. `Host` asks in this order: the answers that were given
(recorded, or listed in a file), `log` (JIP-1), the default. Gas is what the network takes (appendix B): every call of
0.7.2 takes 10; of 0.8.0's prices the base is taken, for its rates depend on what the chain holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import LOG_CALL, UNKNOWN_GAS, WHAT, HostCallRow, by_number
from pvm.machine import GAS_LIMIT, Machine, Reason
from pvm.program import PAGE_SIZE, Program
from pvm.trace.ecalli import MemoryChunk

FIRST_PARAMETER = 7  # the register of a call's first parameter
_FETCH_KIND = 10  # the register by which 0.8.0's prices of `fetch` go


@dataclass(frozen=True)
class Answer:
    """What the host does at a call. `gas` is what remains then (None: as it was), `end` how the run ends with it.

    `reads` is what it has read of the guest's memory, as a trace records it; None: what the call's parameters say.
    `maps` are addresses and lengths of memory that becomes writable.
    """

    registers: tuple[tuple[int, int], ...] = ()
    writes: tuple[MemoryChunk, ...] = ()
    reads: tuple[MemoryChunk, ...] | None = None
    gas: int | None = None
    end: Reason | None = None
    maps: tuple[tuple[int, int], ...] = ()


UNANSWERED = Answer(end=Reason.HOST_CALL)  # the call is left to nobody: the run ends there


class Answers(Protocol):
    """Where answers come from."""

    def find(self, machine: Machine, number: int) -> Answer | None:
        """The answer to the call that the machine stands at; None when there is none here."""
        ...


def price(machine: Machine, number: int, spec: Spec) -> int:
    """The gas that a call takes; in 0.8.0 the base of its price, which its rates add to."""
    row = by_number(spec).get(number)
    if spec.name == "0.7.2" or row is None or not row.prices_080:
        return UNKNOWN_GAS[spec.name]
    if row.name == "fetch":
        kind = f"kind {machine.registers[_FETCH_KIND]}"
        return next((each.base for each in row.prices_080 if each.case == kind), row.prices_080[-1].base)
    return row.prices_080[0].base


def charged(machine: Machine, cost: int, answer: Answer) -> Answer:
    """The answer with the gas that remains; where that does not suffice, no answer and no gas (B.5)."""
    gas = machine.gas
    if gas < cost:
        return Answer(gas=0, end=Reason.OUT_OF_GAS)
    return replace(answer, gas=min(gas - cost, GAS_LIMIT - 1))


def give(machine: Machine, answer: Answer) -> None:
    """Let an answer take effect on the machine that stands at the call."""
    for address, length in answer.maps:
        machine.memory.map(address, length, "rw")
    for chunk in answer.writes:
        machine.memory.write(chunk.address, chunk.data)
    for register, value in answer.registers:
        machine.registers[register] = value
    if answer.gas is not None:
        machine.gas = answer.gas


# --- answers that are always the same ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Default:
    """The same result for every call, for the price of the call; WHAT says that there is no such call, and costs so."""

    result: int
    spec: Spec

    def find(self, machine: Machine, number: int) -> Answer | None:
        unknown = self.result == WHAT
        cost = UNKNOWN_GAS[self.spec.name] if unknown else price(machine, number, self.spec)
        return charged(machine, cost, Answer(((FIRST_PARAMETER, self.result),)))


_LOG_ANSWER = Answer(((FIRST_PARAMETER, WHAT),))


def log_answer(machine: Machine, spec: Spec) -> Answer:
    """The answer to `log` (JIP-1): always WHAT."""
    return charged(machine, UNKNOWN_GAS[spec.name], _LOG_ANSWER)


@dataclass
class GrowingHeap:
    """Answers 0.8.0's `grow_heap` as the network does; `page` is the first behind the heap, `limit` the highest."""

    page: int
    limit: int
    spec: Spec

    def find(self, machine: Machine, number: int) -> Answer | None:
        row = by_number(self.spec).get(number)
        if row is None or row.name != "grow_heap":
            return None
        wanted, page = machine.registers[FIRST_PARAMETER], self.page
        cost, grown = price(machine, number, self.spec), page < wanted <= self.limit
        if not grown:
            return charged(machine, cost, Answer(((FIRST_PARAMETER, page),)))
        cost += (wanted - page) * row.prices_080[0].rates[0].rate
        maps = ((page * PAGE_SIZE, (wanted - page) * PAGE_SIZE),)
        answer = charged(machine, cost, Answer(((FIRST_PARAMETER, wanted),), maps=maps))
        if answer.end is None:
            self.page = wanted
        return answer


def growing_heap(program: Program, spec: Spec | str) -> GrowingHeap | None:
    """The heap of a standard program; None for a plain one, which has none. Raises InputError for unknown versions."""
    sections = program.sections
    if sections is None:
        return None
    return GrowingHeap(sections.heap_end // PAGE_SIZE, sections.grow_limit // PAGE_SIZE, find_spec(spec))


def reads_of(machine: Machine, row: HostCallRow | None) -> tuple[MemoryChunk, ...]:
    """What the host reads of the guest's memory at a call, by its parameters, where the guest may read it."""
    if row is None:
        return ()
    values = parameters_of(machine, row)
    memory, chunks = machine.memory, []
    for parameter in row.parameters:
        name, is_address, size = parameter.partition("@")
        if is_address:
            address, length = values[name], int(size) if size.isdigit() else values[size]
            if length and memory.is_readable(address, length):
                chunks.append(MemoryChunk(address, memory.read(address, length)))
    return tuple(chunks)


def parameters_of(machine: Machine, row: HostCallRow) -> dict[str, int]:
    """The parameters of a call by name: r7 and on."""
    names = (parameter.partition("@")[0] for parameter in row.parameters)
    return dict(zip(names, machine.registers[FIRST_PARAMETER:], strict=False))


# --- the host --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Host:
    """Answers a run's host calls: as `given` says, else `log` and what the heap answers, else by the default.

    `log` gets the machine at each `log`; `pvm.log.log_text` is what it says.
    """

    spec: Spec
    log: Callable[[Machine], None]
    given: Answers | None = None
    default: Answers | None = None
    heap: Answers | None = None

    def find(self, machine: Machine, number: int) -> Answer | None:
        """The answer to the call that the machine stands at, which has not taken effect yet. None: the run ends."""
        answer = None if self.given is None else self.given.find(machine, number)
        if number == LOG_CALL:
            answer = answer or log_answer(machine, self.spec)
            if answer.end is None:
                self.log(machine)
        elif answer is None:
            for answers in (self.heap, self.default):
                answer = answers.find(machine, number) if answers is not None and answer is None else answer
        return None if answer is UNANSWERED else answer
