"""The interpreter, compiled by wasmtime once a process.

In: the generated module. Out: a wasmtime engine and module, which are immutable and may be shared by threads.
"""

from __future__ import annotations

from functools import cache
from threading import Lock

import wasmtime

from pvm.emit.interpreter import interpreter_bytes

# `cache` alone lets threads that come first at the same time each make their own; modules and stores of different
# engines do not go together.
_LOCK = Lock()


def wasmtime_engine() -> wasmtime.Engine:
    """The wasmtime engine of this process.

    Memories never move, so that their addresses can be kept, and each has 4 GiB of address space reserved, so that
    generated code needs no bounds checks.
    """
    with _LOCK:
        return _engine()


def interpreter() -> wasmtime.Module:
    """The compiled interpreter; compiled at the first call."""
    with _LOCK:
        return _interpreter()


@cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.memory_may_move = False
    config.memory_reservation = 1 << 32
    return wasmtime.Engine(config)


@cache
def _interpreter() -> wasmtime.Module:
    return wasmtime.Module(_engine(), interpreter_bytes())
