"""The translations that an engine keeps, and those that are being made in the background.

In: a function that translates a program, and one that tells whether that is quick because the translation is stored.
Out: `Translations`. Several threads may use it, and the children of a fork.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import wasmtime

from pvm.program import Program
from wasm_host.code.modules import Compiled, compile_here, compile_module, with_stack
from wasm_host.code.room import compile_threads
from wasm_host.forks import follow_forks

KEPT = 16  # programs, the last ones used
LARGE = 4096  # bytes of code, from which on a stored translation is asked for before the program has run for long

# A program is translated once interpreting it has taken as long as translating it may take. A run that ends just
# before its translation is there is then at most a fifth slower than without, even where all share one core's caches.
PATIENCE = 1.0
TRANSLATION_TIME = 25e-6  # seconds an instruction, Python's and wasmtime's together; and at least:
LEAST_TIME = 8e-3

# In the background Python's code runs for so long at a time and then rests, in seconds: whoever makes host calls in the
# meantime waits for the interpreter lock at each. To rest 0 seconds after every block took 7 times as long in all.
BURST = 0.3e-3
REST = 1e-3

_LOWEST_PRIORITY = 19

# Up to so many compile threads, background work takes none of wasmtime's, but its own thread: that gives way to all
# others, and theirs have the priority of whoever compiled first, who waited for it.
_FEW_THREADS = 4

Compile = Callable[[bytes, bool], wasmtime.Module]  # of `wasm_host.code.modules.compile_module`
Translate = Callable[[Program, Callable[[], object], Compile], Compiled]


@dataclass(eq=False)
class Translation:
    """What is known of a program's translation.

    `compiled` is it, once it is there. Who makes it holds `lock`, which is given back however that ends: a signal may
    end it anywhere, and so nobody waits for anything but the lock.
    """

    compiled: Compiled | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    is_known: bool = False  # whether it was looked for among the stored ones
    is_asked: bool = False  # whether it is or was made in the background
    spent: float = 0.0  # seconds for which the program was interpreted


class Translations:
    """Each program is translated once, however many ask for it at the same time."""

    def __init__(self, translate: Translate, is_stored: Callable[[Program], bool] = lambda program: False) -> None:
        self._translate, self._is_stored = translate, is_stored
        self._lock = threading.RLock()
        self._kept: dict[bytes, Translation] = {}
        follow_forks(self)

    def was_forked(self) -> None:
        """Go on in the copy of a process, with what is there. What was under way is begun anew when it is asked for."""
        self._lock = threading.RLock()
        for found in self._kept.values():
            found.lock, found.is_asked = threading.RLock(), False

    def get(self, program: Program) -> Compiled:
        """The program's translation; made now if there is none, waited for if it is under way."""
        with self._lock:
            found = self._find(program)
        return self._made(found, program, int, compile_module)

    def made(self, program: Program) -> Translation:
        """The same as `request` yields, but made now. Raises what `get` raises."""
        self.get(program)
        with self._lock:
            return self._find(program)

    def request(self, program: Program) -> Translation:
        """The program's translation, which is made in the background if there is none.

        It is tried once: a program whose translation fails is left to the interpreter.
        """
        with self._lock:
            found = self._find(program)
            if found.compiled is None and not found.is_asked:
                # Not by `threading.Thread`: its `start` waits for the thread, and a signal that comes meanwhile may end
                # in "release unlocked lock". Nobody waits for such a thread either when the process ends.
                with suppress(RuntimeError):  # the system has no room for a thread, or for now
                    start_new_thread(self._make_aside, (found, program))
                    found.is_asked = True
        return found

    def put(self, program: Program, compiled: Compiled) -> None:
        """Take a translation over that was made elsewhere, unless there is one."""
        with self._lock:
            found = self._find(program)
            found.is_known = True
            if found.compiled is None:
                found.compiled = compiled

    def found(self, program: Program) -> Translation | None:
        """The program's translation if there is or will soon be one, because it is stored; else None."""
        with self._lock:
            found = self._find(program)
            is_known, found.is_known = found.is_known, True
        if found.compiled is not None or found.is_asked:
            return found
        # Asked once a program, because the key is a hash of all of it. What is small is quick to interpret at first.
        if is_known or len(program.code) < LARGE:
            return None
        return self.request(program) if self._is_stored(program) else None

    def spend(self, program: Program, seconds: float) -> Translation | None:
        """Note that a program was interpreted. Its translation, asked for now if that was for long enough, or None."""
        with self._lock:
            found = self._find(program)
            found.spent += seconds
        if found.compiled is not None or found.is_asked:
            return found
        return self.request(program) if found.spent >= PATIENCE * time_to_translate(program) else None

    def _find(self, program: Program) -> Translation:
        """The program's translation, put last. The lock is held."""
        key = program.encoded_blob
        found = self._kept.pop(key) if key in self._kept else Translation()
        self._kept[key] = found
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def _made(self, found: Translation, program: Program, pause: Callable[[], object], compile: Compile) -> Compiled:
        with found.lock:
            if found.compiled is None:
                found.compiled = self._translate(program, pause, compile)
            return found.compiled

    def _make_aside(self, found: Translation, program: Program) -> None:
        with suppress(Exception):  # whoever has to have it meets with the same
            self._made(found, program, _pacer(), _compile_aside)


def time_to_translate(program: Program) -> float:
    """About how long it takes, in seconds."""
    return LEAST_TIME + TRANSLATION_TIME * len(program.code) / 4


def _pacer() -> Callable[[], object]:
    """What rests now and then when it is called."""
    due = time.perf_counter() + BURST

    def pause() -> None:
        nonlocal due
        if time.perf_counter() >= due:
            time.sleep(REST)
            due = time.perf_counter() + BURST

    return pause


def _compile_aside(module: bytes, in_parallel: bool) -> wasmtime.Module:
    """Compile in a thread that gives way to all others. It holds no lock of Python's, so that none waits for it.

    Where there are more processors than a program keeps busy, wasmtime's own threads take part.
    """

    def compile() -> wasmtime.Module:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        return compile_here(module, in_parallel and compile_threads() > _FEW_THREADS)

    return with_stack(compile)
