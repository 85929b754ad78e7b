"""Control flow: basic blocks, regions, and the structured shape that WebAssembly wants."""

from pvm.flow.arrange import Limits, arranged, frequencies
from pvm.flow.blocks import AFTER_CALL, BASIC_BLOCK, MAX_WEIGHT, SPLIT, Block, Flow, Follows, flow_of
from pvm.flow.gas import gas_needs
from pvm.flow.opcodes import (
    BRANCH,
    CALL,
    DYNAMIC,
    FALLS,
    JUMP,
    PANIC,
    SBRK,
    STRAIGHT,
    Ending,
    opcodes_of,
    target_of,
    visited_code,
)
from pvm.flow.shape import Loop, Shape, shape_of
from pvm.flow.weights import HEAVIEST, weights_of

__all__ = [
    "AFTER_CALL", "BASIC_BLOCK", "BRANCH", "CALL", "DYNAMIC", "FALLS", "HEAVIEST", "JUMP", "MAX_WEIGHT", "PANIC",
    "SBRK", "SPLIT", "STRAIGHT", "Block", "Ending", "Flow", "Follows", "Limits", "Loop", "Shape", "arranged",
    "flow_of", "frequencies", "gas_needs", "opcodes_of", "shape_of", "target_of", "visited_code", "weights_of",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
