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
    ahead: dict[int, int] = {}  # what a block before has to see to
    needs: dict[int, int] = {}
    for number in range(end - 1, first - 1, -1):
        block = flow.blocks[number]
        way = ahead.get(number + 1, 0) if block.falls else 0
        target = block.target
        if target is not None and number < target:
            way = max(way, ahead.get(target, 0))
        way += costs[number]
        if number in looks or way > FARTHEST:
            needs[number] = way
        else:
            ahead[number] = way
    return needs
