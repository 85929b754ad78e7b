"""Erasure coding (appendix H): a blob in as many chunks as there are validators, of which a third gives it back.

In: octets, or chunks with their indices. Out: chunks, or octets. Plain interpolation with tables of logarithms: a piece
of 342 words takes a tenth of a second with the full parameters, which suits segments and tests, not whole bundles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from pvm.errors import InputError
from pvm.jam.constants import Constants

_POLYNOMIAL = 0x1002D  # x^16 + x^5 + x^3 + x^2 + 1
_ORDER = (1 << 16) - 1
_BASIS = tuple(
    sum(1 << power for power in powers)
    for powers in (
        (0,), (15, 13, 11, 10, 7, 6, 3, 1), (13, 12, 11, 10, 3, 2, 1), (12, 10, 9, 5, 4, 3, 2, 1),
        (15, 14, 10, 8, 7, 1), (15, 14, 13, 11, 10, 8, 5, 3, 2, 1), (15, 12, 8, 6, 3, 2), (14, 4, 1),
        (14, 13, 11, 10, 7, 4, 3), (12, 7, 6, 4, 3), (14, 13, 11, 9, 6, 5, 4, 1), (15, 13, 12, 11, 8),
        (15, 14, 13, 12, 11, 10, 8, 7, 5, 4, 3), (15, 14, 13, 12, 11, 9, 8, 5, 4, 2),
        (15, 14, 13, 12, 11, 10, 9, 8, 5, 4, 3), (15, 12, 11, 8, 4, 3, 2, 1),
    )
)  # fmt: skip


def original_chunks(constants: Constants) -> int:
    """How many chunks give the blob back: ⌊V / 3⌋ + 1 with the full parameters; as many words are a piece."""
    return constants.piece_size // 2


def encode_chunks(data: bytes, constants: Constants) -> list[bytes]:
    """C_k: a chunk for each validator. The blob is filled up with zeros to whole pieces (W_E octets)."""
    count, total = original_chunks(constants), constants.validators
    data = data.ljust(max(-(-len(data) // (2 * count)), 1) * 2 * count, b"\0")
    size = len(data) // count
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    return [*chunks, *_interpolated(dict(enumerate(chunks)), range(count, total), size, count)]


def recover(chunks: Mapping[int, bytes], constants: Constants) -> bytes:
    """R_k: the blob, with the zeros that filled it up, from chunks by validator index.

    Raises InputError without enough of them, for an index that is no validator's, and where they differ in size.
    """
    count = original_chunks(constants)
    sizes = {len(chunk) for chunk in chunks.values()}
    if len(chunks) < count or len(sizes) != 1 or not sizes.isdisjoint({0}) or min(sizes) % 2:
        raise InputError(f"{count} chunks of the same even size are needed, not {len(chunks)} of {sorted(sizes)}")
    if not all(0 <= index < constants.validators for index in chunks):
        raise InputError(f"chunks have indices below {constants.validators}")
    size = sizes.pop()
    some = dict(sorted(chunks.items())[:count])
    missing = [index for index in range(count) if index not in some]
    found = {**some, **dict(zip(missing, _interpolated(some, missing, size, count), strict=True))}
    return b"".join(found[index] for index in range(count))


def _interpolated(chunks: Mapping[int, bytes], wanted: Sequence[int], size: int, count: int) -> list[bytes]:
    """The chunks at other indices, word by word. `count` are the original ones."""
    if not wanted:
        return []
    exp, log, to_field, to_word = _tables()
    rows = _coefficients(tuple(chunks), tuple(wanted), count)
    columns = []
    for place in range(0, size, 2):
        column = [(at, log[to_field[value]]) for at, chunk in enumerate(chunks.values())
                  if (value := int.from_bytes(chunk[place : place + 2], "little"))]  # fmt: skip
        words = []
        for row in rows:
            total = 0
            for at, logarithm in column:
                total ^= exp[row[at] + logarithm]
            words.append(to_word[total].to_bytes(2, "little"))
        columns.append(words)
    return [b"".join(words) for words in zip(*columns, strict=True)]


@cache
def _tables() -> tuple[list[int], list[int], list[int], list[int]]:
    """Powers of the generator (twice round), logarithms, words to field elements (H.3) and back."""
    exp, log, value = [0] * (2 * _ORDER), [0] * (1 << 16), 1
    for power in range(_ORDER):
        exp[power] = exp[power + _ORDER] = value
        log[value] = power
        value <<= 1
        if value >> 16:
            value ^= _POLYNOMIAL
    to_field = [0] * (1 << 16)
    for word in range(1, 1 << 16):
        low = word & -word
        to_field[word] = to_field[word ^ low] ^ _BASIS[low.bit_length() - 1]
    to_word = [0] * (1 << 16)
    for word, element in enumerate(to_field):
        to_word[element] = word
    return exp, log, to_field, to_word


def _coefficients(known: tuple[int, ...], wanted: tuple[int, ...], count: int) -> list[list[int]]:
    """Logarithms of what each known word is multiplied by at each wanted index (Lagrange).

    The transform that the paper refers to (Lin and others, 2014) works on powers of two: zeros fill the original words
    up to one, and the other words come after these. So the public vectors have it; H.4's own indices leave no gap.
    """
    _, log, to_field, _ = _tables()
    filled = 1 << (count - 1).bit_length()

    def point(index: int) -> int:
        return to_field[index if index < count else index - count + filled]

    points, zeros = [point(index) for index in known], [to_field[place] for place in range(count, filled)]
    weights = [sum(log[each ^ other] for other in (*points, *zeros) if other != each) for each in points]
    rows = []
    for index in wanted:
        here = point(index)
        product = sum(log[here ^ each] for each in (*points, *zeros))
        rows.append([
            (product - log[here ^ each] - weight) % _ORDER for each, weight in zip(points, weights, strict=True)
        ])  # fmt: skip
    return rows
