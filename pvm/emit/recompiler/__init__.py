"""The recompiler: a program to one WebAssembly module, which shares the interpreter's memories and state.

In: a program, a spec, a metering, a protection. Out: `recompile` yields a `Recompiled`: the module and its entries.
`is_translatable` says which programs hosts should have translated. `outline`, `outline_text` and `region_text` show
what becomes of a program. `module` says how it runs.
"""

from pvm.emit.recompiler.module import (
    MAX_INSTRUCTIONS,
    MAX_PROGRAM_WEIGHT,
    REGION_BLOCKS,
    REGION_WEIGHT,
    Recompiled,
    Translation,
    instructions_at_most,
    is_translatable,
    recompile,
    run_function,
    translate,
    weight_of_program,
    why_interpreted,
)

__all__ = [
    "MAX_INSTRUCTIONS",
    "MAX_PROGRAM_WEIGHT",
    "REGION_BLOCKS",
    "REGION_WEIGHT",
    "Recompiled",
    "Translation",
    "instructions_at_most",
    "is_translatable",
    "recompile",
    "run_function",
    "translate",
    "weight_of_program",
    "why_interpreted",
]
