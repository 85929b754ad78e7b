"""The second reading behind the interface of the engines, so that it can be compared with them (`pvm.fuzz.compare`).

Of `pvm` only that interface is used: what a program does is read and carried out by the second reading alone. The blob
is read again from its octets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvm.fuzz import Case
from pvm.machine import Exit, Handler, Machine, Reason, check_gas, check_pc
from pvm.memory import Memory, check_access, check_range
from pvm.program import Program
from pvm.registers import Registers
from tests.second_reading import machine as reading
from tests.second_reading.code import Code, deblob

_ACCESS = {"rw": "W", "r": "R", None: ""}
_NAME = {access: name for name, access in _ACCESS.items()}


class SecondMemory(Memory):
    """The host's view of the reading's memory."""

    def __init__(self, memory: reading.Memory) -> None:
        self.memory = memory

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        parts = []
        while length:
            page, offset = divmod(address, reading.PAGE)
            size = min(length, reading.PAGE - offset)
            contents = self.memory.pages.get(page)
            parts.append(bytes(size) if contents is None else bytes(contents[offset : offset + size]))
            address, length = address + size, length - size
        return b"".join(parts)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        data = bytes(data)
        check_range(address, len(data))
        while data:
            page, offset = divmod(address, reading.PAGE)
            part, data = data[: reading.PAGE - offset], data[reading.PAGE - offset :]
            self.memory.pages.setdefault(page, bytearray(reading.PAGE))[offset : offset + len(part)] = part
            address += len(part)

    def map(self, address: int, length: int, access: str | None) -> None:
        check_range(address, length)
        check_access(access)
        for page in range(address // reading.PAGE, -(-(address + length) // reading.PAGE) if length else 0):
            self.memory.access[page] = _ACCESS[access]

    def access(self, address: int) -> str | None:
        check_range(address, 1)
        return _NAME[self.memory.access_of(address)]


class SecondMachine(Machine):
    """A state of the second reading, entered again as hosts do (A.6): after a host call behind it."""

    _memory: SecondMemory

    def __init__(
        self, code: Code | None, practice: reading.Practice, gas: int, pc: int, host: Mapping[int, Handler] | None
    ) -> None:
        super().__init__(host)
        self.code, self.practice = code, practice
        self.state = reading.State(check_pc(pc), check_gas(gas), [0] * 13, reading.Memory())
        self._memory = SecondMemory(self.state.memory)
        self.called = False  # the host call at pc was made

    @property
    def registers(self) -> Registers:
        return Registers(self.state.registers)

    @registers.setter
    def registers(self, values: Sequence[int]) -> None:
        self.state.registers = list(values)

    @property
    def pc(self) -> int:
        return self.state.pc

    @pc.setter
    def pc(self, value: int) -> None:
        self.state.pc, self.state.charged, self.called = check_pc(value), False, False

    @property
    def gas(self) -> int:
        return self.state.gas

    @gas.setter
    def gas(self, value: int) -> None:
        self.state.gas = check_gas(value)

    def _run(self) -> Exit:
        while True:
            exit = self._step_and_answer()
            if exit is not None:
                return exit

    def _step(self) -> Exit | None:
        if self.called and self.code is not None:
            reading.step_over(self.code, self.state)
            self.called = False
        found = reading.step(self.code, self.state, self.practice)
        if found is None:
            return None
        self.called = found.reason == reading.HOST
        address = found.value if found.reason == reading.FAULT else None
        call = found.value if found.reason == reading.HOST else None
        return Exit(Reason(found.reason), self.pc, self.gas, address, call)


class SecondEngine:
    """Makes machines for plain programs. `octets` is the blob as it came, where that is known."""

    def __init__(self, spec: str, metering: str, octets: bytes | None = None) -> None:
        self.spec, self.practice, self.octets = spec, reading.Practice(block=metering == "block"), octets

    def instantiate(
        self, program: Program, args: bytes = b"", gas: int = 0, pc: int | None = None,
        host: Mapping[int, Handler] | None = None,
    ) -> SecondMachine:  # fmt: skip
        code = deblob(program.encode() if self.octets is None else self.octets, self.spec)
        return SecondMachine(code, self.practice, gas, pc or 0, host)


def second_engine(case: Case) -> SecondEngine:
    """The engine for a fuzz case, as `pvm.fuzz.compare` asks for it."""
    return SecondEngine(case.spec, case.metering, case.program)
