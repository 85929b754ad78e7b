"""Recording an ecalli trace of a machine that runs with its own handlers, and answering calls from one.

In: a machine at its start; a trace. Out: a `Recording`, from which a `Trace` comes; handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Self

from pvm.errors import InputError, TraceError
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.machine import Exit, Handler, Machine, Reason
from pvm.memory import Memory
from pvm.program import PAGE_SIZE, Program
from pvm.program.standard import ADDRESS_SPACE, ARGUMENTS_START
from pvm.saved import joined_ranges
from pvm.trace.answers import UNANSWERED, give
from pvm.trace.ecalli import Call, End, MemoryChunk, State, Trace, end_of
from pvm.trace.recorded import Recorded


def record(machine: Machine) -> Recording:
    """Record what a machine does from here on: `with record(machine) as recording: machine.run()`.

    Calls are recorded that handlers answer, and those that end a run and are answered before the next one. Raises
    InputError for a machine that has run, or whose memory an ecalli trace cannot describe: read-only pages of a plain
    program, or other pages than a standard program starts with.
    """
    return Recording(machine)


class Recording:
    """The trace of a machine in the making. Leaving the `with` block ends it, and the machine is as it was."""

    def __init__(self, machine: Machine) -> None:
        if Program.parse(machine.program.encode()) != machine.program:
            raise InputError("recording: the program would be read back as another format")
        self._machine, self._memory = machine, machine._memory
        self._start = Trace(machine.program.encode(), tuple(_written(machine)), _state(machine), (), _NO_END)
        self._calls: list[Call] = []
        self._open: _Open | None = None  # a call that is being answered
        self._exit: Exit | None = None
        self._end: End | None = None
        self._handlers: dict[int, Any] = machine._handlers
        self._other = machine.other

    def __enter__(self) -> Self:
        machine = self._machine
        machine._handlers = {number: self._wrapped(number, handler) for number, handler in self._handlers.items()}
        if self._other is not None:
            machine.other = self._answer_other
        run_async = machine.run_async
        vars(machine).update(
            run=self._hooked(machine.run), step=self._hooked(machine.step),
            run_async=lambda *arguments, **named: self._awaited(run_async(*arguments, **named)),
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._close_call()
        machine = self._machine
        machine._handlers, machine.other = self._handlers, self._other
        for name in ("run", "step", "run_async"):
            vars(machine).pop(name, None)

    def trace(self) -> Trace:
        """What was recorded. Raises TraceError while the run has not ended, by an exit other than STOPPED."""
        if self._end is None:
            raise TraceError("recording: the run has not ended")
        return Trace(self._start.program, self._start.memory, self._start.start, tuple(self._calls), self._end)

    def _hooked(self, run: Callable[..., Exit | None]) -> Callable[..., Exit | None]:
        def hooked(*arguments: Any, **named: Any) -> Exit | None:
            self._begin()
            return self._ended(run(*arguments, **named))

        return hooked

    async def _awaited(self, running: Coroutine[Any, Any, Exit]) -> Exit | None:
        self._begin()
        return self._ended(await running)

    def _begin(self) -> None:
        self._close_call()
        self._end = None

    def _ended(self, exit: Exit | None) -> Exit | None:
        if exit is not None and exit.reason is not Reason.STOPPED:
            self._end = end_of(exit, self._machine.registers[:])
            if exit.call is not None:
                self._open_call(exit.call)
        return exit

    def _wrapped(self, number: int, handler: Callable[[Machine], Any]) -> Callable[[Machine], Any]:
        def wrapped(machine: Machine) -> Any:
            self._open_call(number)
            reason = None
            try:
                reason = handler(machine)
            finally:
                if not isinstance(reason, Awaitable):
                    self._close_call()
            return self._later(reason) if isinstance(reason, Awaitable) else reason

        return wrapped

    def _answer_other(self, machine: Machine, number: int) -> Reason | None:
        other = self._other
        assert other is not None
        reason: Reason | None = self._wrapped(number, lambda machine: other(machine, number))(machine)
        return reason

    async def _later(self, answer: Awaitable[Reason | None]) -> Reason | None:
        try:
            return await answer
        finally:
            self._close_call()

    def _open_call(self, number: int) -> None:
        self._open = _Open(number, _state(self._machine), _Watched(self._memory))
        self._machine._memory = self._open.memory

    def _close_call(self) -> None:
        if self._open is None:
            return
        call, self._open = self._open, None
        self._machine._memory = self._memory
        self._calls.append(call.done(self._machine))


class _Open:
    """A call that is being answered."""

    def __init__(self, number: int, state: State, memory: _Watched) -> None:
        self.number, self.state, self.memory = number, state, memory

    def done(self, machine: Machine) -> Call:
        before = enumerate(zip(self.state.registers, machine.registers[:], strict=True))
        changed = tuple((number, now) for number, (was, now) in before if was != now)
        gas = machine.gas if machine.gas != self.state.gas else None
        return Call(self.number, self.state, tuple(self.memory.reads), tuple(self.memory.writes), changed, gas)


class _Watched(Memory):
    """A machine's memory that notes what a host reads and writes. What it reads of its own writes is not noted."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.reads: list[MemoryChunk] = []
        self.writes: list[MemoryChunk] = []

    def read(self, address: int, length: int) -> bytes:
        data = self._memory.read(address, length)
        if data and not any(c.address < address + length and address < c.address + len(c.data) for c in self.writes):
            self.reads.append(MemoryChunk(address, data))
        return data

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        octets = bytes(memoryview(data))
        self._memory.write(address, octets)
        if octets:
            self.writes.append(MemoryChunk(address, octets))

    def map(self, address: int, length: int, access: str | None) -> None:
        raise InputError("recording: an ecalli trace cannot say that a host call maps pages")

    def access(self, address: int) -> str | None:
        return self._memory.access(address)

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        return self._memory.mapped(address, length)

    def contents(self) -> Iterator[tuple[int, bytes]]:
        return self._memory.contents()

    def clear(self, address: int = 0, length: int = ADDRESS_SPACE) -> None:
        for start, size, _ in self._memory.mapped(address, length):
            first, end = max(start, address), min(start + size, address + length)
            self.write(first, bytes(end - first))

    def is_readable(self, address: int, length: int) -> bool:
        return self._memory.is_readable(address, length)

    def is_writable(self, address: int, length: int) -> bool:
        return self._memory.is_writable(address, length)


_NO_END = End(Reason.PANIC, State(0, 0, ()))


def _state(machine: Machine) -> State:
    return State(machine.pc, machine.gas, tuple(machine.registers[:]))


def _written(machine: Machine) -> Iterator[MemoryChunk]:
    """What the memory holds beside the program's own; an octet of each page of a plain program, which maps it."""
    program, memory = machine.program, machine.memory
    if any(machine._flags()):
        raise InputError("recording: the machine has run already")
    if program.sections is None:
        if any(access != "rw" for _, _, access in memory.mapped()):
            raise InputError("recording: an ecalli trace cannot say that pages are only readable")
        for address, length, _ in memory.mapped():
            for page in range(address, address + length, PAGE_SIZE):
                yield MemoryChunk(page, memory.read(page, PAGE_SIZE).rstrip(b"\0") or b"\0")
        return
    given = memory.mapped(ARGUMENTS_START, ADDRESS_SPACE - ARGUMENTS_START)
    segments = program.sections.segments(bytes(sum(length for _, length, _ in given)))
    own = joined_ranges(
        sorted((s.address, -(-s.length // PAGE_SIZE) * PAGE_SIZE, s.access) for s in segments if s.length)
    )
    if list(own) != list(joined_ranges(memory.mapped())):
        raise InputError("recording: an ecalli trace cannot say that a standard program has other pages")
    for segment in segments:
        size = -(-segment.length // PAGE_SIZE) * PAGE_SIZE
        before = segment.data.ljust(size, b"\0")
        for offset in range(0, size, PAGE_SIZE):
            was, now = before[offset : offset + PAGE_SIZE], memory.read(segment.address + offset, PAGE_SIZE)
            if was != now:
                first = next(i for i in range(PAGE_SIZE) if was[i] != now[i])
                end = next(i for i in range(PAGE_SIZE, 0, -1) if was[i - 1] != now[i - 1])
                yield MemoryChunk(segment.address + offset + first, now[first:end])


def host_of(trace: Trace, spec: Spec | str = "0.7.2") -> dict[int, Handler]:
    """Handlers that answer calls as they were recorded, in their order, once.

    What the program asks is not compared (`Recorded` does that), and may be at other addresses. A call that was not
    recorded raises TraceError. A run that its host ended is ended by the last call.
    """
    recorded, left = Recorded(trace.calls, find_spec(spec)), [len(trace.calls)]

    def handler(number: int) -> Handler:
        def answered(machine: Machine) -> Reason | None:
            answer = recorded.find(machine, number)
            if answer is None or answer is UNANSWERED:
                raise TraceError(f"host call {number}: no more calls of it were recorded")
            give(machine, answer)
            left[0] -= 1
            return answer.end or (_end_by_host(trace) if not left[0] else None)

        return answered

    return {number: handler(number) for number in {call.number for call in trace.calls}}


def _end_by_host(trace: Trace) -> Reason | None:
    """How the host ended the recorded run at its last call, if it did."""
    is_there = trace.end.state.pc == trace.calls[-1].state.pc
    return trace.end.reason if is_there and trace.end.reason is not Reason.HOST_CALL else None
