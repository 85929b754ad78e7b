"""Control flow: basic blocks, regions, and the structured shape that WebAssembly wants."""

from pvm.flow.blocks import Block, Flow, Follows, flow_of
from pvm.flow.forms import CALLS, ENDS, STRAIGHT, Ending, Form, ending_of
from pvm.flow.gas import gas_needs
from pvm.flow.shape import Loop, Shape, shape_of

__all__ = [
    "CALLS", "ENDS", "STRAIGHT", "Block", "Ending", "Flow", "Follows", "Form", "Loop", "Shape", "ending_of", "flow_of",
    "gas_needs", "shape_of",
]  # fmt: skip
