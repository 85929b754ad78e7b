"""Machines that run recompiled programs, and the interpreter where those leave off.

In: a program, its translation, its start. Out: `RecompilerMachine`, whose translation is there before it runs, and
`AutoMachine`, which interprets until it is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import wasmtime

from pvm import abi
from pvm.emit.recompiler import REGION_BLOCKS, Recompiled, recompile
from pvm.isa import Spec
from pvm.machine import Start
from pvm.program import Program
from wasm_host.calls import Call
from wasm_host.compiled import wasmtime_engine
from wasm_host.machine import WasmMachine, function

# After this much gas (1 to 3 ms), or so many host calls, an auto machine asks for its translation. It looks whether
# that is there whenever it is entered.
AUTO_SLICE = 1 << 20
AUTO_TURNS = 256


@dataclass(frozen=True)
class Compiled:
    """A translated program and the module that wasmtime made of it."""

    recompiled: Recompiled
    module: wasmtime.Module


def compile_program(
    program: Program, spec: Spec, metering: str, region_blocks: int = REGION_BLOCKS, pause: Callable[[], object] = int
) -> Compiled:
    """Translate and compile a program; `region_blocks` and `pause` are those of `pvm.emit.recompiler.recompile`."""
    recompiled = recompile(program.blob, spec, metering, region_blocks, pause)
    return Compiled(recompiled, wasmtime.Module(wasmtime_engine(), recompiled.module))


Request = Callable[[], "Future[Compiled]"]


class RecompilerMachine(WasmMachine):
    """A machine of the recompiler tier. It is an interpreter's machine, whose state the translation shares."""

    _is_linked = False

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str, compiled: Compiled | None
    ) -> None:
        super().__init__(program, spec, metering, start, calls)
        self._call_finish = self._make_call(self._store, function(self._exports[abi.FINISH]))
        self._by_block = metering == "block"
        if compiled is not None:
            self._link(compiled)

    def _link(self, compiled: Compiled) -> None:
        """From now on run the translation."""
        names = (abi.GUEST_MEMORY, abi.ENGINE_MEMORY, abi.SBRK)
        instance = wasmtime.Instance(self._store, compiled.module, [self._exports[name] for name in names])
        self._call_recompiled = self._make_call(self._store, function(instance.exports(self._store)[abi.RUN]))
        self._entries, self._resumes = compiled.recompiled.entries, compiled.recompiled.resumes
        self._state.write(self._field["entries"].value, compiled.recompiled.jumps)
        self._is_linked = True

    def _runner(self) -> Call:
        return self._go_on

    def _go_on(self) -> int:
        """Go on where the machine stands: translated where that can be entered, else to the block's end."""
        field = self._field
        pc = field["pc"].value
        if field["called"].value:
            entry = self._resumes.get(pc)
            if entry is not None:
                field["called"].value = 0
        elif self._by_block and field["charged"].value:
            entry = None
        else:
            entry = self._entries.get(pc)
        if entry is None:
            return self._call_finish()
        field["entry"].value = entry
        code = self._call_recompiled()
        return self._call_finish() if code == abi.BAIL else code


class AutoMachine(RecompilerMachine):
    """A machine of the auto tier: it interprets until its translation is there.

    `future` is its translation when that is there or under way already; otherwise `request` starts it, once the
    machine turns out to run for long.
    """

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str,
        request: Request, future: Future[Compiled] | None,
    ) -> None:  # fmt: skip
        self._request, self._future = request, future
        self._turns = 0
        super().__init__(program, spec, metering, start, calls, None)

    def _slice(self) -> int:
        return super()._slice() if self._is_linked else AUTO_SLICE

    def _refill(self) -> None:
        super()._refill()
        self._is_hot()

    def _is_hot(self) -> None:
        if self._future is None:
            self._future = self._request()

    def _go_on(self) -> int:
        if self._is_linked:
            return super()._go_on()
        self._turns += 1
        if self._turns == AUTO_TURNS:
            self._is_hot()
        if self._future is not None and self._future.done() and self._future.exception() is None:
            self._link(self._future.result())
            return super()._go_on()
        return self._call_run()
