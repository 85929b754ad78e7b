"""Outlines as text: regions, loops as indentation, blocks.

In: an `Outline`. Out: lines, the same for the same program anywhere, of which a part may look like this:

    loop, blocks 1 to 1
      block 1 at l18: 5 instructions, gas 5, needs 5
        entry 1: loop
        checkpoint before pc 20: r2 r3 r7
        branch_ne r2, r11, l18: back to block 1, else falls to block 2

Blocks are called by the disassembler's label, or by their pc where it gives none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pvm.emit.recompiler.outline import (
    HARDWARE,
    BlockOutline,
    End,
    LoopOutline,
    Onward,
    Outline,
    Point,
    RegionOutline,
    Way,
)
from pvm.flow import Ending, Follows
from pvm.printable import counted

_INDENT = "  "


def outline_text(outline: Outline, trees: bool = True) -> str:
    """The whole text, about 150 characters a block; without `trees`, of each region only what it consists of."""
    return "\n".join(outline_lines(outline, trees)) + "\n"


def outline_lines(outline: Outline, trees: bool = True) -> Iterator[str]:
    """The same text line by line. There is no summary of one region alone."""
    if outline.is_whole:
        yield from _summary(outline)
        yield ""
    for index, region in enumerate(outline.regions):
        if trees and index:
            yield ""
        yield _header(region, outline.protection == HARDWARE)
        if trees:
            yield from _tree(region)


# --- the program -------------------------------------------------------------------------------------------------


def _summary(outline: Outline) -> Iterator[str]:
    regions = outline.regions
    loops = [loop for region in regions for loop in region.loops]
    against = Counter(loop.obstacle for loop in loops if loop.obstacle is not None)
    crossings, backwards = (sum(getattr(region, name) for region in regions) for name in ("crossings", "backwards"))
    yield f"spec {outline.spec}, gas by {outline.metering}, memory protected by {outline.protection}"
    yield _fact("instructions", f"{outline.instructions - 1:,}, and a trap after the code")
    yield _fact("blocks", f"{outline.blocks:,}")
    yield _fact("regions", f"{outline.count:,}")
    yield _fact("loops", f"{len(loops) - against.total():,} structured, {against.total():,} not")
    for obstacle, count in sorted(against.items(), key=lambda item: (-item[1], item[0].value)):
        yield _fact("", f"{count:,}: a block inside is {obstacle.value}")
    yield _fact("jumps", _jumps([block.end for region in regions for block in region.blocks]))
    yield _fact("entries", f"{sum(region.entries for region in regions):,} of dispatchers")
    yield _fact("crossings", f"{crossings:,} from region to region, {backwards:,} of them backwards")
    yield _fact("gas", f"looked at in {counted(_looks(regions), 'block')}")
    if outline.protection == HARDWARE:
        yield _fact("checkpoints", f"{sum(region.points for region in regions):,}")
    yield _fact("code", f"{counted(sum(region.size for region in regions), 'byte')} of WebAssembly")


def _looks(regions: tuple[RegionOutline, ...]) -> int:
    return sum(block.needs is not None for region in regions for block in region.blocks)


def _jumps(ends: list[End]) -> str:
    """How many jumps go which way."""
    ways = Counter(end.jump.way for end in ends if end.jump is not None)
    dynamic = sum(end.ending is Ending.DYNAMIC for end in ends)
    return (
        f"{ways[Way.FORWARDS]:,} forwards, {ways[Way.BACK]:,} back in loops, {ways[Way.DISPATCHER]:,} by dispatchers, "
        f"{ways[Way.REGION]:,} to other regions, {dynamic:,} dynamic"
    )


def _fact(name: str, value: str) -> str:
    return f"{name:<13}{value}"


# --- a region ----------------------------------------------------------------------------------------------------


def _header(region: RegionOutline, is_protected: bool) -> str:
    """One line. Of the loops, those are counted first that are structured."""
    structured = sum(loop.obstacle is None for loop in region.loops)
    parts = (
        f"region {region.number}: pc {region.pc} to {region.last_pc}",
        f"blocks {region.first} to {region.end - 1}",
        f"instructions {region.instructions:,}",
        f"loops {structured} of {len(region.loops)}",
        f"entries {region.entries}",
        f"crossings {region.crossings}",
        *([f"checkpoints {region.points}"] if is_protected else []),
        f"bytes {region.size:,}",
    )
    return ", ".join(parts)


def _tree(region: RegionOutline) -> Iterator[str]:
    headers = {loop.header: loop for loop in region.loops}
    lasts: list[int] = []  # of the loops that are open
    for block in region.blocks:
        loop = headers.get(block.number)
        if loop is not None and loop.obstacle is None:
            lasts.append(loop.last)
            indent = _INDENT * len(lasts)
            yield f"{indent}loop, blocks {loop.header} to {loop.last}"
            if loop.point is not None:
                yield f"{indent}{_INDENT}checkpoint before it: {_registers(loop.point)}"
        indent = _INDENT * (len(lasts) + 1)
        yield indent + _block(block)
        yield from (f"{indent}{_INDENT}{line}" for line in _notes(block, loop))
        while lasts and lasts[-1] == block.number:
            lasts.pop()


# --- a block -----------------------------------------------------------------------------------------------------


def _block(block: BlockOutline) -> str:
    place = block.label or f"pc {block.pc}"
    gas = f", gas {block.gas}" if block.gas else ""
    needs = f", needs {block.needs}" if block.needs is not None else ""
    follows = ", more of the same" if block.follows is Follows.SPLIT else ""
    count = counted(block.instructions, "instruction")
    return f"block {block.number} at {place}{follows}: {count}{gas}{needs}"


def _notes(block: BlockOutline, loop: LoopOutline | None) -> Iterator[str]:
    if block.entry is not None:
        yield f"entry {block.entry}: {', '.join(entrance.value for entrance in block.entrances)}"
    if loop is not None and loop.obstacle is not None:
        yield f"no loop to block {loop.last}: block {loop.at} inside is {loop.obstacle.value}"
    if block.checks:
        yield "checks its accesses"
    for point in block.points:
        yield f"checkpoint before pc {point.pc}: {_registers(point)}"
    yield _end(block.end)


def _end(end: End) -> str:
    jump, falls = _onward(end.jump), _onward(end.falls)
    match end.ending:
        case Ending.JUMP:
            rest = jump or "panics, no block starts there"
        case Ending.BRANCH if not jump and not falls:
            rest = "panics, no block starts on one side"
        case Ending.BRANCH:
            rest = f"{jump or 'panics, no block starts there'}, else {falls}"
        case Ending.DYNAMIC:
            rest = "by the jump table"
        case Ending.CALL:
            rest = f"host call {end.call}, then {falls}"
        case Ending.PANIC:
            rest = "panics"
        case Ending.FALLS | Ending.SBRK:
            rest = falls or "panics"
    return rest if end.instruction is None else f"{end.instruction}: {rest}"


def _onward(onward: Onward | None) -> str:
    if onward is None:
        return ""
    match onward.way:
        case Way.FALLS:
            return f"falls to block {onward.block}"
        case Way.FORWARDS:
            return f"forwards to block {onward.block}"
        case Way.BACK:
            return f"back to block {onward.block}"
        case Way.DISPATCHER:
            return f"by the dispatcher to block {onward.block}"
        case Way.ENTRY:
            return f"entered again at block {onward.block}"
        case Way.REGION:
            return f"to block {onward.block} in region {onward.region}"


def _registers(point: Point) -> str:
    return " ".join(f"r{number}" for number in point.registers) or "no registers"
