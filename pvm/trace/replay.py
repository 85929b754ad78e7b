"""Replaying a trace on any engine, verifying everything that it states.

In: a `Trace` and an engine. Out: a `Replay`: what was verified, and the first difference if there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pvm.errors import InputError, LimitError, TraceError
from pvm.machine import AnyEngine, Exit, Machine, Poll, Reason, Start, load_segments, start_of
from pvm.printable import counted
from pvm.program import Program, Segment
from pvm.program.standard import ARGUMENTS_START, HALT_ADDRESS, INPUT_SIZE, STACK_END
from pvm.trace.ecalli import Call, State, Trace


@dataclass(frozen=True)
class Replay:
    """`difference` is None when all is as recorded. `gas_used` is what the guest used, host calls' prices aside."""

    calls: int
    gas_used: int
    difference: str | None


def replay(
    trace: Trace, engine: AnyEngine, program: Program | None = None, poll: Poll | None = None
) -> Replay:
    """Run the trace's program and compare. `program`, when given, is the trace's, already parsed.

    `poll` is the machine's. When it raises a LimitError, that is the difference. Raises TraceError when the trace's
    program cannot be loaded.
    """
    machine = start_machine(trace, engine, program)
    machine.poll = poll
    gas, used, done = trace.start.gas, 0, 0
    try:
        for call in trace.calls:
            exit = machine.run()
            difference = _call_difference(call, machine, exit)
            if difference is not None:
                return Replay(done, used, f"host call {done + 1}, line {call.state.line}: {difference}")
            used += gas - exit.gas
            answer(machine, call)
            gas, done = machine.gas, done + 1
        if _ends_at_call(trace, machine):
            return Replay(done, used, None)
        exit = machine.run()
    except LimitError as error:
        return Replay(done, used + gas - machine.gas, str(error))
    difference = _end_difference(trace, machine, exit)
    if difference is not None:
        difference = f"end, line {trace.end.state.line}: {difference}"
    return Replay(done, used + gas - exit.gas, difference)


def start_machine(trace: Trace, engine: AnyEngine, program: Program | None = None) -> Machine:
    """A machine in the trace's start state. Raises TraceError when its program cannot be loaded."""
    try:
        program = program or Program.parse(trace.program)
        machine = engine.instantiate(program, _arguments(trace, program), trace.start.gas, trace.start.pc)
    except InputError as error:
        raise TraceError(f"program: {error}") from None
    load_segments(machine.memory, _recorded(trace, program))
    machine.registers[:] = list(trace.start.registers)
    return machine


def start_of_trace(trace: Trace, program: Program) -> Start:
    """The same state as a value. Its last segments are what was recorded: of no pages where those are there already.

    Raises TraceError when the program cannot be started.
    """
    try:
        start = start_of(program, _arguments(trace, program), trace.start.gas, trace.start.pc, None)
    except InputError as error:
        raise TraceError(f"program: {error}") from None
    segments = (*start.segments, *_recorded(trace, program))
    return replace(start, registers=trace.start.registers, segments=segments)


def _arguments(trace: Trace, program: Program) -> bytes:
    """Arguments as long as r8 says, or as what was recorded of them, which is their contents: here they get pages."""
    if program.sections is None:
        return b""
    length = trace.start.registers[8] if _is_standard(trace.start) else 0
    ends = (c.address + len(c.data) for c in trace.memory if c.address >= ARGUMENTS_START)
    return bytes(min(max((length, *(end - ARGUMENTS_START for end in ends))), INPUT_SIZE))


def _recorded(trace: Trace, program: Program) -> tuple[Segment, ...]:
    """What was written before the start. Plain programs get the pages for it, too."""
    is_plain = program.sections is None
    return tuple(
        Segment("recorded", chunk.address, len(chunk.data) if is_plain else 0, "rw", chunk.data)
        for chunk in trace.memory
    )


def answer(machine: Machine, call: Call) -> None:
    """Give a machine that stands at the call the recorded effects."""
    for chunk in call.writes:
        machine.memory.write(chunk.address, chunk.data)
    for register, value in call.registers:
        machine.registers[register] = value
    if call.gas is not None:
        machine.gas = call.gas


def _is_standard(state: State) -> bool:
    """Whether the recorded registers are those in which a standard program starts."""
    return (state.registers[0], state.registers[1], state.registers[7]) == (HALT_ADDRESS, STACK_END, ARGUMENTS_START)


def _call_difference(call: Call, machine: Machine, exit: Exit) -> str | None:
    if exit.reason is not Reason.HOST_CALL:
        return f"expected host call {call.number}, got {exit.reason.value} at pc {exit.pc}"
    if exit.call != call.number:
        return f"expected host call {call.number}, got host call {exit.call}"
    return next(_state_differences(call.state, machine, exit), None) or next(
        (
            f"memory at {chunk.address:#x}, {counted(len(chunk.data), 'byte')}: differs from the recorded read"
            for chunk in call.reads
            if machine.memory.read(chunk.address, len(chunk.data)) != chunk.data
        ),
        None,
    )


def _ends_at_call(trace: Trace, machine: Machine) -> bool:
    """Whether the host ended the run, as recorded, with the answer that it gave last."""
    end = trace.end.state
    if not trace.calls or trace.calls[-1].state.pc != end.pc or trace.end.reason is Reason.HOST_CALL:
        return False
    return (machine.pc, machine.gas, tuple(machine.registers)) == (end.pc, end.gas, end.registers)


def _end_difference(trace: Trace, machine: Machine, exit: Exit) -> str | None:
    # To an invocation a page fault is a panic (A.8), and that is how traces record it.
    reason = Reason.PANIC if exit.reason is Reason.PAGE_FAULT else exit.reason
    if reason is not trace.end.reason:
        return f"expected {trace.end.reason.value}, got {exit.reason.value} at pc {exit.pc}"
    if exit.call is not None and exit.call != trace.end.argument:
        return f"expected host call {trace.end.argument}, got host call {exit.call}"
    return next(_state_differences(trace.end.state, machine, exit), None)


def _state_differences(state: State, machine: Machine, exit: Exit) -> Iterator[str]:
    if exit.pc != state.pc:
        yield f"pc: expected {state.pc}, got {exit.pc}"
    if exit.gas != state.gas:
        yield f"gas: expected {state.gas}, got {exit.gas}"
    if machine.registers != state.registers:
        for number, (wanted, got) in enumerate(zip(state.registers, machine.registers, strict=True)):
            if wanted != got:
                yield f"r{number}: expected {wanted:#x}, got {got:#x}"
