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
from operator import attrgetter, or_

from pvm.emit.checks import shared_checks
from pvm.emit.straight import READS, WRITES, Code, Codes
from pvm.flow import Ending, Flow, Follows, Shape, ending_of

_written = attrgetter("written")

# What happened since the last checkpoint, as bits: a load; a store after a load, so that it cannot run again.
_LOADED, _SPOILT = 1, 2


@dataclass(frozen=True)
class Checkpoints:
    """Registers to store, as bits: `within` blocks before the instruction at a place, `before` the loops of headers.

    The blocks of `checking` check their accesses.
    """

    within: dict[int, dict[int, int]]
    before: dict[int, int]
    checking: frozenset[int]


NONE = Checkpoints({}, {}, frozenset())


@dataclass(frozen=True)
class _Change:
    """What blocks do to bits: they add some to those that they keep. `spoils` are the blocks that make a load that
    came before, since the last checkpoint, impossible to run again."""

    adds: Sequence[int]
    keeps: Sequence[int]
    spoils: frozenset[int]

    def after(self, number: int, value: int) -> int:
        """What holds after a block, given what holds before it. The dispatcher, behind the last, changes nothing."""
        if number == len(self.adds):
            return value
        after = self.adds[number] | value & self.keeps[number]
        return after | _SPOILT if value & _LOADED and number in self.spoils else after


def checkpoints(flow: Flow, shape: Shape, codes: Sequence[Code], accesses: bytes, checked: Codes) -> Checkpoints:
    """A region's checkpoints.

    `codes` and `accesses` (`Code.access`) are those of all instructions of the program; `checked` makes codes that
    check. Blocks are numbered from the region's first here, and the dispatcher comes behind the last.
    """
    blocks = flow.blocks[shape.first : shape.end]
    whole = [accesses[block.first : block.end] for block in blocks]
    kinds = [kind.replace(b"\0", b"") for kind in whole]
    forced = _forced(flow, shape)
    pure, checking = _loops(shape, kinds, forced, [codes[block.first : block.end] for block in blocks], checked)
    onwards, entering = _ways(flow, shape, pure)
    change = _accesses(kinds, checking)
    # Whether a loop that only loads is entered after a load does not matter.
    seeds = [header for header, numbers in pure.items() if any(READS in kinds[number] for number in numbers)]
    state = _spread(onwards, change, seeds)
    hoisted = {
        header for source, header in entering
        if change.after(source, state[source]) & (_SPOILT if header in seeds else _LOADED | _SPOILT)
    }  # fmt: skip
    places = [
        _places(whole[number], state[number], starts) if number not in checking and (kind or starts) else []
        for number, (kind, starts) in enumerate(zip(kinds, forced, strict=True))
    ]
    # The registers that may differ from the state: those written since the last checkpoint.
    written = [
        reduce(or_, map(_written, codes[block.first + (found[-1] if found else 0) : block.end]))
        for block, found in zip(blocks, places, strict=True)
    ]
    change = _Change(written, [0 if found else -1 for found in places], frozenset())
    for source, header in entering:  # where there is no checkpoint before the loop, its header sees what comes in
        if header not in hoisted:
            onwards[source].append(header)
    changed = _spread(onwards, change, ())
    within: dict[int, dict[int, int]] = {}
    for number, found in enumerate(places):
        mask, at = changed[number], blocks[number].first
        for place in found:
            mask |= reduce(or_, map(_written, codes[at : blocks[number].first + place]), 0)
            within.setdefault(shape.first + number, {})[place] = mask
            mask, at = 0, blocks[number].first + place
    before = dict.fromkeys((shape.first + header for header in hoisted), 0)
    for source, header in entering:
        if header in hoisted:
            before[shape.first + header] |= change.after(source, changed[source])
    return Checkpoints(within, before, frozenset(shape.first + number for number in checking))


def _forced(flow: Flow, shape: Shape) -> list[bool]:
    """Whether each block has to begin with a checkpoint."""
    blocks = flow.blocks
    return [
        block.follows is Follows.SPLIT or (block.follows is Follows.CALL and blocks[number - 1].falls)
        for number, block in enumerate(blocks[shape.first : shape.end], shape.first)
    ]


def _loops(
    shape: Shape, kinds: Sequence[bytes], forced: Sequence[bool], codes: Sequence[Sequence[Code]], checked: Codes
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
        stays = inner or any(forced[numbers.start : numbers.stop])
        if not stays and _is_cheaper_to_check(found, codes[numbers.start : numbers.stop], checked):
            checking.update(numbers)
    return pure, checking


def _is_cheaper_to_check(accesses: bytes, codes: Sequence[Sequence[Code]], checked: Codes) -> bool:
    """Whether a loop's checks are fewer than the stores of its checkpoints. Each takes about a cycle."""
    again = (accesses + accesses[:1]).count(bytes([READS, WRITES]))
    registers = reduce(or_, (code.written for block in codes for code in block))
    checks = 0
    for block in codes:
        plan = shared_checks([checked[code.form] for code in block])
        checks += len(plan.before) + sum(code.access != 0 for code in block) - len(plan.covered)
    return checks <= again * (registers.bit_count() + 2)


def _ways(flow: Flow, shape: Shape, pure: dict[int, range]) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Where the ways from each block lead to; apart from these, as pairs, the ways that enter the loops of `pure`."""
    first, count = shape.first, shape.end - shape.first
    lasts = {loop.header - first: loop.last - first for loop in shape.loops}
    onwards: list[list[int]] = [[] for _ in range(count)]
    for number, block in enumerate(flow.blocks[first : shape.end]):
        if block.falls and number + 1 < count:
            onwards[number].append(number + 1)
        if block.target is not None and first <= block.target < shape.end:
            target = block.target - first
            is_direct = target > number or number <= lasts.get(target, -1)
            onwards[number].append(target if is_direct else count)
        if ending_of(flow.forms[block.end - 1].instruction.row) is Ending.DYNAMIC:
            onwards[number].append(count)
    onwards.append([entry - first for entry in shape.entries])
    entering = []
    for source, targets in enumerate(onwards):
        for target in [target for target in targets if target in pure]:
            if source not in pure[target]:
                targets.remove(target)
                entering.append((source, target))
    return onwards, entering


def _accesses(kinds: Sequence[bytes], checking: Collection[int]) -> _Change:
    """What blocks do to what can run again: those that check, those that access without, and those that do neither."""
    adds, keeps = [], []
    for number, kind in enumerate(kinds):
        if number in checking:
            loads = _LOADED if READS in kind else 0
            adds.append(loads | (_SPOILT if loads and WRITES in kind else 0))
            keeps.append(_LOADED | _SPOILT)
        else:
            adds.append(_LOADED if kind[-1:] == bytes([READS]) else 0)
            keeps.append(0 if kind else _LOADED | _SPOILT)
    return _Change(adds, keeps, frozenset(number for number in checking if WRITES in kinds[number]))


def _spread(onwards: Sequence[Sequence[int]], change: _Change, seeds: Iterable[int]) -> list[int]:
    """What holds before each block, joined where ways meet; `seeds` are blocks before which _LOADED does anyway."""
    before = [0] * len(onwards)
    for number in seeds:
        before[number] = _LOADED
    # As `_Change.after`, of which this is the hot use: to call it would take 1.5 times as long.
    adds, keeps = [*change.adds, 0], [*change.keeps, -1]
    spoils = [number in change.spoils for number in range(len(onwards))]
    again = True
    while again:  # some three times: loops nest, and all other jumps backwards meet in the dispatcher
        again = False
        for number, targets in enumerate(onwards):
            value = adds[number] | before[number] & keeps[number]
            if spoils[number] and before[number] & _LOADED:
                value |= _SPOILT
            for target in targets:
                if value & ~before[target]:
                    before[target] |= value
                    again = again or target <= number
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
