"""Ecalli traces (JIP-6 in its first spelling, now JIP-7): reading and writing.

In: the lines of a recorded run. Out: a frozen `Trace`. Lines that are none of the format's are ignored, and a line
may carry a logger's prefix. Each event keeps the number of its line.

The format ends with HALT, OOG or PANIC. `HOST=N`, a host call that nobody answered, is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pvm.errors import TraceError
from pvm.machine import Exit, Reason
from pvm.printable import counted
from pvm.registers import REGISTER_COUNT

Registers = tuple[int, ...]  # 13 unsigned 64-bit integers


@dataclass(frozen=True)
class MemoryChunk:
    """Bytes at an address: written by the host, or read by it and to be verified."""

    address: int
    data: bytes
    line: int = 0


@dataclass(frozen=True)
class State:
    """pc, gas and registers at the start, at a call or at the end."""

    pc: int
    gas: int
    registers: Registers
    line: int = 0


@dataclass(frozen=True)
class Call:
    """One host call: the state before its effects (the gas of the ecalli is taken), what the host read, its effects."""

    number: int
    state: State
    reads: tuple[MemoryChunk, ...] = ()
    writes: tuple[MemoryChunk, ...] = ()
    registers: tuple[tuple[int, int], ...] = ()
    gas: int | None = None


@dataclass(frozen=True)
class End:
    """How the run ended: HALT, OUT_OF_GAS, PANIC with its argument, or HOST_CALL with the call's number."""

    reason: Reason
    state: State
    argument: int = 0


@dataclass(frozen=True)
class Trace:
    """A recorded run. `program` is the blob as it was given, `memory` what was written before the start."""

    program: bytes
    memory: tuple[MemoryChunk, ...]
    start: State
    calls: tuple[Call, ...]
    end: End

    def __repr__(self) -> str:
        return f"<Trace of {counted(len(self.calls), 'call')}, to {self.end.reason.value}>"


_ENDS = {"HALT": Reason.HALT, "OOG": Reason.OUT_OF_GAS, "PANIC": Reason.PANIC, "HOST": Reason.HOST_CALL}
_END_NAMES = {reason: name for name, reason in _ENDS.items()}
_WITH_ARGUMENT = ("PANIC", "HOST")

# A line is one of the format's when one of these begins it, or follows white space in it (a logger's prefix).
_KEYWORD = re.compile(
    r"(?:^|\s)(program 0x|memwrite 0x|memread 0x|start pc=|ecalli=|setreg r|setgas <-"
    r"|HALT pc=|OOG pc=|PANIC=|HOST=)(.*)$"
)
_COMMENT = re.compile(r"(?:^|\s)comment\s")
_CHUNK = re.compile(r"([0-9a-fA-F]{1,8}) len=(\d{1,10}) (<-|->) 0x([0-9a-fA-F]*)")
_STATE = re.compile(r"(\d+) gas=(\d+)((?: r\d{2}=0x[0-9a-fA-F]{1,16})*)")
_REGISTER = re.compile(r" r(\d{2})=0x([0-9a-fA-F]+)")
_SETREG = re.compile(r"(\d{2}) <- 0x([0-9a-fA-F]{1,16})")
_CALL = re.compile(r"(\d{1,20}) pc=(.*)")
_ARGUMENT = re.compile(r"(\d{1,20}) pc=(.*)")
_SETGAS = re.compile(r" (\d{1,20})")
_FIRST = ("program 0x", "start pc=", "ecalli=")
_U64 = 1 << 64
_U32 = 1 << 32


def parse_trace(text: str | bytes) -> Trace:
    """Read a trace. Raises TraceError that names the line and what is wrong with it."""
    return _read(text).finish()


def parse_unfinished(text: str | bytes, program: bytes | None = None) -> tuple[Trace, bool]:
    """Read a trace, and whether it stops in the middle, as that of a node that crashed does.

    With `program` it is that one's, whatever it says of its own, if anything.

    Such a one ends at its last call, of which it may not tell all (`Reason.HOST_CALL`); half a line at its end is left
    out. Raises TraceError as `parse_trace`.
    """
    try:
        reader = _read(text, program)
    except TraceError:
        end = text.rfind("\n") if isinstance(text, str) else text.rfind(b"\n")
        if end in (-1, len(text) - 1):
            raise
        reader = _read(text[:end], program)
    is_cut = reader.end is None and reader.start is not None and reader.program is not None
    if is_cut and reader.start is not None:
        reader.finish_call()
        last = reader.calls.pop() if reader.calls else None
        state, number = (reader.start, 0) if last is None else (last.state, last.number)
        reader.end = End(Reason.HOST_CALL, state, number)
    return reader.finish(), is_cut


def parse_calls(text: str | bytes) -> tuple[Call, ...]:
    """The host calls of a trace, which may be cut off. Raises TraceError for a malformed line."""
    reader = _read(text)
    reader.finish_call()
    return tuple(reader.calls)


def is_trace(text: str) -> bool:
    """Whether any line tells of a program, a start or a host call."""
    return any(found[1] in _FIRST for line in text.splitlines() if (found := find_event(line)))


def find_event(line: str) -> re.Match[str] | None:
    """The event in a line, as its keyword and the rest; None for a comment and for any other line."""
    found = _KEYWORD.search(line)
    return None if found is None or _COMMENT.search(line, 0, found.start(1)) else found


def _read(text: str | bytes, program: bytes | None = None) -> _Reader:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise TraceError(f"not UTF-8 at byte {error.start}") from None
    reader = _Reader(program)
    for number, line in enumerate(text.splitlines(), 1):
        found = find_event(line)
        if found:
            reader.take(found[1], found[2].rstrip(), number)
    return reader


class _Reader:
    """Collects events in the order that the format asks for."""

    def __init__(self, given: bytes | None) -> None:
        self.given = given  # the program, whatever the trace says
        self.program = given
        self.has_program = False  # of its own
        self.memory: list[MemoryChunk] = []
        self.start: State | None = None
        self.calls: list[Call] = []
        self.end: End | None = None
        self.number = 0
        self.state: State | None = None  # of the call that is being read
        self.reads: list[MemoryChunk] = []
        self.writes: list[MemoryChunk] = []
        self.registers: list[tuple[int, int]] = []
        self.gas: int | None = None

    def take(self, keyword: str, rest: str, line: int) -> None:
        if self.end is not None:
            raise TraceError(f"line {line}: an event after the end of the run")
        try:
            _EVENTS[keyword](self, rest, line)
        except ValueError as error:
            if isinstance(error, TraceError):
                raise
            raise TraceError(f"line {line}: {error}") from None

    def finish(self) -> Trace:
        if self.program is None:
            raise TraceError("not an ecalli trace: no line with a program")
        if self.start is None:
            raise TraceError("the trace ends before its start line")
        if self.end is None:
            raise TraceError("the trace ends without HALT, OOG or PANIC")
        return Trace(self.program, tuple(self.memory), self.start, tuple(self.calls), self.end)

    def on_program(self, rest: str, line: int) -> None:
        if self.has_program:
            raise TraceError(f"line {line}: a second program")
        self.has_program, program = True, bytes.fromhex(rest)
        self.program = program if self.given is None else self.given

    def on_memwrite(self, rest: str, line: int) -> None:
        chunk = _chunk(rest, "<-", line)
        if self.start is None:
            self._need(self.program is not None, "a memory write before the program", line)
            self.memory.append(chunk)
        else:
            self._need(self.state is not None, "a memory write outside a host call", line)
            self.writes.append(chunk)

    def on_memread(self, rest: str, line: int) -> None:
        self._need(self.state is not None, "a memory read outside a host call", line)
        self.reads.append(_chunk(rest, "->", line))

    def on_start(self, rest: str, line: int) -> None:
        self._need(self.program is not None, "the start before the program", line)
        self._need(self.start is None, "a second start", line)
        self.start = _state(rest, line)

    def on_ecalli(self, rest: str, line: int) -> None:
        self._need(self.start is not None, "a host call before the start", line)
        self.finish_call()
        found = _match(_CALL, rest)
        self.number = _below(int(found[1]), _U64, "host call number")
        self.state = _state(found[2], line)

    def on_setreg(self, rest: str, line: int) -> None:
        self._need(self.state is not None, "a register set outside a host call", line)
        found = _match(_SETREG, rest)
        self.registers.append((_below(int(found[1]), REGISTER_COUNT, "register"), int(found[2], 16)))

    def on_setgas(self, rest: str, line: int) -> None:
        self._need(self.state is not None, "gas set outside a host call", line)
        self.gas = _below(int(_match(_SETGAS, rest)[1]), _U64, "gas")

    def on_end(self, name: str, rest: str, line: int) -> None:
        self._need(self.start is not None, "the end before the start", line)
        self.finish_call()
        argument = 0
        if name in _WITH_ARGUMENT:
            found = _match(_ARGUMENT, rest)
            argument, rest = _below(int(found[1]), _U64, "argument"), found[2]
        self.end = End(_ENDS[name], _state(rest, line), argument)

    def finish_call(self) -> None:
        """The call that was being read has all its lines."""
        if self.state is not None:
            self.calls.append(
                Call(self.number, self.state, tuple(self.reads), tuple(self.writes), tuple(self.registers), self.gas)
            )
        self.state, self.reads, self.writes, self.registers, self.gas = None, [], [], [], None

    def _need(self, condition: bool, what: str, line: int) -> None:
        if not condition:
            raise TraceError(f"line {line}: {what}")


_EVENTS: dict[str, Callable[[_Reader, str, int], None]] = {
    "program 0x": _Reader.on_program,
    "memwrite 0x": _Reader.on_memwrite,
    "memread 0x": _Reader.on_memread,
    "start pc=": _Reader.on_start,
    "ecalli=": _Reader.on_ecalli,
    "setreg r": _Reader.on_setreg,
    "setgas <-": _Reader.on_setgas,
    "HALT pc=": lambda reader, rest, line: reader.on_end("HALT", rest, line),
    "OOG pc=": lambda reader, rest, line: reader.on_end("OOG", rest, line),
    "PANIC=": lambda reader, rest, line: reader.on_end("PANIC", rest, line),
    "HOST=": lambda reader, rest, line: reader.on_end("HOST", rest, line),
}


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"malformed: {text[:60]!r}")
    return found


def _below(value: int, limit: int, what: str) -> int:
    if value >= limit:
        raise ValueError(f"{what} {value} is not below {limit}")
    return value


def _chunk(rest: str, arrow: str, line: int) -> MemoryChunk:
    found = _match(_CHUNK, rest)
    address, data = int(found[1], 16), bytes.fromhex(found[4])
    if found[3] != arrow:
        raise ValueError(f"'{arrow}' expected, found '{found[3]}'")
    if len(data) != int(found[2]):
        raise ValueError(f"len={found[2]}, but {counted(len(data), 'byte')} given")
    _below(address + len(data), _U32 + 1, "the end of the bytes")
    return MemoryChunk(address, data, line)


def _state(rest: str, line: int) -> State:
    found = _match(_STATE, rest)
    registers = [0] * REGISTER_COUNT
    for number, value in _REGISTER.findall(found[3]):
        registers[_below(int(number), REGISTER_COUNT, "register")] = int(value, 16)
    return State(_below(int(found[1]), _U32, "pc"), _below(int(found[2]), _U64, "gas"), tuple(registers), line)


# --- writing -------------------------------------------------------------------------------------------------------


def format_trace(trace: Trace) -> str:
    """The trace as text that `parse_trace` reads back (line numbers apart)."""
    calls = "".join(map(format_call, trace.calls))
    return format_start(trace.program, trace.memory, trace.start) + calls + format_end(trace.end)


def format_start(program: bytes, memory: Iterable[MemoryChunk], start: State) -> str:
    """The lines before the first host call."""
    chunks = _format_chunks("memwrite", "<-", memory)
    return f"program 0x{program.hex()}\n{chunks}start {format_state(start)}\n"


def format_call(call: Call) -> str:
    """The lines of one host call."""
    registers = (f"setreg r{register:02} <- {value:#x}\n" for register, value in call.registers)
    return "".join((
        f"ecalli={call.number} {format_state(call.state)}\n",
        _format_chunks("memread", "->", call.reads),
        _format_chunks("memwrite", "<-", call.writes),
        *registers,
        f"setgas <- {call.gas}\n" if call.gas is not None else "",
    ))  # fmt: skip


def format_end(end: End) -> str:
    """The last line."""
    name = _END_NAMES[end.reason]
    return f"{name}{f'={end.argument}' if name in _WITH_ARGUMENT else ''} {format_state(end.state)}\n"


def _format_chunks(keyword: str, arrow: str, chunks: Iterable[MemoryChunk]) -> str:
    return "".join(f"{keyword} 0x{c.address:08x} len={len(c.data)} {arrow} 0x{c.data.hex()}\n" for c in chunks)


def format_state(state: State) -> str:
    """pc, gas and the registers that are not zero."""
    registers = (f" r{i:02}={value:#x}" for i, value in enumerate(state.registers) if value)
    return f"pc={state.pc} gas={state.gas}" + "".join(registers)


def end_of(exit: Exit, registers: Sequence[int]) -> End:
    """What the last line says of an exit. To an invocation a page fault is a panic (A.8), here with its address."""
    state = State(exit.pc, exit.gas, tuple(registers))
    if exit.reason is Reason.PAGE_FAULT:
        return End(Reason.PANIC, state, exit.address or 0)
    return End(exit.reason, state, exit.call or 0)
