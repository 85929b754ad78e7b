"""Ed25519 signatures of a block: sections say what was signed, whoever imports the block says when it is checked.

A section calls a `Check` once, after its other rules. `at_once` checks there and then; another may collect what it is
given and check it beside the rest of the block, as long as the block is refused where one signature is bad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from pvm.errors import BlockError
from pvm.jam.crypto import Crypto

_TOGETHER = 32  # signatures that are checked in one piece: a millisecond


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
    """A check that collects what was signed, to be checked later."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Signed, Callable[[Signed], BlockError]]] = []

    def __call__(self, signed: Sequence[Signed], error: Callable[[Signed], BlockError]) -> None:
        self._waiting += [(one, error) for one in signed]

    def begin(self, crypto: Crypto) -> Callable[[], None]:
        """Begin to check all that was collected: many side by side, a few at once.

        The function returned raises the error of the first that is bad; that of a few may be raised here.
        """
        waiting, self._waiting = self._waiting, []
        pieces = [waiting[start : start + _TOGETHER] for start in range(0, len(waiting), _TOGETHER)]
        if len(pieces) == 1:
            _verify(pieces[0], crypto)
            return lambda: None
        checks = [crypto.beside(partial(_verify, piece, crypto)) for piece in pieces]

        def finish() -> None:
            for check in checks:
                check()

        return finish


def _verify(signed: Sequence[tuple[Signed, Callable[[Signed], BlockError]]], crypto: Crypto) -> None:
    for one, error in signed:
        if not crypto.ed25519_verify(*one):
            raise error(one)
