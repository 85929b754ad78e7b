"""Signatures that are collected and checked later, in pieces: the first that is bad counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from pvm.errors import BlockError
from pvm.jam.crypto import NoSignatures
from pvm.jam.signatures import Deferred, Signed

T = TypeVar("T")


class Counting(NoSignatures):
    """Signatures are good that say so; counts what is done beside."""

    def __init__(self) -> None:
        self.beside_count = 0

    def ed25519_verify(self, key: bytes, message: bytes, signature: bytes) -> bool:
        return signature == b"good"

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        self.beside_count += 1
        return work


def collected(count: int, bad: tuple[int, ...]) -> Deferred:
    deferred = Deferred()
    for number in range(count):
        signature = b"bad" if number in bad else b"good"
        deferred([Signed(str(number).encode(), b"", signature)], lambda one: BlockError(one.key.decode(), "0.0", "bad"))
    return deferred


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
def test_good_ones(count: int) -> None:
    crypto = Counting()
    collected(count, ()).begin(crypto)()
    assert crypto.beside_count == (0 if count <= 32 else -(-count // 32))


@pytest.mark.parametrize(("count", "bad"), [(5, (4,)), (40, (39, 38)), (100, (3, 99)), (100, (64, 65, 99))])
def test_the_first_bad_one_is_named(count: int, bad: tuple[int, ...]) -> None:
    with pytest.raises(BlockError) as error:
        collected(count, bad).begin(Counting())()
    assert error.value.code == str(min(bad))
