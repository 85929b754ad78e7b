"""On every engine: a machine runs in one thread at a time, and handlers run others, not too deep in each other."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pvm import Exit, MachineBusyError, Program, PvmError, Reason, ResourceError
from pvm.program import assemble
from pvm.turns import NESTED

CALL_AND_END = assemble(".code\necalli 1\nadd_imm_64 r2, r2, 1\ntrap\n")
CALLS = assemble(".code\nloop:\necalli 1\njump loop\n")
CHANGES: dict[str, Callable[[Any], object]] = {
    "run": lambda machine: machine.run(),
    "step": lambda machine: machine.step(),
    "pc": lambda machine: setattr(machine, "pc", 0),
    "gas": lambda machine: setattr(machine, "gas", 5),
    "register": lambda machine: machine.registers.__setitem__(3, 5),
    "registers": lambda machine: setattr(machine, "registers", [0] * 13),
    "write": lambda machine: machine.memory.write(0x20000, b"x"),
    "write more": lambda machine: machine.memory.write(0x20000, bytearray(5000)),
    "map": lambda machine: machine.memory.map(0x20000, 4096, "rw"),
    "unmap": lambda machine: machine.memory.map(0x20000, 4096, None),
}


class Stopped:
    """A machine whose handler waits, in a thread of its own."""

    def __init__(self, engine: Any) -> None:
        self.entered, self.end = threading.Event(), threading.Event()
        self.exits: list[Exit] = []
        self.machine = engine.instantiate(CALL_AND_END, gas=100, host={1: self.handler})
        self.thread = threading.Thread(target=lambda: self.exits.append(self.machine.run()))

    def handler(self, machine: Any) -> None:
        self.entered.set()
        assert self.end.wait(20)

    @contextmanager
    def running(self) -> Iterator[Any]:
        self.thread.start()
        assert self.entered.wait(20)
        try:
            yield self.machine
        finally:
            self.end.set()
            self.thread.join(20)


@pytest.mark.parametrize("change", CHANGES)
def test_other_threads_are_refused_while_it_runs(make_engine: Any, change: str) -> None:
    stopped = Stopped(make_engine())
    with stopped.running() as machine:
        for _ in range(2):  # being refused takes nothing
            with pytest.raises(MachineBusyError, match=r"^machine: another thread is running it"):
                CHANGES[change](machine)
    assert stopped.exits == [Exit(Reason.PANIC, machine.pc, 97)]
    assert machine.registers[2] == 1
    CHANGES[change](machine)


def test_other_threads_may_look_while_it_runs(make_engine: Any) -> None:
    stopped = Stopped(make_engine())
    with stopped.running() as machine:
        assert (machine.pc, machine.gas, list(machine.registers)) == (0, 99, [0] * 13)
        assert machine.memory.access(0x20000) is None
        assert not machine.memory.is_readable(0x20000, 1)
        assert list(machine.memory.mapped()) == []
        assert "pc=0" in repr(machine)


@pytest.mark.parametrize("change", ["run", "step"])
def test_a_handler_does_not_run_its_machine(make_engine: Any, change: str) -> None:
    """Not in `run` and not in `step`; it may go on after it was refused."""
    refused: list[str] = []

    def handler(machine: Any) -> None:
        with pytest.raises(MachineBusyError) as error:
            CHANGES[change](machine)
        refused.append(str(error.value))
        machine.registers[2] = 7

    for go_on in (lambda machine: machine.run(), lambda machine: machine.step() or machine.run()):
        machine = make_engine().instantiate(CALL_AND_END, gas=100, host={1: handler})
        assert go_on(machine) == Exit(Reason.PANIC, machine.pc, 97)
        assert machine.registers[2] == 8
    assert refused == ["machine: it is running: a handler may change it, but neither run nor step it"] * 2


def test_a_handler_changes_its_machine(make_engine: Any) -> None:
    def handler(machine: Any) -> None:
        for name, change in CHANGES.items():
            if name not in ("run", "step", "pc"):
                change(machine)
        machine.memory.map(0x20000, 4096, "r")
        assert machine.memory.read(0x20000, 3) == bytes(3)

    machine = make_engine().instantiate(CALL_AND_END, gas=100, host={1: handler})
    assert machine.run() == Exit(Reason.PANIC, machine.pc, 3)
    assert machine.memory.access(0x20000) == "r"


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_whatever_a_handler_raises_gives_the_turn_back(make_engine: Any, failure: type[BaseException]) -> None:
    def handler(machine: Any) -> None:
        raise failure

    machine = make_engine().instantiate(CALL_AND_END, gas=100, host={1: handler})
    with pytest.raises(failure):
        machine.run()
    results: list[Exit] = []
    other = threading.Thread(target=lambda: results.append(machine.run()))
    other.start()
    other.join(20)
    assert results == [Exit(Reason.PANIC, machine.pc, 97)]


class Interrupted(dict[int, None]):
    """Turns that a signal interrupts just after one was given back."""

    def pop(self, *arguments: Any) -> Any:
        super().pop(*arguments)
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt

    interrupted = False


def test_an_exit_that_a_signal_hides_is_not_lost(make_engine: Any) -> None:
    for go_on in ("run", "step"):
        machine = make_engine().instantiate(CALLS, gas=100)
        if not hasattr(machine, "_field"):
            return  # the reference engine may be left half-way
        machine._turns = Interrupted()
        with pytest.raises(KeyboardInterrupt):
            getattr(machine, go_on)()
        first = machine.run()
        assert (first.reason, first.call, first.gas) == (Reason.HOST_CALL, 1, 99)
        assert machine.run().gas == 97


# --- machines in the handlers of others ------------------------------------------------------------------------------


class Nest:
    """Each handler makes a machine and runs it, until so many are in each other. `wrap` is how handlers are called."""

    def __init__(self, engine: Any, depth: int, wrap: Callable[[Any], Any] = lambda handler: handler) -> None:
        self.engine, self.depth, self.wrap, self.deepest = engine, depth, wrap, 0
        self.outermost = self.make(1)

    def make(self, level: int) -> Any:
        handler = functools.partial(self.handler, level)
        return self.engine.instantiate(CALL_AND_END, gas=100, host={1: self.wrap(handler)})

    def handler(self, level: int, machine: Any) -> None:
        self.deepest = max(self.deepest, level)
        if level < self.depth:
            assert self.make(level + 1).run().reason is Reason.PANIC

    def run(self) -> Exit:
        exit: Exit = self.outermost.run()
        return exit


def in_python(handler: Any) -> Any:
    return lambda machine: handler(machine)


@pytest.mark.parametrize("wrap", [in_python, lambda handler: handler], ids=["python", "c"])
def test_machines_run_inside_each_other_as_deep_as_stated(make_engine: Any, wrap: Any) -> None:
    nest = Nest(make_engine(), NESTED, wrap)
    assert nest.run().reason is Reason.PANIC
    assert nest.deepest == NESTED


@pytest.mark.parametrize("depth", [NESTED + 1, 3000])
@pytest.mark.parametrize("limit", [None, 1_000_000])
def test_deeper_is_refused(make_engine: Any, depth: int, limit: int | None) -> None:
    """Whatever Python's recursion limit is; all machines on the way can be used afterwards."""
    nest, before = Nest(make_engine(), depth), sys.getrecursionlimit()
    sys.setrecursionlimit(limit or before)
    try:
        with pytest.raises(ResourceError, match=rf"^machine: {NESTED} run inside each other.*, which is the limit$"):
            nest.run()
    finally:
        sys.setrecursionlimit(before)
    assert nest.deepest == NESTED
    assert nest.run() == Exit(Reason.PANIC, nest.outermost.pc, 97)
    nest.depth = 5
    nest.outermost.pc = 0
    assert nest.run().reason is Reason.PANIC


@pytest.mark.parametrize("frames", [30, 50])
def test_where_python_has_no_room_before(make_engine: Any, frames: int) -> None:
    """Handlers that take many of Python's frames themselves."""

    def deep(handler: Any) -> Any:
        def descend(machine: Any, left: int = frames) -> None:
            return descend(machine, left - 1) if left else handler(machine)

        return descend

    nest = Nest(make_engine(), NESTED, deep)
    with pytest.raises(ResourceError, match=r"^machine: \d+ run inside each other.*Python's recursion limit of"):
        nest.run()
    assert 5 < nest.deepest < NESTED
    assert nest.run() == Exit(Reason.PANIC, nest.outermost.pc, 97)


def test_depth_is_counted_by_thread(make_engine: Any) -> None:
    """A handler that hands over to another thread starts from there."""
    engine = make_engine()

    def elsewhere(machine: Any) -> None:
        results: list[object] = []
        thread = threading.Thread(target=lambda: results.append(Nest(engine, NESTED).run().reason))
        thread.start()
        thread.join(60)
        assert results == [Reason.PANIC]

    assert engine.instantiate(CALL_AND_END, gas=100, host={1: elsewhere}).run().reason is Reason.PANIC


def test_machines_without_handlers_do_not_count(make_engine: Any) -> None:
    """They run no others. The innermost handler may run one that was made before."""
    engine = make_engine()
    leaf = engine.instantiate(CALL_AND_END, gas=100)

    class Ending(Nest):
        def handler(self, level: int, machine: Any) -> None:
            super().handler(level, machine)
            assert level < NESTED or leaf.run().call == 1

    assert Ending(engine, NESTED).run().reason is Reason.PANIC


def test_steps_nest_as_runs_do(make_engine: Any) -> None:
    engine, deepest = make_engine(), [0]

    def handler(machine: Any) -> None:
        deepest[0] += 1
        inner = engine.instantiate(CALL_AND_END, gas=100, host={1: handler})
        inner.step()

    with pytest.raises(ResourceError, match="which is the limit"):
        engine.instantiate(CALL_AND_END, gas=100, host={1: handler}).step()
    assert deepest == [NESTED]


def test_in_threads_with_small_stacks(make_engine: Any) -> None:
    """64 KiB have to be enough for machines as deep in each other as they may be, called by way of C."""
    engine = make_engine()
    nest, errors = Nest(engine, 1000), []

    def run() -> None:
        try:
            nest.run()
        except PvmError as error:
            errors.append(str(error))

    before = threading.stack_size(64 << 10)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(60)
    assert len(errors) == 1 and "which is the limit" in errors[0]


def test_programs_are_shared(make_engine: Any) -> None:
    """Machines of one program in two threads do not disturb each other."""
    engine = make_engine()
    program: Program = CALL_AND_END
    stopped = Stopped(engine)
    with stopped.running():
        assert engine.instantiate(program, gas=100, host={1: lambda machine: None}).run().reason is Reason.PANIC
