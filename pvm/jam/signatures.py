"""Ed25519 signatures of a block: sections say what was signed, whoever imports the block says when it is checked.

A section calls a `Check` once, after its other rules. `at_once` checks there and then; another may collect what it is
given and check it beside the rest of the block, as long as the block is refused where one signature is bad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pvm.errors import BlockError


class Signed(NamedTuple):
    """A message, and the signature that the key must have made."""

    key: bytes
    message: bytes
    signature: bytes


Check = Callable[[Sequence[Signed], Callable[[Signed], BlockError]], None]
"""Takes what was signed and what a bad signature breaks. Raises that now or later."""


def at_once(verify: Callable[[bytes, bytes, bytes], bool]) -> Check:
    """A check with a function of key, message and signature (ZIP-215)."""

    def check(signed: Sequence[Signed], error: Callable[[Signed], BlockError]) -> None:
        for one in signed:
            if not verify(*one):
                raise error(one)

    return check


class Deferred:
    """A check that collects what was signed: `verify`, called later, raises the error of the first that is bad."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Signed, Callable[[Signed], BlockError]]] = []

    def __call__(self, signed: Sequence[Signed], error: Callable[[Signed], BlockError]) -> None:
        self._waiting += [(one, error) for one in signed]

    def verify(self, verify: Callable[[bytes, bytes, bytes], bool]) -> None:
        """Check all that was collected, with a function of key, message and signature (ZIP-215)."""
        for signed, error in self._waiting:
            if not verify(*signed):
                raise error(signed)
