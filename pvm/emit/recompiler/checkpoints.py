"""Checkpoints: how exact registers, gas and pc survive a page fault in code that does not check its accesses.

In: a region's shape and the codes of its blocks. Out: where it stores what into the state, and where it checks.

Where pages are protected by the hardware, a refused access is a trap, and what was in locals is lost. The state memory
then holds the last checkpoint, and the interpreter goes on from there until it meets the same fault. That yields the
same as long as what ran since the checkpoint can run again: loads may follow stores, but no store may follow a load,
because the load would then see what it did not see before. So

- a region's entry is a checkpoint, with everything in the state already;
- a store that may follow a load, since the last checkpoint, has one before it;
- where a loop only loads or only stores, that checkpoint is before the loop;
- where an innermost loop does both, and to check its accesses takes fewer steps than to store its registers each time
  round, it checks them, and the next access behind it that is not checked has a checkpoint before it;
- what follows an sbrk has one, because an sbrk cannot be carried out again, and so has a block that a region may be
  entered at within a basic block.

A checkpoint stores the registers that may have changed since the last one, gas, and pc.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

from pvm.emit.recompiler.access_checks import shared_checks
from pvm.emit.recompiler.instructions import Codes
from pvm.emit.recompiler.templates import READS, WRITES
from pvm.flow import AFTER_CALL, DYNAMIC, SPLIT, Block, Flow, Shape

# What happened since the last checkpoint, as bits: a load; a store after a load, so that it cannot run again.
_LOADED, _SPOILT = 1, 2

_STORE_AFTER_LOAD = bytes([READS, WRITES])


@dataclass(frozen=True)
class Checkpoints:
    """Registers to store, as bits: `within` blocks before the instruction at a place, `before` the loops of headers.

    The blocks of `checking` check their accesses.
    """

    within: dict[int, dict[int, int]]
    before: dict[int, int]
    checking: frozenset[int]


NONE = Checkpoints({}, {}, frozenset())


class _Ways(NamedTuple):
    """Where each block falls and jumps to, and where the dispatcher leads; behind the blocks stand the dispatcher, and
    what stands for no way."""

    falls: list[int]
    jumps: list[int]
    entries: list[int]


class _Change(NamedTuple):
    """What blocks do to bits: they add some to those that they keep. `spoils` are the blocks that make a load that
    came before, since the last checkpoint, impossible to run again. The dispatcher, behind the blocks, does nothing."""

    adds: list[int]
    keeps: list[int]
    spoils: frozenset[int]

    def after(self, number: int, value: int) -> int:
        """What holds after a block, given what holds before it."""
        after = self.adds[number] | value & self.keeps[number]
        return after | _SPOILT if value & _LOADED and number in self.spoils else after


def checkpoints(flow: Flow, shape: Shape, codes: Codes) -> Checkpoints:
    """A region's checkpoints. Blocks are numbered from the region's first here, and the dispatcher comes behind."""
    blocks = flow.blocks[shape.first : shape.end]
    accesses = codes.accesses
    whole = [accesses[block.first : block.end] for block in blocks]
    kinds = [kind.replace(b"\0", b"") for kind in whole]
    forced = _forced(flow, shape, codes)
    pure, checking = _loops(shape, kinds, forced, blocks, codes)
    ways = _ways(shape, blocks)
    entering = _entering(ways, pure)
    change = _accesses(kinds, checking)
    # Whether a loop that only loads is entered after a load does not matter.
    seeds = [header for header, numbers in pure.items() if any(READS in kinds[number] for number in numbers)]
    state = _spread(_without(ways, entering), change, seeds)
    hoisted = {
        header for source, header in entering
        if change.after(source, state[source]) & (_SPOILT if header in seeds else _LOADED | _SPOILT)
    }  # fmt: skip
    entering = [way for way in entering if way[1] in hoisted]
    places: dict[int, list[int]] = {}
    for number, kind in enumerate(kinds):
        if (state[number] and kind) or _STORE_AFTER_LOAD in kind or number in forced:
            found = _places(whole[number], state[number], number in forced)
            if found and number not in checking:
                places[number] = found
    # The registers that may differ from the state: those written since the last checkpoint.
    written = [reduce(or_, codes.written[block.first : block.end]) for block in blocks]
    keeps = [-1] * len(blocks)
    for number, found in places.items():
        keeps[number] = 0
        written[number] = reduce(or_, codes.written[blocks[number].first + found[-1] : blocks[number].end])
    change = _Change([*written, 0], [*keeps, -1], frozenset())
    changed = _spread(_without(ways, entering), change, ())
    within: dict[int, dict[int, int]] = {}
    for number, found in places.items():
        mask, first = changed[number], blocks[number].first
        at = first
        points = within[shape.first + number] = {}
        for place in found:
            points[place] = reduce(or_, codes.written[at : first + place], mask)
            mask, at = 0, first + place
    before = dict.fromkeys((shape.first + header for header in hoisted), 0)
    for source, header in entering:
        before[shape.first + header] |= change.after(source, changed[source])
    return Checkpoints(within, before, frozenset(shape.first + number for number in checking))


def _forced(flow: Flow, shape: Shape, codes: Codes) -> set[int]:
    """The blocks that have to begin with a checkpoint. An sbrk sets a register, a host call does not."""
    return {
        number - shape.first
        for number, block in enumerate(flow.blocks[shape.first : shape.end], shape.first)
        if block.follows is SPLIT or (block.follows is AFTER_CALL and codes.written[block.first - 1])
    }


def _loops(
    shape: Shape, kinds: Sequence[bytes], forced: Collection[int], blocks: Sequence[Block], codes: Codes
) -> tuple[dict[int, range], set[int]]:
    """The loops that only load or only store, by header, and the blocks that check their accesses."""
    pure: dict[int, range] = {}
    checking: set[int] = set()
    for loop in shape.loops:
        numbers = range(loop.header - shape.first, loop.last + 1 - shape.first)
        found = b"".join(kinds[numbers.start : numbers.stop])
        if READS not in found or WRITES not in found:
            if found:
                pure[numbers.start] = numbers
            continue
        inner = any(loop.header < other.header <= loop.last for other in shape.loops)
        stays = inner or any(number in forced for number in numbers)
        if not stays and _is_cheaper_to_check(found, blocks[numbers.start : numbers.stop], codes):
            checking.update(numbers)
    return pure, checking


def _is_cheaper_to_check(found: bytes, blocks: Sequence[Block], codes: Codes) -> bool:
    """Whether a loop's checks are fewer than the stores of its checkpoints. Each takes about a cycle."""
    again = (found + found[:1]).count(_STORE_AFTER_LOAD)
    registers = checks = 0
    for block in blocks:
        registers = reduce(or_, codes.written[block.first : block.end], registers)
        accesses = [number for number in range(block.first, block.end) if codes.accesses[number]]
        plan = shared_checks(accesses, codes.guarded(accesses), codes.written)
        checks += len(plan.before) + len(accesses) - len(plan.covered)
    return checks <= again * (registers.bit_count() + 2)


def _ways(shape: Shape, blocks: Sequence[Block]) -> _Ways:
    first, end, count = shape.first, shape.end, len(blocks)
    dispatcher, nowhere = count, count + 1
    lasts = {loop.header: loop.last for loop in shape.loops}
    falls, jumps = [], []
    for number, block in enumerate(blocks, first):
        falls.append(number + 1 - first if block.falls else nowhere)
        target = block.target
        if target is None:
            jumps.append(dispatcher if block.ending is DYNAMIC else nowhere)
        elif first <= target < end:
            jumps.append(target - first if target > number or number <= lasts.get(target, -1) else dispatcher)
        else:
            jumps.append(nowhere)
    if blocks[-1].falls:
        falls[-1] = nowhere
    return _Ways(falls, jumps, [entry - first for entry in shape.entries])


def _entering(ways: _Ways, loops: dict[int, range]) -> list[tuple[int, int]]:
    """The ways that enter loops, each a source and a header."""
    if not loops:
        return []
    pairs = [*enumerate(ways.falls), *enumerate(ways.jumps), *((len(ways.falls), entry) for entry in ways.entries)]
    return [(source, header) for source, header in pairs if header in loops and source not in loops[header]]


def _without(ways: _Ways, cut: Iterable[tuple[int, int]]) -> _Ways:
    """All ways but those of `cut`."""
    falls, jumps, entries = ways.falls.copy(), ways.jumps.copy(), ways.entries
    nowhere = len(falls) + 1
    for source, target in cut:
        if source == len(falls):
            entries = [entry for entry in entries if entry != target]
            continue
        if falls[source] == target:
            falls[source] = nowhere
        if jumps[source] == target:
            jumps[source] = nowhere
    return _Ways(falls, jumps, entries)


def _accesses(kinds: Sequence[bytes], checking: Collection[int]) -> _Change:
    """What blocks do to what can run again: those that check, those that access without, and those that do neither."""
    both, last_read = _LOADED | _SPOILT, bytes([READS])
    adds = [_LOADED if kind[-1:] == last_read else 0 for kind in kinds]
    keeps = [0 if kind else both for kind in kinds]
    for number in checking:
        kind = kinds[number]
        adds[number] = (_LOADED | (_SPOILT if WRITES in kind else 0)) if READS in kind else 0
        keeps[number] = both
    spoils = frozenset(number for number in checking if WRITES in kinds[number])
    return _Change([*adds, 0], [*keeps, both], spoils)


def _spread(ways: _Ways, change: _Change, seeds: Iterable[int]) -> list[int]:
    """What holds before each block, joined where ways meet; `seeds` are blocks before which _LOADED does anyway."""
    falls, jumps, entries = ways
    adds, keeps, spoils = change
    dispatcher = len(falls)
    before = [0] * (dispatcher + 1) + [-1]  # on no way anything changes
    for number in seeds:
        before[number] = _LOADED
    # All blocks are looked at once, in order; again are those before which more holds than when they were looked at:
    # as a rule few, because what the dispatcher leads to starts with what blocks add that lead to the dispatcher.
    for number, to in enumerate(jumps):
        if to == dispatcher:
            before[to] |= adds[number]
    for to in entries:
        before[to] |= before[dispatcher]
    again = bytearray(dispatcher + 2)
    # Here and below as `_Change.after`: to call it would take 1.5 times as long.
    for number, (add, keep, fall, jump) in enumerate(zip(adds, keeps, falls, jumps)):  # noqa: B905
        held = before[number]
        value = add | held & keep
        if held & _LOADED and number in spoils:
            value |= _SPOILT
        before[fall] |= value
        if value & ~before[jump]:
            before[jump] |= value
            if jump <= number or jump == dispatcher:
                again[jump] = 1
    number = again.find(1)
    while number >= 0:
        again[number] = 0
        held = before[number]
        value = adds[number] | held & keeps[number]
        if held & _LOADED and number in spoils:
            value |= _SPOILT
        for to in (falls[number], jumps[number]) if number < dispatcher else entries:
            if value & ~before[to]:
                before[to] |= value
                again[to] = 1
        number = again.find(1, number + 1)
        if number < 0:
            number = again.find(1)
    return before


def _places(kinds: bytes, state: int, is_forced: bool) -> list[int]:
    """The places in a block before which there is a checkpoint. `kinds` are the accesses by place."""
    found = [0] if is_forced else []
    if is_forced:
        state = 0
    for place, kind in enumerate(kinds):
        if kind == READS:
            if state & _SPOILT:
                found.append(place)
            state = _LOADED
        elif kind == WRITES:
            if state:
                found.append(place)
            state = 0
    return found
