"""Control flow: basic blocks, regions, and the structured shape that WebAssembly wants."""

from pvm.flow.blocks import Block, Flow, Follows, flow_of
from pvm.flow.shape import Loop, Shape, shape_of

__all__ = ["Block", "Flow", "Follows", "Loop", "Shape", "flow_of", "shape_of"]
