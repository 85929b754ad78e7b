"""Basic blocks of a program as the recompiler sees them.

In: a blob and a spec. Out: a frozen `Flow`. Blocks end where the paper's do (A.3), also after each host call and
sbrk, because a machine may be entered again there, and after `MAX_INSTRUCTIONS`, because compiling a block takes more
than linear time. Linear in the code's size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pvm.flow.forms import CALLS, ENDS, Form, forms_of, kind_of
from pvm.isa.spec import Spec
from pvm.program.blob import Blob

MAX_INSTRUCTIONS = 1024

# In the kinds of a program's instructions: straight ones up to another, or as many as a block may have.
_BLOCKS = re.compile(rb"\x00{0,%d}[\x01\x02]|\x00{1,%d}" % (MAX_INSTRUCTIONS - 1, MAX_INSTRUCTIONS))


class Follows(Enum):
    """What a block follows: the end of a basic block, a host call or sbrk within one, or just more of it."""

    BLOCK = "basic block"
    CALL = "after a host call"
    SPLIT = "split"


_FOLLOWS = {ENDS: Follows.BLOCK, CALLS: Follows.CALL}


class Block(NamedTuple):
    """The instructions [first, end) of a program, which run one after the other; `pc` is the first one's.

    `rest` is how many instructions are left to the end of the basic block, this block's first included. `target` is
    the block that its last instruction jumps to, None without one or when the jump panics; `falls` whether the next
    block may follow.
    """

    first: int
    end: int
    pc: int
    follows: Follows
    rest: int
    target: int | None
    falls: bool


@dataclass(frozen=True)
class Flow:
    """`forms` and `pcs` of the instructions, the implicit trap after the code last; `blocks` by pc.

    `index` gives the block that begins at a pc; `starts` are the paper's block starts; `entries` the blocks that can be
    entered dynamically.
    """

    forms: Sequence[Form]
    pcs: Sequence[int]
    blocks: tuple[Block, ...]
    index: dict[int, int]
    starts: frozenset[int]
    entries: frozenset[int]


def flow_of(blob: Blob, spec: Spec, pause: Callable[[], object] = int) -> Flow:
    """The blocks of a program. The last one is the implicit trap after the code, or ends with it.

    `pause` is called for every block.
    """
    forms, pcs = forms_of(blob, spec)
    spans = [found.span() for found in _BLOCKS.finditer(bytes(map(kind_of, forms)))]
    index = {pcs[first]: number for number, (first, _) in enumerate(spans)}
    starts = _starts(blob, spec, forms, pcs, spans)
    rests = _rests(forms, spans)
    blocks = []
    follows = Follows.BLOCK
    for (first, end), rest in zip(spans, rests, strict=True):
        last = forms[end - 1]
        target = None if last.offset is None else pcs[end - 1] + last.offset
        jumped_to = index[target] if target in starts else None
        blocks.append(Block(first, end, pcs[first], follows, rest, jumped_to, last.falls))
        follows = _FOLLOWS.get(last.kind, Follows.SPLIT)
        pause()
    dynamic = {0, *(index[pc] for pc in blob.jump_table if pc in starts)}
    dynamic.update(number for number, block in enumerate(blocks) if block.follows is Follows.CALL)
    return Flow(forms, pcs, tuple(blocks), index, starts, frozenset(dynamic))


def _starts(
    blob: Blob, spec: Spec, forms: Sequence[Form], pcs: Sequence[int], spans: Sequence[tuple[int, int]]
) -> frozenset[int]:
    """The paper's block starts: `pvm.program.decode.block_starts`, from what is known here."""
    marks, code = blob.starts, blob.code
    found = {0}
    for _, end in spans:
        last = forms[end - 1]
        if last.kind == ENDS and last.instruction.valid and end < len(pcs) and marks[pcs[end - 1]]:
            found.add(pcs[end])
    if spec.validates:
        found = {pc for pc in found if pc < len(code) and marks[pc] and spec.by_opcode[code[pc]] is not None}
    return frozenset(found)


def _rests(forms: Sequence[Form], spans: Sequence[tuple[int, int]]) -> list[int]:
    rests = [0] * len(spans)
    count = 0
    for number in range(len(spans) - 1, -1, -1):
        first, end = spans[number]
        if forms[end - 1].kind == ENDS:
            count = 0
        count += end - first
        rests[number] = count
    return rests
