"""Records the invocations of services that importing blocks makes: an ecalli trace each, which `pvm replay` verifies.

In: a folder. Out: for each invocation the options that write its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from pvm.errors import InputError
from pvm.invocation import Invoked
from pvm.jam.host_calls.answer import Answer
from pvm.jam.host_calls.prices import cost_of
from pvm.jam.host_calls.table import by_number
from pvm.jam.invocations import Options
from pvm.machine import Machine, Reason
from pvm.trace.answers import reads_of
from pvm.trace.ecalli import Call, MemoryChunk, State, end_of, format_call, format_end, format_start


class Recorder:
    """Names files by step, order and service: `00000012-0-service-1729.log`. `step` is set before each block."""

    def __init__(self, folder: Path, version: str = "0.7.2") -> None:
        self._folder, self._version = folder, version
        self._step, self._count = "", 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror}") from None

    def begin_step(self, name: str) -> None:
        """The next invocations are of this step; `name` may have folders."""
        self._step, self._count = name, 0

    def options(self, slot: int, service: int) -> Options:
        """What `pvm.jam.transition.Host.observe` is to be: options that write the invocation's file."""
        path = self._folder / f"{self._step}-{self._count}-service-{service}.log"
        self._count += 1
        file = _File(path, self._version)
        return Options(self._version, listener=file.call, watch=file.begin, ended=file.end)


class _File:
    """One invocation's file, which is there whole or up to where the invocation failed."""

    def __init__(self, path: Path, version: str) -> None:
        self._path, self._version = path, version
        self._out: TextIO | None = None

    def begin(self, machine: Machine) -> None:
        """The program as it was parsed, its arguments, the start."""
        registers = tuple(machine.registers[:])
        address, length = registers[7], registers[8]
        memory = (MemoryChunk(address, machine.memory.read(address, length)),) if length else ()
        text = format_start(machine.program.encode(), memory, State(machine.pc, machine.gas, registers))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}") from None
        self._out.write(text)

    def call(self, machine: Machine, number: int, registers: list[int], left: int, answer: Answer) -> None:
        """A call with the state before its effects, before its own price is taken."""
        if self._out is None:
            return
        cost = cost_of(self._version, number)
        price = cost if isinstance(cost, int) else cost(registers)
        is_short = answer.end is Reason.OUT_OF_GAS
        after = 0 if is_short else left - answer.gas
        row = by_number(self._version).get(number)
        changed = ((7, answer.r7), (8, answer.r8))
        self._out.write(format_call(Call(
            number, State(machine.pc, left + price, tuple(registers)), reads_of(machine, row),
            (MemoryChunk(answer.address, answer.data),) if answer.data else (),
            tuple((register, value) for register, value in changed if value is not None), after,
        )))  # fmt: skip

    def end(self, invoked: Invoked) -> None:
        """How it ended."""
        if self._out is None:
            return
        if invoked.exit is not None and invoked.machine is not None:
            self._out.write(format_end(end_of(invoked.exit, invoked.machine.registers[:])))
        self._out.close()
