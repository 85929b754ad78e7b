"""Basic blocks of a program as the recompiler sees them.

In: a blob and a spec. Out: a frozen `Flow`. Blocks end where the paper's do (A.3), also after each host call, because
a machine is entered again there, and after `MAX_INSTRUCTIONS`, because compiling a block takes more than linear time.
Linear in the code's size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from pvm.isa.expr import HostCall, Jump
from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import TRAP, Instruction, block_starts, decode

MAX_INSTRUCTIONS = 1024


class Follows(Enum):
    """What a block follows: the end of a basic block, a host call within one, or just more of it."""

    BLOCK = "basic block"
    CALL = "after a host call"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that run one after the other.

    `rest` is how many instructions are left to the end of the basic block, this block's first included. `target` is
    the block that its last instruction jumps to, None without one or when the jump panics; `falls` whether the next
    block may follow.
    """

    instructions: tuple[Instruction, ...]
    follows: Follows
    rest: int
    target: int | None
    falls: bool

    @property
    def pc(self) -> int:
        return self.instructions[0].pc


@dataclass(frozen=True)
class Flow:
    """`blocks` by pc; `index` gives the block that begins at a pc; `entries` those that can be entered dynamically."""

    blocks: tuple[Block, ...]
    index: dict[int, int]
    starts: frozenset[int]
    entries: frozenset[int]


def flow_of(blob: Blob, spec: Spec, pause: Callable[[], object]) -> Flow:
    """The blocks of a program. The last one is the implicit trap after the code, or ends with it.

    `pause` is called now and then.
    """
    starts = block_starts(blob, spec)
    groups: list[list[Instruction]] = [[]]
    for instruction in chain(decode(blob, spec), [Instruction(len(blob.code), 1, TRAP)]):
        groups[-1].append(instruction)
        if instruction.row.ends_block or _is_host_call(instruction) or len(groups[-1]) == MAX_INSTRUCTIONS:
            groups.append([])
            pause()
    groups.pop()
    index = {group[0].pc: number for number, group in enumerate(groups)}
    rests = _rests(groups)
    blocks = []
    for number, group in enumerate(groups):
        last = group[-1]
        jump = next((effect for effect in last.row.effects if isinstance(effect, Jump)), None)
        target = getattr(last, jump.target.field) if jump is not None else None
        blocks.append(
            Block(
                tuple(group), _followed(groups[number - 1][-1]) if number else Follows.BLOCK, rests[number],
                index[target] if target in starts else None, _falls(last, jump),
            )
        )  # fmt: skip
    dynamic = {0, *(index[pc] for pc in blob.jump_table if pc in starts)}
    dynamic.update(number for number, block in enumerate(blocks) if block.follows is Follows.CALL)
    return Flow(tuple(blocks), index, starts, frozenset(dynamic))


def _is_host_call(instruction: Instruction) -> bool:
    return any(isinstance(effect, HostCall) for effect in instruction.row.effects)


def _followed(before: Instruction) -> Follows:
    """What a block is after the instruction before it."""
    if before.row.ends_block:
        return Follows.BLOCK
    return Follows.CALL if _is_host_call(before) else Follows.SPLIT


def _falls(last: Instruction, jump: Jump | None) -> bool:
    if _is_host_call(last):
        return False
    return not last.row.ends_block or not last.row.effects or (jump is not None and jump.condition is not None)


def _rests(groups: list[list[Instruction]]) -> list[int]:
    rests = [0] * len(groups)
    count = 0
    for number in range(len(groups) - 1, -1, -1):
        if groups[number][-1].row.ends_block:
            count = 0
        count += len(groups[number])
        rests[number] = count
    return rests
