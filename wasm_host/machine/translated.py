"""Machines that run recompiled programs, and the interpreter where those leave off.

In: a program, its translation, its start. Out: `RecompilerMachine`, whose translation is there before it runs, and
`AutoMachine`, which interprets until it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from time import perf_counter
from typing import Protocol

import wasmtime

from pvm import abi
from pvm.breaking import Visit
from pvm.errors import EngineError, ResourceError
from pvm.gas.metering import INSTRUCTION, PIPELINE
from pvm.isa import Spec
from pvm.machine import Exit, Reason, Start
from pvm.program import PAGE_SIZE, Program
from wasm_host.code.modules import TRANSLATION_IMPORTS, Compiled
from wasm_host.forks import steadily
from wasm_host.machine.ffi import Call, MemoryTrap
from wasm_host.machine.interpreted import WasmMachine, function
from wasm_host.machine.moments import Moment, moment_of
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
_HOST_CALL = abi.EXIT_CODES[Reason.HOST_CALL]

# A slice of gas (0.05 to 0.2 ms) in which the host has no part says that a machine is computing. So many such slices
# come before it goes on in bare code, more where it took long to keep what it has to begin again from.
CALM_SLICE = 1 << 19
_PIPELINE_SLICE = CALM_SLICE << 4  # by the pipeline model an instruction takes 3 to 10 gas
_SLICE_TIME = 1e-4  # seconds, about
_NEVER = 1 << 62  # slices


@dataclass(frozen=True)
class Bare:
    """Where a machine's bare translation comes from, told for how long it would have been of use, and after how many
    calm slices it is used."""

    spend: Spend
    slices: int = 1


class RecompilerMachine(WasmMachine):
    """A machine of the recompiler tier. It is an interpreter's machine, whose state the translation shares.

    With `protects`, translations do not check accesses: a refused one traps, and the interpreter goes on from the last
    checkpoint (`checkpoints`) to the same fault. `software` yields a translation that checks, for when the
    protection is lost.

    `bare` yields one that neither checks nor keeps anything, in which the machine computes for as long as the host has
    no part in it. When an access is refused there, or a signal comes, the machine is what it was before that again, and
    goes on in the other one, to the same fault.
    """

    _is_linked = False
    _was_interrupted = False  # whether a signal's exception came between a region's start and the host's hearing of it

    def __init__(
        self, program: Program, spec: Spec, metering: str, start: Start, calls: str, images: Images, protects: bool,
        compiled: Callable[[], Compiled] | None, software: Callable[[], Compiled], bare: Bare | None = None,
    ) -> None:  # fmt: skip
        self._bare = bare
        self._calm, self._needed = 0, bare.slices if bare else _NEVER
        self._calm_since = perf_counter()
        self._keeping = 0.0  # seconds that it took to keep the last moment
        self._call_bare: Call | None = None
        self._is_bare = False
        self._is_behind = False  # whether the state is that of the moment, and memory may not be
        self._moment: Moment | None = None  # from which bare code has run
        super().__init__(program, spec, metering, start, calls, images, protects)
        self._protects, self._software = protects, software
        field = self._field  # these are looked at in every host call
        self._pc_field, self._called_field, self._charged_field = field["pc"], field["called"], field["charged"]
        self._entry_field, self._at_entry_field = field["entry"], field["at_entry"]
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
        self._jumps = compiled.recompiled.jumps
        self._state.write(self._field["entries"].value, self._jumps)
        self._is_linked = True

    def _runner(self) -> Call:
        guest = self._guest
        if isinstance(guest, ProtectedMemory):
            guest.settle()
            if guest.is_on and (not self._protects or obstacle() is not None):
                self._unprotect()
        if self._is_behind:
            self._begin_again()
        if self._moment is not None:
            self._leave_bare()
        self._calm = 0
        self._needed = self._bare.slices if self._bare else _NEVER
        return self._go_on

    def _go_on(self) -> int:
        """Go on where the machine stands: translated where that can be entered, else to the block's end."""
        if (
            self._needed <= self._calm or self._was_interrupted or not self._is_linked
            or (self._protects and self._guest.is_lost)
        ):  # fmt: skip
            code = self._turn_aside()
            if code is not None:
                return code
        pc = self._pc_field.value
        if self._called_field.value:
            entry = self._resumes.get(pc)
        elif self._by_block and self._charged_field.value:
            entry = None
        else:
            entry = self._entries.get(pc)
        if self._is_bare:
            return self._go_bare(entry)
        if entry is None:
            return self._call_finish()
        try:
            # The state stays that of the entry, should a signal keep the region from being entered.
            self._entry_field.value = entry
            self._at_entry_field.value = 1
            try:
                code = self._call_recompiled()
            except MemoryTrap as trap:
                return self._run_again(trap)
        except BaseException:
            self._was_interrupted = not self._exit_code.value
            raise
        if code == _HOST_CALL:
            self._calm = 0
        return self._call_finish() if code == abi.BAIL else code

    def _turn_aside(self) -> int | None:
        """See to what is seldom there before a machine goes on; where it has gone on, the code of that."""
        if self._protects and self._guest.is_lost:
            self._unprotect()
            return self._go_on()
        if not self._is_linked:
            try:
                self._link(self._software())
            except ResourceError:
                return self._call_run()
        if self._was_interrupted:
            # A trap may have been lost. From the last checkpoint to the same fault, with an exit that cannot be.
            self._was_interrupted = False
            self._settle()
            return self._call_run()
        if not self._is_bare and self._needed <= self._calm:
            self._is_bare = self._can_be_bare()
        return None

    # --- bare code -------------------------------------------------------------------------------------------------

    def _slice(self) -> int:
        if self._bare is None or self._is_bare:
            return super()._slice()
        return _PIPELINE_SLICE if self.metering == PIPELINE else CALM_SLICE

    def _refill(self) -> None:
        super()._refill()
        if self._bare is None or self._is_bare or not self._is_linked or self._needed == _NEVER:
            return
        if not self._calm:
            self._needed = self._bare.slices and self._bare.slices + int(self._keeping / _SLICE_TIME)
            self._calm_since = perf_counter()
        self._calm += 1

    def _follow_heap(self) -> None:
        super()._follow_heap()
        self._leave_bare()

    def _exit(self, code: int) -> Exit:
        if self._moment is not None:  # which takes memory
            self._leave_bare()
        return super()._exit(code)

    @property
    def has_bare_code(self) -> bool:
        """Whether the machine has gone on in bare code, or could now."""
        return self._call_bare is not None

    def _can_be_bare(self) -> bool:
        """Whether the machine can go on in bare code. A host that polls may do anything meanwhile."""
        guest = self._guest
        if not self._protects or not guest.is_on or self.poll is not None or self._was_interrupted:
            return False
        if isinstance(guest, ProtectedMemory):
            guest.settle()
        if self._call_bare is None:
            now = perf_counter()
            assert self._bare is not None
            try:
                promised = self._bare.spend(now - self._calm_since)
            except ResourceError:
                self._bare, self._needed = None, _NEVER
                return False
            self._calm_since = now
            compiled = promised.compiled if promised is not None else None
            if compiled is None:
                return False
            if compiled.recompiled.jumps != self._jumps or compiled.recompiled.entries != self._entries:
                self._bare, self._needed = None, _NEVER
                return False
            imports = [self._exports[name] for name in TRANSLATION_IMPORTS]
            instance = steadily(wasmtime.Instance, self._store, compiled.module, imports)
            self._call_bare = self._make_call(self._store, function(instance.exports(self._store)[abi.RUN]))
        before = perf_counter()
        self._moment = moment_of(self._state, guest, self._reserve)
        self._keeping = perf_counter() - before
        if self._moment is None:
            self._needed = _NEVER
        return self._moment is not None

    def _go_bare(self, entry: int | None) -> int:
        """`_go_on` in bare code, from a moment on that is kept."""
        if entry is None:
            code = self._call_finish()
        else:
            assert self._call_bare is not None
            try:
                self._is_behind = True
                self._entry_field.value = entry
                self._at_entry_field.value = 1
                code = self._call_bare()
                self._is_behind = False
            except BaseException as error:  # a signal's may have come at any time
                self._begin_again()
                if isinstance(error, EngineError):  # a trap, also of a store whose address wrapped around
                    self._needed = _NEVER  # in this run
                    return self._go_on()
                raise
            if code == abi.BAIL:
                code = self._call_finish()
        if code == _HOST_CALL:
            self._leave_bare()
        return code

    def _leave_bare(self) -> None:
        self._is_bare, self._moment, self._calm = False, None, 0

    def _begin_again(self) -> None:
        """Be what the machine was before the bare code. A signal may end this anywhere, and then it is done again."""
        moment = self._moment
        assert moment is not None
        moment.restore(self._state, self._guest)
        self._reserve = moment.reserve
        self._is_behind = False
        self._leave_bare()

    # --- faults ----------------------------------------------------------------------------------------------------

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

    def _retire(self) -> None:
        self._moment = None
        super()._retire()

    def _is_sound(self) -> bool:
        return super()._is_sound() and not self._was_interrupted and not self._is_behind

    def _take_back_exit(self) -> None:
        if self._is_behind:
            self._begin_again()
        super()._take_back_exit()

    def _step(self) -> Exit | None:
        if isinstance(self._guest, ProtectedMemory):
            self._guest.settle()
        if self._is_behind:
            self._begin_again()
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
        self._protects, self._bare, self._needed = False, None, _NEVER
        self._leave_bare()
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
        bare: Bare | None = None,
    ) -> None:  # fmt: skip
        self._spend, self._promised, self._spend_software = spend, promised, spend_software
        self._countdown = AUTO_TURNS
        self._since = 0.0
        super().__init__(program, spec, metering, start, calls, images, protects, None, software, bare)

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
