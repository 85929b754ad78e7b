"""Structured shape of a run of blocks: which of its loops become real loops.

In: blocks [first, end) of a `Flow`. Out: a frozen `Shape`. A loop is the stretch from a block that is jumped back to
(its header) up to the last block that jumps back there. It becomes a WebAssembly loop when nothing enters it but by its
header: no dynamic entry and no jump from outside lies strictly within it, and all jumps backwards within it are to
headers of loops accepted before. All else goes through the region's dispatcher, so that the output is linear for any
input. The caller bounds the number of blocks, and with it the quadratic worst case of the checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.flow.blocks import Flow


@dataclass(frozen=True, slots=True)
class Loop:
    """Blocks header … last."""

    header: int
    last: int


@dataclass(frozen=True)
class Shape:
    """`loops` nest properly. `entries` are the blocks that the dispatcher leads to, by pc.

    `inner` are the headers of loops in loops, by pc: they are led to by those of the loops around them.
    """

    first: int
    end: int
    loops: tuple[Loop, ...]
    entries: tuple[int, ...]
    inner: tuple[int, ...] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """All blocks where hosts may enter the region."""
        return self.entries + self.inner


def shape_of(flow: Flow, first: int, end: int, crossings: frozenset[int]) -> Shape:
    """The shape of blocks [first, end). `crossings` are the blocks that other regions jump or fall to."""
    blocks = range(first, end)
    dynamic = flow.entries.intersection(blocks) | crossings.intersection(blocks)
    sources: dict[int, list[int]] = {}
    for number, block in enumerate(flow.blocks[first:end], first):
        target = block.target
        if target is not None and first <= target < end:
            sources.setdefault(target, []).append(number)
    candidates = [Loop(header, origins[-1]) for header, origins in sources.items() if origins[-1] >= header]
    accepted: dict[int, Loop] = {}
    for loop in sorted(candidates, key=lambda loop: loop.last - loop.header):
        if _is_single_entry(loop, dynamic, sources, accepted):
            accepted[loop.header] = loop
    back = {target for target, origins in sources.items() if origins[-1] >= target and target not in accepted}
    inner = _strictly_inside(accepted)
    headers = {header for header in accepted if header not in inner}
    entries = sorted((dynamic | back | headers | {first}) - inner)
    loops = sorted(accepted.values(), key=lambda loop: (loop.header, -loop.last))
    return Shape(first, end, tuple(loops), tuple(entries), tuple(sorted(inner.intersection(accepted))))


def _is_single_entry(
    loop: Loop, dynamic: frozenset[int], sources: dict[int, list[int]], accepted: dict[int, Loop]
) -> bool:
    for block in range(loop.header + 1, loop.last + 1):
        if block in dynamic:
            return False
        for origin in sources.get(block, ()):
            if not loop.header <= origin <= loop.last or (origin >= block and block not in accepted):
                return False
    return True


def _strictly_inside(accepted: dict[int, Loop]) -> set[int]:
    return {block for loop in accepted.values() for block in range(loop.header + 1, loop.last + 1)}
