"""Calls into generated code: the fast way and wasmtime's public interface do the same."""

from __future__ import annotations

import pytest
import wasmtime

from pvm import EngineError, InputError
from pvm.program import assemble
from pvm.wasm import I32, Export, ExternalKind, Function, FunctionType, Module, encode
from pvm.wasm.code import i32_const, op
from wasm_host import Engine
from wasm_host.machine.ffi import Call, caller, fast_call, public_call

SOURCE = """.code
    load_imm        r1, 100
    fallthrough
loop:
    ecalli          5
    add_imm_64      r1, r1, -1
    branch_ne_imm   r1, 0, loop
    trap
"""


def function(calls: str, body: bytes) -> Call:
    module = Module(
        functions=(Function(FunctionType((), (I32,)), (), body),), exports=(Export("f", ExternalKind.FUNCTION, 0),)
    )
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    export = wasmtime.Instance(store, wasmtime.Module(engine, encode(module)), []).exports(store)["f"]
    assert isinstance(export, wasmtime.Func)
    return caller(calls)(store, export)


@pytest.mark.parametrize("calls", ["fast", "public"])
def test_a_call_returns_the_result(calls: str) -> None:
    call = function(calls, i32_const(-7))
    assert [call(), call()] == [-7, -7]


@pytest.mark.parametrize("calls", ["fast", "public"])
def test_a_trap_is_an_engine_error_each_time(calls: str) -> None:
    call = function(calls, op("unreachable"))
    for _ in range(3):
        with pytest.raises(EngineError, match="unreachable"):
            call()


def test_the_fast_way_is_there_and_taken() -> None:
    assert caller("auto") is caller("fast") is fast_call
    assert caller("public") is public_call


def test_without_the_package_s_internals_the_public_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from wasmtime import _bindings

    monkeypatch.delattr(_bindings, "wasmtime_func_call_unchecked")
    assert caller("auto") is public_call


def test_unknown_calls() -> None:
    with pytest.raises(InputError, match="auto, fast, public"):
        Engine(calls="slow")


def test_both_ways_run_the_same() -> None:
    outcomes = []
    for calls in ("fast", "public"):
        seen: list[tuple[int, int]] = []
        machine = Engine(calls=calls).instantiate(
            assemble(SOURCE), gas=1000, host={5: lambda m, seen=seen: seen.append((m.pc, m.gas))}
        )
        outcomes.append((machine.run(), list(machine.registers), seen))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][2]) == 100
