"""Checkpoints: how exact registers, gas and pc survive a page fault in code that does not check its accesses.

In: a region's shape and the codes of its blocks. Out: where it stores what into the state.

Where pages are protected by the hardware, a refused access is a trap, and what was in locals is lost. The state memory
then holds the last checkpoint, and the interpreter goes on from there until it meets the same fault. That yields the
same as long as what ran since the checkpoint can run again: loads may follow stores, but no store may follow a load,
because the load would then see what it did not see before. So

- a region's entry is a checkpoint, with everything in the state already;
- a store that may follow a load, since the last checkpoint, has one before it;
- where a loop has stores but no loads, that checkpoint is before the loop;
- what follows an sbrk has one, because an sbrk cannot be carried out again, and so has a block that a region may be
  entered at within a basic block.

A checkpoint stores the registers that may have changed since the last one, gas, and pc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter, or_

from pvm.emit.straight import READS, WRITES, Code
from pvm.flow import Flow, Follows, Shape
from pvm.isa.expr import DynamicJump

_written = attrgetter("written")


@dataclass(frozen=True)
class Checkpoints:
    """Registers to store, as bits: `within` blocks before the instruction at a place, `before` the loops of headers."""

    within: dict[int, dict[int, int]]
    before: dict[int, int]


NONE = Checkpoints({}, {})


@dataclass(frozen=True)
class _Ways:
    """Ways between a region's blocks, numbered from 0; the number after the last block is the dispatcher.

    `onwards` has where each leads to. `entering` has the ways into loops with a checkpoint before them, as pairs of the
    block that it comes from and the header.
    """

    onwards: tuple[tuple[int, ...], ...]
    entering: tuple[tuple[int, int], ...]


def checkpoints(flow: Flow, shape: Shape, codes: Sequence[Code], accesses: bytes) -> Checkpoints:
    """A region's checkpoints. `codes` and `accesses` (`Code.access`) are those of all instructions of the program."""
    blocks = flow.blocks[shape.first : shape.end]
    kinds = [accesses[block.first : block.end].replace(b"\0", b"") for block in blocks]
    ways = _ways(flow, shape, kinds)
    # Whether a load is the last access, 1 or 0.
    reads_last = [int(kind[-1] == READS) if kind else 0 for kind in kinds]
    keeps = [int(not kind) for kind in kinds]
    loaded = _spread(ways.onwards, reads_last, keeps)
    places = [
        _places(accesses[block.first : block.end], was_loaded, forced) if forced or WRITES in kind else []
        for block, kind, was_loaded, forced in zip(blocks, kinds, loaded, _forced(flow, shape), strict=False)
    ]
    after = [gen | was & keep for gen, was, keep in zip([*reads_last, 0], loaded, [*keeps, 1], strict=True)]
    hoisted = {header for source, header in ways.entering if after[source]}
    # The registers that may differ from the state: those written since the last checkpoint.
    written = [
        reduce(or_, map(_written, codes[block.first + (found[-1] if found else 0) : block.end]))
        for block, found in zip(blocks, places, strict=True)
    ]
    keeps = [0 if found else -1 for found in places]
    # Where a loop has no checkpoint before it, because none is needed there, its header sees what comes in.
    onwards = list(ways.onwards)
    for source, header in ways.entering:
        if header not in hoisted:
            onwards[source] = (*onwards[source], header)
    changed = _spread(onwards, written, keeps)
    within: dict[int, dict[int, int]] = {}
    for number, found in enumerate(places):
        mask, at = changed[number], blocks[number].first
        for place in found:
            mask |= reduce(or_, map(_written, codes[at : blocks[number].first + place]), 0)
            within.setdefault(shape.first + number, {})[place] = mask
            mask, at = 0, blocks[number].first + place
    before = dict.fromkeys((shape.first + header for header in hoisted), 0)
    for source, header in ways.entering:
        if header in hoisted:
            value = changed[source]
            before[shape.first + header] |= value if source == len(blocks) else written[source] | value & keeps[source]
    return Checkpoints(within, before)


def _ways(flow: Flow, shape: Shape, kinds: Sequence[bytes]) -> _Ways:
    first, count = shape.first, shape.end - shape.first
    hoists = {}
    for loop in shape.loops:
        found = b"".join(kinds[loop.header - first : loop.last + 1 - first])
        if WRITES in found and READS not in found:
            hoists[loop.header - first] = loop.last - first
    lasts = {loop.header - first: loop.last - first for loop in shape.loops}
    onwards: list[list[int]] = [[] for _ in range(count)]
    for number, block in enumerate(flow.blocks[first : shape.end]):
        row = flow.forms[block.end - 1].instruction.row
        if block.falls and number + 1 < count:
            onwards[number].append(number + 1)
        if block.target is not None and first <= block.target < shape.end:
            target = block.target - first
            is_direct = target > number or number <= lasts.get(target, -1)
            onwards[number].append(target if is_direct else count)
        if row.effects and isinstance(row.effects[-1], DynamicJump):
            onwards[number].append(count)
    onwards.append([entry - first for entry in shape.entries])
    entering = []
    for source, targets in enumerate(onwards):
        for target in [target for target in targets if target in hoists]:
            if not target <= source <= hoists[target]:
                targets.remove(target)
                entering.append((source, target))
    return _Ways(tuple(map(tuple, onwards)), tuple(entering))


def _spread(onwards: Sequence[Sequence[int]], adds: Sequence[int], keeps: Sequence[int]) -> list[int]:
    """What holds before each block, as bits, joined where ways meet.

    A block adds some bits to those of `keeps` that hold before it; the dispatcher changes nothing.
    """
    dispatcher = len(adds)
    before = [0] * (dispatcher + 1)
    again = True
    while again:  # some three times: loops nest, and all other jumps backwards meet in the dispatcher
        again = False
        for number, targets in enumerate(onwards):
            value = before[number]
            if number < dispatcher:
                value = adds[number] | value & keeps[number]
            for target in targets:
                if value & ~before[target]:
                    before[target] |= value
                    again = again or target <= number
    return before


def _forced(flow: Flow, shape: Shape) -> list[bool]:
    """Whether each block has to begin with a checkpoint."""
    blocks = flow.blocks
    return [
        block.follows is Follows.SPLIT or (block.follows is Follows.CALL and blocks[number - 1].falls)
        for number, block in enumerate(blocks[shape.first : shape.end], shape.first)
    ]


def _places(kinds: bytes, is_loaded: int, is_forced: bool) -> list[int]:
    """The places in a block before which there is a checkpoint: stores after loads."""
    found = [0] if is_forced else []
    if is_forced:
        is_loaded = 0
    if WRITES in kinds and (is_loaded or READS in kinds):
        for place, kind in enumerate(kinds):
            if kind == READS:
                is_loaded = True
            elif kind == WRITES and is_loaded:
                found.append(place)
                is_loaded = False
    return found
