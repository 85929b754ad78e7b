"""Where a region looks whether gas is left.

In: what its blocks cost. Out: what each of them needs before it. Not every block has to look: one that can only be come
to by jumps forwards is paid for by those before it, which see that the dearest way to the next look can be paid.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from pvm.flow.blocks import Flow

# A block from which the way to the next look costs more than this looks itself. Below what it needs, a region is left
# to the interpreter, which should not have much to do.
FARTHEST = 2048


def gas_needs(
    flow: Flow, first: int, end: int, looks: Container[int], costs: Sequence[int]
) -> dict[int, int]:
    """For each block of [first, end) that looks: the gas that the dearest way to the next look costs.

    `looks` are the blocks that have to: those that are come to by jumps backwards, or from elsewhere.
    """
    ahead = [0] * (end - first + 1)  # what a block before has to see to
    needs: dict[int, int] = {}
    for number in range(end - 1, first - 1, -1):
        block = flow.blocks[number]
        way = ahead[number + 1 - first] if block.falls else 0
        if block.target is not None and number < block.target < end:
            way = max(way, ahead[block.target - first])
        way += costs[number]
        if number in looks or way > FARTHEST:
            needs[number] = way
        else:
            ahead[number - first] = way
    return needs
