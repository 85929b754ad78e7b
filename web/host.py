"""The engine for Python that itself runs in WebAssembly (Pyodide), in browsers and under node.

In: options. Out: `Engine` and its machines, with the interface of `wasm_host.Engine`: the same generated modules run on
the engine that runs Pyodide, through `page/shared/host.mjs`. This file alone imports what only Pyodide has.
"""

from __future__ import annotations

import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from time import perf_counter
from typing import Any

from js import Object, Uint8Array, WebAssembly
from pyodide.code import run_js
from pyodide.ffi import JsException, to_js

from pvm import abi
from pvm.breaking import Breaking, Visit
from pvm.counting import Counting
from pvm.emit.interpreter import interpreter_bytes, program_image
from pvm.emit.interpreter.decoded import DecodedCosts, index_size
from pvm.emit.recompiler import Recompiled, is_translatable, recompile
from pvm.errors import EngineError, InputError, ResourceError
from pvm.gas import Costs, choose_metering
from pvm.gas.metering import INSTRUCTION, PIPELINE
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.machine import (
    DEFAULT_GAS,
    Exit,
    Host,
    Reason,
    Start,
    check_gas,
    check_pc,
    check_reason,
    start_again,
    start_of,
)
from pvm.memory import Memory, PageRanges, check_access, check_range, octets_of, page_range
from pvm.options import Options
from pvm.program import PAGE_SIZE, Program, is_valid
from pvm.program.standard import ADDRESS_SPACE
from pvm.registers import REGISTER_COUNT, Registers
from pvm.saved import State, joined_pages, joined_ranges
from pvm.suggestions import unknown
from pvm_web.bridge.values import pairs

TIERS: tuple[str, ...] = ("auto", "interpreter", "recompiler")
KEPT = 8  # translations of an engine, the last ones used

# Gas at a time: browsers put better code in place only when a function is entered anew, and between slices an auto
# machine looks whether translating would pay.
SLICE = 1 << 22
# Translating takes so many seconds an instruction: a program is translated once it was interpreted for as long as that.
TRANSLATION_TIME = 50e-6

_MAPPED = re.compile(rb"[^\0]+")  # runs of pages in a page table
_HOST_CALL = abi.EXIT_CODES[Reason.HOST_CALL]
_LIMIT = -2  # a run came to its limit, or was asked to stop


class Engine(Options):
    """Makes machines that run generated WebAssembly on the engine that runs this Python.

    - `spec`: "0.7.2" or "0.8.0"
    - `tier`: "interpreter", "recompiler" (translates the program before it runs; programs that are too large are left
      to the interpreter), or "auto" (interprets, and translates what was interpreted for as long as that takes)
    - `metering`: "instruction", "block" or "pipeline", None for the version's own; or `gas`: "flat" or "pipeline"
    - `counting`: machines count how often each instruction is carried out, and are interpreted (`pvm.observe`)

    Raises InputError for other values.
    """

    def __init__(
        self, spec: str = "0.7.2", tier: str = "auto", metering: str | None = None, gas: str | None = None,
        counting: bool = False,
    ) -> None:  # fmt: skip
        if tier not in TIERS:
            raise InputError(unknown("tier", tier, TIERS))
        self.spec, self.tier, self.counting = find_spec(spec), tier, counting
        self.metering = choose_metering(self.spec, metering, gas)
        self._translations: OrderedDict[bytes, Any] = OrderedDict()

    def instantiate(
        self,
        program: Program,
        args: bytes = b"",
        gas: int = DEFAULT_GAS,
        pc: int | None = None,
        host: Host | None = None,
    ) -> HostMachine:
        """A machine at the program's start.

        Raises InputError for arguments that do not fit, AddressError for gas or a pc out of range, ResourceError
        without address space for 8 GiB more.
        """
        return self._machine(program, start_of(program, args, gas, pc, host))

    def resume(self, state: State, host: Host | None = None) -> HostMachine:
        """A machine that goes on where another one was saved, on whatever tier, engine or system.

        Raises InputError for the state of another version or metering, and what `instantiate` raises.
        """
        machine = self._machine(state.program, start_again(state, self.spec.name, self.metering, host))
        machine.restore(state)
        return machine

    def _machine(self, program: Program, start: Start) -> HostMachine:
        machine = (CountingHostMachine if self.counting else HostMachine)(self, program, start)
        machine.engine = self
        if self.tier == "recompiler":
            machine.translate()
        return machine

    def translation(self, program: Program, find_costs: Callable[[], Costs]) -> Any:
        """What `Machine.link` of `page/shared/host.mjs` takes, compiled; made at the first call for a program.

        `find_costs` is asked only then, for what blocks cost by the pipeline model.
        """
        key = program.encoded_blob
        if key not in self._translations:
            costs = find_costs() if self.metering == PIPELINE else None
            self._translations[key] = _js_translation(recompile(program.blob, self.spec, self.metering, costs=costs))
            if len(self._translations) > KEPT:
                self._translations.popitem(last=False)
        self._translations.move_to_end(key)
        return self._translations[key]


class HostMachine(Breaking):
    """A machine of `page/shared/host.mjs`. All of its state is there."""

    def __init__(self, engine: Engine, program: Program, start: Start) -> None:
        super().__init__(start.handlers)
        self.program, self.spec, self.metering = program, engine.spec, engine.metering
        self._engine = engine
        self._is_taken = is_translatable(program.blob, engine.spec)
        self._interpreted = 0.0  # seconds
        image = _js_image(program, engine.spec, engine.metering, start)
        try:
            counts = isinstance(self, Counting)
            self._js = _host().Machine.new(_js_abi(), _interpreter(counts), image, _object({"counts": counts}))
        except JsException as error:
            raise ResourceError(str(error).removeprefix("Error: ")) from None
        self._memory = HostMemory(self._js)
        self._registers = Registers(_Words(self._js))
        self._registers[:] = list(start.registers)
        self.gas = start.gas

    def translate(self) -> None:
        """From now on run a translation, unless the program is too large for one."""
        if self._is_taken and not self._js.isLinked:
            self._js.link(self._engine.translation(self.program, lambda: _costs_of(self._js)))

    @property
    def pc(self) -> int:
        return int(self._js.pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self._js.pc = check_pc(value)
        self._last = None

    def resume_at(self, pc: int) -> None:
        self.pc = pc
        self._set_number("charged", 1)

    @property
    def heap_end(self) -> int:
        return self._number("heap_end")

    @heap_end.setter
    def heap_end(self, value: int) -> None:
        self._set_number("heap_end", value)

    @property
    def heap_limit(self) -> int:
        return self._number("heap_limit")

    @heap_limit.setter
    def heap_limit(self, value: int) -> None:
        self._set_number("heap_limit", value)

    def _flags(self) -> tuple[bool, bool]:
        return self.metering != INSTRUCTION and bool(self._number("charged")), bool(self._number("called"))

    def _stand(self, pc: int, charged: bool, called: bool) -> None:
        self.pc = pc
        self._set_number("charged", charged)
        self._set_number("called", called)

    @property
    def gas(self) -> int:
        return self._number("gas")

    @gas.setter
    def gas(self, value: int) -> None:
        self._floor = min(self._floor, check_gas(value))
        self._set_number("gas", value)

    def _set_number(self, name: str, value: int) -> None:
        field = abi.STATE[name]
        self._js.bytes(field.offset, field.size).assign(value.to_bytes(field.size, "little"))

    def _number(self, name: str) -> int:
        """A field of the state, by its octets: BigInts differ between versions of Pyodide."""
        field = abi.STATE[name]
        return int.from_bytes(self._js.bytes(field.offset, field.size).to_bytes(), "little")

    def _run(self) -> Exit:
        while True:
            code = self._advance()
            if code == _LIMIT:
                return self._stopped() if self._stops else Exit(Reason.STOPPED, self.pc, self.gas)
            if code != _HOST_CALL:
                return self._exit(code)
            number = self._number("call")
            handler = self._handlers.get(number) or self._catch_all(number)
            if handler is None:
                return self._exit(code)
            reason = handler(self)
            if reason is not None:
                return Exit(check_reason(reason), self.pc, self.gas)

    def _advance(self) -> int:
        """Run slice by slice to an exit code, or _LIMIT where the run is to end before."""
        slice_ = SLICE
        while True:
            if self.poll is not None:
                self.poll(self)
            if self._stops:
                return _LIMIT
            before, begin = self.gas, perf_counter()
            size = min(slice_, before - self._floor) if self._floor else slice_
            code = int(self._js.advanceBy(size))
            if code != _host().SLICE:
                return code
            if self._floor and size == before - self._floor:
                return _LIMIT
            if self.gas == before:  # a block that costs more than the slice
                slice_ *= 2
            if self._engine.tier == "auto" and not self._js.isLinked:
                self._interpreted += perf_counter() - begin
                if self._interpreted >= TRANSLATION_TIME * self.program.blob.starts.count(1):
                    self.translate()

    def _run_to(self, places: frozenset[int], visit: Visit | None) -> Exit | None:
        pcs, slice_ = to_js(sorted(places)), SLICE
        while True:
            exit = self._step_and_answer()
            if exit is not None:
                return exit
            code = None
            while code != abi.BREAKPOINT:
                if self.poll is not None:
                    self.poll(self)
                if self._stops:
                    return self._stopped()
                before = self.gas
                code = int(self._js.advanceBy(slice_, pcs))
                if code == _host().SLICE:
                    slice_ = SLICE if self.gas != before else slice_ * 2
                elif code != abi.BREAKPOINT and (exit := self._answer(self._exit(code))) is not None:
                    return exit
            if visit is None or visit(self):
                return None

    def _step(self) -> Exit | None:
        code = int(self._js.step())
        return None if code == abi.STOPPED else self._exit(code)

    def _exit(self, code: int) -> Exit:
        reason = Reason.PANIC if code == abi.STOPPED else abi.REASONS.get(code)
        if reason is None:
            raise EngineError(f"generated code left with {code}")
        if reason is Reason.OUT_OF_GAS and not self.spec.gas_stays:
            self.gas = 0
        address = self._number("address") if reason is Reason.PAGE_FAULT else None
        call = self._number("call") if reason is Reason.HOST_CALL else None
        return Exit(reason, self.pc, self.gas, address, call)


class CountingHostMachine(Counting, HostMachine):
    """A machine of the interpreter that counts instructions."""

    def translate(self) -> None:
        """It stays interpreted."""

    def _generated_counts(self) -> Iterable[tuple[int, int]]:
        length = len(self.program.blob.code) + 1
        data = self._js.bytes(self._number("counts"), 8 * length).to_bytes()
        return ((pc, change) for pc, change in enumerate(struct.unpack(f"<{length}q", data)) if change)


class HostMemory(Memory):
    """The guest's memory, through `GuestMemory` of `page/shared/memory.mjs`."""

    def __init__(self, machine: Any) -> None:
        self._js = machine.memory
        self._noted = PageRanges()  # that were mapped or written by a host after the start

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        return bytes(self._js.view(address, length).to_bytes())

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        data = octets_of(data)
        check_range(address, len(data))
        if data:
            self._noted.add(*page_range(address, len(data)))
            self._js.view(address, len(data)).assign(data)

    def map(self, address: int, length: int, access: str | None) -> None:
        check_range(address, length)
        check_access(access)
        if length:
            self._noted.add(*page_range(address, length))
        self._js.map(address, length, access)

    def access(self, address: int) -> str | None:
        check_range(address, 1)
        found = self._js.accessOf(address >> abi.GUEST_PAGE_BITS)
        return found if isinstance(found, str) else None

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        check_range(address, length)
        first, end = page_range(address, length)
        table = self._js.table.to_bytes()[first:end]
        for run in _MAPPED.finditer(table):
            pages = range((first + run.start()) * PAGE_SIZE, (first + run.end()) * PAGE_SIZE, PAGE_SIZE)
            yield from joined_ranges((page, PAGE_SIZE, self.access(page) or "") for page in pages)

    def contents(self) -> Iterator[tuple[int, bytes]]:
        used = self._noted.all(*(page_range(address, length) for address, length, _ in self.mapped()))
        pages = (page for first, end in used for page in range(first, end))
        return joined_pages((page * PAGE_SIZE, self.read(page * PAGE_SIZE, PAGE_SIZE)) for page in pages)

    def clear(self, address: int = 0, length: int = ADDRESS_SPACE) -> None:
        check_range(address, length)
        for first, end in self._noted.all(*(page_range(at, size) for at, size, _ in self.mapped(address, length))):
            start, stop = max(address, first * PAGE_SIZE), min(address + length, end * PAGE_SIZE)
            if start < stop:
                self._js.fill(start, stop - start)

    def is_readable(self, address: int, length: int) -> bool:
        return not length or bool(self._js.isReadable(address, length))


class _Words:
    """The 13 registers in the engine memory, as `pvm.registers.Registers` wants them."""

    def __init__(self, machine: Any) -> None:
        self._js = machine

    def _all(self) -> list[int]:
        data = self._js.bytes(abi.REGISTERS, REGISTER_COUNT * abi.REGISTER_SIZE).to_bytes()
        return list(memoryview(data).cast("Q"))

    def __getitem__(self, index: int | slice) -> int | list[int]:
        return self._all()[index]

    def __setitem__(self, index: int, value: int) -> None:
        place = abi.REGISTERS + index % REGISTER_COUNT * abi.REGISTER_SIZE
        self._js.bytes(place, abi.REGISTER_SIZE).assign(value.to_bytes(abi.REGISTER_SIZE, "little"))

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())


# --- JavaScript's side ---------------------------------------------------------------------------------------------


@cache
def _host() -> Any:
    """What `page/shared/host.mjs` exports: the page's worker has registered it; elsewhere it is made of the files."""
    try:
        import pvm_host

        return pvm_host
    except ImportError:
        page = resources.files("pvm_web") / "page" / "shared"
        text = "".join((page / name).read_text(encoding="utf-8") for name in ("memory.mjs", "host.mjs"))
        body = re.sub(r"(?m)^(import .*|export \{.*|export )", "", text)
        return run_js(f"(() => {{ {body}\nreturn {{ Abi, Machine, SLICE }}; }})()")


@cache
def _js_abi() -> Any:
    return _host().Abi.new(_object(abi.as_dict()))


@cache
def _interpreter(counts: bool) -> Any:
    return _compiled(interpreter_bytes(counts))


def _compiled(module: bytes) -> Any:
    return WebAssembly.Module.new(_octets(module))


def _octets(data: bytes) -> Any:
    """A Uint8Array of its own with these octets."""
    array = Uint8Array.new(len(data))
    if data:
        array.assign(data)
    return array


def _object(value: Any) -> Any:
    return to_js(value, dict_converter=Object.fromEntries)


def _js_image(program: Program, spec: Spec, metering: str, start: Start) -> Any:
    """The `Image` of `page/shared/host.mjs`, but for registers and gas, which are set octet by octet."""
    place = program_image(program, spec, metering)
    image = {
        "reserve": place.size, "gas_stays": spec.gas_stays,
        "writes": [{"address": address, "bytes": _octets(data)} for address, data in place.pieces],
        "numbers": {**place.numbers, "heap_end": start.heap_end, "heap_limit": start.heap_limit},
        "segments": [
            {"address": s.address, "length": s.length, "access": s.access, "data": _octets(s.data)}
            for s in start.segments
        ],
        "registers": [], "gas": 0, "pc": start.pc,
        "valid": not spec.validates or is_valid(program.blob, spec),
    }  # fmt: skip
    return _object(image)


def find_costs(program: Program, spec: Spec) -> Costs | None:
    """What a program's blocks cost by the pipeline model; None without address space for a machine to decode it."""
    try:
        image = _js_image(program, spec, PIPELINE, start_of(program, b"", 0, 0, None))
        return _costs_of(_host().Machine.new(_js_abi(), _interpreter(False), image))
    except JsException:
        return None


def _costs_of(machine: Any) -> DecodedCosts:
    """What the decoder of a machine that charges by the pipeline model found."""
    length, index, first, end = (int(machine.get(name)) for name in ("code_length", "index", "records", "records_end"))
    size = index_size(length)
    return DecodedCosts(machine.bytes(index, size).to_bytes(), machine.bytes(first, end - first).to_bytes(), first)


def _js_translation(made: Recompiled) -> Any:
    return _object({
        "compiled": _compiled(made.module), "entries": to_js(pairs(made.entries.items())),
        "resumes": to_js(pairs(made.resumes.items())), "jumps": _octets(made.jumps),
    })  # fmt: skip
