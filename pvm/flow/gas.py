"""Gas checks: which blocks of a region check that gas is left, and for how much.

In: what its blocks cost. Out: what each check requires. A block reached only by forward edges needs no check: a
predecessor's check covers the most expensive path to the next one.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from pvm.flow.blocks import Flow

# A block from which the path to the next check costs more than this has a check of its own. With less gas than a check
# requires, the region is left to the interpreter, which should not have much to do.
FARTHEST = 2048


def gas_needs(
    flow: Flow, first: int, end: int, looks: Container[int], costs: Sequence[int]
) -> dict[int, int]:
    """For each block of [first, end) with a check: the gas that the most expensive path to the next check takes.

    `looks` are the blocks that must have one: targets of back edges, and those that are entered from other regions.
    """
    ahead: dict[int, int] = {}  # what a predecessor's check has to cover
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
