"""Calling exported functions of wasmtime instances that take nothing and return an i32.

In: a store and an exported function. Out: a callable. `fast_call` goes straight to the C API that the wasmtime
package ships, which is why pyproject pins the package's version; `public_call` uses the package's public interface,
which takes more than ten times as long (`pvm bench --only host-call`).
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import wasmtime

from pvm.errors import EngineError, InputError
from pvm.suggestions import unknown

# How wasmtime reports an access to a linear memory that the hardware refused.
_FAULT = re.compile(r"memory fault at wasm address 0x([0-9a-f]+) in linear memory of size 0x([0-9a-f]+)")

Call = Callable[[], int]
CALLS: tuple[str, ...] = ("auto", "fast", "public")


class MemoryTrap(EngineError):
    """Generated code accessed memory that is protected. `address` is the first such octet, `size` the memory's."""

    def __init__(self, message: str, address: int, size: int) -> None:
        super().__init__(message)
        self.address, self.size = address, size


def public_call(store: wasmtime.Store, function: wasmtime.Func) -> Call:
    """A call through wasmtime's public interface. It raises EngineError for a trap, MemoryTrap where memory refused."""

    def call() -> int:
        try:
            return int(function(store) or 0)
        except wasmtime.Trap as trap:
            raise _failed(trap) from trap

    return call


def fast_call(store: wasmtime.Store, function: wasmtime.Func) -> Call:
    """A call through the C API, its arguments allocated once. It raises EngineError for a WebAssembly trap.

    The callable keeps the store alive. Raises AttributeError when the package's internals are not as expected.
    """
    from wasmtime import _bindings as ffi

    result = (ffi.wasmtime_val_raw_t * 1)()
    trap = ctypes.c_void_p()
    # A prototype of our own: addresses as plain integers, made once, instead of typed pointers made at each call.
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p
    )
    context = ctypes.cast(store._context(), ctypes.c_void_p).value
    raw = partial(
        prototype(("wasmtime_func_call_unchecked", ffi.dll)),  # type: ignore[attr-defined]
        context, ctypes.addressof(function._func), ctypes.addressof(result), 1, ctypes.addressof(trap),
    )  # fmt: skip
    value = ctypes.c_int32.from_buffer(result)
    keep = (store, function)

    def call() -> int:
        try:
            error = raw()
            if error or trap:
                _raise(ffi, error, trap, keep)
        except BaseException:
            # A signal's exception may have come before the trap was taken over. The next call must not find it.
            if trap:
                ffi.wasm_trap_delete(ctypes.cast(trap, ctypes.POINTER(ffi.wasm_trap_t)))
                trap.value = None
            raise
        return value.value

    return call


def _raise(ffi: Any, error: int | None, trap: ctypes.c_void_p, keep: object) -> None:
    """Turn a C API error or trap, which this takes over, into EngineError."""
    if error:
        pointer = ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
        failure: Exception = wasmtime.WasmtimeError._from_ptr(pointer)
    else:
        pointer = ctypes.cast(trap, ctypes.POINTER(ffi.wasm_trap_t))
        trap.value = None
        failure = wasmtime.Trap._from_ptr(pointer)
    raise _failed(failure) from failure


def _failed(failure: Exception) -> EngineError:
    text = str(failure)
    message = f"the generated code trapped: {_last_line(failure)}"
    fault = _FAULT.search(text)
    return MemoryTrap(message, int(fault[1], 16), int(fault[2], 16)) if fault else EngineError(message)


def _last_line(failure: Exception) -> str:
    """What is behind wasmtime's backtrace."""
    return (str(failure).strip().splitlines() or ["unknown"])[-1].strip()


def caller(calls: str) -> Callable[[wasmtime.Store, wasmtime.Func], Call]:
    """The function that makes calls: "fast", "public", or "auto" for the fast one where it exists.

    Raises InputError for another name.
    """
    if calls not in CALLS:
        raise InputError(unknown("calls", calls, CALLS))
    if calls == "public" or (calls == "auto" and not _has_fast_calls()):
        return public_call
    return fast_call


def _has_fast_calls() -> bool:
    try:
        from wasmtime import _bindings as ffi
    except ImportError:
        return False
    names = ("dll", "wasmtime_val_raw_t", "wasm_trap_t", "wasmtime_error_t", "wasmtime_func_call_unchecked")
    return all(hasattr(ffi, name) for name in names) and hasattr(wasmtime.Store, "_context")
