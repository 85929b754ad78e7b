"""What every engine offers: a machine with registers, memory, gas and pc, that runs to an exit.

In: a program and its start. Out: `Exit` values. Follows A.1 (the invocation), A.6 (host calls), A.8 (results).
An engine subclasses `Machine` and `Memory`; everything that does not depend on how instructions run is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from threading import get_ident
from typing import Any, NoReturn, Protocol

from pvm.errors import AddressError, EngineError, InputError
from pvm.gas.metering import METERINGS as METERINGS
from pvm.gas.metering import check_metering as check_metering
from pvm.isa.spec import Spec
from pvm.memory import Memory
from pvm.printable import shown
from pvm.program.program import Program
from pvm.program.standard import (
    ADDRESS_SPACE,
    ARGUMENTS_START,
    HALT_ADDRESS,
    STACK_END,
    Segment,
)
from pvm.registers import REGISTER_COUNT, REGISTER_LIMIT, Registers
from pvm.saved import State, joined_ranges
from pvm.turns import Turns, check_nesting, nest, refuse, refuse_again

GAS_LIMIT = 1 << 64
DEFAULT_GAS = 10_000_000
PC_LIMIT = 1 << 32
# ecalli's immediate has at most 4 octets and is sign-extended to 64 bits (A.5.2): it names no other numbers.
LOW_CALLS, HIGH_CALLS = 1 << 31, (1 << 64) - (1 << 31)  # below the one, and from the other on


class Reason(Enum):
    """Why a run ended (the paper's exit reasons)."""

    HALT = "halt"
    PANIC = "panic"
    OUT_OF_GAS = "out-of-gas"
    PAGE_FAULT = "page-fault"
    HOST_CALL = "host-call"


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a run.

    `pc` is the instruction that caused it, `gas` what remains. `address` is the lowest inaccessible page's address
    after a page fault, `call` the number of the host call after a host call; otherwise they are None.
    """

    reason: Reason
    pc: int
    gas: int
    address: int | None = None
    call: int | None = None


Handler = Callable[[Any], "Reason | None"]
"""Answers a host call. It gets the machine, whose pc is at the call, and changes registers, memory and gas.

Returning None continues after the call; returning HALT, PANIC or OUT_OF_GAS ends the run with it (A.6), with registers
and gas as the handler left them. A call counts as made once its handler was entered: when it raises, the machine stands
at the call, can be inspected, and goes on after it. `machine.pc = machine.pc` makes it call again. It may make and run
other machines, some deep in each other (`pvm.turns.NESTED`), but not run or step the one that called it.
"""


Poll = Callable[["Machine"], object]
"""Gets a machine now and then while it runs. What it raises ends the run; the machine can be inspected, and go on."""


class _Code:
    """Holds no exit: see `Machine._exit_code`."""

    __slots__ = ("value",)


class Machine(ABC):
    """A program with its state. `run` continues after a host call or a repaired fault.

    `poll` is called when a run begins, and in it every 2^26 units of gas at most, which take WebAssembly 0.07 to 0.3 s;
    the reference engine calls it every 10 ms or so.

    It belongs to one thread at a time: while one runs it, others get a MachineBusyError when they run or change it.
    """

    program: Program
    spec: Spec
    metering: str
    engine: Resumer | None = None  # that made it
    _memory: Memory
    _registers: Registers
    poll: Poll | None = None

    def __init__(self, host: Mapping[int, Handler] | None = None) -> None:
        self._handlers: dict[int, Handler] = dict(host or {})
        self._turns: Turns = {}
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} pc={self.pc} gas={self.gas}>"

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
        )  # fmt: skip

    def restore(self, state: State) -> None:
        """Become what `state` says, of whatever engine it is; handlers stay.

        Raises InputError for the state of another program, version or metering, MachineBusyError while another thread
        runs the machine.
        """
        state.check(self.program, self.spec.name, self.metering)
        self._refuse_others()
        memory = self.memory
        memory.forget()
        for address, length, access in state.mapped:
            memory.map(address, length, access)
        for address, data in state.contents:
            memory.write(address, data)
        self._stand(state.pc, state.charged, state.called)
        self._set_start(state.registers, state.gas, state.heap_end, state.heap_limit)

    def clone(self) -> Machine:
        """Another machine of the same engine, with the same state and handlers.

        Raises what `save` and the engine's `resume` raise.
        """
        if self.engine is None:
            raise EngineError("machine: no engine is known that could make another one")
        return self.engine.resume(self.save(), self._handlers)

    def reset(self, args: bytes = b"", gas: int = DEFAULT_GAS, pc: int | None = None) -> None:
        """Start again, as `AnyEngine.instantiate` would; handlers stay.

        Raises what that raises, and MachineBusyError while another thread runs the machine.
        """
        start = start_of(self.program, args, gas, pc, None)
        self._refuse_others()
        self.memory.forget()
        load_segments(self.memory, start.segments)
        self._stand(start.pc, False, False)
        self._set_start(start.registers, start.gas, start.heap_end, start.heap_limit)

    def _set_start(self, registers: Sequence[int], gas: int, heap_end: int, heap_limit: int) -> None:
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

    def run(self) -> Exit:
        """Run to an exit. Host calls with a handler are answered on the way.

        Raises MachineBusyError when the machine is running already, ResourceError when too many run in each other's
        handlers, and what a handler or `poll` raises.
        """
        turns, thread = self._turns, get_ident()
        if thread in turns:
            refuse_again()
        try:
            turns[thread] = None
            if len(turns) > 1 and list(turns)[0] != thread:  # noqa: RUF015 - in one step, as others come and go
                refuse(turns)
            exit = nest(self, self._run) if self._handlers or self.poll else self._run()
        finally:
            turns.pop(thread, None)
        self._exit_code.value = 0
        return exit

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
            exit = nest(self, self._step_and_answer) if self._handlers or self.poll else self._step()
        finally:
            turns.pop(thread, None)
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
        handler = self._handlers.get(exit.call)
        if handler is None:
            return exit
        self._exit_code.value = 0
        reason = handler(self)
        return None if reason is None else Exit(check_reason(reason), self.pc, self.gas)

    def result(self) -> bytes:
        """After a halt: the r8 bytes from r7, b"" when the guest may not read all of them (A.8)."""
        address, length = self.registers[7], self.registers[8]
        return self.memory.read(address, length) if length and self.memory.is_readable(address, length) else b""


@dataclass(frozen=True)
class Start:
    """The state in which a program starts: A.7 for standard programs; plain ones start with nothing mapped."""

    pc: int
    gas: int
    registers: tuple[int, ...] = (0,) * REGISTER_COUNT
    segments: tuple[Segment, ...] = ()
    heap_end: int = 0
    heap_limit: int = ADDRESS_SPACE
    handlers: Mapping[int, Handler] = field(default_factory=dict)


class AnyEngine(Protocol):
    """What every engine offers: machines. `pvm.ReferenceEngine` and `wasm_host.Engine` do."""

    def instantiate(
        self, program: Program, args: bytes = b"", gas: int = DEFAULT_GAS, pc: int | None = None,
        host: Mapping[int, Handler] | None = None,
    ) -> Machine:  # fmt: skip
        """A machine at the program's start."""
        ...


class Resumer(AnyEngine, Protocol):
    """An engine that takes machines over from others, as all of ours do."""

    def resume(self, state: State, host: Mapping[int, Handler] | None = None) -> Machine:
        """A machine that goes on where another one was saved.

        Raises InputError for the state of another version or metering.
        """
        ...


def start_of(program: Program, args: bytes, gas: int, pc: int | None, host: Mapping[int, Handler] | None) -> Start:
    """The start of `program`.

    Raises InputError for arguments that do not fit (a plain program takes none) or a handler for what is no host call,
    AddressError for gas or a pc out of range, and ResourceError in a handler too deep in others.
    """
    check_nesting()
    if not isinstance(program, Program):
        raise InputError(f"program: a pvm.Program is needed (see Program.parse), not {type(program).__name__}")
    if not isinstance(args, bytes | bytearray | memoryview):
        raise InputError(f"arguments: bytes are needed, not {type(args).__name__}")
    pc = check_pc(0 if pc is None else pc)
    gas = check_gas(gas)
    handlers = _checked(host)
    if program.sections is None:
        if args:
            raise InputError("arguments: a plain program takes none")
        return Start(pc, gas, handlers=handlers)
    registers = [0] * REGISTER_COUNT
    registers[0], registers[1], registers[7], registers[8] = HALT_ADDRESS, STACK_END, ARGUMENTS_START, len(args)
    sections = program.sections
    return Start(
        pc, gas, tuple(registers), sections.segments(bytes(args)), sections.heap_end, sections.heap_limit, handlers
    )


def start_again(state: State, spec: str, metering: str, host: Mapping[int, Handler] | None) -> Start:
    """The start of a machine that is about to become what was saved.

    Raises InputError for the state of another version or metering, and for a handler for what is no host call.
    """
    if not isinstance(state, State):
        raise InputError(f"state: what Machine.save returns is needed, not {type(state).__name__}")
    state.check(state.program, spec, metering)
    check_nesting()
    return Start(0, 0, heap_limit=state.heap_limit, handlers=_checked(host))


def _checked(host: Mapping[int, Handler] | None) -> dict[int, Handler]:
    handlers = dict(host or {})
    for number, handler in handlers.items():
        check_call(number)
        if not callable(handler):
            raise InputError(f"host: {number}: {shown(handler)} is no function")
    return handlers


def load_segments(memory: Memory, segments: tuple[Segment, ...]) -> None:
    """Map the segments and write their data."""
    for segment in segments:
        memory.map(segment.address, segment.length, segment.access)
        memory.write(segment.address, segment.data)


def check_call(number: int) -> int:
    """`number` itself. Raises InputError unless an `ecalli` can name it: 0 to 2^31 - 1, 2^64 - 2^31 to 2^64 - 1."""
    if not _is_integer(number) or not (0 <= number < LOW_CALLS or HIGH_CALLS <= number < REGISTER_LIMIT):
        named = "ecalli names 0 to 2^31 - 1, and 2^64 - 2^31 to 2^64 - 1 for -2^31 to -1"
        raise InputError(f"host: {shown(number)}: {named}")
    return number


def check_gas(gas: int) -> int:
    """`gas` itself. Raises AddressError unless it is an integer and 0 <= gas < 2^64."""
    if not _is_integer(gas) or not 0 <= gas < GAS_LIMIT:
        raise AddressError(f"gas {shown(gas)}: no integer from 0 to 2^64 - 1")
    return gas


def check_pc(pc: int) -> int:
    """`pc` itself. Raises AddressError unless it is an integer and 0 <= pc < 2^32."""
    if not _is_integer(pc) or not 0 <= pc < PC_LIMIT:
        raise AddressError(f"pc {shown(pc)}: no integer from 0 to 2^32 - 1")
    return pc


def _is_integer(value: object) -> bool:
    """Whether it is one and is meant to be: True and False are integers to Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_reason(reason: object) -> Reason:
    """What a handler returned. Raises TypeError unless it is a reason that a host call may end a run with."""
    if reason not in (Reason.HALT, Reason.PANIC, Reason.OUT_OF_GAS):
        raise TypeError(f"a handler returns None or Reason.HALT, PANIC or OUT_OF_GAS, not {reason!r}")
    assert isinstance(reason, Reason)
    return reason
