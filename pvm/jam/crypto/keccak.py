"""Keccak-256 as Ethereum and JAM have it (padding 0x01, not that of SHA-3), in plain Python: 24 rounds on 25 words."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136  # octets absorbed at a time


def _round_constants() -> list[int]:
    constants, state = [], 1
    for _ in range(24):
        word = 0
        for power in range(7):
            if state & 1:
                word |= 1 << ((1 << power) - 1)
            state = state << 1 ^ (0x171 if state & 0x80 else 0)
        constants.append(word)
    return constants


def _moves() -> list[tuple[int, int]]:
    """Rho and pi together: where the word that is moved to comes from, word by word, and how far it is rotated."""
    moves = [(0, 0)] * 25
    x, y = 1, 0
    for step in range(24):
        new_x, new_y = y, (2 * x + 3 * y) % 5
        moves[new_x + 5 * new_y] = (x + 5 * y, (step + 1) * (step + 2) // 2 % 64)
        x, y = new_x, new_y
    return moves


_CONSTANTS, _MOVES = _round_constants(), _moves()


def keccak_256(data: bytes) -> bytes:
    """The digest, 32 octets."""
    padded = bytearray(data) + b"\1" + bytes(-(len(data) + 1) % _RATE)
    padded[-1] |= 0x80
    words = [0] * 25
    for start in range(0, len(padded), _RATE):
        for index in range(_RATE // 8):
            words[index] ^= int.from_bytes(padded[start + 8 * index : start + 8 * index + 8], "little")
        words = _permute(words)
    return b"".join(word.to_bytes(8, "little") for word in words[:4])


def _permute(a: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63) & _MASK) for x in range(5)]
        a = [a[i] ^ d[i % 5] for i in range(25)]
        b = [(a[source] << by | a[source] >> (64 - by)) & _MASK for source, by in _MOVES]
        a = [b[i] ^ (~b[i - i % 5 + (i + 1) % 5] & b[i - i % 5 + (i + 2) % 5]) for i in range(25)]
        a[0] ^= constant
    return a
