"""Who runs a machine: one thread at a time, no handler the machine that called it, and not too many inside each other.

In: the threads that are in a machine's `run` or `step`. Out: MachineBusyError for whoever else would run the machine or
change it, ResourceError where machines that run others in their handlers are too deep in each other.

A signal's exception may come between any two steps, and no turn stays taken: the call that gives it back is the first
thing in a `finally`, and takes no notice when there is nothing to give back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import local
from typing import NoReturn, TypeVar

from pvm.errors import MachineBusyError, ResourceError

R = TypeVar("R")

Turns = dict[int, None]
"""The threads in a machine's `run` or `step`, by their numbers. The first runs it, the others are about to be refused.

Who would change the machine looks whether there are any, and if so, whether its own is. That is written out where it
has to be quick: a call takes half as long as what it would guard.
"""

NOBODY: Turns = {}  # of what has no machine; stays empty

# Machines that a thread runs inside each other. Handlers in C, such as `functools.partial`, take up to 800 bytes of the
# native stack each time, and so many of them fit a thread's with 64 KiB.
NESTED = 64
HEADROOM = 64  # frames that Python has to have left; to make and translate a machine takes 44


class _Nesting(local):
    """The machines that a thread is running, by their `id`, each inside a handler of the one before it."""

    def __init__(self) -> None:
        self.machines: dict[int, None] = {}


_NESTING = _Nesting()


def nest(machine: object, run: Callable[[], R]) -> R:
    """What `run` returns, in which the handlers of a machine may run others.

    Raises ResourceError when machines are too deep in each other.
    """
    key, machines = id(machine), _NESTING.machines
    if machines:
        _check_depth()
    try:
        machines[key] = None
        return run()
    finally:
        machines.pop(key, None)


def refuse_again() -> NoReturn:
    """Raises MachineBusyError for the thread that runs a machine."""
    raise MachineBusyError("machine: it is running: a handler may change it, but neither run nor step it")


def refuse(turns: Turns) -> NoReturn:
    """Raises MachineBusyError for another thread than the one that runs a machine."""
    raise MachineBusyError("machine: another thread is running it: it runs in, and is changed by, one at a time")


def check_nesting() -> None:
    """Raises ResourceError where a handler has no room to make one more machine, and run it."""
    if _NESTING.machines:
        _check_depth()


def _check_depth() -> None:
    count = len(_NESTING.machines)
    if count >= NESTED:
        raise ResourceError(f"machine: {count} run inside each other's handlers, which is the limit")
    try:
        _descend(HEADROOM)
    except RecursionError:
        limit = sys.getrecursionlimit()
        raise ResourceError(
            f"machine: {count} run inside each other's handlers, and Python's recursion limit of {limit} ends it there"
        ) from None


def _descend(frames: int) -> None:
    if frames:
        _descend(frames - 1)
