"""Where contestants run: in processes of their own, under a time limit, so that none can harm another.

In: a contestant and a task. Out: a `Result`. What has no end in time, or crashes, is killed with all that it started.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol

from pvm.errors import ResourceError
from wasm_host.compare.contestants import Contestant
from wasm_host.compare.outcome import Missing, Result, Task

# As in `wasm_host.jobs.processes`: a server that has our modules loaded is copied, where that is possible.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_LOADED = ["wasm_host.compare.isolation", "wasm_host.cli"]
_OPENING = 120.0  # seconds that a contestant may take to be ready
_LONGEST = 300  # characters of an error


class Isolation:
    """Runs contestants for at most `seconds` a task. As a context, it ends all processes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._places: dict[str, _Child] = {}

    def __enter__(self) -> Isolation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._places.values():
            child.kill()

    def run(self, contestant: Contestant, task: Task) -> Result:
        """The result of a task."""
        if contestant.place is None:
            return self._run(_Child(contestant), task, contestant)
        child = self._places.pop(contestant.place, None) or _Child(contestant)
        return self._run(child, task, contestant)

    def _run(self, child: _Child, task: Task, contestant: Contestant) -> Result:
        is_kept = False
        try:
            found = child.ready(_OPENING) or child.ask((contestant, task), self._seconds)
            is_kept = contestant.place is not None and not child.is_lost
        finally:  # also after Ctrl-C
            if not is_kept:
                child.kill()
        if contestant.place is not None and is_kept:
            self._places[contestant.place] = child
        return found


class _Child:
    """One process, which ends when this one does."""

    def __init__(self, contestant: Contestant) -> None:
        self.is_lost = False
        self._is_ready = False
        self._process: _Process
        self._pipe, theirs = multiprocessing.Pipe()
        lifeline, self._hold = multiprocessing.Pipe(duplex=False)
        # Python forbids a daemon to have children of this kind, and Dask's workers are daemons.
        start = _start_command if multiprocessing.current_process().daemon else _start_child
        self._process = start(theirs, lifeline, f"pvm {contestant.name}")
        theirs.close()
        lifeline.close()
        with suppress(OSError):  # it has ended already: `ready` tells
            self._pipe.send(contestant)

    def ready(self, seconds: float) -> Missing | None:
        """Wait until it is ready; what keeps it from that."""
        if self._is_ready:
            return None
        found: Missing | None = self._receive(seconds)
        self._is_ready = found is None
        self.is_lost |= found is not None
        return found

    def ask(self, request: tuple[Contestant, Task], seconds: float) -> Result:
        """The result of a task."""
        try:
            self._pipe.send(request)
        except OSError:
            return self._ended()
        found: Result = self._receive(seconds)
        return found

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._pipe.poll(seconds):
                self.is_lost = True
                return Missing("no end", f"stopped after {seconds:g} s (--seconds gives more)")
            return self._pipe.recv()
        except (EOFError, OSError):
            return self._ended()

    def _ended(self) -> Missing:
        self.is_lost = True
        code = self._process.wait(1.0) or 0
        why = signal.Signals(-code).name if code < 0 else f"status {code}"
        return Missing("failed", f"its process ended ({why})")

    def kill(self) -> None:
        """End it, and whatever it has started: that is in its process group."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._hold.close()


class _Process(Protocol):
    """A process that was started; `wait` has its status, None while it goes on."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> int | None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True)
class _ChildProcess:
    """A child of `multiprocessing`, in the words of `subprocess`."""

    child: BaseProcess

    @property
    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid

    def wait(self, timeout: float | None = None) -> int | None:
        self.child.join(timeout)
        return self.child.exitcode

    def kill(self) -> None:
        self.child.kill()


def _start_child(pipe: Connection, lifeline: Connection, name: str) -> _Process:
    context = multiprocessing.get_context(_METHOD)
    if _METHOD == "forkserver":
        context.set_forkserver_preload(_LOADED)
    child = context.Process(target=_serve, args=(pipe, lifeline), name=name)  # type: ignore[attr-defined]
    child.start()
    return _ChildProcess(child)


def _start_command(pipe: Connection, lifeline: Connection, name: str) -> _Process:
    """It finds our modules where this process has found them."""
    numbers = (pipe.fileno(), lifeline.fileno())
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve_numbered; serve_numbered{numbers}"
    return _Command([sys.executable, "-P", "-c", program, name], pass_fds=numbers)


class _Command(subprocess.Popen[bytes]):
    """Its `wait` does not raise."""

    def wait(self, timeout: float | None = None) -> int | None:  # type: ignore[override]
        with suppress(subprocess.TimeoutExpired):
            return super().wait(timeout)
        return None


def serve_numbered(pipe: int, lifeline: int) -> None:
    """Carry out tasks in a process that has these two file descriptors and nothing else of the one that asks."""
    _serve(Connection(pipe), Connection(lifeline))


def _serve(pipe: Connection, lifeline: Connection) -> None:
    """Carry out tasks on a contestant, which comes first, until nobody asks any more."""
    os.setsid()  # a group of its own: for `kill`, and Ctrl-C is for who asks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _silence()
    contestant: Contestant = pipe.recv()
    with _failures(pipe), contestant.opened() as opened:
        pipe.send(None)
        while True:
            try:
                who, task = pipe.recv()
            except EOFError:
                return
            with _failures(pipe):
                pipe.send(who.run(opened, task))


@contextmanager
def _failures(pipe: Connection) -> Iterator[None]:
    """Send what is raised instead of a result."""
    try:
        yield
    except ResourceError as error:
        pipe.send(Missing("absent", _line(error)))
    except Exception as error:
        pipe.send(Missing("failed", f"{type(error).__name__}: {_line(error)}"))


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:_LONGEST]


def _silence() -> None:
    """Nothing that contestants print may come between the tables."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def _end_with(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.poll(None)
    os.killpg(0, signal.SIGKILL)
