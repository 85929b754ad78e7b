"""Translated programs in the cache of compiled code, and as bytes that travel to other processes.

In: a cache, a key, a translation. Out: the translation again, or None. Without a cache or key (None) nothing is kept.
The WebAssembly itself is not kept: machines need what wasmtime made of it, and the tables.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import wasmtime

from pvm import abi
from pvm.emit.recompiler import Recompiled
from pvm.program import Program
from wasm_host.code.cache import CodeCache, sources_digest
from wasm_host.code.modules import TRANSLATION_IMPORTS, Compiled, has_names, load_code, loaded_module, store_code

_ENTRY_SIZE = array("I").itemsize  # octets of a pc and of an entry: 4


def load_program(code_cache: CodeCache | None, key: str | None, program: Program) -> Compiled | None:
    """The program's translation that was stored, its `recompiled.module` empty; None if there is none.

    An entry that holds something else is removed.
    """
    found = load_code(code_cache, key)
    if code_cache is None or key is None or found is None:
        return None
    compiled = _compiled(*found, program)
    if compiled is None:
        code_cache.remove(key)
    return compiled


def store_program(code_cache: CodeCache | None, key: str | None, compiled: Compiled) -> None:
    """Keep a translation. Its tables are those that `load_program` takes, in the same order."""
    store_code(code_cache, key, compiled.module, _tables(compiled))


@dataclass(frozen=True)
class PortableCode:
    """A translation that travels: what kind of protection it is for, which sources made it, and its pieces."""

    protection: str
    sources: bytes
    pieces: tuple[bytes, ...]


def export_code(protection: str, compiled: Compiled) -> PortableCode:
    """A translation as bytes, for workers that trust whoever sends them work."""
    return PortableCode(protection, sources_digest(), (*_tables(compiled), bytes(compiled.module.serialize())))


def import_code(carried: PortableCode, program: Program) -> Compiled | None:
    """The program's translation; None where other sources or another wasmtime run, or another processor, and for what
    is no translation of it."""
    if carried.sources != sources_digest() or not carried.pieces:
        return None
    *tables, code = carried.pieces
    try:
        return _compiled(loaded_module(code), tables, program)
    except wasmtime.WasmtimeError:
        return None


def _tables(compiled: Compiled) -> tuple[bytes, bytes, bytes]:
    made = compiled.recompiled
    return _pack(made.entries), _pack(made.resumes), made.jumps


def _compiled(module: wasmtime.Module, tables: Sequence[bytes | bytearray], program: Program) -> Compiled | None:
    """None unless module and tables can be the program's: they are linked and copied into memory as they are."""
    if not has_names(module, (abi.RUN,), TRANSLATION_IMPORTS):
        return None
    if len(tables) != 3 or len(tables[2]) != _ENTRY_SIZE * len(program.blob.stored_entries):
        return None
    entries, resumes = (_unpack(table) for table in tables[:2])
    if entries is None or resumes is None:
        return None
    return Compiled(Recompiled(b"", entries, resumes, bytes(tables[2])), module)


def _pack(table: Mapping[int, int]) -> bytes:
    """All keys, then all values: pcs and entries, below 2^32. The file stays on its machine, so in its byte order."""
    return array("I", [*table.keys(), *table.values()]).tobytes()


def _unpack(data: bytes | bytearray) -> dict[int, int] | None:
    half, odd = divmod(len(data), 2 * _ENTRY_SIZE)
    if odd:
        return None
    numbers = array("I", bytes(data))
    return dict(zip(numbers[:half], numbers[half:], strict=True))
