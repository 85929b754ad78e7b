"""Machines that run recompiled programs, and the interpreter where those leave off.

In: a program, its translation, its start. Out: `RecompilerMachine`, whose translation is there before it runs, and
`AutoMachine`, which interprets until it is.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from time import perf_counter
from typing import Protocol

import wasmtime

from pvm import abi
from pvm.breaking import Visit
from pvm.errors import EngineError, ResourceError
from pvm.gas.metering import INSTRUCTION
from pvm.isa import Spec
from pvm.machine import Exit, Reason, Start
from pvm.program import PAGE_SIZE, Program
from wasm_host.code.modules import TRANSLATION_IMPORTS, Compiled
from wasm_host.forks import steadily
from wasm_host.machine.ffi import Call, MemoryTrap
from wasm_host.machine.interpreted import WasmMachine, function
from wasm_host.machine.protection import ProtectedMemory, obstacle
from wasm_host.machine.snapshots import Images

# After this much gas (1 to 3 ms), or so many host calls, an auto machine says for how long it has run. It looks whether
# its translation is there whenever it is entered.
AUTO_SLICE = 1 << 20
AUTO_TURNS = 64


class Promised(Protocol):
    """A translation, None until it is there."""

    @property
    def compiled(self) -> Compiled | None:
        """The translation."""


Spend = Callable[[float], Promised | None]
_GUEST_SIZE = abi.GUEST_PAGES * abi.WASM_PAGE


class RecompilerMachine(WasmMachine):
    """A machine of the recompiler tier. It is an interpreter's machine, whose state the translation shares.

    With `protects`, translations do not check accesses: a refused one traps, and the interpreter goes on from the last
    checkpoint (`checkpoints`) to the same fault. `software` yields a translation that checks, for when the
    protection is lost.
    """

    _is_linked = False
    _was_interrupted = False  # whether a signal's exception came between a region's start and the host's hearing of it

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str, images: Images, protects: bool,
        compiled: Callable[[], Compiled] | None, software: Callable[[], Compiled],
    ) -> None:  # fmt: skip
        super().__init__(program, spec, metering, start, calls, images, protects)
        self._protects, self._software = protects, software
        self._by_block = metering != INSTRUCTION
        if compiled is not None:  # made now, when what the machine takes is seen
            self._link(compiled())

    def _link(self, compiled: Compiled) -> None:
        """From now on run the translation. A signal may end this anywhere, and then it is done again."""
        guest = self._guest
        if self._protects and isinstance(guest, ProtectedMemory):
            if not guest.is_on:
                guest.protect()
                self._heap_end = self._field["heap_end"].value
            self._field["protects"].value = 1
            if guest.is_lost:
                self._unprotect()
                return
        imports = [self._exports[name] for name in TRANSLATION_IMPORTS]
        instance = steadily(wasmtime.Instance, self._store, compiled.module, imports)
        self._call_recompiled = self._make_call(self._store, function(instance.exports(self._store)[abi.RUN]))
        self._call_finish = self._make_call(self._store, function(self._exports[abi.FINISH]))
        self._entries, self._resumes = compiled.recompiled.entries, compiled.recompiled.resumes
        self._state.write(self._field["entries"].value, compiled.recompiled.jumps)
        self._is_linked = True

    def _runner(self) -> Call:
        guest = self._guest
        if isinstance(guest, ProtectedMemory):
            guest.settle()
            if guest.is_on and (not self._protects or obstacle() is not None):
                self._unprotect()
        return self._go_on

    def _go_on(self) -> int:
        """Go on where the machine stands: translated where that can be entered, else to the block's end."""
        if self._guest.is_lost and self._protects:
            self._unprotect()
            return self._go_on()
        if not self._is_linked:
            try:
                self._link(self._software())
            except ResourceError:
                return self._call_run()
        field = self._field
        if self._was_interrupted:
            # A trap may have been lost. From the last checkpoint to the same fault, with an exit that cannot be.
            self._was_interrupted = False
            self._settle()
            return self._call_run()
        pc = field["pc"].value
        if field["called"].value:
            entry = self._resumes.get(pc)
        elif self._by_block and field["charged"].value:
            entry = None
        else:
            entry = self._entries.get(pc)
        if entry is None:
            return self._call_finish()
        try:
            # The state stays that of the entry, should a signal keep the region from being entered.
            field["entry"].value = entry
            field["at_entry"].value = 1
            try:
                code = self._call_recompiled()
            except MemoryTrap as trap:
                return self._run_again(trap)
        except BaseException:
            self._was_interrupted = not self._exit_code.value
            raise
        return self._call_finish() if code == abi.BAIL else code

    def _run_again(self, trap: MemoryTrap) -> int:
        """Interpret from the last checkpoint to the fault that trapped. Any other exit says that the trap was ours."""
        if not self._protects or trap.size != _GUEST_SIZE:
            raise trap
        self._settle()
        code = self._call_run()
        is_panic = code == abi.EXIT_CODES[Reason.PANIC]
        if not is_panic and code != abi.EXIT_CODES[Reason.PAGE_FAULT]:
            raise trap
        if not is_panic and self._field["address"].value != trap.address % _GUEST_SIZE & -PAGE_SIZE:
            raise trap
        return code

    def _settle(self) -> None:
        """Where the state is that of an entry, say so by pc and flags."""
        field = self._field
        if not field["at_entry"].value:
            return
        entry = field["entry"].value
        for is_call, places in enumerate((self._entries, self._resumes)):
            for pc, found in places.items():
                if found == entry:
                    field["pc"].value, field["called"].value, field["charged"].value = pc, is_call, is_call
                    field["at_entry"].value = 0
                    return
        raise EngineError(f"the translation has no entry {entry:#x}")

    @property
    def pc(self) -> int:
        field = self._field
        if field["at_entry"].value and (not self._turns or get_ident() in self._turns):  # others see where it last was
            self._settle()
        return field["pc"].value

    @pc.setter
    def pc(self, value: int) -> None:
        self._set_pc(value)

    def _stand(self, pc: int, charged: bool, called: bool) -> None:
        super()._stand(pc, charged, called)
        self._was_interrupted = False

    def _step(self) -> Exit | None:
        if isinstance(self._guest, ProtectedMemory):
            self._guest.settle()
        self._settle()
        return super()._step()

    def _run_to(self, places: frozenset[int], visit: Visit | None) -> Exit | None:
        if isinstance(self._guest, ProtectedMemory):
            self._guest.settle()
        self._settle()
        self._was_interrupted = False
        return super()._run_to(places, visit)

    def _unprotect(self) -> None:
        """Go on without protection by the hardware. First of all, the translation that relies on it is let go."""
        self._is_linked = False
        self._protects = False
        self._settle()
        self._field["protects"].value = 0
        if isinstance(self._guest, ProtectedMemory) and self._guest.is_on:
            self._guest.unprotect()


class AutoMachine(RecompilerMachine):
    """A machine of the auto tier: it interprets until its translation is there.

    `promised` is its translation when that is there or under way already. `spend` is told for how many seconds the
    machine has interpreted, and yields the translation once that is there or under way; `spend_software` does so for
    one that checks.
    """

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str, images: Images, protects: bool,
        spend: Spend, promised: Promised | None, spend_software: Spend, software: Callable[[], Compiled],
    ) -> None:  # fmt: skip
        self._spend, self._promised, self._spend_software = spend, promised, spend_software
        self._countdown = AUTO_TURNS
        self._since = 0.0
        super().__init__(program, spec, metering, start, calls, images, protects, None, software)

    def _slice(self) -> int:
        return super()._slice() if self._is_linked else AUTO_SLICE

    def _refill(self) -> None:
        super()._refill()
        self._note_time()

    def _exit(self, code: int) -> Exit:
        self._note_time()
        return super()._exit(code)

    def _note_time(self) -> None:
        if not self._is_linked:
            now = perf_counter()
            # Also while it is under way: in the child of a fork it no longer is, and is asked for anew.
            self._promised = self._spend(now - self._since) or self._promised
            self._since = now

    def _runner(self) -> Call:
        self._since = perf_counter()
        return super()._runner()

    def _go_on(self) -> int:
        if self._is_linked:
            return super()._go_on()
        if self._guest.is_lost and self._protects:
            self._unprotect()
        self._countdown -= 1
        if not self._countdown:
            self._countdown = AUTO_TURNS
            self._note_time()
        if self._promised is not None and (compiled := self._promised.compiled) is not None:
            self._link(compiled)
        return super()._go_on() if self._is_linked else self._call_run()

    def _unprotect(self) -> None:
        self._spend, self._promised = self._spend_software, None
        super()._unprotect()
