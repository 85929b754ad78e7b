"""The engine that Python hosts embed.

In: options. Out: machines. `Engine` has the interface of `pvm.ReferenceEngine`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, Handler, check_metering, start_of
from pvm.program import Program
from wasm_host.calls import caller
from wasm_host.machine import WasmMachine

TIERS: tuple[str, ...] = ("interpreter",)


class Engine:
    """Makes machines that run generated WebAssembly on wasmtime.

    - `spec`: "0.7.2" or "0.8.0"
    - `tier`: "interpreter"
    - `metering`: "instruction" (each takes 1 gas) or "block" (a block's sum is taken when it is entered)
    - `calls`: how generated code is entered: "fast" (wasmtime's C API), "public", or "auto"

    Raises InputError for other values.
    """

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
        return WasmMachine(program, self.spec, self.metering, start, self.calls)
