"""What wasmtime compiled: the interpreter, once a process, and modules that are kept in the cache of compiled code.

In: the generated module, a cache. Out: a wasmtime engine and modules, which are immutable and may be shared by threads.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock, RLock, Thread, current_thread, main_thread, stack_size
from typing import Any, TypeVar

import wasmtime

from pvm import abi
from pvm.emit.interpreter import interpreter_bytes
from pvm.emit.recompiler import Recompiled
from wasm_host.code.cache import CodeCache, key_of
from wasm_host.code.room import room_for_interpreter
from wasm_host.forks import compiling, follow_forks, steadily

_STORES = 512  # before reference cycles are collected
_STACK = 2 << 20  # bytes, as much as wasmtime's own compile threads have

R = TypeVar("R")

_INTERPRETER_EXPORTS = (
    abi.GUEST_MEMORY, abi.ENGINE_MEMORY, abi.PREPARE, abi.RUN, abi.STEP, abi.FINISH, abi.SBRK,
)  # fmt: skip
TRANSLATION_IMPORTS = (abi.GUEST_MEMORY, abi.ENGINE_MEMORY, abi.SBRK)  # what a translation gets of the interpreter


@dataclass(frozen=True)
class Compiled:
    """A translated program and the module that wasmtime made of it."""

    recompiled: Recompiled
    module: wasmtime.Module


class Module(wasmtime.Module):
    """A module of wasmtime's whose end no fork meets half done."""

    def _delete(self, ptr: Any) -> None:
        steadily(super()._delete, ptr)


class Store(wasmtime.Store):
    """A store of wasmtime's whose end no fork meets half done.

    When there are twice as many as after the last time, reference cycles are collected: Python would wait for 100,000s
    of small objects, of which a machine has some fifty, and never learns that it takes 8 GiB of address space.
    """

    def __init__(self, engine: wasmtime.Engine) -> None:
        super().__init__(engine)
        stores = _PROCESS.stores
        if len(stores) >= _PROCESS.most_stores and gc.isenabled():
            gc.collect()
            _PROCESS.most_stores = max(_STORES, 2 * len(stores))
        stores[id(self)] = None

    def _delete(self, ptr: Any) -> None:
        _PROCESS.stores.pop(id(self), None)
        steadily(super()._delete, ptr)


class _Process:
    """What this process has of wasmtime's, once it is there.

    Threads that come first at the same time must not each make their own: modules and stores of different engines do
    not go together. The interpreter is loaded with the lock held, for which the engine is needed.

    A forked child keeps the engine, and so whatever was made before the fork. It compiles by other ones: to compile in
    parallel, wasmtime would wait for ever for threads that have stayed in the other process.
    """

    def __init__(self) -> None:
        self.lock, self.starting = RLock(), Lock()
        self.engine: wasmtime.Engine | None = None
        self.is_copy = False  # of a process that may have compiled
        self.interpreter: wasmtime.Module | None = None
        self.stores: dict[int, None] = {}  # those that are alive, by `id`
        self.most_stores = _STORES
        self.counting: wasmtime.Module | None = None

    def was_forked(self) -> None:
        """Go on in the copy of a process."""
        self.lock, self.starting = RLock(), Lock()
        self.is_copy = self.is_copy or self.engine is not None


_PROCESS = _Process()
follow_forks(_PROCESS)


def wasmtime_engine() -> wasmtime.Engine:
    """The wasmtime engine of this process.

    Memories never move, so that their addresses can be kept, and each has 4 GiB of address space reserved, so that
    generated code needs no bounds checks.
    """
    with _PROCESS.lock:
        if _PROCESS.engine is None:
            _PROCESS.engine = _engine()
        return _PROCESS.engine


def interpreter(code_cache: CodeCache | None = None) -> wasmtime.Module:
    """The compiled interpreter of this process.

    The first call decides where it comes from: out of `code_cache` if it is there (in 1.5 ms, the key included), else
    it is generated, compiled (some 20 ms) and kept there. Later calls touch no disk.
    """
    with _PROCESS.lock:
        if _PROCESS.interpreter is None:
            _PROCESS.interpreter = _load_interpreter(code_cache)
        return _PROCESS.interpreter


def counting_interpreter(code_cache: CodeCache | None = None) -> wasmtime.Module:
    """The compiled interpreter that counts instructions, as `interpreter` has the other one."""
    with _PROCESS.lock:
        if _PROCESS.counting is None:
            _PROCESS.counting = _load_interpreter(code_cache, counts=True)
        return _PROCESS.counting


def compile_module(module: bytes, in_parallel: bool = True) -> wasmtime.Module:
    """Compile a module, function by function where not `in_parallel`. Other threads of Python go on meanwhile."""
    engine = wasmtime_engine()  # here, as this thread may hold the lock
    if current_thread() is main_thread():
        return _compile(engine, module, in_parallel)
    return with_stack(lambda: _compile(engine, module, in_parallel))


def with_stack(work: Callable[[], R]) -> R:
    """What `work` returns or raises, in a thread that has the stack to compile in.

    This one's may have 64 KiB (`threading.stack_size`), of which wasmtime does not know, and the process would end. Not
    to be called in the main thread, where a signal could end the waiting.
    """
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    with _PROCESS.starting:  # the size is that of all threads that start
        before = stack_size(_STACK)
        try:
            Thread(target=run, daemon=True, name="pvm compilation").start()
        finally:
            stack_size(before)
    return future.result()


def compile_here(module: bytes, in_parallel: bool) -> wasmtime.Module:
    """Compile a module in this thread, which has the stack for it."""
    return _compile(wasmtime_engine(), module, in_parallel)


def _compile(engine: wasmtime.Engine, module: bytes, in_parallel: bool) -> wasmtime.Module:
    if in_parallel and not _PROCESS.is_copy:
        return compiling(Module, engine, module)
    # What another engine makes is the same, and is handed over as the cache would.
    return _loaded(engine, compiling(Module, _engine(False), module).serialize())


def loaded_module(code: bytes | bytearray) -> wasmtime.Module:
    """A module that wasmtime compiled before. It trusts the bytes.

    Raises wasmtime.WasmtimeError for those of another version, other settings or another processor.
    """
    return _loaded(wasmtime_engine(), code)


def _loaded(engine: wasmtime.Engine, code: bytes | bytearray) -> wasmtime.Module:
    return steadily(Module.deserialize, engine, code)


def load_code(code_cache: CodeCache | None, key: str | None) -> tuple[wasmtime.Module, tuple[bytearray, ...]] | None:
    """The module and tables that were stored; None if there are none that wasmtime takes, which are removed.

    wasmtime trusts the bytes that it gets here: `CodeCache.load` has seen that they are those that were stored.
    It could map a file instead, in 0.1 ms in place of 1.5 ms for 1.6 MB, but nothing would keep that from changing.
    """
    pieces = None if code_cache is None or key is None else code_cache.load(key)
    if code_cache is None or key is None or pieces is None:
        return None
    try:
        return loaded_module(pieces[-1]), pieces[:-1]
    except wasmtime.WasmtimeError:
        code_cache.remove(key)
        return None


def has_names(module: wasmtime.Module, exports: Collection[str], imports: Collection[str] = ()) -> bool:
    """Whether a module that came from elsewhere exports and imports what it should, by name; takes 50 microseconds."""
    return steadily(_names, module) == (set(exports), set(imports))


def _names(module: wasmtime.Module) -> tuple[set[str], set[str]]:
    return {one.name for one in module.exports}, {one.name or "" for one in module.imports}


def store_code(
    code_cache: CodeCache | None, key: str | None, module: wasmtime.Module, tables: Sequence[bytes] = ()
) -> None:
    """Keep a module and tables that belong to it, if that is possible."""
    if code_cache is not None and key is not None:
        code_cache.store(key, (*tables, module.serialize()))


def _engine(compiles_in_parallel: bool = True) -> wasmtime.Engine:
    config = wasmtime.Config()
    config.parallel_compilation = compiles_in_parallel
    config.wasm_multi_memory = True
    config.memory_may_move = False
    config.memory_reservation = 1 << 32
    _hint_branches(config)
    return wasmtime.Engine(config)


def _hint_branches(config: wasmtime.Config) -> None:
    """Have wasmtime put what our hints call unlikely out of the way. Only its C API has a name for this."""
    from wasmtime import _bindings as ffi

    if hasattr(ffi, "wasmtime_config_wasm_branch_hinting_set"):
        ffi.wasmtime_config_wasm_branch_hinting_set(config.ptr(), True)


def _load_interpreter(code_cache: CodeCache | None, counts: bool = False) -> wasmtime.Module:
    # The key says nothing of the bytes, which follow from our sources: to generate them takes 4 ms.
    key = None if code_cache is None else key_of("interpreter", "counts") if counts else key_of("interpreter")
    found = load_code(code_cache, key)
    if found is not None and not found[1] and has_names(found[0], _INTERPRETER_EXPORTS):
        return found[0]
    with room_for_interpreter() as in_parallel:
        module = compile_module(interpreter_bytes(counts), in_parallel)
    store_code(code_cache, key, module)
    return module
