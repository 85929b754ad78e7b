"""Machines that run the generated interpreter on wasmtime.

In: a program and its start. Out: `WasmMachine`, with the interface of `pvm.Machine`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from sys import getrefcount
from typing import Any

import wasmtime

from pvm import abi
from pvm.breaking import Breaking, Visit
from pvm.counting import Counting
from pvm.emit.interpreter import program_image
from pvm.errors import ResourceError
from pvm.gas.metering import INSTRUCTION
from pvm.isa import Spec
from pvm.machine import Exit, Machine, Reason, Start, check_gas, check_pc, check_reason, load_segments
from pvm.program import Program, is_entry, is_valid
from wasm_host.code.modules import Store, counting_interpreter, interpreter, wasmtime_engine
from wasm_host.forks import steadily
from wasm_host.machine.ffi import Call, caller
from wasm_host.machine.idle import LARGEST, Idle
from wasm_host.machine.memory import EngineState, GuestMemory
from wasm_host.machine.observing import read_counts, reserve_counts, run_to
from wasm_host.machine.protection import ProtectedMemory
from wasm_host.machine.snapshots import Images

# Gas that generated code gets at a time. Between slices Python can handle signals (Ctrl-C) and requests to stop: at 0.3
# to 5 ns an instruction that is after 3 to 40 ms. To go on takes 1 microsecond.
SLICE = 1 << 23
_OUT_OF_GAS = abi.EXIT_CODES[Reason.OUT_OF_GAS]
_HOST_CALL = abi.EXIT_CODES[Reason.HOST_CALL]
_OWN = frozenset(("program", "engine", "poll", "other", "_handlers", "_stops", "_last"))  # of one machine alone


class WasmMachine(Breaking):
    """A machine of the interpreter tier.

    `images` are those of machines with the same spec and metering. `protects` is whether the guest's pages can be
    protected by the hardware, once a translation relies on it.
    """

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str, images: Images,
        protects: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(start.handlers)
        self.program, self.spec, self.metering = program, spec, metering
        store = steadily(Store, wasmtime_engine())
        self._store, self._make_call = store, caller(calls)
        exports = self._exports = new_instance(store, self._interpreter()).exports(store)
        engine_memory, guest_memory = exports[abi.ENGINE_MEMORY], exports[abi.GUEST_MEMORY]
        assert isinstance(engine_memory, wasmtime.Memory) and isinstance(guest_memory, wasmtime.Memory)
        self._state = EngineState(engine_memory, store, self._turns)
        self._field = self._state.field
        self._gas = self._field["gas"]
        self._reserve = 0  # gas beyond the slice that the generated code has, and at least the floor
        self._exit_code = self._field["exit"]
        self._registers = self._state.registers
        guest_type = ProtectedMemory if protects else GuestMemory
        self._memory = self._guest = guest_type(guest_memory, self._state, store, self._turns)
        self._call_prepare, self._call_run, self._call_step = (
            self._make_call(store, function(exports[name])) for name in (abi.PREPARE, abi.RUN, abi.STEP)
        )
        self._is_valid = not spec.validates or is_valid(program.blob, spec)
        image = images.find(program)
        if image is not None:
            image.restore(self._state)
        else:
            self._load_program()
            images.note(program, self._state)
        self._load_start(start)

    @classmethod
    def of_parts(cls, attributes: dict[str, Any], program: Program, start: Start) -> WasmMachine:
        """A machine at its start, in what another one of an equal program has left behind (`_retire`)."""
        machine = object.__new__(cls)
        vars(machine).update(attributes)
        Machine.__init__(machine, start.handlers, attributes["_turns"])
        machine._exit_code, machine.program = machine._field["exit"], program
        machine._begin(start)
        return machine

    def _retire(self) -> None:
        engine, field = self.engine, vars(self).get("_field")
        idle: Idle | None = getattr(engine, "_idle", None)
        if idle is None or field is None:
            return
        try:
            self._store.ptr()
        except ValueError:  # closed already, by the collector of the cycle in which someone closes the machine
            return
        if not self._is_sound():
            return
        # Whoever has its memory or registers keeps them: here are the two attributes each, and what counts.
        if getrefcount(self._guest) > 3 or getrefcount(self._registers) > 3:
            return
        if field["records_end"].value - abi.PROGRAM > LARGEST:
            return
        self._guest.become((), ())
        self._floor = self._reserve = 0
        attributes = {name: value for name, value in vars(self).items() if name not in _OWN}
        idle.put(self.program.encoded_blob, (type(self), attributes))

    def _is_sound(self) -> bool:
        """Whether nothing has been left half done."""
        return not self._exit_code.value and not self._turns and not self._guest.is_lost

    @staticmethod
    def _interpreter() -> wasmtime.Module:
        return interpreter()

    def _load_program(self) -> None:
        """Put the program into the engine memory and have it decoded."""
        load_program(self._state, self.program, self.spec, self.metering)
        self._call_prepare()

    def _load_start(self, start: Start) -> None:
        load_segments(self.memory, start.segments)
        self.registers[:] = list(start.registers)
        self.heap_limit, self.heap_end = start.heap_limit, start.heap_end
        self.pc, self.gas = start.pc, start.gas

    @property
    def pc(self) -> int:
        return self._field["pc"].value

    @pc.setter
    def pc(self, value: int) -> None:
        self._set_pc(value)

    def _set_pc(self, value: int) -> None:
        self._refuse_others()
        self._field["pc"].value = check_pc(value)
        for name in ("at_entry", "charged", "called", "exit"):
            self._field[name].value = 0
        self._last = None

    def resume_at(self, pc: int) -> None:
        self.pc = pc
        self._field["charged"].value = 1

    @property
    def heap_end(self) -> int:
        return self._field["heap_end"].value

    @heap_end.setter
    def heap_end(self, value: int) -> None:
        self._refuse_others()
        self._guest.heap_starts(value)
        self._field["heap_end"].value = self._heap_end = value

    @property
    def heap_limit(self) -> int:
        return self._field["heap_limit"].value

    @heap_limit.setter
    def heap_limit(self, value: int) -> None:
        self._refuse_others()
        self._field["heap_limit"].value = value

    def _flags(self) -> tuple[bool, bool]:
        return self.metering != INSTRUCTION and bool(self._field["charged"].value), bool(self._field["called"].value)

    def _stand(self, pc: int, charged: bool, called: bool) -> None:
        self.pc = pc
        self._field["charged"].value, self._field["called"].value = charged, called

    def _take_back_exit(self) -> None:
        code, self._exit_code.value = self._exit_code.value, 0
        if code == abi.GREW:  # done, but for what the host has to see to
            self._follow_heap()
        elif code not in (0, abi.STOPPED, _OUT_OF_GAS):  # reached by an instruction that will be carried out again
            self._field["called"].value = 0
            if self.metering == INSTRUCTION:
                self._gas.value += 1

    @property
    def gas(self) -> int:
        return self._reserve + self._gas.value

    @gas.setter
    def gas(self, value: int) -> None:
        self._refuse_others()
        if self._floor > check_gas(value):
            self._floor = value
        slice_ = min(value - self._floor, self._slice())
        self._gas.value, self._reserve = slice_, value - slice_

    def charge(self, amount: int) -> int:
        left = self._gas.value - amount
        if left < 0:
            return super().charge(amount)
        self._gas.value = left
        return left + self._reserve

    def _run(self) -> Exit:
        if self.poll is not None:
            self.poll(self)
        if not self._may_run():
            return Exit(Reason.PANIC, self.pc, self.gas)
        # No `Exit` is made for a host call that is answered: that takes 2.3 microseconds, the call 0.9.
        handlers, enter, call, validates = self._handlers, self._runner(), self._field["call"], self.spec.validates
        pending, stops = self._exit_code, self._stops
        code = pending.value  # an exit that a signal kept from being taken comes before anything else
        while not stops:
            code = code or enter()
            if code == _HOST_CALL:
                handler = handlers.get(call.value)
                if handler is None and (self.other is None or (handler := self._catch_all(call.value)) is None):
                    return self._exit(code)
                pending.value = 0
                reason = handler(self)
                if reason is not None:
                    return Exit(check_reason(reason), self.pc, self.gas)
            elif code == _OUT_OF_GAS and self._reserve:
                if self._reserve == self._floor:
                    return Exit(Reason.STOPPED, self.pc, self.gas)
                self._refill()
            elif code == abi.GREW:
                self._follow_heap()
                pending.value = 0
            elif code != abi.STOPPED:
                return self._exit(code)
            if validates and not self._may_run():
                return self._exit(abi.STOPPED)
            code = 0
        return self._stopped()

    def _step(self) -> Exit | None:
        if not self._may_run():
            return Exit(Reason.PANIC, self.pc, self.gas)
        while True:
            code = self._exit_code.value or self._call_step()
            if code == _OUT_OF_GAS and self._reserve:
                self._refill()
            elif code == abi.GREW:  # of a run that a signal ended there
                self._follow_heap()
                self._exit_code.value = 0
            else:
                break
        if self._guest.is_on:
            self._follow_heap()
        return None if code == abi.STOPPED else self._exit(code)

    def _run_to(self, places: frozenset[int], visit: Visit | None) -> Exit | None:
        return run_to(self, places, visit)

    def _runner(self) -> Call:
        """What `run` goes on with, again and again: it ends with an exit, or stops at the end of a block."""
        return self._call_run

    def _slice(self) -> int:
        """Gas that generated code gets at a time."""
        return SLICE

    def _refill(self) -> None:
        # Added to what is left, so that a block that costs more than a slice is paid in the end.
        slice_ = min(self._reserve - self._floor, self._slice())
        self._reserve -= slice_
        self._gas.value += slice_
        self._exit_code.value = 0
        if self.poll is not None:
            self.poll(self)

    def _follow_heap(self) -> None:
        """Protect the pages that sbrk has mapped as the page table says. It may be done again."""
        end = self._field["heap_end"].value
        if isinstance(self._guest, ProtectedMemory):
            self._guest.follow(self._heap_end, end - self._heap_end)
        self._heap_end = end
        self._field["grew"].value = 0

    def _may_run(self) -> bool:
        return self._is_valid and is_entry(self.program.blob, self.spec, self.pc)

    def _exit(self, code: int) -> Exit:
        """The exit of a run that ended with `code`, which whoever takes it forgets. To stop where nothing may run is a
        panic."""
        reason = Reason.PANIC if code == abi.STOPPED else abi.REASONS[code]
        if reason is Reason.OUT_OF_GAS and not self.spec.gas_stays:
            self.gas = 0
        address = self._field["address"].value if reason is Reason.PAGE_FAULT else None
        call = self._field["call"].value if reason is Reason.HOST_CALL else None
        return Exit(reason, self.pc, self.gas, address, call)


class CountingMachine(Counting, WasmMachine):
    """A machine of the interpreter that counts instructions."""

    @staticmethod
    def _interpreter() -> wasmtime.Module:
        return counting_interpreter()

    def _load_program(self) -> None:
        load_program(self._state, self.program, self.spec, self.metering)
        reserve_counts(self)
        self._call_prepare()

    def _retire(self) -> None:
        """Its counts are in the way."""

    def _generated_counts(self) -> Iterable[tuple[int, int]]:
        return read_counts(self)


def load_program(state: EngineState, program: Program, spec: Spec, metering: str) -> None:
    """Put a program and the opcode tables into an engine memory, to be decoded."""
    place = program_image(program, spec, metering)
    state.reserve(place.size)
    for address, data in place.pieces:
        state.write(address, data)
    for name, number in place.numbers.items():
        state.field[name].value = number


def new_instance(store: wasmtime.Store, module: wasmtime.Module) -> wasmtime.Instance:
    """An instance of the interpreter. Raises ResourceError when there is no address space for its memories."""
    try:
        return steadily(wasmtime.Instance, store, module, [])
    except wasmtime.WasmtimeError:
        gc.collect()  # machines in reference cycles keep theirs until then
    try:
        return steadily(wasmtime.Instance, store, module, [])
    except wasmtime.WasmtimeError as error:
        first = str(error).splitlines()[0]
        raise ResourceError(
            f"no room for one more machine: each takes 8 GiB of address space and 6 memory maps ({first})"
        ) from error


def function(export: object) -> wasmtime.Func:
    """An export that is known to be a function."""
    assert isinstance(export, wasmtime.Func)
    return export
