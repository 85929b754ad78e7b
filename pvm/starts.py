"""How machines start, and the checks of what hosts give them.

In: a program, arguments, gas, handlers. Out: `Start`, which every engine makes machines from. Follows A.7, A.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pvm.errors import AddressError, InputError
from pvm.memory import Memory
from pvm.printable import shown
from pvm.program.program import Program
from pvm.program.standard import ADDRESS_SPACE, ARGUMENTS_START, HALT_ADDRESS, STACK_END, Segment
from pvm.registers import REGISTER_COUNT, REGISTER_LIMIT
from pvm.saved import State
from pvm.turns import check_nesting

GAS_LIMIT = 1 << 64
DEFAULT_GAS = 10_000_000
PC_LIMIT = 1 << 32
# ecalli's immediate has at most 4 octets and is sign-extended to 64 bits (A.5.2): it names no other numbers.
LOW_CALLS, HIGH_CALLS = 1 << 31, (1 << 64) - (1 << 31)  # below the one, and from the other on

AnyHandler = Callable[[Any], Any]
"""What `pvm.machine.Handler` and `AsyncHandler` are, which say more."""


@dataclass(frozen=True)
class Start:
    """The state in which a program starts: A.7 for standard programs; plain ones start with nothing mapped."""

    pc: int
    gas: int
    registers: tuple[int, ...] = (0,) * REGISTER_COUNT
    segments: tuple[Segment, ...] = ()
    heap_end: int = 0
    heap_limit: int = ADDRESS_SPACE
    handlers: Mapping[int, AnyHandler] = field(default_factory=dict)

    @property
    def mapped(self) -> list[tuple[int, int, str]]:
        """What is mapped: addresses, lengths in bytes and accesses (`pvm.memory.ACCESSES`)."""
        return [(one.address, one.length, one.access) for one in self.segments]

    @property
    def contents(self) -> list[tuple[int, bytes]]:
        """What lies there: addresses and octets."""
        return [(one.address, one.data) for one in self.segments]


def start_of(program: Program, args: bytes, gas: int, pc: int | None, host: Mapping[int, AnyHandler] | None) -> Start:
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
    handlers = check_handlers(host)
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


def start_again(state: State, spec: str, metering: str, host: Mapping[int, AnyHandler] | None) -> Start:
    """The start of a machine that is about to become what was saved.

    Raises InputError for the state of another version or metering, and for a handler for what is no host call.
    """
    if not isinstance(state, State):
        raise InputError(f"state: what Machine.save returns is needed, not {type(state).__name__}")
    state.check(state.program, spec, metering)
    check_nesting()
    return Start(0, 0, heap_limit=state.heap_limit, handlers=check_handlers(host))


def check_handlers(host: Mapping[int, AnyHandler] | None) -> dict[int, AnyHandler]:
    """The handlers as a dictionary. Raises InputError for what is none, or is none of functions by number."""
    if host is not None and not isinstance(host, Mapping):
        raise InputError(f"host: a dictionary of functions by number is needed, not {type(host).__name__}")
    handlers = dict(host or {})
    for number, handler in handlers.items():
        check_call(number)
        check_function(handler, f"host: {number}")
    return handlers


def check_function(value: object, name: str) -> None:
    """Raises InputError for what cannot be called."""
    if not callable(value):
        raise InputError(f"{name}: {shown(value)} is no function")


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


def check_gas(gas: int, name: str = "gas") -> int:
    """`gas` itself. Raises AddressError unless it is an integer and 0 <= gas < 2^64."""
    if not _is_integer(gas) or not 0 <= gas < GAS_LIMIT:
        raise AddressError(f"{name} {shown(gas)}: no integer from 0 to 2^64 - 1")
    return gas


def check_pc(pc: int) -> int:
    """`pc` itself. Raises AddressError unless it is an integer and 0 <= pc < 2^32."""
    if not _is_integer(pc) or not 0 <= pc < PC_LIMIT:
        raise AddressError(f"pc {shown(pc)}: no integer from 0 to 2^32 - 1")
    return pc


def _is_integer(value: object) -> bool:
    """Whether it is one and is meant to be: True and False are integers to Python."""
    return isinstance(value, int) and not isinstance(value, bool)
