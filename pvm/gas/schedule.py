"""The pipeline model by events: the same costs as `pvm.gas.pipeline`, without looking at every cycle.

In: the steps of a block. Out: a `Schedule`: its cost, and which step decides it. What happens in a cycle depends on
nothing but the cycles in which instructions are done, so that cycles in which nothing can be decoded or begin are gone
past. `pvm.emit.interpreter.costs` writes this as WebAssembly.

An instruction that begins in cycle s is done, and its units are free, from cycle s + its cycles on, and it retires two
cycles later, or with those before it. So a block's last instruction retires two cycles after the last is done.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from pvm.gas.pipeline import BUFFER, DECODE_SLOTS, SLACK, STARTS, UNITS, Step

RETIRES_AFTER = 2  # cycles after an instruction is done
_NEVER = 1 << 62

# Units as one number, 4 bits each with one above, so that one subtraction tells whether all of them are there.
UNIT_BITS = 4
GUARDS = sum(8 << UNIT_BITS * place for place in range(len(UNITS)))


@cache
def packed_units(units: tuple[int, ...]) -> int:
    """Counts of units as one number."""
    return sum(count << UNIT_BITS * place for place, count in enumerate(units))


ALL_UNITS = packed_units(UNITS)


class Schedule(NamedTuple):
    """How many cycles a block takes, and the number of the step that decides: the first of those that are done last."""

    cycles: int
    decides: int

    @property
    def cost(self) -> int:
        """Gas that the block costs."""
        return max(self.cycles - SLACK, 1)


def schedule(steps: Sequence[Step]) -> Schedule:
    """What `pvm.gas.pipeline.simulate` finds, but for the cycles of each step."""
    count, cycle, position, free = len(steps), 0, 0, ALL_UNITS
    buffer: list[Step] = []  # all that have been decoded, but for renamings; those before `oldest` have retired
    done: list[int] = []  # the cycle from which each is done, `_NEVER` until it begins
    waits: list[int] = []  # for how many others
    waiters: list[list[int]] = []  # those that wait for it
    producer: dict[int, int] = {}  # by register
    numbers: list[int] = []  # of the steps that have been decoded
    oldest, last, decides = 0, 0, 0
    ready: list[int] = []  # can begin, the oldest first
    executing: list[tuple[int, int]] = []  # with the cycle from which each is done
    while True:
        slots, fresh = DECODE_SLOTS, len(buffer)
        while position < count and steps[position].slots <= slots and len(buffer) - oldest < BUFFER:
            step = steps[position]
            position += 1
            slots -= step.slots
            if step.renames:
                for source in step.sources:
                    for written in step.destinations:
                        producer[written] = producer.get(source, -1)
                continue
            needs = {producer.get(register, -1) for register in step.sources}
            needs = {number for number in needs if number >= 0 and done[number] > cycle}
            number = len(buffer)
            for need in needs:
                waiters[need].append(number)
            buffer.append(step)
            numbers.append(position - 1)
            done.append(_NEVER)
            waits.append(len(needs))
            waiters.append([])
            for register in step.destinations:
                producer[register] = number
        starts = STARTS
        for number in ready.copy():
            if not starts:
                break
            units = packed_units(buffer[number].units)
            if (free + GUARDS - units) & GUARDS == GUARDS:
                free -= units
                starts -= 1
                ready.remove(number)
                done[number] = cycle + buffer[number].cycles
                if done[number] > last or (done[number] == last and numbers[number] < decides):
                    last, decides = done[number], numbers[number]
                insort(executing, (done[number], number))
        if position == count and fresh == len(buffer) and not ready and not executing:
            return Schedule(last + RETIRES_AFTER, decides)
        is_full = len(buffer) - oldest == BUFFER
        if fresh < len(buffer) or (ready and not starts) or (position < count and not is_full):
            cycle += 1
        else:
            cycle = executing[0][0] if executing else _NEVER
            if position < count:
                cycle = min(cycle, done[oldest] + RETIRES_AFTER)
        while executing and executing[0][0] <= cycle:
            _, number = executing.pop(0)
            free += packed_units(buffer[number].units)
            for waiter in waiters[number]:
                waits[waiter] -= 1
                if not waits[waiter] and waiter < fresh:
                    insort(ready, waiter)
        for number in range(fresh, len(buffer)):
            if not waits[number]:
                insort(ready, number)
        while oldest < len(buffer) and done[oldest] + RETIRES_AFTER <= cycle:
            oldest += 1
