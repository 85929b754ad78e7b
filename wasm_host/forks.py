"""What the child of a fork has to make anew: locks of threads that have stayed in the other process.

In: objects. Out: nothing. In the child, where the forking thread is alone, each that still lives is told.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What can go on in a copy of its process."""

    def was_forked(self) -> None:
        """This is the copy: only the thread that runs this exists, and locks of others would be held for ever."""


def follow_forks(one: Forked) -> None:
    """Tell an object of each fork from now on, for as long as it lives."""
    _FOLLOWERS.add(one)


def _was_forked() -> None:
    for one in list(_FOLLOWERS):
        one.was_forked()


_FOLLOWERS: WeakSet[Forked] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_was_forked)
