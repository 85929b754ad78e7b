"""Forks: what the child has to make anew, and what the parent lets end before.

In: objects, calls of wasmtime. Out: nothing. In the child, where the forking thread is alone, each object that still
lives is told: locks of threads that have stayed in the other process would be held for ever. wasmtime has such locks of
its own, for some microseconds, while it takes modules over and drops them. Nobody can make those anew, so a fork waits
until the calls of other threads that take them have ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import get_ident
from typing import ParamSpec, Protocol, TypeVar
from weakref import WeakSet

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = 1.0  # seconds that a fork waits at most for short calls, and calls for a fork
COMPILING = 0.2  # the same for compiling, which has such a lock for microseconds at its very end
_PAUSE = 50e-6  # seconds between looks


class Forked(Protocol):
    """What can go on in a copy of its process."""

    def was_forked(self) -> None:
        """This is the copy: only the thread that runs this exists, and locks of others would be held for ever."""


def follow_forks(one: Forked) -> None:
    """Tell an object of each fork from now on, for as long as it lives."""
    _FOLLOWERS.add(one)


def steadily(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a short call of wasmtime returns; no other thread forks meanwhile. Takes 0.4 microseconds more.

    It is a note, not a lock, so that calls do not wait for each other, and one that a signal's handler or a finalizer
    makes inside another waits for nothing.
    """
    return _noted(PATIENCE, call, *args, **kwargs)


def compiling(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same for a call that compiles. A fork may come in the middle of a long one, and hardly ever in its end."""
    return _noted(COMPILING, call, *args, **kwargs)


def _noted(patience: float, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    thread, key = get_ident(), object()
    try:
        _CALLS[key] = thread, patience
        if _FORKING:
            _wait_for_forks(key, thread, patience)
        return call(*args, **kwargs)
    finally:
        _CALLS.pop(key, None)


def _wait_for_forks(key: object, thread: int, patience: float) -> None:
    """Let the forks of other threads be, unless this thread is within a call that they wait for."""
    if any(of == thread and other is not key for other, (of, _) in list(_CALLS.items())):
        return
    end = time.monotonic() + PATIENCE
    while any(other != thread for other in list(_FORKING)) and time.monotonic() < end:
        _CALLS.pop(key, None)
        time.sleep(_PAUSE)
        _CALLS[key] = thread, patience  # before it looks again: a fork looks here after it has said that it will


def _before_fork() -> None:
    thread, began = get_ident(), time.monotonic()
    _FORKING[thread] = None
    while any(of != thread and time.monotonic() < began + most for of, most in list(_CALLS.values())):
        time.sleep(_PAUSE)


def _after_fork() -> None:
    _FORKING.pop(get_ident(), None)


def _was_forked() -> None:
    _FORKING.clear()
    thread = get_ident()
    for key in [key for key, (of, _) in _CALLS.items() if of != thread]:
        del _CALLS[key]
    for one in list(_FOLLOWERS):
        one.was_forked()


_FOLLOWERS: WeakSet[Forked] = WeakSet()
_CALLS: dict[object, tuple[int, float]] = {}  # under way: the thread of each, and how long a fork waits for it
_FORKING: dict[int, None] = {}  # threads that are about to
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_was_forked)
