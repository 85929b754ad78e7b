"""What the regions of a translated program share.

In: its flow, and what was asked for. Out: a frozen `Context`, and what its blocks cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvm.emit.recompiler.instructions import Codes
from pvm.flow import AFTER_CALL, BASIC_BLOCK, Block, Flow
from pvm.gas import Costs
from pvm.isa.spec import Spec


@dataclass(frozen=True)
class Context:
    """What all regions of a program share.

    `costs` is what blocks take. `ids` are the entries: region << 16 | place in its dispatcher. `checks` is whether all
    accesses are checked in the code. `jump_count` is how many entries the engine memory has for dynamic jumps,
    `jump_entries` where the host puts theirs. `sbrk` is a function's index. `pause` is called for every block.
    `is_bare` is whether nothing is kept for the case that an access is refused.
    """

    flow: Flow
    spec: Spec
    by_block: bool
    checks: bool
    codes: Codes
    costs: list[int]
    ids: dict[int, int]
    jump_count: int
    jump_entries: int
    sbrk: int
    pause: Callable[[], object]
    is_bare: bool = False


def charges(block: Block, by_block: bool) -> bool:
    """Whether gas is taken when a block is entered.

    After a host call the rest of the block is charged anew, unless by block, where all of it is paid.
    """
    return block.follows is BASIC_BLOCK or (block.follows is AFTER_CALL and not by_block)


def costs_of(flow: Flow, spec: Spec, by_block: bool, costs: Costs | None) -> list[int]:
    """Gas that each block takes when it is entered: by `costs`, or 1 an instruction.

    Where valid code has ended (0.8.0), nothing is charged.
    """
    if costs is None:
        prices = [block.rest if charges(block, by_block) else 0 for block in flow.blocks]
    else:
        prices = [costs.at(block.pc) if charges(block, by_block) else 0 for block in flow.blocks]
    if spec.validates:
        prices[flow.last] = 0
    return prices
