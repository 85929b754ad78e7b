"""Which blocks a region has: those that call and jump to each other most.

In: a `Flow`, how often blocks run (or a guess), limits. Out: the same flow with its blocks in another order, and where
regions begin in it. Blocks that fall into each other stay together, as chunks. Chunks are joined along jumps and calls,
those that are gone most often first, as long as a region may hold them; what is left over is put together in the order
of the code. Nothing depends on the order of sets: the same flow always yields the same regions. Takes linear time but
for one sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from pvm.flow.blocks import Block, Flow
from pvm.flow.opcodes import DYNAMIC, JUMP, PANIC
from pvm.isa.expr import Jump, SetReg
from pvm.isa.spec import Spec
from pvm.program.decode import TRAP

# Guesses: how often a loop goes round, how often a conditional jump is taken, the most that a block runs.
_ROUNDS, _TAKEN, _MOST = 8.0, 0.5, 1e12
_SWEEPS = 4  # in which what callers do reaches what they call
_LONGEST_LOOP = 512  # blocks: what jumps back further is no loop that is worth a guess


@dataclass(frozen=True)
class Limits:
    """The most blocks, weight (`pvm.flow.weights`) and accesses to memory of a region."""

    blocks: int
    weight: int
    accesses: int


@dataclass(slots=True)
class _Size:
    """What a run of blocks has of what `Limits` bounds."""

    blocks: int
    weight: int
    accesses: int

    def fits(self, other: _Size, limits: Limits) -> bool:
        """Whether a region may hold both."""
        return (
            self.blocks + other.blocks <= limits.blocks
            and self.weight + other.weight <= limits.weight
            and self.accesses + other.accesses <= limits.accesses
        )

    def add(self, other: _Size) -> None:
        self.blocks += other.blocks
        self.weight += other.weight
        self.accesses += other.accesses


def arranged(flow: Flow, spec: Spec, limits: Limits, weights: bytes, accesses: bytes) -> tuple[Flow, list[int]]:
    """The flow with its blocks regrouped, and where regions begin in it, and the end of the last.

    `weights` and `accesses` are of its instructions; the latter has 0 for those that do not access memory. Where a
    block falls to one that does not come next, it is the last of its region.
    """
    sizes = [_size(block, weights, accesses) for block in flow.blocks]
    chunks, alone = _chunks(flow.blocks, sizes, limits)
    if sum(size.blocks for size in sizes) <= limits.blocks and len(chunks) == 1:
        return flow, [0, len(flow.blocks)]
    own = [_Size(0, 0, 0) for _ in chunks]
    chunk_of = [0] * len(flow.blocks)
    for number, chunk in enumerate(chunks):
        for block in chunk:
            own[number].add(sizes[block])
            chunk_of[block] = number
    groups = _joined(_edges(flow, spec, chunk_of), own, alone, limits)
    return _permuted(flow, *_packed(groups, chunks, own, alone, limits))


def _size(block: Block, weights: bytes, accesses: bytes) -> _Size:
    start, end = block.first, block.end
    return _Size(1, sum(weights[start:end]), end - start - accesses.count(0, start, end))


def _chunks(blocks: Sequence[Block], sizes: Sequence[_Size], limits: Limits) -> tuple[list[range], set[int]]:
    """Blocks that fall into each other, and the numbers of those chunks that are cut before they end: they are full,
    and have a region each, at whose end they go on in the next one."""
    chunks: list[range] = []
    alone: set[int] = set()
    begin, size = 0, _Size(0, 0, 0)
    for number, own in enumerate(sizes):
        if number > begin and not size.fits(own, limits):
            alone.add(len(chunks))
            chunks.append(range(begin, number))
            begin, size = number, _Size(0, 0, 0)
        size.add(own)
        if not blocks[number].falls:
            chunks.append(range(begin, number + 1))
            begin, size = number + 1, _Size(0, 0, 0)
    if begin < len(blocks):
        chunks.append(range(begin, len(blocks)))
    return chunks, alone


def _edges(flow: Flow, spec: Spec, chunk_of: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of chunks between which code goes, those between which it goes most often first."""
    counts, calls = frequencies(flow, spec)
    found: dict[tuple[int, int], float] = {}

    def add(source: int, target: int, count: float) -> None:
        one, other = chunk_of[source], chunk_of[target]
        if one != other:
            pair = (one, other) if one < other else (other, one)
            found[pair] = found.get(pair, 0.0) + count

    for number, block in enumerate(flow.blocks):
        target = block.target
        if target is None:
            continue
        add(number, target, counts[number] * (_TAKEN if block.falls else 1.0))
        if number in calls:
            # What it calls comes back to the block behind.
            add(target, number + 1, counts[number])
    return sorted(found, key=lambda pair: (-found[pair], pair))


def _joined(edges: Sequence[tuple[int, int]], own: Sequence[_Size], alone: set[int], limits: Limits) -> list[list[int]]:
    """Chunks joined along edges as far as regions may hold them, each group by number."""
    parent = list(range(len(own)))
    sizes = [replace(size) for size in own]

    def find(chunk: int) -> int:
        while parent[chunk] != chunk:
            parent[chunk] = parent[parent[chunk]]
            chunk = parent[chunk]
        return chunk

    for one, other in edges:
        first, second = sorted((find(one), find(other)))
        if first == second or one in alone or other in alone or not sizes[first].fits(sizes[second], limits):
            continue
        parent[second] = first
        sizes[first].add(sizes[second])
    groups: dict[int, list[int]] = {}
    for chunk in range(len(own)):
        groups.setdefault(find(chunk), []).append(chunk)
    return list(groups.values())


def _packed(
    groups: Sequence[Sequence[int]], chunks: Sequence[range], own: Sequence[_Size], alone: set[int], limits: Limits
) -> tuple[list[int], list[int]]:
    """The blocks in their new order, and where regions begin: small groups share one."""
    order: list[int] = []
    bounds = [0]
    region: list[int] = []
    size = _Size(0, 0, 0)

    def close() -> None:
        if region:
            order.extend(block for chunk in sorted(region) for block in chunks[chunk])
            bounds.append(len(order))
            region.clear()

    for group in groups:
        whole = _Size(0, 0, 0)
        for chunk in group:
            whole.add(own[chunk])
        if group[0] in alone or not size.fits(whole, limits):
            close()
            size = _Size(0, 0, 0)
        region.extend(group)
        size.add(whole)
        if group[0] in alone:
            close()
            size = _Size(0, 0, 0)
    close()
    return order, bounds


def _permuted(flow: Flow, order: Sequence[int], bounds: list[int]) -> tuple[Flow, list[int]]:
    """The flow whose blocks stand in an order."""
    new = [0] * len(order)
    for place, number in enumerate(order):
        new[number] = place
    blocks = []
    for number in order:
        block = flow.blocks[number]
        target = None if block.target is None else new[block.target]
        onto = None if block.onto is None else new[block.onto]
        blocks.append(Block(
            block.first, block.end, block.pc, block.follows, block.rest, target, onto, block.ending
        ))  # fmt: skip
    index = {pc: new[number] for pc, number in flow.index.items()}
    entries = frozenset(new[number] for number in flow.entries)
    return replace(flow, blocks=tuple(blocks), index=index, entries=entries), bounds


# --- how often blocks run ------------------------------------------------------------------------------------------


@cache
def _linking(spec: Spec) -> frozenset[int]:
    """The opcodes of jumps that set a register: calls, as a rule."""
    rows = ((opcode, row or TRAP) for opcode, row in enumerate(spec.by_opcode))
    return frozenset(
        opcode for opcode, row in rows
        if any(isinstance(effect, Jump) for effect in row.effects)
        and any(isinstance(effect, SetReg) for effect in row.effects)
    )  # fmt: skip


def frequencies(flow: Flow, spec: Spec) -> tuple[list[float], frozenset[int]]:
    """A guess how often each block runs, as good as it gets without running it, and the blocks that end with a call.

    Loops go round `_ROUNDS` times and jumps are taken half of the time, each function (from one block that is called or
    jumped to by the table to the next) as often as its callers say.
    """
    blocks, linking = flow.blocks, _linking(spec)
    count = len(blocks)
    calls = frozenset(
        number for number, block in enumerate(blocks)
        if block.ending is JUMP and block.target is not None and flow.opcodes[block.end - 1] in linking
        and number + 1 < count
    )  # fmt: skip
    called = {block.target for number, block in enumerate(blocks) if number in calls}
    back: dict[int, int] = {}  # the last block that jumps back to a header
    for number, block in enumerate(blocks):
        target = block.target
        if target is not None and target <= number <= target + _LONGEST_LOOP and number not in calls:
            back[target] = number
    ends: dict[int, list[int]] = {}
    for header, last in back.items():
        ends.setdefault(last, []).append(header)
    # Within a function, as if it ran once.
    local, coming, depth = [0.0] * count, [0.0] * (count + 1), 1.0
    starts = []
    start = 0
    for number, block in enumerate(blocks):
        if number == 0 or number in called:
            start, depth = number, 1.0
            coming[number] = 1.0
        elif not coming[number]:
            coming[number] = 0.5  # behind a dynamic jump, a host call or in a switch
        starts.append(start)
        if number in back:
            depth *= _ROUNDS
        local[number] = min(_MOST, coming[number] * depth)
        target = block.target
        if number in calls or block.ending not in (JUMP, DYNAMIC, PANIC):
            share = coming[number] * (1.0 if target is None or number in calls else 1.0 - _TAKEN)
            coming[number + 1] = min(1.0, coming[number + 1] + share)
        if target is not None and number < target <= number + _LONGEST_LOOP and number not in calls:
            coming[target] = min(1.0, coming[target] + coming[number] * (_TAKEN if block.falls else 1.0))
        for _ in ends.get(number, ()):
            depth = max(1.0, depth / _ROUNDS)
    # How often functions run, from those that call them; deeper in each sweep.
    times = dict.fromkeys(starts, 1.0)
    for _ in range(_SWEEPS):
        fresh = dict.fromkeys(times, 1.0)
        for number in sorted(calls):
            target = blocks[number].target
            if target is not None and starts[number] != target:  # not by how often it calls itself
                fresh[target] = min(_MOST, fresh[target] + local[number] * times[starts[number]])
        times = fresh
    return [min(_MOST, one * times[start]) for one, start in zip(local, starts, strict=True)], calls
