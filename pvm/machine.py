"""What every engine offers: a machine with registers, memory, gas and pc, that runs to an exit.

In: a program and its start. Out: `Exit` values. Follows A.1 (the invocation), A.6 (host calls), A.8 (results).
An engine subclasses `Machine` and `Memory`; everything that does not depend on how instructions run is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import partial
from threading import get_ident
from time import perf_counter
from typing import Any, NoReturn, Protocol, Self, runtime_checkable

from pvm.errors import EngineError, MachineClosedError, NoResultError
from pvm.exits import AsyncHandlerError
from pvm.exits import Exit as Exit
from pvm.exits import Reason as Reason
from pvm.exits import check_reason as check_reason
from pvm.gas.metering import METERINGS as METERINGS
from pvm.gas.metering import check_metering as check_metering
from pvm.handlers import Handlers, Turn
from pvm.interface import public_names
from pvm.isa.spec import Spec
from pvm.memory import Memory
from pvm.program.program import Program
from pvm.registers import Registers
from pvm.saved import State, joined_ranges
from pvm.starts import DEFAULT_GAS as DEFAULT_GAS
from pvm.starts import GAS_LIMIT as GAS_LIMIT
from pvm.starts import HIGH_CALLS as HIGH_CALLS
from pvm.starts import LOW_CALLS as LOW_CALLS
from pvm.starts import PC_LIMIT as PC_LIMIT
from pvm.starts import Start as Start
from pvm.starts import check_call as check_call
from pvm.starts import check_gas as check_gas
from pvm.starts import check_handlers
from pvm.starts import check_pc as check_pc
from pvm.starts import load_segments as load_segments
from pvm.starts import start_again as start_again
from pvm.starts import start_of as start_of
from pvm.turns import Turns, nest, refuse, refuse_again

Handler = Callable[["Machine"], "Reason | None"]
"""Answers a host call. It gets the machine, whose pc is at the call, and changes registers, memory and gas.

Returning None continues after the call; returning HALT, PANIC or OUT_OF_GAS ends the run with it (A.6), with registers
and gas as the handler left them. A call counts as made once its handler was entered: when it raises, the machine stands
at the call, can be inspected, and goes on after it. `machine.pc = machine.pc` makes it call again. It may make and run
other machines, some deep in each other (`pvm.turns.NESTED`), but not run or step the one that called it. It may stop
it, and change its handlers.
"""
AsyncHandler = Callable[["Machine"], "Awaitable[Reason | None]"]
"""A handler for `Machine.run_async`. While it waits, the machine stands at the call, and nobody else can run it."""
Other = Callable[["Machine", int], "Reason | None"]
"""Answers the calls that have no handler, as one would: it gets the machine and the call's number."""
Host = Mapping[int, Handler | AsyncHandler]
"""Handlers by the number of their call."""


Poll = Callable[["Machine"], object]
"""Gets a machine now and then while it runs. What it raises ends the run; the machine can be inspected, and go on."""


_FIRST_SLICE = 1 << 10  # gas of a turn in an event loop, until it is known how long that takes


class _Code:
    """Holds no exit: see `Machine._exit_code`."""

    __slots__ = ("value",)


class Machine(ABC):
    """A program with its state. `run` continues after a host call or a repaired fault.

    `poll` is called when a run begins, and in it every 2^23 units of gas at most, which take WebAssembly 3 to 40 ms;
    the reference engine calls it every 10 ms or so.

    It belongs to one thread at a time: while one runs it, others get a MachineBusyError when they run or change it.
    They may `stop` it. As a context manager it is closed in the end.
    """

    program: Program
    spec: Spec
    metering: str
    engine: Resumer | None = None  # that made it
    _memory: Memory
    _registers: Registers
    poll: Poll | None = None
    other: Other | None = None
    """Answers host calls without a handler; None for nobody. It may be changed at any time."""

    def __init__(self, host: Host | None = None, turns: Turns | None = None) -> None:
        self._handlers: dict[int, Any] = dict(host or {})
        self.poll, self.other = None, None  # found here, not on the class: run looks at them
        self._last: Exit | None = None  # of the last run or step, until pc is set
        self._turns: Turns = {} if turns is None else turns
        self._stops: list[None] = []  # requests to stop
        self._floor = 0  # gas that the run leaves alone, because of its limit
        # Its `value` is an exit that was reached and not taken: a signal may come in between. It becomes 0 last.
        self._exit_code: Any = _Code()

    @property
    def memory(self) -> Memory:
        """The guest's memory."""
        return self._memory

    @property
    def registers(self) -> Registers:
        """The 13 registers. Assigning a sequence of 13 sets them all."""
        return self._registers

    @registers.setter
    def registers(self, values: Sequence[int]) -> None:
        self._registers[:] = list(values)

    @property
    def host(self) -> MutableMapping[int, Handler | AsyncHandler]:
        """The handlers by number, to be changed at any time: what a handler changes is so at the next call.

        Assigning a mapping replaces all. Raises InputError for what is no handler of a call, MachineBusyError when
        another thread runs the machine.
        """
        return Handlers(self._handlers, self._refuse_others)

    @host.setter
    def host(self, handlers: Host) -> None:
        checked = check_handlers(handlers)
        self._refuse_others()
        self._handlers.clear()
        self._handlers.update(checked)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} pc={self.pc} gas={self.gas}>"

    def __dir__(self) -> list[str]:
        return public_names(Machine)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a machine can be neither copied nor pickled: make another one from its program")

    @property
    @abstractmethod
    def pc(self) -> int:
        """The next instruction; after a host call still the call itself. Setting it starts a basic block anew."""

    @pc.setter
    @abstractmethod
    def pc(self, value: int) -> None: ...

    def resume_at(self, pc: int) -> None:
        """Go on at `pc` inside a block that is paid for, as after a host call or a fault: it is not charged again."""
        raise NotImplementedError

    @property
    def heap_end(self) -> int:
        """Where `sbrk` goes on. Setting it maps nothing."""
        raise NotImplementedError

    @heap_end.setter
    def heap_end(self, value: int) -> None:
        raise NotImplementedError

    @property
    def heap_limit(self) -> int:
        """How far `sbrk` may go."""
        raise NotImplementedError

    @heap_limit.setter
    def heap_limit(self, value: int) -> None:
        raise NotImplementedError

    @property
    @abstractmethod
    def gas(self) -> int:
        """Gas that remains, below 2^64."""

    @gas.setter
    @abstractmethod
    def gas(self, value: int) -> None: ...

    def save(self) -> State:
        """The machine's state as a value: in a handler, with the call made. The machine goes on as if it was not asked.

        Raises MachineBusyError while another thread runs it.
        """
        self._refuse_others()
        self._take_back_exit()
        pc, (charged, called) = self.pc, self._flags()
        return State(
            self.program, self.spec.name, self.metering, pc, self.gas, tuple(self.registers[:]), self.heap_end,
            self.heap_limit, charged, called, tuple(joined_ranges(self.memory.mapped())), tuple(self.memory.contents()),
            self._last is not None and self._last.reason is Reason.HALT,
        )  # fmt: skip

    def restore(self, state: State) -> None:
        """Become what `state` says, of whatever engine it is; handlers stay.

        Raises InputError for the state of another program, version or metering, MachineBusyError while another thread
        runs the machine.
        """
        state.check(self.program, self.spec.name, self.metering)
        self._refuse_others()
        self.memory.become(state.mapped, state.contents)
        self._stand(state.pc, state.charged, state.called)
        self._last = Exit(Reason.HALT, state.pc, state.gas) if state.halted else None
        self._set_start(state.registers, state.gas, state.heap_end, state.heap_limit)

    def clone(self) -> Machine:
        """Another machine of the same engine, with the same state and handlers.

        Raises what `save` and the engine's `resume` raise.
        """
        if self.engine is None:
            raise EngineError("machine: no engine is known that could make another one")
        twin = self.engine.resume(self.save(), self._handlers)
        twin.other = self.other
        return twin

    def reset(self, args: bytes = b"", gas: int = DEFAULT_GAS, pc: int | None = None) -> None:
        """Start again, as `AnyEngine.instantiate` would; handlers stay.

        Raises what that raises, and MachineBusyError while another thread runs the machine.
        """
        start = start_of(self.program, args, gas, pc, None)
        self._refuse_others()
        self._begin(start)

    def _begin(self, start: Start) -> None:
        """Become a machine at its start, whatever it has been; handlers stay."""
        self.memory.become(start.mapped, start.contents)
        self._stand(start.pc, False, False)
        self._set_start(start.registers, start.gas, start.heap_end, start.heap_limit)

    def _set_start(self, registers: Sequence[int], gas: int, heap_end: int, heap_limit: int) -> None:
        if not self._turns:
            self._stops.clear()
        self.registers[:] = list(registers)
        self.heap_limit, self.heap_end, self.gas = heap_limit, heap_end, gas

    def _flags(self) -> tuple[bool, bool]:
        """Whether the block around pc is paid for, and whether the call at pc has been made."""
        raise NotImplementedError

    def _stand(self, pc: int, charged: bool, called: bool) -> None:
        """Set pc and the flags."""
        raise NotImplementedError

    def _take_back_exit(self) -> None:
        """Have an exit that was reached and not taken, because of a signal, be reached again by the next run."""
        return

    def charge(self, amount: int) -> int:
        """Take gas, and return what is left. Takes nothing and returns -1 where there is not enough.

        It is for handlers, and so for the thread that runs the machine.
        """
        left = self.gas - amount
        if left < 0:
            return -1
        self.gas = left
        return left

    @abstractmethod
    def _step(self) -> Exit | None:
        """Run one instruction; None when it did not end the run."""

    @abstractmethod
    def _run(self) -> Exit:
        """Run to an exit, answering host calls on the way."""

    def run(self, limit: int | None = None) -> Exit:
        """Run to an exit. Host calls with a handler are answered on the way.

        With a `limit` the run ends with STOPPED before the instruction, or the basic block where blocks are charged,
        that would leave less gas than the limit below what there was. The next run goes on as if there had been no
        stop. A block that costs more than the limit is not entered. What handlers take counts, and may be more than
        the limit; what they give can be used as well.

        Raises MachineBusyError when the machine is running already, ResourceError when too many run in each other's
        handlers, AddressError for a limit that is no gas, and what a handler or `poll` raises.
        """
        run = self._run if limit is None else partial(self._run_limited, check_gas(limit, "limit"))
        turns, thread = self._turns, get_ident()
        if thread in turns:
            refuse_again()
        try:
            turns[thread] = None
            if len(turns) > 1 and list(turns)[0] != thread:  # noqa: RUF015 - in one step, as others come and go
                refuse(turns)
            exit = nest(self, run) if self._handlers or self.poll or self.other else run()
        except AsyncHandlerError as error:
            error.close()
            raise
        finally:
            turns.pop(thread, None)
        self._last = exit
        self._exit_code.value = 0
        return exit

    async def run_async(self, limit: int | None = None, every: float = 0.002) -> Exit:
        """Run to an exit as `run` does, and let other tasks of the event loop have a turn every so many seconds.

        Handlers may be coroutine functions, which the machine waits for; others are called as ever. All of it is one
        run: meanwhile the machine can be stopped, but not be run by others. When the task is cancelled, the machine
        stands where it was, and can go on. Raises what `run` raises.
        """
        floor = 0 if limit is None else max(0, self.gas - check_gas(limit, "limit"))
        turns, thread = self._turns, get_ident()  # as in `run`: from a context manager a signal could keep the turn
        if thread in turns:
            refuse_again()
        try:
            turns[thread] = None
            if len(turns) > 1 and list(turns)[0] != thread:  # noqa: RUF015
                refuse(turns)
            exit = self._last = await self._run_by_turns(floor, every)
        finally:
            turns.pop(thread, None)
        self._exit_code.value = 0
        return exit

    async def _run_by_turns(self, floor: int, every: float) -> Exit:
        size = _FIRST_SLICE
        while True:
            before, begin = self.gas, perf_counter()
            floor = min(floor, before)
            slice_ = min(size, before - floor)
            self._was_asked = False
            try:
                exit = nest(self, partial(self._run_limited, slice_))
            except AsyncHandlerError as error:
                reason = await error.answer
                if reason is not None:
                    ended = check_reason(reason)
                    return Exit(ended, self.pc, self.gas)
                continue
            if exit.reason is not Reason.STOPPED or self._was_asked or slice_ == before - floor:
                return exit
            self._exit_code.value = 0
            if self.gas == before or perf_counter() - begin < every / 2:  # or a block that costs more
                size *= 2
            elif perf_counter() - begin > 2 * every:
                size = max(_FIRST_SLICE, size // 2)
            await Turn()

    def _run_limited(self, limit: int) -> Exit:
        gas = self.gas
        try:
            self._floor = max(0, gas - limit)
            self.gas = gas  # in an engine's own way, above the floor
            return self._run()
        finally:
            self._floor = 0

    def stop(self) -> None:
        """End the run that is going on, or else the next one, with STOPPED. To be called from any thread or handler, or
        for a signal.

        The run ends before an instruction (or block) that is not paid, or after a host call, some milliseconds later at
        most if handlers are quick, and the next one goes on from there. A request lasts until a run has ended with
        STOPPED, or the machine is made to start again. Requests meanwhile are the same one. `step` takes no notice.
        """
        self._stops.append(None)

    def _stopped(self) -> Exit:
        """The exit of a run that was asked to end."""
        self._take_back_exit()
        self._was_asked = True
        self._stops.clear()
        return Exit(Reason.STOPPED, self.pc, self.gas)

    def close(self) -> None:
        """Give back all that the machine takes: nothing else can be done with it, but to close it again.

        The engine may use it for the next machine of an equal program, which is made in a tenth of the time.

        A machine that nobody refers to is closed by itself, in a reference cycle once that is collected. Whoever still
        has its memory or registers keeps what is behind them. Raises MachineBusyError while it runs.
        """
        if self._turns:
            (refuse_again if get_ident() in self._turns else partial(refuse, self._turns))()
        self._retire()
        vars(self).clear()
        object.__setattr__(self, "__class__", _Closed)

    def _retire(self) -> None:
        """Leave behind what the engine can use again. Nothing else is done with the machine."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self) -> Exit | None:
        """Run one instruction and answer its host call if there is a handler; None when the machine can go on.

        Raises what `run` raises.
        """
        turns, thread = self._turns, get_ident()  # as in `run`: a call in common would take a tenth of a step
        if thread in turns:
            refuse_again()
        try:
            turns[thread] = None
            if len(turns) > 1 and list(turns)[0] != thread:  # noqa: RUF015
                refuse(turns)
            exit = nest(self, self._step_and_answer) if self._handlers or self.poll or self.other else self._step()
        except AsyncHandlerError as error:
            error.close()
            raise
        finally:
            turns.pop(thread, None)
        self._last = exit
        self._exit_code.value = 0
        return exit

    def _step_and_answer(self) -> Exit | None:
        exit = self._step()
        return None if exit is None else self._answer(exit)

    def _refuse_others(self) -> None:
        """Raises MachineBusyError while another thread than this one runs the machine."""
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)

    def _answer(self, exit: Exit) -> Exit | None:
        """None when a handler answered the exit; the exit, or the one that the handler chose, otherwise."""
        if exit.call is None:
            return exit
        handler = self._handlers.get(exit.call) or self._catch_all(exit.call)
        if handler is None:
            return exit
        self._exit_code.value = 0
        reason = handler(self)
        return None if reason is None else Exit(check_reason(reason), self.pc, self.gas)

    def _catch_all(self, call: int) -> Callable[[Machine], Reason | None] | None:
        """What answers a call without a handler."""
        other = self.other
        return None if other is None else lambda machine: other(machine, call)

    def result(self) -> bytes:
        """After a halt: the r8 bytes from r7, b"" when the guest may not read all of them (A.8).

        Raises NoResultError unless the last run or step has ended with a halt.
        """
        if self._last is None or self._last.reason is not Reason.HALT:
            how = "has not run to an exit" if self._last is None else f"ended with {self._last.reason.value}"
            raise NoResultError(f"machine: it {how}: there is a result after a halt alone")
        address, length = self.registers[7], self.registers[8]
        return self.memory.read(address, length) if length and self.memory.is_readable(address, length) else b""


class _Closed(Machine):
    """What a machine becomes that is closed: nothing is looked at on the way of those that are not."""

    def __getattribute__(self, name: str) -> Any:
        if name == "close" or (name.startswith("__") and name != "__enter__"):
            return object.__getattribute__(self, name)
        raise MachineClosedError("machine: it is closed: make another one")

    def __setattr__(self, name: str, value: object) -> None:
        raise MachineClosedError("machine: it is closed: make another one")

    def __enter__(self) -> Self:
        raise MachineClosedError("machine: it is closed: make another one")

    def __repr__(self) -> str:
        return "<machine, closed>"

    def close(self) -> None:
        return


@runtime_checkable
class AnyEngine(Protocol):
    """What every engine offers: machines. `pvm.ReferenceEngine` and `wasm_host.Engine` do."""

    def instantiate(
        self, program: Program, args: bytes = b"", gas: int = DEFAULT_GAS, pc: int | None = None,
        host: Host | None = None,
    ) -> Machine:  # fmt: skip
        """A machine at the program's start."""
        ...


@runtime_checkable
class Resumer(AnyEngine, Protocol):
    """An engine that takes machines over from others, as all of ours do."""

    def resume(self, state: State, host: Host | None = None) -> Machine:
        """A machine that goes on where another one was saved.

        Raises InputError for the state of another version or metering.
        """
        ...
