"""What the functions of a standalone module share while they are written: indices, constant data, memories.

In: the functions that are there already. Out: a `Writer`, to which each file of this package adds functions.

A standalone module has three memories. The guest's 4 GiB and the engine's are those of `pvm.abi`; the third, `HOST`,
is the command's own: arguments, files, what is printed. It is the one that WASI sees, so that neither the guest nor
the system can reach anything of the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping

from pvm.abi import STATE
from pvm.emit.state import ENGINE, GUEST, get_state, set_state
from pvm.standalone import wasi
from pvm.wasm import I32, I64, DataSegment
from pvm.wasm.code import i32_const
from pvm.wasm.values import UNREACHABLE, Linear, Linker, Operand, Statement, Value, either, sequence, value_of

HOST = 2
guest, engine, host = Linear(GUEST), Linear(ENGINE), Linear(HOST)

# The host memory. Below OUTPUT is what WASI is told and what it answers.
RANGE, ANSWER, FOLDER = 0x10, 0x18, 0x20  # 8 bytes each
OUTPUT = 0x100
OUTPUT_SIZE = 0x4000
CONSTANTS = OUTPUT + OUTPUT_SIZE


class Writer:
    """Collects functions, globals and constant data.

    `known` has the indices of functions that others define, besides WASI's; those written here begin with `first`.
    """

    def __init__(self, known: Mapping[str, int], first: int) -> None:
        self.linker = Linker({**wasi.INDEX, **known}, first)
        self.define, self.call, self.variable = self.linker.define, self.linker.call, self.linker.variable
        self._constants = bytearray()
        self._places: dict[bytes, int] = {}

    def constant(self, data: bytes) -> int:
        """The address of constant data in the host memory."""
        if data not in self._places:
            self._constants += bytes(-len(self._constants) % 8)
            self._places[data] = CONSTANTS + len(self._constants)
            self._constants += data
        return self._places[data]

    @property
    def end(self) -> int:
        """The address after all constant data, once every function is written."""
        return CONSTANTS + len(self._constants) + 7 & ~7

    def segment(self) -> DataSegment:
        """The constant data."""
        return DataSegment(HOST, i32_const(CONSTANTS), bytes(self._constants))

    def put(self, *parts: str | Statement) -> bytes:
        """Print constant text, and run statements that print."""
        return sequence(*(self._put_text(part) if isinstance(part, str) else part for part in parts))

    def _put_text(self, text: str) -> bytes:
        data = text.encode()
        return self.call("put_text", self.constant(data), len(data)).code

    def put_number(self, number: Value) -> bytes:
        """Print a number in decimal."""
        return self.call("put_number", number if number.type == I64 else number.wide()).code

    def put_counted(self, number: Value, noun: str, plural: str = "") -> bytes:
        """Print a number of things, such as `1 byte` or `2 bytes`."""
        words = either(number.equals(1), self.put(f" {noun}"), self.put(f" {plural or noun + 's'}"))
        return sequence(self.put_number(number), words)

    def fail(self, *parts: str | Statement) -> bytes:
        """End with one line on standard error and the status of bad input."""
        return sequence(self.call("begin_error"), self.put(*parts), self.call("end_error"), UNREACHABLE)


def state(name: str) -> Value:
    """A field of the engine's state."""
    return Value(get_state(name), I64 if STATE[name].size == 8 else I32)


def put_state(name: str, operand: Operand) -> bytes:
    """Set a field of the engine's state."""
    return set_state(name, value_of(operand, I64 if STATE[name].size == 8 else I32).code)
