"""Running a machine to its end with a host that answers, writing down what happens.

In: a machine without handlers, and a `Host`. Out: its exit; lines of an instruction trace and of an ecalli trace on the
way, as they come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pvm.isa import Spec
from pvm.jam.host_calls.table import by_number
from pvm.machine import Exit, Machine, Reason
from pvm.program import Program, decode_at
from pvm.trace.answers import Answer, Host, give, reads_of
from pvm.trace.ecalli import Call, MemoryChunk, State, end_of, format_call, format_end, format_start, format_state
from pvm.trace.steps import Steps

Write = Callable[[str], object]


@dataclass
class Run:
    """A run under way: `steps` is how many single steps were made, `answered` how many host calls.

    `record` gets an ecalli trace, `trace` one of instructions, `memory` with what they load and store.
    """

    machine: Machine
    program: Program
    spec: Spec
    host: Host
    record: Write | None = None
    trace: Write | None = None
    memory: bool = False
    steps: int = 0
    answered: int = 0
    _called: bool = False  # the machine stands at a host call that has been made

    @property
    def pc(self) -> int:
        """Where the machine goes on."""
        pc = self.machine.pc
        return decode_at(self.program.blob, self.spec, pc).next_pc if self._called else pc

    def begin(self, data: bytes, memory: tuple[MemoryChunk, ...]) -> None:
        """Write what comes before the first instruction: the program's bytes, and what was put into its memory."""
        start = _state_of(self.machine)
        if self.record is not None:
            self.record(format_start(data, memory, start))
        if self.trace is not None:
            self.trace(f"start {format_state(start)}\n")

    def to_end(self, limit: int | None = None) -> Exit | None:
        """Run to an exit, or for so many instructions: then there is none."""
        if limit is None and self.trace is None:
            while True:
                self._called = False
                exit = self.machine.run()
                ended = self._ended(exit)
                if ended is not None:
                    return ended
        return self._step_to_end(limit)

    def _step_to_end(self, limit: int | None) -> Exit | None:
        machine, trace = self.machine, self.trace
        steps = None if trace is None else Steps(machine, self.program, self.spec, self.memory)
        while limit is None or self.steps < limit:
            if steps is not None:
                steps.begin(self.pc)
            exit = machine.step()
            self._called = False
            if steps is not None and trace is not None:
                trace(steps.end(exit))
            self.steps += 1
            if exit is not None:
                ended = self._ended(exit)
                if ended is not None:
                    return ended
        return None

    def finish(self, exit: Exit | None, what: str = "stopped") -> None:
        """Write the last line: of an exit, or that the run was stopped where the machine stands."""
        registers = tuple(self.machine.registers[:])
        for write, is_steps in ((self.record, False), (self.trace, True)):
            if write is None:
                continue
            if exit is None:
                state = format_state(replace(_state_of(self.machine), pc=self.pc))
                write(f"STOP {state}\n" if is_steps else f"comment {what}: STOP {state}\n")
                continue
            if exit.reason is Reason.PAGE_FAULT:
                write(f"comment page fault at {exit.address:#x}\n")
            write(format_end(end_of(exit, registers)))

    def _ended(self, exit: Exit) -> Exit | None:
        """None when the exit was a host call that was answered; else how the run ends."""
        if exit.call is None:
            return exit
        answer = self.host.find(self.machine, exit.call)
        if answer is None:
            return exit
        if self.record is not None or self.trace is not None:
            self._write_call(exit.call, answer)
        self.answered += 1
        self._called = answer.end is None
        give(self.machine, answer)
        return None if answer.end is None else Exit(answer.end, self.machine.pc, self.machine.gas)

    def _write_call(self, number: int, answer: Answer) -> None:
        state = _state_of(self.machine)
        reads = answer.reads
        if reads is None:
            reads = reads_of(self.machine, by_number(self.spec).get(number))
        text = format_call(Call(number, state, reads, answer.writes, answer.registers, answer.gas))
        for write in (self.record, self.trace):
            if write is not None:
                write(text)


def _state_of(machine: Machine) -> State:
    return State(machine.pc, machine.gas, tuple(machine.registers[:]))
