"""Running up to given instructions.

In: a machine and pcs. Out: an exit, or None before an instruction at one of them. `run_to` works with every engine's
machines; those whose generated code can stop there itself are `Breaking`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from threading import get_ident
from typing import TypeVar

from pvm.counting import next_pc
from pvm.gas import block_costs
from pvm.gas.metering import INSTRUCTION
from pvm.machine import Exit, Machine
from pvm.turns import nest, refuse, refuse_again

R = TypeVar("R")
_POLLED = 1 << 12  # steps between two calls of `Machine.poll`

Visit = Callable[[Machine], object]
"""Gets a machine that stands before a given instruction. The run ends there when it returns something true."""


class Breaking(Machine):
    """A machine whose generated code stops before given instructions."""

    @abstractmethod
    def _run_to(self, places: frozenset[int], visit: Visit | None) -> Exit | None:
        """Carry out one instruction, then run to an exit, or to one of the places where `visit` does not go on."""


def run_to(machine: Machine, pcs: Collection[int], visit: Visit | None = None) -> Exit | None:
    """Run to an exit as `Machine.run` does; None before an instruction at one of `pcs`.

    One instruction is carried out before that is looked at, so that a machine that stands at such a place leaves it.
    Where there is no gas for the instruction, or by block for its block, the run ends out of gas instead.
    `visit` is called at each place, when given, and the run goes on unless it returns something true. It may look at
    the machine and change it, but not run it. What is run so is interpreted, on every tier; without places a machine
    runs as fast as ever. Raises what `Machine.run` raises.
    """
    places = frozenset(pcs)
    if not places:
        return machine.run()
    if isinstance(machine, Breaking):
        return in_turn(machine, lambda: machine._run_to(places, visit))
    return in_turn(machine, lambda: _step_to(machine, places, visit))


def _step_to(machine: Machine, places: frozenset[int], visit: Visit | None) -> Exit | None:
    while not machine._stops:
        if machine.poll is not None:
            machine.poll(machine)
        for _ in range(_POLLED):
            exit = machine._step_and_answer()
            if exit is not None:
                return exit
            if stands_at(machine, places) and (visit is None or visit(machine)):
                return None
    return machine._stopped()


def stands_at(machine: Machine, places: Collection[int]) -> bool:
    """Whether a machine is about to carry out an instruction at one of these pcs, and has the gas for it."""
    pc = next_pc(machine)
    if pc not in places:
        return False
    if machine.metering == INSTRUCTION:
        return machine.gas > 0
    if machine._flags()[0]:
        return True
    return machine.gas >= block_costs(machine.program.blob, machine.spec, machine.metering).at(pc)


def in_turn(machine: Machine, work: Callable[[], R]) -> R:
    """What `work` returns, which runs the machine. Raises MachineBusyError as `Machine.run` does."""
    turns, thread = machine._turns, get_ident()  # as in `Machine.run`, where a call in common would take too long
    if thread in turns:
        refuse_again()
    try:
        turns[thread] = None
        if len(turns) > 1 and list(turns)[0] != thread:  # noqa: RUF015 - in one step, as others come and go
            refuse(turns)
        found = nest(machine, work)
    finally:
        turns.pop(thread, None)
    machine._exit_code.value = 0
    machine._last = found if isinstance(found, Exit) else None
    return found
