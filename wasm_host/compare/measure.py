"""A task on an engine with our Machine interface: its ending, cold and warm.

In: a `Task` and what makes an engine. Out: an `Outcome`. Host call 100 (log) of programs is answered and forgotten,
host calls of recorded runs get what was recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from pvm.errors import EngineError
from pvm.jam.host_calls.table import UNKNOWN_GAS
from pvm.log import log_handlers
from pvm.machine import AnyEngine, Exit, Machine, Reason
from pvm.program import Program
from pvm.trace import Trace, answer, parse_trace, start_machine
from wasm_host.bench.measure import background_ended
from wasm_host.compare.outcome import TRACE, UNSEEN, Ending, Outcome, Task, calls_hash, describe

_LEAST = 0.2  # seconds of warm runs

Timed = Callable[[Machine], tuple[Exit, float]]
"""Runs a machine to an exit; with the seconds that the run took."""


@dataclass(frozen=True)
class _Run:
    """A finished run. `used` is the guest's gas, `seconds` what running took, `calls` (number, pc, gas, *registers)."""

    machine: Machine
    exit: Exit
    used: int
    seconds: float
    calls: list[tuple[int, ...]]


def run_by_wall(machine: Machine) -> tuple[Exit, float]:
    """Run, timed by the clock on the wall."""
    began = time.perf_counter()
    exit = machine.run()
    return exit, time.perf_counter() - began


def measure(
    task: Task, make: Callable[[], AnyEngine], timed: Timed = run_by_wall, translates_later: bool = False,
    compiles: bool = True, least: float = _LEAST,
) -> Outcome:  # fmt: skip
    """Run on a new engine, then again on the same one, after it has translated the program if it does so on the way.

    Where nothing is ever compiled, a first run that took long is as good as a later one. `least`
    is how many seconds warm runs take together, unless that is more than the task's patience.

    Raises EngineError when it ends otherwise the second time, and what engines and programs raise.
    """
    trace = parse_trace(task.data) if task.format == TRACE else None
    with background_ended() if translates_later else nullcontext():
        began = time.perf_counter()
        program = Program.parse(trace.program) if trace else Program.parse(task.data, task.format)
        engine = make()
        first = _run(task, trace, program, engine, timed)
        cold = time.perf_counter() - began
    ending = describe(first.machine, first.exit, trace is not None, first.calls)
    if not compiles and first.seconds > task.patience:
        return Outcome(ending, first.used, cold, first.seconds)
    known = (first.exit, tuple(first.machine.registers), first.calls)

    def again() -> float:
        run = _run(task, trace, program, engine, timed)
        if (run.exit, tuple(run.machine.registers), run.calls) != known:
            raise EngineError("it ends otherwise when it runs again")
        return run.seconds

    return Outcome(ending, first.used, cold, fastest(task, again, least))


def fastest(task: Task, run: Callable[[], float], least: float = _LEAST) -> float:
    """The least that `run` returns in the task's rounds, or in more while they take next to no time."""
    began, found, done, spent = time.perf_counter(), run(), 1, 0.0
    while spent <= task.patience and (done < task.rounds or spent < least):
        found, done, spent = min(found, run()), done + 1, time.perf_counter() - began
    return found


def recorded_outcome(task: Task) -> Outcome:
    """What a trace states of itself."""
    trace = parse_trace(task.data)
    used, gas, calls = 0, trace.start.gas, []
    for call in trace.calls:
        state = call.state
        calls.append((call.number, state.pc, state.gas, *state.registers))
        used += gas - state.gas
        gas = state.gas if call.gas is None else call.gas
    end = trace.end.state
    ending = Ending(trace.end.reason.value, end.pc, end.gas, end.registers, UNSEEN, None, calls=calls_hash(calls))
    return Outcome(ending, used + gas - end.gas)


def _run(task: Task, trace: Trace | None, program: Program, engine: AnyEngine, timed: Timed) -> _Run:
    if trace is None:
        log = log_handlers(lambda line: None, UNKNOWN_GAS[task.spec])
        machine = engine.instantiate(program, task.args, task.gas, task.pc, log)
        exit, seconds = timed(machine)
        return _Run(machine, exit, task.gas - exit.gas, seconds, [])
    machine = start_machine(trace, engine, program)
    run = _Run(machine, *_timed_exit(timed, machine, trace.start.gas), [])
    for call in trace.calls:
        if run.exit.reason is not Reason.HOST_CALL or run.exit.call != call.number:
            break  # whatever it does now, it differs from what was recorded
        run.calls.append((call.number, run.exit.pc, run.exit.gas, *machine.registers))
        answer(machine, call)
        exit, used, seconds = _timed_exit(timed, machine, machine.gas)
        run = replace(run, exit=exit, used=run.used + used, seconds=run.seconds + seconds)
    return run


def _timed_exit(timed: Timed, machine: Machine, gas: int) -> tuple[Exit, int, float]:
    exit, seconds = timed(machine)
    return exit, gas - exit.gas, seconds
