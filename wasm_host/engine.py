"""The engine that Python hosts embed.

In: options. Out: machines. `Engine` has the interface of `pvm.ReferenceEngine`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pvm.emit.recompiler import REGION_BLOCKS, is_translatable
from pvm.errors import InputError, ResourceError
from pvm.gas import choose_metering
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, Host, Start, start_again, start_of
from pvm.options import Options
from pvm.program import Program
from pvm.saved import State
from pvm.suggestions import unknown
from wasm_host.code.cache import CacheChoice, key_of, open_cache
from wasm_host.code.modules import Compiled, counting_interpreter, interpreter
from wasm_host.code.portable import PortableCode, export_code, import_code, load_program, store_program
from wasm_host.code.room import room_for
from wasm_host.code.translations import Compile, Translations
from wasm_host.machine.ffi import caller
from wasm_host.machine.idle import Idle
from wasm_host.machine.interpreted import CountingMachine, WasmMachine
from wasm_host.machine.protection import obstacle
from wasm_host.machine.snapshots import Images
from wasm_host.machine.translated import AutoMachine, Bare, RecompilerMachine
from wasm_host.translating import compile_program

TIERS: tuple[str, ...] = ("auto", "interpreter", "recompiler")
SOFTWARE, HARDWARE = "software", "hardware"
_BARE = "bare"  # what the hardware protects goes on in, while it computes
PROTECTIONS: tuple[str, ...] = ("auto", SOFTWARE, HARDWARE)


class Engine(Options):
    """Makes machines that run generated WebAssembly on wasmtime.

    - `spec`: "0.7.2" or "0.8.0"
    - `tier`: "auto" (interprets at once, and translates what runs for long in the background), "interpreter" or
      "recompiler" (translates the program before it runs). Programs that are too large (`is_translatable`)
      are left to the interpreter. Where a limit of this process leaves too little memory to translate one
      (`wasm_host.code.room`), "recompiler" raises ResourceError and "auto" goes on interpreting.
    - `metering`: "instruction" (each takes 1 gas), "block" (a block's sum is taken when it is entered) or "pipeline"
      (a block costs what 0.8.0's model says). None for the version's own: "instruction" for 0.7.2, "pipeline" for 0.8.0
    - `calls`: how generated code is entered: "fast" (wasmtime's C API), "public", or "auto"
    - `cache`: where compiled code is kept on disk: True for the user's folder (`open_cache`), False for
      nowhere, or a folder. The interpreter is compiled once a process: the first engine that makes a machine decides.
    - `protection`: how translations protect the guest's pages: "software" (they check each access), "hardware" (the
      processor does; not on every host) or "auto" (hardware where that works)
    - `gas`: "flat" (1 an instruction) or "pipeline", instead of `metering` (`pvm.gas.choose_metering`)

    - `counting`: machines count how often each instruction is carried out (`pvm.observe`). They are interpreted, on
      every tier, and take up to 1.5 times as long

    They stay as they are: what an engine keeps of its programs belongs to them. Raises InputError for other values.
    Threads may share an engine, and the child of a fork goes on with it and its machines; what another thread was
    translating at that moment is begun anew there.
    """

    region_blocks = REGION_BLOCKS
    calm_slices = 1  # see `wasm_host.machine.translated.Bare`
    _options = ("spec", "tier", "metering", "protection", "calls", "counting")

    def __init__(
        self,
        spec: str = "0.7.2",
        tier: str = "auto",
        metering: str | None = None,
        calls: str = "auto",
        cache: CacheChoice = True,
        protection: str = "auto",
        gas: str | None = None,
        counting: bool = False,
    ) -> None:
        if tier not in TIERS:
            raise InputError(unknown("tier", tier, TIERS))
        if protection not in PROTECTIONS:
            raise InputError(unknown("protection", protection, PROTECTIONS))
        caller(calls)
        self.spec, self.tier, self.calls = find_spec(spec), tier, calls
        self.metering = choose_metering(self.spec, metering, gas)
        self.protection, self.counting = protection, counting
        self.cache = open_cache(cache)
        self._images, self._idle = Images(), Idle()
        self._translations = {
            mode: Translations(partial(self._translate, mode), partial(self._is_stored, mode))
            for mode in (SOFTWARE, HARDWARE, _BARE)
        }

    def __dir__(self) -> list[str]:
        options = ("cache", "calls", "counting", "metering", "protection", "spec", "tier")
        return sorted((*options, "instantiate", "request", "resume"))

    def _translate(self, protection: str, program: Program, pause: Callable[[], object], compile: Compile) -> Compiled:
        """A program's translation, out of the cache or made and put there.

        It is put there before anyone gets it, in the same thread: that takes less than 1% of the time that it took to
        make, and a process that ends soon has it written. Raises ResourceError where it would not fit.
        """
        key = self._key(protection, program)
        found = load_program(self.cache, key, program)
        if found is None:
            options = (program, self.spec, self.metering, protection, self.region_blocks)
            with room_for(program, self.spec) as in_parallel:
                found = compile_program(*options, pause, lambda module: compile(module, in_parallel), self.calls)
            store_program(self.cache, key, found)
        return found

    def _is_stored(self, protection: str, program: Program) -> bool:
        key = self._key(protection, program)
        return self.cache is not None and key is not None and self.cache.has(key)

    def _key(self, protection: str, program: Program) -> str | None:
        """The key of a program's translation: all that decides what it is."""
        if self.cache is None:
            return None
        options = f"metering={self.metering} region_blocks={self.region_blocks} protection={protection}"
        return key_of("program", self.spec.name, options, program.encoded_blob)

    def instantiate(
        self,
        program: Program,
        args: bytes = b"",
        gas: int = DEFAULT_GAS,
        pc: int | None = None,
        host: Host | None = None,
    ) -> WasmMachine:
        """A machine at the program's start.

        `host` maps host-call numbers to handlers (`pvm.machine.Handler`). Raises InputError for arguments that do
        not fit, AddressError for gas or a pc out of range, ResourceError without address space for 8 GiB more, without
        memory to translate the program, or when the hardware has to protect memory and cannot.
        """
        return self._machine(program, start_of(program, args, gas, pc, host))

    def resume(self, state: State, host: Host | None = None) -> WasmMachine:
        """A machine that goes on where another one was saved, on whatever tier, engine or system.

        Raises InputError for the state of another version or metering, and what `instantiate` raises.
        """
        machine = self._machine(state.program, start_again(state, self.spec.name, self.metering, host))
        machine.restore(state)
        return machine

    def _machine(self, program: Program, start: Start) -> WasmMachine:
        try:
            machine = self._new_machine(program, start)
        except ResourceError:
            if not len(self._idle):
                raise
            self._idle.clear()
            machine = self._new_machine(program, start)
        machine.engine = self
        return machine

    def _new_machine(self, program: Program, start: Start) -> WasmMachine:
        left = self._idle.take(program.encoded_blob)
        if left is not None:
            kind, attributes = left
            machine: WasmMachine = kind.of_parts(attributes, program, start)
            return machine
        options = (program, self.spec, self.metering, start, self.calls, self._images)
        if self.counting:
            counting_interpreter(self.cache)
            return CountingMachine(*options)
        interpreter(self.cache)
        if self.tier == "interpreter" or not is_translatable(program.blob, self.spec):
            return WasmMachine(*options)
        mode = self._mode()
        translations, software = self._translations[mode], partial(self._translations[SOFTWARE].get, program)
        protects = mode == HARDWARE
        if self.tier == "recompiler":
            bare = Bare(lambda seconds: self._translations[_BARE].made(program), self.calm_slices)
            made = partial(translations.get, program)
            return RecompilerMachine(*options, protects, made, software, bare if protects else None)
        bare = Bare(partial(self._translations[_BARE].spend, program), self.calm_slices)
        spend, checked = (partial(self._translations[name].spend, program) for name in (mode, SOFTWARE))
        found = translations.found(program)
        return AutoMachine(*options, protects, spend, found, checked, software, bare if protects else None)

    def request(self, program: Program) -> None:
        """Have a program translated in the background, or its stored translation loaded, before a machine needs it.

        Nothing happens where the tier or the program's size is such that it is only interpreted.
        """
        if self.tier != "interpreter" and is_translatable(program.blob, self.spec):
            self._translations[self._mode()].request(program)

    def carry(self, program: Program) -> PortableCode | None:
        """The program's translation as bytes, for an engine of the same options in another process.

        It is made if the tier always translates, else taken if it is stored. None if there is none. Raises
        ResourceError without memory to translate it, or when the hardware has to protect memory and cannot.
        """
        mode = self._mode()
        if self.tier == "interpreter" or not is_translatable(program.blob, self.spec):
            return None
        if self.tier == "auto" and not self._is_stored(mode, program):
            return None
        return export_code(mode, self._translations[mode].get(program))

    def adopt(self, program: Program, carried: PortableCode) -> None:
        """Take over what `carry` gave, if it fits this machine; native code, so from those whose code may run here."""
        compiled = import_code(carried, program)
        if compiled is not None:
            self._translations[carried.protection].put(program, compiled)

    def _mode(self) -> str:
        """How machines that are made now check memory."""
        if self.protection == SOFTWARE:
            return SOFTWARE
        reason = obstacle()
        if reason is not None and self.protection == HARDWARE:
            raise ResourceError(f"no protection by the hardware: {reason}")
        return HARDWARE if reason is None else SOFTWARE
