"""What machines that are closed leave behind: an instance with a decoded program, for the next one of that program.

In: the attributes of a machine that nobody uses any more. Out: the same. An instance takes 0.1 to 0.4 ms to make and
drop, and a service's 1 ms; to begin anew takes 10 to 60 microseconds. Several threads may use it.
"""

from __future__ import annotations

from typing import Any

KEPT = 32  # machines of an engine
LARGEST = 1 << 22  # bytes of a decoded program, of which an instance is kept

Parts = tuple[type[Any], dict[str, Any]]
"""A machine's class, and its attributes."""


class Idle:
    """Instances that wait, by the program that is decoded in them. Those that came last are taken first."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[Parts]] = {}  # no list is empty, but for a moment

    def __len__(self) -> int:
        return sum(map(len, [*self._waiting.values()]))

    def take(self, program: bytes) -> Parts | None:
        """One in which the program is decoded, None if there is none."""
        try:
            waiting = self._waiting[program]
            found = waiting.pop()
            if not waiting:
                self._waiting.pop(program, None)
            found[1]["_store"].ptr()
        except (KeyError, IndexError, ValueError):  # none, or closed with the cycle that it came from
            return None
        return found

    def put(self, program: bytes, parts: Parts) -> None:
        """Keep one; where there are too many, all others are dropped."""
        if len(self) >= KEPT:
            self.clear()
        self._waiting.setdefault(program, []).append(parts)

    def clear(self) -> None:
        """Drop all."""
        self._waiting = {}
