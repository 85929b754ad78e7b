"""The shuffle of the Gray Paper (appendix F): a sequence and 32 octets of entropy in, another order out."""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack
from typing import TypeVar

from pvm.jam.hashing import blake2b

T = TypeVar("T")


def numbers_from_hash(entropy: bytes, count: int) -> list[int]:
    """Q_l: `count` numbers below 2^32 (eq:sequencefromhash)."""
    numbers: list[int] = []
    for index in range((count + 7) // 8):
        numbers += unpack("<8I", blake2b(entropy + index.to_bytes(4, "little")))
    return numbers[:count]


def shuffle(items: Sequence[T], entropy: bytes) -> list[T]:
    """F: Fisher and Yates' shuffle (eq:suffle). Linear."""
    rest, shuffled = list(items), []
    for number in numbers_from_hash(entropy, len(rest)):
        index = number % len(rest)
        shuffled.append(rest[index])
        last = rest.pop()
        if index < len(rest):
            rest[index] = last
    return shuffled
