"""Where a region looks whether gas is left: what it needs there pays every way to the next look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pvm.flow import Block, Ending, Flow, Follows, gas_needs
from pvm.flow.gas import FARTHEST

COSTS = st.sampled_from([0, 1, 2, 7, 50, FARTHEST])


@st.composite
def flows(draw: st.DrawFn) -> tuple[Flow, list[int], set[int]]:
    """Blocks that jump anywhere, what they cost, and which of them have to look: all that are jumped back to."""
    count = draw(st.integers(1, 12))
    blocks = []
    for number in range(count):
        target = draw(st.none() | st.integers(0, count - 1))
        blocks.append(Block(number, number + 1, number, Follows.BLOCK, 1, target, draw(st.booleans()), Ending.BRANCH))
    looks = {0, *(b.target for number, b in enumerate(blocks) if b.target is not None and b.target <= number)}
    costs = [draw(COSTS) for _ in range(count)]
    flow = Flow(b"", b"", [], tuple(blocks), {}, frozenset(), frozenset())
    return flow, costs, looks


@given(flows())
def test_needs_pay_the_dearest_way(case: tuple[Flow, list[int], set[int]]) -> None:
    flow, costs, looks = case
    count = len(flow.blocks)
    needs = gas_needs(flow, 0, count, looks, costs)
    assert looks <= needs.keys()

    def dearest(number: int) -> int:
        """Over all ways to where gas is looked at again."""
        block = flow.blocks[number]
        onwards = [number + 1] if block.falls else []
        if block.target is not None:
            onwards.append(block.target)
        ways = [dearest(to) for to in onwards if to < count and to not in needs]
        return costs[number] + max(ways, default=0)

    assert needs == {number: dearest(number) for number in needs}
    assert all(need <= 2 * FARTHEST for need in needs.values())
