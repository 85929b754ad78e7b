"""Observing machines on wasmtime: generated code that counts, and that stops before given instructions.

In: a machine, pcs. Out: exits, counts. It is interpreted then, on every tier: translations know nothing of it, and what
is not observed runs the same code as ever. Measured: counting takes 1.1 to 1.4 times as long as the interpreter.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pvm import abi
from pvm.breaking import Visit
from pvm.counting import Counting, next_pc
from pvm.emit.interpreter.dispatch import FIRST_PAIR
from pvm.errors import AddressError
from pvm.gas import block_costs
from pvm.gas.metering import INSTRUCTION
from pvm.machine import Exit, Reason

if TYPE_CHECKING:
    from wasm_host.machine.interpreted import WasmMachine

_OUT_OF_GAS = abi.EXIT_CODES[Reason.OUT_OF_GAS]
_COUNT = 8  # octets
_BREAK = bytes((abi.BREAK,))


class BreakHandlers:
    """Handlers in decoded instructions that stop the interpreter, while `put`."""

    def __init__(self, machine: WasmMachine, places: Iterable[int]) -> None:
        self._state, field = machine._state, machine._field
        self._index, self._records, self._code = (field[name].value for name in ("index", "records", "code"))
        length = field["code_length"].value
        for pc in places:
            if not isinstance(pc, int) or not 0 <= pc < 1 << 32:
                raise AddressError(f"breakpoint: {pc!r} is no pc")
        found = {pc: self._record(pc) for pc in places if pc <= length}
        self._by_pc = {pc: record for pc, record in found.items() if record}
        place = abi.RECORD.handler
        self._handlers = {pc: (record + place, self._alone(pc, record)) for pc, record in self._by_pc.items()}
        self._undo: list[tuple[int, bytes]] = []

    def _record(self, pc: int) -> int:
        return int.from_bytes(self._state.read(self._index + 4 * pc, 4), "little") & ~1

    def put(self) -> None:
        """Have the interpreter stop at all of them."""
        records = set(self._by_pc.values())
        for record in records:
            self._set(record, abi.BREAK)
        for record in records:  # the one before must not be carried out together with it
            before = record - abi.RECORD.size
            if before >= self._records and before not in records:
                pc = int.from_bytes(self._state.read(before + abi.RECORD.pc, 4), "little")
                if self._record(pc) == before:
                    self._set(before, self._alone(pc, before))

    def take_away(self) -> None:
        """Have it stop nowhere."""
        while self._undo:
            self._state.write(*self._undo[-1])
            self._undo.pop()

    def step_over(self, pc: int, step: Callable[[], Exit | None]) -> Exit | None:
        """Carry out the instruction at a pc, by itself."""
        found = self._handlers.get(pc)
        if found is None:
            return step()
        place, handler = found
        try:
            self._state.write(place, bytes((handler,)))
            return step()
        finally:
            self._state.write(place, _BREAK)

    def _alone(self, pc: int, record: int) -> int:
        """The handler of an instruction that is carried out alone, where it has one for two."""
        handler = self._state.read(record + abi.RECORD.handler, 1)[0]
        if handler < FIRST_PAIR or handler == abi.BREAK:
            return handler
        opcode = self._state.read(self._code + pc, 1)[0]
        return self._state.read(abi.HANDLERS + opcode, 1)[0]

    def _set(self, record: int, handler: int) -> None:
        place = record + abi.RECORD.handler
        self._undo.append((place, self._state.read(place, 1)))
        self._state.write(place, bytes([handler]))


def run_to(machine: WasmMachine, places: frozenset[int], visit: Visit | None) -> Exit | None:
    """`pvm.breaking.Breaking._run_to` for machines on wasmtime."""
    breaks, pending = BreakHandlers(machine, places), machine._exit_code
    if machine.poll is not None:
        machine.poll(machine)
    try:
        breaks.put()
        while True:
            exit = breaks.step_over(next_pc(machine), machine._step_and_answer)
            if exit is not None:
                return exit
            while True:
                if machine._stops:
                    return machine._stopped()
                if not machine._may_run():
                    return machine._exit(abi.STOPPED)
                code = pending.value or machine._call_run()
                if code == abi.BREAKPOINT:
                    pending.value = 0
                    _leave_unpaid(machine)
                    if visit is None or visit(machine):
                        return None
                    break
                if code == _OUT_OF_GAS and machine._reserve:
                    machine._refill()
                elif code == abi.GREW:
                    machine._follow_heap()
                    pending.value = 0
                elif code != abi.STOPPED or not machine.spec.validates:
                    answered = machine._answer(machine._exit(code))
                    if answered is not None:
                        return answered
    finally:
        breaks.take_away()


def _leave_unpaid(machine: WasmMachine) -> None:
    """By block, a block is paid after a breakpoint at its start. Where that is no basic block of the paper's, as no
    valid opcode stands there, the interpreter has taken its gas."""
    blob, spec, pc = machine.program.blob, machine.spec, machine.pc
    if machine.metering == INSTRUCTION or not machine._field["charged"].value:
        return
    if pc < len(blob.code) and blob.starts[pc] and spec.by_opcode[blob.code[pc]] is not None:
        return
    costs = block_costs(blob, spec, machine.metering)
    if costs.firsts.get(pc) == pc:
        machine.gas += costs.at(pc)
        machine._field["charged"].value = 0
        if isinstance(machine, Counting):
            machine.count_step(pc, -1)


def reserve_counts(machine: WasmMachine) -> None:
    """Make room for the counts of a program that has just been put into the engine memory, before it is decoded."""
    field = machine._field
    place = field["records"].value
    room = _COUNT * (field["code_length"].value + 1)
    machine._state.reserve(machine._state.size() + room)
    field["counts"].value, field["records"].value = place, place + room


def read_counts(machine: WasmMachine) -> Iterator[tuple[int, int]]:
    """What generated code has counted, where it is not 0: entries less exits, by pc."""
    field = machine._field
    length = field["code_length"].value + 1
    data = machine._state.read(field["counts"].value, _COUNT * length)
    return ((pc, change) for pc, change in enumerate(struct.unpack(f"<{length}q", data)) if change)
