"""The translations that an engine keeps, and those that are being made in the background.

In: a function that translates a program, and one that tells whether that is quick because the translation is stored.
Out: `Translations`. Several threads may use it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

import wasmtime

from pvm.program import Program
from wasm_host.compiled import compile_module
from wasm_host.recompiler import Compiled

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

Compile = Callable[[bytes, bool], wasmtime.Module]  # of `wasm_host.compiled.compile_module`
Translate = Callable[[Program, Callable[[], object], Compile], Compiled]


@dataclass
class _Entry:
    """What is known of a program: whether it was looked for among the stored ones, for how long it was interpreted, in
    seconds, its translation once asked for, and the thread that began to make that."""

    is_known: bool = False
    spent: float = 0.0
    future: Future[Compiled] | None = None
    maker: int = 0


class Translations:
    """Each program is translated once, however many ask for it at the same time."""

    def __init__(self, translate: Translate, is_stored: Callable[[Program], bool] = lambda program: False) -> None:
        self._translate, self._is_stored = translate, is_stored
        self._lock = threading.Lock()
        self._entries: dict[bytes, _Entry] = {}

    def get(self, program: Program) -> Compiled:
        """The program's translation; made now if there is none, waited for if it is under way."""
        with self._abandoned(program):
            future, is_new = self._future(program)
            if is_new:
                self._fill(future, program, int, compile_module)
        return future.result()

    def request(self, program: Program) -> Future[Compiled]:
        """The program's translation when it is there; made in the background if there is none."""
        with self._abandoned(program):
            future, is_new = self._future(program)
            if is_new:
                # A daemon, so that a process that has its result need not wait for a translation.
                arguments = (future, program, _pacer(), _compile_aside)
                threading.Thread(target=self._fill, args=arguments, daemon=True, name="pvm translation").start()
        return future

    def put(self, program: Program, compiled: Compiled) -> None:
        """Take a translation over that was made elsewhere, unless there is one or it is under way."""
        with self._lock:
            entry = self._entry(program)
            if entry.future is None:
                entry.is_known, entry.future = True, Future()
                entry.future.set_result(compiled)

    def found(self, program: Program) -> Future[Compiled] | None:
        """The program's translation if there is or will soon be one, because it is stored; else None."""
        with self._lock:
            entry = self._entry(program)
            is_known, entry.is_known = entry.is_known, True
            future = entry.future
        # Asked once a program, because the key is a hash of all of it. What is small is quick to interpret at first.
        if is_known or future is not None or len(program.code) < LARGE:
            return future
        return self.request(program) if self._is_stored(program) else None

    def spend(self, program: Program, seconds: float) -> Future[Compiled] | None:
        """Note that a program was interpreted. Its translation, asked for now if that was for long enough, or None."""
        with self._lock:
            entry = self._entry(program)
            entry.spent += seconds
            if entry.future is not None or entry.spent < PATIENCE * time_to_translate(program):
                return entry.future
        return self.request(program)

    def _entry(self, program: Program) -> _Entry:
        """The program's entry, put last. The lock is held."""
        key = program.encoded_blob
        entry = self._entries.pop(key) if key in self._entries else _Entry()
        self._entries[key] = entry
        while len(self._entries) > KEPT:
            del self._entries[next(iter(self._entries))]
        return entry

    def _future(self, program: Program) -> tuple[Future[Compiled], bool]:
        """The program's translation, and whether this call has to make it."""
        with self._lock:
            entry = self._entry(program)
            if entry.future is not None:
                return entry.future, False
            entry.future, entry.maker = Future(), threading.get_ident()
            return entry.future, True

    @contextmanager
    def _abandoned(self, program: Program) -> Iterator[None]:
        """Where a signal ends what is done here, let nobody wait for what this thread was to make."""
        try:
            yield
        except BaseException as error:
            with self._lock:
                entry = self._entries.get(program.encoded_blob)
                if entry and entry.future and entry.maker == threading.get_ident() and not entry.future.done():
                    del self._entries[program.encoded_blob]
                    entry.future.set_exception(error)
            raise

    def _fill(self, future: Future[Compiled], program: Program, pause: Callable[[], object], compile: Compile) -> None:
        try:
            future.set_result(self._translate(program, pause, compile))
        except BaseException as error:
            if not future.done():
                with self._lock:
                    self._entries.pop(program.encoded_blob, None)
                future.set_exception(error)
            if not isinstance(error, Exception):
                raise


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
    """Compile in a thread that gives way to all others. It holds no lock of Python's, so that none waits for it."""
    future: Future[wasmtime.Module] = Future()

    def compile() -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        try:
            future.set_result(compile_module(module, in_parallel))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=compile, daemon=True, name="pvm compilation").start()
    return future.result()
