"""The flat cost model: 1 gas an instruction, summed over a basic block (0.7.2's prices, charged by block).

In: a program. Out: what entering each pc costs: the whole block that the pc lies in, also when it is entered in its
middle (as 0.8.0's A.4 has it). An opcode that is undefined or not marked, and the implicit trap after the code, end a
block like `trap`.
"""

from __future__ import annotations

from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import decode

STRAY_COST = 1  # of a pc that `decode` does not yield: the bitmask does not mark it, so a trap is all of its block


def block_costs(blob: Blob, spec: Spec | str) -> dict[int, int]:
    """The cost of every pc that `decode` yields, and of the implicit trap after the code."""
    costs: dict[int, int] = {}
    block: list[int] = []
    for instruction in decode(blob, spec):
        block.append(instruction.pc)
        if instruction.row.ends_block:
            costs.update(dict.fromkeys(block, len(block)))
            block.clear()
    block.append(len(blob.code))
    costs.update(dict.fromkeys(block, len(block)))
    return costs
