"""Two programs, or two builds of one, block by block: which blocks are the same, and which have become which.

In: two lists of keys of blocks, which say what is in them. Out: pairs of their numbers. Blocks that occur once in both,
and in the same order, are anchors; between them, what is the same at either end is paired, and the rest one by one.
Linear but for sorting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from pvm.program.decode import Instruction

Pair = tuple[int | None, int | None]
"""A block of the first and one of the second program; None where it has none that corresponds."""


def key_of(block: Sequence[Instruction]) -> Hashable:
    """What is in a block, wherever it lies: targets of jumps are left out."""
    return tuple(
        (instruction.row.name, instruction.a, instruction.b, instruction.d, *_constants(instruction))
        for instruction in block
    )


def _constants(instruction: Instruction) -> Iterator[int]:
    return (getattr(instruction, field.name) for field in instruction.row.format.immediates if not field.offset)


def pairs(first: Sequence[Hashable], second: Sequence[Hashable]) -> Iterator[Pair]:
    """The blocks of both, in order."""
    begins = (0, 0)
    for ends in (*_anchors(first, second), (len(first), len(second))):
        yield from _between(first, second, begins, ends)
        if ends[0] < len(first):
            yield ends
        begins = ends[0] + 1, ends[1] + 1


def _anchors(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Blocks that occur once in both: as many as there can be in the same order (a longest increasing subsequence)."""
    once = {key for key, count in Counter(first).items() if count == 1}
    once &= {key for key, count in Counter(second).items() if count == 1}
    place = {key: number for number, key in enumerate(second) if key in once}
    found = [(number, place[key]) for number, key in enumerate(first) if key in once]
    ends: list[int] = []  # the least place in the second that ends a run of so many
    at: list[int] = []  # which of `found` that is
    before: list[int] = []
    for number, (_, to) in enumerate(found):
        length = bisect_left(ends, to)
        before.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(to)
            at.append(number)
        else:
            ends[length], at[length] = to, number
    run = []
    number = at[-1] if at else -1
    while number >= 0:
        run.append(found[number])
        number = before[number]
    return run[::-1]


def _between(
    first: Sequence[Hashable], second: Sequence[Hashable], begins: tuple[int, int], ends: tuple[int, int]
) -> Iterator[Pair]:
    (a, b), (a_end, b_end) = begins, ends
    while a < a_end and b < b_end and first[a] == second[b]:
        yield a, b
        a, b = a + 1, b + 1
    same = 0
    while a_end - same > a and b_end - same > b and first[a_end - same - 1] == second[b_end - same - 1]:
        same += 1
    for number in range(max(a_end - same - a, b_end - same - b)):
        yield (
            a + number if a + number < a_end - same else None,
            b + number if b + number < b_end - same else None,
        )
    yield from ((a_end - same + number, b_end - same + number) for number in range(same))
