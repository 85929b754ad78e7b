"""The interpreter, compiled by wasmtime once a process.

In: the generated module. Out: a wasmtime engine and module, which are immutable and may be shared by threads.
"""

from __future__ import annotations

from functools import cache

import wasmtime

from pvm.emit.interpreter import interpreter_bytes


@cache
def wasmtime_engine() -> wasmtime.Engine:
    """The wasmtime engine of this process.

    Memories never move, so that their addresses can be kept, and each has 4 GiB of address space reserved, so that
    generated code needs no bounds checks.
    """
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.memory_may_move = False
    config.memory_reservation = 1 << 32
    return wasmtime.Engine(config)


@cache
def interpreter() -> wasmtime.Module:
    """The compiled interpreter; compiled at the first call."""
    return wasmtime.Module(wasmtime_engine(), interpreter_bytes())
