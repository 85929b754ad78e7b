"""The engine that Python hosts embed.

In: options. Out: machines. `Engine` has the interface of `pvm.ReferenceEngine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from pvm.emit.recompiler import REGION_BLOCKS
from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, Handler, check_metering, start_of
from pvm.program import Program
from wasm_host.calls import caller
from wasm_host.machine import WasmMachine
from wasm_host.recompiler import Compiled, RecompilerMachine, compile_program

TIERS: tuple[str, ...] = ("interpreter", "recompiler")


# Instructions that the recompiler takes. Each costs some 40 microseconds, in hostile programs three times as much.
COMPILE_LIMIT = 1 << 18
KEPT_PROGRAMS = 16  # translations that an engine keeps


class Engine:
    """Makes machines that run generated WebAssembly on wasmtime.

    - `spec`: "0.7.2" or "0.8.0"
    - `tier`: "interpreter" (starts at once) or "recompiler" (translates the program before it runs; a program of more
      than `COMPILE_LIMIT` instructions is left to the interpreter)
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
        self._programs: dict[bytes, Compiled] = {}
        self._lock = Lock()

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
        if self.tier == "recompiler" and _instructions(program) <= COMPILE_LIMIT:
            compiled = self._compiled(program)
            return RecompilerMachine(program, self.spec, self.metering, start, self.calls, compiled)
        return WasmMachine(program, self.spec, self.metering, start, self.calls)

    def _compiled(self, program: Program) -> Compiled:
        """The program's translation, made at its first use. The engine keeps those of the last programs."""
        key = program.encoded_blob
        with self._lock:
            found = self._programs.pop(key, None)
        if found is None:
            found = compile_program(program, self.spec, self.metering, self.region_blocks)
        with self._lock:
            self._programs[key] = found  # the latest stands last
            while len(self._programs) > KEPT_PROGRAMS:
                del self._programs[next(iter(self._programs))]
        return found


def _instructions(program: Program) -> int:
    """At most how many instructions the program decodes to: its marks, and one in 25 unmarked octets."""
    return program.blob.starts.count(1) + len(program.code) // 25
