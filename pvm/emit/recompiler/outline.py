"""Outlines: what the recompiler makes of a program, as plain values.

In: a blob, a spec, how gas is metered and memory protected. Out: a frozen `Outline`: regions, in them loops and blocks,
and for each block what it takes, where it looks and how it ends. `outline_text` writes it as text. Regions are
made as `recompile` makes them, so that what they need and store is theirs, not worked out a second time. About as long
as translating takes, linear in the code's size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from pvm.emit.recompiler.module import REGION_BLOCKS, context_of, regions_of
from pvm.emit.recompiler.region import Region
from pvm.emit.recompiler.unit import Context
from pvm.errors import InputError
from pvm.flow import STRAIGHT, Block, Ending, Flow, Follows, Shape, flow_of, opcodes_of, target_of
from pvm.gas import Costs
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob
from pvm.program.decode import decode_at
from pvm.program.disassembler import format_instruction
from pvm.registers import REGISTER_COUNT

SOFTWARE, HARDWARE = "software", "hardware"


class Way(Enum):
    """How code goes on at another block."""

    FALLS = "falls"
    FORWARDS = "forwards"  # it leaves a WebAssembly block
    BACK = "back"  # to the header of the loop that it stands in
    DISPATCHER = "dispatcher"  # backwards, where that is no loop
    REGION = "region"  # it calls another region's function
    ENTRY = "entry"  # by the host, after a host call


class Obstacle(Enum):
    """Why a loop is no WebAssembly loop: what the block is, strictly inside, that stands against it."""

    TABLE = "entered by the jump table"
    CALL = "entered after a host call"
    SBRK = "entered after an sbrk"
    REGION = "entered from another region"
    OUTSIDE = "jumped to from outside"
    INNER = "jumped back to, and no loop"


class Entrance(Enum):
    """Why the dispatcher of a region leads to a block."""

    START = "start"
    TABLE = "jump table"
    CALL = "after a host call"
    SBRK = "after an sbrk"
    REGION = "other regions"
    LOOP = "loop"
    BACK = "jumps back"
    FIRST = "first of the region"  # and nothing else leads to it


@dataclass(frozen=True, slots=True)
class Onward:
    """Where code goes on: `region` is that of the block."""

    block: int
    region: int
    way: Way


@dataclass(frozen=True, slots=True)
class End:
    """`instruction` is the last one's text, None where the code only goes on in the next block.

    A jump whose `jump` is None panics; where a branch's are both None, it panics whichever way it would go. `falls` of
    a host call is where the machine goes on after it, `call` is its number.
    """

    ending: Ending
    instruction: str | None
    jump: Onward | None
    falls: Onward | None
    call: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint before the instruction at a pc, and the registers that it stores."""

    pc: int
    registers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockOutline:
    """A block of the flow.

    `label` is the disassembler's, if it gives one. `gas` is what the block takes; where it looks whether gas is left,
    `needs` is how much has to be, else None. `entry` is its place in the dispatcher, if that leads there. `checks` is
    whether its accesses are checked although the hardware protects the pages.
    """

    number: int
    pc: int
    label: str | None
    instructions: int
    follows: Follows
    gas: int
    needs: int | None
    entry: int | None
    entrances: tuple[Entrance, ...]
    points: tuple[Point, ...]
    checks: bool
    end: End


@dataclass(frozen=True, slots=True)
class LoopOutline:
    """The blocks from one that is jumped back to up to the last that jumps there. It is a WebAssembly loop where
    `obstacle` is None, else block `at` stands against that. `point` is a checkpoint before it."""

    header: int
    last: int
    obstacle: Obstacle | None
    at: int | None
    point: Point | None


@dataclass(frozen=True)
class RegionOutline:
    """A function of the module. Its blocks are [first, end) in the order of regions (`pvm.flow.arrange`), `pc` and
    `last_pc` its first and last instruction's, `size` the bytes of its code. Crossings are jumps and falls to other
    regions, of which `backwards` go to blocks that come before."""

    number: int
    first: int
    end: int
    pc: int
    last_pc: int
    instructions: int
    entries: int
    crossings: int
    backwards: int
    size: int
    loops: tuple[LoopOutline, ...]
    blocks: tuple[BlockOutline, ...]

    @property
    def points(self) -> int:
        """How many checkpoints it has."""
        return sum(len(block.points) for block in self.blocks) + sum(loop.point is not None for loop in self.loops)


@dataclass(frozen=True)
class Outline:
    """`regions` are all of the program's `count`, or where not `is_whole` the one asked for.

    `instructions` and `blocks` are the whole program's, with the implicit trap after the code.
    """

    spec: str
    metering: str
    protection: str
    instructions: int
    blocks: int
    count: int
    is_whole: bool
    regions: tuple[RegionOutline, ...]


@dataclass(frozen=True)
class _Whole:
    """What all regions share. `crossings` are the blocks that other regions jump or fall to."""

    blob: Blob
    program: Context
    shapes: Sequence[Shape]
    firsts: Sequence[int]
    crossings: frozenset[int]
    table: frozenset[int]
    labels: dict[int, str]

    def region_of(self, block: int) -> int:
        return bisect_right(self.firsts, block) - 1


def outline_of(
    blob: Blob,
    spec: Spec | str,
    metering: str,
    protection: str = SOFTWARE,
    region_blocks: int = REGION_BLOCKS,
    region: int | None = None,
    costs: Costs | None = None,
) -> Outline:
    """The outline of a program, or of one region of it; the other arguments are those of `recompile`.

    Raises InputError when there is no such region, and for unknown names.
    """
    spec = find_spec(spec)
    flow, shapes = regions_of(flow_of(blob, spec), spec, region_blocks)
    if region is not None and not 0 <= region < len(shapes):
        raise InputError(f"no region {region}: the program's are 0 to {len(shapes) - 1}")
    whole = _whole(blob, context_of(blob, flow, spec, metering, protection, shapes, costs=costs), shapes)
    wanted = range(len(shapes)) if region is None else (region,)
    regions = tuple(_region(whole, number) for number in wanted)
    return Outline(
        spec.name, metering, protection, len(flow.pcs), len(flow.blocks), len(shapes), region is None, regions
    )


def _whole(blob: Blob, program: Context, shapes: Sequence[Shape]) -> _Whole:
    flow = program.flow
    crossings = {
        to for shape in shapes for number in range(shape.first, shape.end)
        for to in _onwards(flow, number) if not shape.first <= to < shape.end
    }  # fmt: skip
    table = frozenset(flow.index[pc] for pc in blob.jump_targets & flow.starts)
    firsts = [shape.first for shape in shapes]
    return _Whole(blob, program, shapes, firsts, frozenset(crossings), table, _labels(blob, program))


def _labels(blob: Blob, program: Context) -> dict[int, str]:
    """The disassembler's labels: instructions that are a target or in the jump table."""
    flow, offsets = program.flow, opcodes_of(program.spec).offsets
    wanted = {
        target_of(blob, offsets[flow.opcodes[block.end - 1]], flow.pcs[block.end - 1], flow.pcs[block.end])
        for block in flow.blocks if block.ending in (Ending.JUMP, Ending.BRANCH)
    }.union(blob.jump_targets)  # fmt: skip
    return {pc: f"l{pc}" for pc in wanted.intersection(flow.pcs)}


def _onwards(flow: Flow, number: int) -> Iterator[int]:
    """The blocks that a block jumps and falls to."""
    block = flow.blocks[number]
    if block.target is not None:
        yield block.target
    if block.onto is not None:
        yield block.onto


# --- a region ----------------------------------------------------------------------------------------------------


def _region(whole: _Whole, number: int) -> RegionOutline:
    shape, flow = whole.shapes[number], whole.program.flow
    region = Region(whole.program, shape, number)
    first, last = flow.blocks[shape.first], flow.blocks[shape.end - 1]
    leaving = [
        (block, to) for block in range(shape.first, shape.end)
        for to in _onwards(flow, block) if not shape.first <= to < shape.end
    ]  # fmt: skip
    loops = tuple(_loops(whole, region))
    headers = {loop.header: loop for loop in loops}
    blocks = tuple(_block(whole, region, block, headers) for block in range(shape.first, shape.end))
    return RegionOutline(
        number, shape.first, shape.end, first.pc, flow.pcs[last.end - 1], sum(block.instructions for block in blocks),
        len(shape.places), len(leaving), sum(to < block for block, to in leaving), len(region.function().body), loops,
        blocks,
    )  # fmt: skip


def _loops(whole: _Whole, region: Region) -> Iterator[LoopOutline]:
    """The loops within a region, structured or not, by header."""
    shape, flow = region.shape, whole.program.flow
    sources: dict[int, list[int]] = {}
    for number in range(shape.first, shape.end):
        target = flow.blocks[number].target
        if target is not None and shape.first <= target < shape.end:
            sources.setdefault(target, []).append(number)
    accepted = {loop.header for loop in shape.loops}
    for header in sorted(sources):
        last = max(sources[header])
        if last < header:
            continue
        before = region.checkpoints.before.get(header)
        point = None if before is None else Point(flow.blocks[header].pc, _numbers(before))
        obstacle = at = None
        if header not in accepted:
            obstacle, at = _obstacle(whole, header, last, sources, accepted)
        yield LoopOutline(header, last, obstacle, at, point)


def _obstacle(
    whole: _Whole, header: int, last: int, sources: dict[int, list[int]], accepted: set[int]
) -> tuple[Obstacle, int]:
    """The first block within a loop that keeps it from being structured, in the order of `pvm.flow.shape`."""
    blocks = whole.program.flow.blocks
    for number in range(header + 1, last + 1):
        if number in whole.table:
            return Obstacle.TABLE, number
        if blocks[number].follows is Follows.CALL:
            return Obstacle.SBRK if _follows_sbrk(whole, number) else Obstacle.CALL, number
        if number in whole.crossings:
            return Obstacle.REGION, number
        for origin in sources.get(number, ()):
            if not header <= origin <= last:
                return Obstacle.OUTSIDE, number
            if origin >= number and number not in accepted:
                return Obstacle.INNER, number
    raise AssertionError(f"nothing keeps blocks {header} to {last} from being a loop")


# --- a block -----------------------------------------------------------------------------------------------------


def _block(whole: _Whole, region: Region, number: int, loops: dict[int, LoopOutline]) -> BlockOutline:
    program = whole.program
    block, pcs = program.flow.blocks[number], program.flow.pcs
    points = region.checkpoints.within.get(number, {})
    entry = region.places.get(number)
    return BlockOutline(
        number, block.pc, whole.labels.get(block.pc), block.end - block.first, block.follows, program.costs[number],
        region.needs.get(number) or None, entry,
        () if entry is None else _entrances(whole, number, loops.get(number)),
        tuple(Point(pcs[block.first + place], _numbers(points[place])) for place in sorted(points)),
        number in region.checkpoints.checking,
        _end(whole, region, number, block),
    )  # fmt: skip


def _entrances(whole: _Whole, number: int, loop: LoopOutline | None) -> tuple[Entrance, ...]:
    """Why the dispatcher leads to a block. It leads to the region's first block without another reason too."""
    is_entered_again = whole.program.flow.blocks[number].follows is Follows.CALL
    is_sbrk = is_entered_again and _follows_sbrk(whole, number)
    found = {
        Entrance.START: number == 0,
        Entrance.TABLE: number in whole.table,
        Entrance.CALL: is_entered_again and not is_sbrk,
        Entrance.SBRK: is_sbrk,
        Entrance.REGION: number in whole.crossings,
        Entrance.LOOP: loop is not None and loop.obstacle is None,
        Entrance.BACK: loop is not None and loop.obstacle is not None,
    }
    return tuple(entrance for entrance, holds in found.items() if holds) or (Entrance.FIRST,)


def _follows_sbrk(whole: _Whole, number: int) -> bool:
    """Whether the block before ends with an sbrk, after which a machine may be entered as after a host call."""
    flow = whole.program.flow
    before = flow.blocks[number].first - 1
    return opcodes_of(whole.program.spec).endings[flow.opcodes[before]] is Ending.SBRK


def _end(whole: _Whole, region: Region, number: int, block: Block) -> End:
    flow, spec = whole.program.flow, whole.program.spec
    pc = flow.pcs[block.end - 1]
    falls = None if block.onto is None else _falls(whole, region, block.onto)
    if opcodes_of(spec).kinds[flow.opcodes[block.end - 1]] == STRAIGHT:
        return End(Ending.FALLS, None, None, falls, None)
    text = _text(whole, pc)
    jump = None if block.target is None else _jump(whole, region, number, block.target)
    match block.ending:
        case Ending.BRANCH:
            if spec.validates and (jump is None or flow.pcs[block.end] not in flow.starts):
                jump = falls = None
            return End(Ending.BRANCH, text, jump, falls, None)
        case Ending.CALL:
            behind = flow.index[flow.pcs[block.end]]
            after = Onward(behind, whole.region_of(behind), Way.ENTRY)
            return End(Ending.CALL, text, None, after, decode_at(whole.blob, spec, pc).x)
        case ending:
            return End(ending, text, jump, falls, None)


def _text(whole: _Whole, pc: int) -> str:
    if pc >= len(whole.blob.code):
        return "end of the code"
    instruction = decode_at(whole.blob, whole.program.spec, pc)
    if not instruction.valid:
        return "invalid opcode"
    return " ".join(format_instruction(instruction, lambda to: whole.labels.get(to, str(to))).split())


def _falls(whole: _Whole, region: Region, to: int) -> Onward:
    if region.shape.first <= to < region.shape.end:
        return Onward(to, region.number, Way.FALLS)
    return Onward(to, whole.region_of(to), Way.REGION)


def _jump(whole: _Whole, region: Region, number: int, to: int) -> Onward:
    if not region.shape.first <= to < region.shape.end:
        return Onward(to, whole.region_of(to), Way.REGION)
    if to > number:
        return Onward(to, region.number, Way.FORWARDS)
    return Onward(to, region.number, Way.BACK if number <= region.lasts.get(to, -1) else Way.DISPATCHER)


def _numbers(registers: int) -> tuple[int, ...]:
    """The registers of a set of bits."""
    return tuple(number for number in range(REGISTER_COUNT) if registers >> number & 1)
