"""Basic blocks of a program as the recompiler sees them.

In: a blob and a spec. Out: a frozen `Flow`. Blocks end where the paper's do (A.3), also after each host call and
sbrk, because a machine may be entered again there, and after `MAX_INSTRUCTIONS` or before they weigh more than
`MAX_WEIGHT`, because compiling a block takes more than linear time and memory. Linear in the code's size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from pvm.flow.opcodes import CALLS, ENDS, STRAIGHT, Ending, instructions_of, opcodes_of, target_of
from pvm.flow.weights import HEAVIEST, weights_of
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob, Code, blob_of
from pvm.program.decode import is_instruction

MAX_INSTRUCTIONS = 1024
MAX_WEIGHT = 4096  # of `pvm.flow.weights`

# In the kinds of a program's instructions: straight ones up to another, or as many as a block may have.
_BLOCKS = re.compile(rb"\x00{0,%d}[\x01\x02]|\x00{1,%d}" % (MAX_INSTRUCTIONS - 1, MAX_INSTRUCTIONS))


class Follows(Enum):
    """What a block follows: the end of a basic block, a host call or sbrk within one, or just more of it."""

    BLOCK = "basic block"
    CALL = "after a host call"
    SPLIT = "split"


BASIC_BLOCK, AFTER_CALL, SPLIT = Follows  # to read these takes a tenth of reading them off the class

_FOLLOWS = {ENDS: BASIC_BLOCK, CALLS: AFTER_CALL, STRAIGHT: SPLIT}


@dataclass(slots=True, eq=False)  # not frozen: that takes 5 times as long to make, and one is made for every block
class Block:
    """The instructions [first, end) of a program, which run one after the other; `pc` is the first one's.

    `rest` is how many instructions are left to the end of the basic block, this block's first included. `ending` is
    what its last instruction does, `target` the block that it jumps to, None without one or when the jump panics;
    `onto` is the block behind it in the code where that may follow, else None.
    """

    first: int
    end: int
    pc: int
    follows: Follows
    rest: int
    target: int | None
    onto: int | None
    ending: Ending

    @property
    def falls(self) -> bool:
        """Whether the block behind it may follow."""
        return self.onto is not None


@dataclass(frozen=True)
class Flow:
    """`opcodes` and `pcs` of the instructions, the implicit trap after the code last; `blocks` by pc.

    `code` is the instruction data with a trap at each visited pc that the bitmask does not mark. `index` gives the
    block that begins at a pc; `starts` are the paper's block starts; `entries` the blocks that can be entered
    dynamically.
    """

    code: bytes
    opcodes: bytes
    pcs: Sequence[int]
    blocks: tuple[Block, ...]
    index: dict[int, int]
    starts: frozenset[int]
    entries: frozenset[int]

    @property
    def last(self) -> int:
        """The block that ends with the implicit trap after the code."""
        return next(number for number, block in enumerate(self.blocks) if block.end == len(self.pcs))


def flow_of(blob: Code, spec: Spec | str, pause: Callable[[], object] = int) -> Flow:
    """The blocks of a program. The last one is the implicit trap after the code, or ends with it.

    `pause` is called for every block.
    """
    blob, spec = blob_of(blob), find_spec(spec)
    code, opcodes, pcs = instructions_of(blob, spec)
    table = opcodes_of(spec)
    endings, falls, offsets = table.endings, table.falls, table.offsets
    kinds = opcodes.translate(table.kinds)
    spans = [*_spans(kinds, opcodes.translate(weights_of(spec)))]
    index = {pcs[first]: number for number, (first, _) in enumerate(spans)}
    starts = _starts(blob, spec, opcodes, pcs, spans)
    jumped_to = {pc: index[pc] for pc in starts}
    blocks: list[Block] = []
    behind = len(spans)
    basic_end = len(pcs)
    for first, end in reversed(spans):
        last = end - 1
        opcode = opcodes[last]
        if kinds[last] == ENDS:
            basic_end = end
        target, offset = None, offsets[opcode]
        if offset:
            target = jumped_to.get(target_of(blob, offset, pcs[last], pcs[end]))
        follows = _FOLLOWS[kinds[first - 1]]  # before the first one stands the last of all, a trap
        blocks.append(Block(
            first, end, pcs[first], follows, basic_end - first, target, behind if falls[opcode] else None,
            endings[opcode],
        ))  # fmt: skip
        behind -= 1
        pause()
    blocks.reverse()
    dynamic = {0, *(index[pc] for pc in blob.jump_targets & starts)}
    dynamic.update(number for number, block in enumerate(blocks) if block.follows is AFTER_CALL)
    return Flow(code, opcodes, pcs, tuple(blocks), index, starts, frozenset(dynamic))


def _spans(kinds: bytes, weights: bytes) -> Iterator[tuple[int, int]]:
    """The instructions [first, end) of each block."""
    for found in _BLOCKS.finditer(kinds):
        first, end = found.span()
        if end - first > MAX_WEIGHT // HEAVIEST:
            weight = 0
            for number in range(first, end):
                weight += weights[number]
                if weight > MAX_WEIGHT:
                    yield first, number
                    first, weight = number, weights[number]
        yield first, end


def _starts(
    blob: Blob, spec: Spec, opcodes: bytes, pcs: Sequence[int], spans: Sequence[tuple[int, int]]
) -> frozenset[int]:
    """The paper's block starts: `pvm.program.decode.block_starts`, from what is known here."""
    marks, after = blob.starts, opcodes_of(spec).starts
    found = {pcs[end] for _, end in spans[:-1] if after[opcodes[end - 1]] and marks[pcs[end - 1]]}
    found.add(0)
    return frozenset(pc for pc in found if is_instruction(blob, spec, pc))
