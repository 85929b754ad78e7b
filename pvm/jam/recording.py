"""Recording an invocation: an ecalli trace, which `pvm replay` and the page open.

In: what `Options` hand on of a run. Out: lines of text.
"""

from __future__ import annotations

from collections.abc import Callable

from pvm.invocation import Invoked
from pvm.jam.host_calls.answer import Answer
from pvm.jam.host_calls.prices import price_of
from pvm.jam.host_calls.table import by_number
from pvm.machine import Machine, Reason
from pvm.trace.answers import reads_of
from pvm.trace.ecalli import Call, MemoryChunk, State, end_of, format_call, format_end, format_start


class RunText:
    """Writes one run's trace: `begin`, `call` and `end` are `watch`, `listener` and `ended` of its `Options`."""

    def __init__(self, write: Callable[[str], object], version: str = "0.7.2") -> None:
        self._write, self._version = write, version

    def begin(self, machine: Machine) -> None:
        """The program as it was parsed, its arguments, the start."""
        registers = tuple(machine.registers[:])
        address, length = registers[7], registers[8]
        memory = (MemoryChunk(address, machine.memory.read(address, length)),) if length else ()
        self._write(format_start(machine.program.encode(), memory, State(machine.pc, machine.gas, registers)))

    def call(self, machine: Machine, number: int, registers: list[int], left: int, answer: Answer) -> None:
        """A call with the state before its effects, before its own price is taken."""
        before = State(machine.pc, left + price_of(self._version, number, registers), tuple(registers))
        after = 0 if answer.end is Reason.OUT_OF_GAS else left - answer.gas
        changed = ((7, answer.r7), (8, answer.r8))
        self._write(format_call(Call(
            number, before, reads_of(machine, by_number(self._version).get(number)),
            (MemoryChunk(answer.address, answer.data),) if answer.data else (),
            tuple((register, value) for register, value in changed if value is not None), after,
        )))  # fmt: skip

    def end(self, invoked: Invoked) -> None:
        """How it ended; nothing for a program that could not be started."""
        if invoked.exit is not None and invoked.machine is not None:
            self._write(format_end(end_of(invoked.exit, invoked.machine.registers[:])))
