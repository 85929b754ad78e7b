"""The flat cost model: 1 gas an instruction (0.7.2's prices).

In: the instructions of a block. Out: its cost. An opcode that is undefined or not marked, and the implicit trap after
the code, end a block like `trap`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import Instruction

STRAY_COST = 1  # of a pc that `decode` does not yield: the bitmask does not mark it, so a trap is all of its block


def price(block: Sequence[Instruction], blob: Blob, spec: Spec) -> int:
    """What a block costs."""
    return len(block)
