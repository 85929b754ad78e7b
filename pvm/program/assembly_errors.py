"""The errors of one text of assembly: the first are kept, some more are counted.

In: errors as they are found. Out: the first of them, which knows the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.errors import AssemblyError

MAX_ERRORS = 20  # that are kept
MAX_COUNTED = 10_000  # after which nothing more is read: a long text of another kind has an error a line
_SHOWN_LINE = 200  # characters of a line that an error keeps


class ErrorList:
    """Errors in the order in which they are found, of a text with these lines."""

    def __init__(self, lines: Sequence[str], most: int = MAX_ERRORS) -> None:
        self._lines, self._most, self._count = lines, most, 0
        self._kept: list[AssemblyError] = []

    def add(self, error: AssemblyError) -> None:
        """Count an error, and keep it with its line if it is one of the first."""
        self._count += 1
        if len(self._kept) < self._most:
            error.text = self._lines[error.line - 1].strip()[:_SHOWN_LINE]
            self._kept.append(error.with_traceback(None))

    @property
    def keeps(self) -> bool:
        """Whether the next one is kept."""
        return len(self._kept) < self._most

    @property
    def is_full(self) -> bool:
        """Whether as many are found as are counted."""
        return self._count >= MAX_COUNTED

    def found(self) -> tuple[AssemblyError, ...]:
        """Those that are kept, of which the first knows the others and how many more there are."""
        if self._kept:
            self._kept[0].others, self._kept[0].more = tuple(self._kept[1:]), self._count - len(self._kept)
        return tuple(self._kept)
