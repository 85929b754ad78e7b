"""Translated programs in the cache of compiled code, and as bytes that travel to other processes.

In: a cache, a key, a translation. Out: the translation again, or None. Without a cache or key (None) nothing is kept.
The WebAssembly itself is not kept: machines need what wasmtime made of it, and the tables.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import wasmtime

from pvm.emit.recompiler import Recompiled
from wasm_host.cache import CodeCache, sources_digest
from wasm_host.compiled import load_code, store_code, wasmtime_engine
from wasm_host.recompiler import Compiled


def load_program(code_cache: CodeCache | None, key: str | None) -> Compiled | None:
    """A translation that was stored, its `recompiled.module` empty; None if there is none."""
    found = load_code(code_cache, key)
    if found is None:
        return None
    return _compiled(*found)


def store_program(code_cache: CodeCache | None, key: str | None, compiled: Compiled) -> None:
    """Keep a translation. Its tables are those that `load_program` takes, in the same order."""
    store_code(code_cache, key, compiled.module, _tables(compiled))


@dataclass(frozen=True)
class Carried:
    """A translation that travels: what kind of protection it is for, which sources made it, and its pieces."""

    protection: str
    sources: bytes
    pieces: tuple[bytes, ...]


def pack_translation(protection: str, compiled: Compiled) -> Carried:
    """A translation as bytes, for workers that trust whoever sends them work."""
    return Carried(protection, sources_digest(), (*_tables(compiled), bytes(compiled.module.serialize())))


def unpack_translation(carried: Carried) -> Compiled | None:
    """The translation; None where other sources or another wasmtime run, or another processor."""
    if carried.sources != sources_digest():
        return None
    *tables, code = carried.pieces
    try:
        return _compiled(wasmtime.Module.deserialize(wasmtime_engine(), code), tables)
    except wasmtime.WasmtimeError:
        return None


def _tables(compiled: Compiled) -> tuple[bytes, bytes, bytes]:
    made = compiled.recompiled
    return _pack(made.entries), _pack(made.resumes), made.jumps


def _compiled(module: wasmtime.Module, tables: Sequence[bytes | bytearray]) -> Compiled:
    entries, resumes, jumps = tables
    return Compiled(Recompiled(b"", _unpack(entries), _unpack(resumes), bytes(jumps)), module)


def _pack(table: Mapping[int, int]) -> bytes:
    """All keys, then all values: pcs and entries, below 2^32. The file stays on its machine, so in its byte order."""
    return array("I", [*table.keys(), *table.values()]).tobytes()


def _unpack(data: bytes | bytearray) -> dict[int, int]:
    numbers = array("I", bytes(data))
    half = len(numbers) // 2
    return dict(zip(numbers[:half], numbers[half:], strict=True))
