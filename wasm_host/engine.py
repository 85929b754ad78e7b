"""The engine that Python hosts embed.

In: options. Out: machines. `Engine` has the interface of `pvm.ReferenceEngine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from pvm.emit.recompiler import REGION_BLOCKS
from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, Handler, check_metering, start_of
from pvm.program import Program
from wasm_host.calls import caller
from wasm_host.machine import WasmMachine
from wasm_host.recompiler import AutoMachine, Compiled, RecompilerMachine, compile_program
from wasm_host.translations import Translations

TIERS: tuple[str, ...] = ("interpreter", "recompiler", "auto")


# Instructions that the recompiler takes. Each costs some 40 microseconds, in hostile programs three times as much.
COMPILE_LIMIT = 1 << 18


class Engine:
    """Makes machines that run generated WebAssembly on wasmtime.

    - `spec`: "0.7.2" or "0.8.0"
    - `tier`: "interpreter" (starts at once), "recompiler" (translates the program before it runs) or "auto" (interprets
      while it translates programs that run for long in the background). A program of more than `COMPILE_LIMIT`
      instructions is left to the interpreter.
    - `metering`: "instruction" (each takes 1 gas) or "block" (a block's sum is taken when it is entered)
    - `calls`: how generated code is entered: "fast" (wasmtime's C API), "public", or "auto"

    Raises InputError for other values.
    """

    region_blocks = REGION_BLOCKS

    def __init__(
        self,
        spec: str = "0.7.2",
        tier: str = "interpreter",
        metering: str = "instruction",
        calls: str = "auto",
    ) -> None:
        if tier not in TIERS:
            raise InputError(f"unknown tier {tier!r}: choose one of {', '.join(TIERS)}")
        caller(calls)
        self.spec, self.tier, self.metering, self.calls = find_spec(spec), tier, check_metering(metering), calls
        self._translations = Translations(self._translate)

    def _translate(self, program: Program, pause: Callable[[], object]) -> Compiled:
        return compile_program(program, self.spec, self.metering, self.region_blocks, pause)

    def instantiate(
        self,
        program: Program,
        args: bytes = b"",
        gas: int = DEFAULT_GAS,
        pc: int | None = None,
        host: Mapping[int, Handler] | None = None,
    ) -> WasmMachine:
        """A machine at the program's start.

        `host` maps host-call numbers to handlers (`pvm.machine.Handler`). Raises InputError for arguments that do
        not fit, AddressError for gas or a pc out of range, ResourceError without address space for 8 GiB more.
        """
        start = start_of(program, args, gas, pc, host)
        options = (program, self.spec, self.metering, start, self.calls)
        if self.tier == "interpreter" or _instructions(program) > COMPILE_LIMIT:
            return WasmMachine(*options)
        if self.tier == "recompiler":
            return RecompilerMachine(*options, self._translations.get(program))
        request = partial(self._translations.request, program)
        return AutoMachine(*options, request, self._translations.on_use(program))


def _instructions(program: Program) -> int:
    """At most how many instructions the program decodes to: its marks, and one in 25 unmarked octets."""
    return program.blob.starts.count(1) + len(program.code) // 25
