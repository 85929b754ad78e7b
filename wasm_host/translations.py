"""The translations that an engine keeps, and those that are being made in the background.

In: a function that translates a program, and one that tells whether that is quick because the translation is stored.
Out: `Translations`. Several threads may use it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from pvm.program import Program
from wasm_host.recompiler import Compiled

KEPT = 16  # programs, the last ones used
OFTEN = 3  # machines of one program, from which on it is worth translating

Translate = Callable[[Program, Callable[[], object]], Compiled]


@dataclass
class _Entry:
    """What is known of a program: how often machines were made of it, and its translation if one was asked for."""

    uses: int = 0
    future: Future[Compiled] | None = None


class Translations:
    """Each program is translated once, however many ask for it at the same time."""

    def __init__(self, translate: Translate, is_stored: Callable[[Program], bool] = lambda program: False) -> None:
        self._translate, self._is_stored = translate, is_stored
        self._lock = threading.Lock()
        self._entries: dict[bytes, _Entry] = {}

    def get(self, program: Program) -> Compiled:
        """The program's translation; made now if there is none, waited for if it is under way."""
        future, is_new = self._future(program)
        if is_new:
            self._fill(future, program, int)
        return future.result()

    def request(self, program: Program) -> Future[Compiled]:
        """The program's translation when it is there; made in the background if there is none."""
        future, is_new = self._future(program)
        if is_new:
            # A daemon, so that a process that has its result need not wait for a translation. It lets other threads
            # have the interpreter lock after every block, because they would wait 5 ms for it otherwise.
            arguments = (future, program, lambda: time.sleep(0))
            threading.Thread(target=self._fill, args=arguments, daemon=True, name="pvm translation").start()
        return future

    def on_use(self, program: Program) -> Future[Compiled] | None:
        """Note that a machine is made. Its translation if there is or will soon be one, else None.

        There will be if the program is used often, or if the translation is stored.
        """
        with self._lock:
            entry = self._entry(program)
            entry.uses += 1
            if entry.future is not None:
                return entry.future
            is_used_often = entry.uses >= OFTEN
        return self.request(program) if is_used_often or self._is_stored(program) else None

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
            entry.future = Future()
            return entry.future, True

    def _fill(self, future: Future[Compiled], program: Program, pause: Callable[[], object]) -> None:
        try:
            future.set_result(self._translate(program, pause))
        except BaseException as error:
            with self._lock:
                self._entries.pop(program.encoded_blob, None)
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
