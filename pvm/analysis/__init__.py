"""What a program consists of, without running it: blocks, jumps, host calls, functions, sizes.

Functions over `pvm.Program`, which the command line uses, too.
"""

from pvm.analysis.blocks import BasicBlock, blocks_of, jumps_to
from pvm.analysis.functions import CallGraph, call_graph
from pvm.analysis.summary import Entry, Summary, calls_of, sizes_of, summary
from pvm.analysis.symbols import Symbols, symbols_of

__all__ = [
    "BasicBlock", "CallGraph", "Entry", "Summary", "Symbols", "blocks_of", "call_graph", "calls_of", "jumps_to",
    "sizes_of", "summary", "symbols_of",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
