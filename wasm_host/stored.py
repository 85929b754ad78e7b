"""Translated programs in the cache of compiled code.

In: a cache, a key, a translation. Out: the translation again, or None. Without a cache or key (None) nothing is kept.
The WebAssembly itself is not kept: machines need what wasmtime made of it, and the tables.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from pvm.emit.recompiler import Recompiled
from wasm_host.cache import CodeCache
from wasm_host.compiled import load_code, store_code
from wasm_host.recompiler import Compiled


def load_program(code_cache: CodeCache | None, key: str | None) -> Compiled | None:
    """A translation that was stored, its `recompiled.module` empty; None if there is none."""
    found = load_code(code_cache, key)
    if found is None:
        return None
    module, (entries, resumes, jumps) = found
    return Compiled(Recompiled(b"", _unpack(entries), _unpack(resumes), bytes(jumps)), module)


def store_program(code_cache: CodeCache | None, key: str | None, compiled: Compiled) -> None:
    """Keep a translation. Its tables are those that `load_program` takes, in the same order."""
    made = compiled.recompiled
    store_code(code_cache, key, compiled.module, (_pack(made.entries), _pack(made.resumes), made.jumps))


def _pack(table: Mapping[int, int]) -> bytes:
    """All keys, then all values: pcs and entries, below 2^32. The file stays on its machine, so in its byte order."""
    return array("I", [*table.keys(), *table.values()]).tobytes()


def _unpack(data: bytearray) -> dict[int, int]:
    numbers = array("I", bytes(data))
    half = len(numbers) // 2
    return dict(zip(numbers[:half], numbers[half:], strict=True))
