"""The basic blocks of a program (A.3), what they cost and where they go on.

In: a program and a version. Out: frozen `BasicBlock` values by pc, jumps by target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pvm.flow.opcodes import Ending, ending_of
from pvm.gas import block_costs
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program import Instruction, Program, decode


@dataclass(frozen=True)
class BasicBlock:
    """The instructions from `pc` to before `end`. `cost` is the gas that it costs by the metering that was asked for.

    `ending` is how the last one goes on; `targets` the pcs that may follow, as far as they stand in the code: none
    after a dynamic jump, which may lead to any entry of the jump table.
    """

    pc: int
    end: int
    instructions: int
    cost: int
    ending: Ending
    targets: tuple[int, ...]


def blocks_of(
    program: Program, spec: Spec | str = "0.7.2", metering: str | None = None
) -> tuple[BasicBlock, ...]:
    """The basic blocks, by pc. Metered by instruction, a block costs 1 for each of its instructions.

    Raises InputError for unknown names.
    """
    spec = find_spec(spec)
    costs = block_costs(program.blob, spec, metering)
    return tuple(_block(block, costs.at(block[0].pc)) for block in _split(program, spec))


def jumps_to(program: Program, spec: Spec | str = "0.7.2") -> dict[int, tuple[int, ...]]:
    """The pcs of the jumps and branches that lead to each pc; -1 among them stands for the jump table.

    Raises InputError for an unknown version.
    """
    found: defaultdict[int, set[int]] = defaultdict(set)
    for instruction in decode(program.blob, find_spec(spec)):
        if ending_of(instruction.row) in (Ending.JUMP, Ending.BRANCH) and instruction.valid:
            found[_target(instruction)].add(instruction.pc)
    for pc in program.blob.jump_targets:
        found[pc].add(-1)
    return {pc: tuple(sorted(found[pc])) for pc in sorted(found)}


def _split(program: Program, spec: Spec) -> Iterator[list[Instruction]]:
    block: list[Instruction] = []
    for instruction in decode(program.blob, spec):
        block.append(instruction)
        if instruction.row.ends_block:
            yield block
            block = []
    if block:
        yield block


def _block(block: list[Instruction], cost: int) -> BasicBlock:
    last = block[-1]
    ending = ending_of(last.row)
    targets = (_target(last),) if ending in (Ending.JUMP, Ending.BRANCH) else ()
    if ending not in (Ending.JUMP, Ending.DYNAMIC, Ending.PANIC) and last.next_pc not in targets:
        targets = (*targets, last.next_pc)
    return BasicBlock(block[0].pc, last.next_pc, len(block), cost, ending, targets)


def _target(instruction: Instruction) -> int:
    """Where a static jump leads to: its offset is the last immediate of its format."""
    return int(getattr(instruction, instruction.row.format.immediates[-1].name))
