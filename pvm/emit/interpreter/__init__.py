"""The interpreter's generator: the instruction table to one WebAssembly module, and a program's image in its memory.

In: the rows; a program. Out: `interpreter_bytes`, the module, the same for every program; `program_image`, what the
engine memory holds before `prepare` is called. `module` says how it runs. Imports nothing of `pvm.emit.recompiler`.
"""

from pvm.emit.interpreter.image import ProgramImage, metered_tables, program_image
from pvm.emit.interpreter.module import (
    MEMORIES,
    interpreter_bytes,
    interpreter_data,
    interpreter_functions,
    interpreter_index,
    interpreter_module,
)
from pvm.emit.interpreter.opcode_tables import opcode_tables

__all__ = [
    "MEMORIES",
    "ProgramImage",
    "interpreter_bytes",
    "interpreter_data",
    "interpreter_functions",
    "interpreter_index",
    "interpreter_module",
    "metered_tables",
    "opcode_tables",
    "program_image",
]
