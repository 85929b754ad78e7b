"""Control flow: basic blocks, regions, and the structured shape that WebAssembly wants."""

from pvm.flow.blocks import AFTER_CALL, BASIC_BLOCK, SPLIT, Block, Flow, Follows, flow_of
from pvm.flow.gas import gas_needs
from pvm.flow.opcodes import BRANCH, CALL, DYNAMIC, FALLS, JUMP, PANIC, SBRK, STRAIGHT, Ending, opcodes_of, target_of
from pvm.flow.shape import Loop, Shape, shape_of

__all__ = [
    "AFTER_CALL", "BASIC_BLOCK", "BRANCH", "CALL", "DYNAMIC", "FALLS", "JUMP", "PANIC", "SBRK", "SPLIT",
    "STRAIGHT", "Block", "Ending", "Flow", "Follows", "Loop", "Shape", "flow_of", "gas_needs", "opcodes_of", "shape_of",
    "target_of",
]  # fmt: skip
