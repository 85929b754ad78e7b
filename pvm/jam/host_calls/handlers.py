"""Host calls as handlers of a machine: the gas first, then the answer, then what it does (B.5).

In: functions by the names of the table's rows, a context, a version. Out: handlers for `pvm.invocation`. Where the gas
does not suffice, nothing of the call happens; where the answer panics, its gas is taken and nothing else happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pvm.jam.host_calls.answer import WHAT, Answer, Function
from pvm.jam.host_calls.prices import Cost, cost_of
from pvm.jam.host_calls.table import UNKNOWN_GAS, by_number
from pvm.machine import GAS_LIMIT, Handler, Machine, Reason
from pvm.memory import Memory

Listener = Callable[[Machine, int, list[int], int, Answer], object]
"""Hears of each call before it takes effect: machine, number, registers, what its price leaves of the gas (below 0
where that does not suffice), its answer."""

_RESULT = WHAT.r7 or 0


def unknown(context: object, w: list[int], memory: Memory, left: int) -> Answer:
    """What the invocations' F do with all other numbers: WHAT, for the price of unknown calls."""
    return WHAT


def handlers(
    version: str, functions: Mapping[str, Function], context: object, listener: Listener | None = None
) -> dict[int, Handler]:
    """A handler for each number that the version has and `functions` name."""
    return {
        number: _handler(functions[row.name], context, cost_of(version, number), number, listener)
        for number, row in by_number(version).items()
        if row.name in functions
    }


def other(version: str, listener: Listener | None = None) -> Callable[[Machine, int], Reason | None]:
    """Answers the calls that have no handler."""

    def answer(machine: Machine, number: int) -> Reason | None:
        return _handler(unknown, None, UNKNOWN_GAS[version], number, listener)(machine)

    return answer


def _handler(function: Function, context: object, cost: Cost, number: int, listener: Listener | None) -> Handler:
    """It is written out in one piece: a service makes 40 of these a block, most of which take a microsecond."""
    fixed = cost if isinstance(cost, int) else None
    price = cost if callable(cost) else None
    panics, out_of_gas = Reason.PANIC, Reason.OUT_OF_GAS

    def handle(machine: Any) -> Reason | None:
        registers, memory = machine.registers, machine.memory
        w = registers.read()
        amount = fixed if price is None else price(w)
        left = machine.charge(amount)
        if left < 0:
            if listener is not None:
                listener(machine, number, w, machine.gas - (amount or 0), Answer(end=out_of_gas))
            machine.gas = 0
            return out_of_gas
        answer = function(context, w, memory, left)
        r7, r8, address, data, effect, gas, end = answer
        if gas > left:
            end = out_of_gas
        if listener is not None:
            listener(machine, number, w, left, answer if end is answer.end else Answer(end=end))
        if end is not None:
            if end is not panics:
                machine.gas = 0
            return end
        if gas:
            machine.gas = min(left - gas, GAS_LIMIT - 1)
        if data:
            memory.guest_write(address, data)
        if r7 is not None:
            registers[7] = r7
        if r8 is not None:
            registers[8] = r8
        if effect is not None:
            effect()
        return None

    return handle
