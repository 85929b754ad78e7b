"""Host calls: what a Python handler costs, against entering and leaving WebAssembly by wasmtime's public interface.

In: how many calls. Out: a `Section` in nanoseconds a call. A host call is the difference between a loop with `ecalli`
and the same loop without it.
"""

from __future__ import annotations

from functools import partial

import wasmtime

from pvm.isa import Spec
from pvm.machine import Handler, Machine, Reason
from pvm.program import Program, assemble
from wasm_host.bench.measure import Subject, elapsed
from wasm_host.bench.report.figures import Ratio, Report
from wasm_host.engine import Engine

CALL = "host call"
CALL_WITH_REGISTERS = "host call, handler uses registers"
CALL_PUBLIC = 'host call, Engine(calls="public")'
PUBLIC_CALL = "(a) public Func.__call__"
PUBLIC_CALLBACK = "(b) public host callback"
PUBLIC_CALL_VALUES = "(a') the same with i64 -> i64"
PUBLIC_CALLBACK_VALUES = "(b') the same with i64 -> i64"

_LOOP = """
.plain
again:
{call}
    add_imm_64      r7, r7, -1
    branch_ne_imm   r7, 0, again
    trap
"""

# `type` and `pass` make the function take and return nothing, or a value.
_EMPTY = '(module (func (export "work") {type} {pass}))'
_CALLBACKS = """
(module
  (import "host" "handler" (func $handler {type}))
  (func (export "work") (param $left i32)
    (loop $again
      {pass} (call $handler) {drop}
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
"""
_NOTHING = {"type": "", "pass": "", "drop": ""}
_VALUES = {"type": "(param i64) (result i64)", "pass": "(i64.const 7)", "drop": "(drop)"}


def measure_host_calls(report: Report, spec: Spec, count: int, repeat: int) -> None:
    """Add the section. `count` calls are timed at a time, of the slow public ones a tenth."""
    section = report.section("host-call", "A host call with a Python handler")
    few = max(1, count // 10)
    section.facts |= {"calls": count, "public calls": few}
    for label, bottom in (
        ("(a)", (PUBLIC_CALL,)), ("(b)", (PUBLIC_CALLBACK,)), ("(a) + (b)", (PUBLIC_CALL, PUBLIC_CALLBACK)),
        ("(a')", (PUBLIC_CALL_VALUES,)), ("(b')", (PUBLIC_CALLBACK_VALUES,)),
        ("(a') + (b')", (PUBLIC_CALL_VALUES, PUBLIC_CALLBACK_VALUES)),
    ):  # fmt: skip
        section.ratios.append(Ratio(f"host call / {label}", CALL, bottom))
    with_call, without = (
        assemble(_LOOP.format(call=call), spec) for call in ("    ecalli          0", "")
    )
    engine = Engine(tier="interpreter", cache=False)
    public = Engine(tier="interpreter", calls="public", cache=False)
    subjects: dict[str, Subject] = {
        CALL: partial(_host_call, engine, with_call, without, _ignore, count),
        PUBLIC_CALL: partial(_public_call, few, values=False),
        PUBLIC_CALLBACK: partial(_public_callback, few, values=False),
        PUBLIC_CALL_VALUES: partial(_public_call, few, values=True),
        PUBLIC_CALLBACK_VALUES: partial(_public_callback, few, values=True),
        CALL_WITH_REGISTERS: partial(_host_call, engine, with_call, without, _use_registers, count),
        CALL_PUBLIC: partial(_host_call, public, with_call, without, _ignore, few),
    }
    section.measure(subjects, repeat)


def _ignore(machine: Machine) -> Reason | None:
    return None


def _use_registers(machine: Machine) -> Reason | None:
    machine.registers[8] = machine.registers[7]
    return None


def _host_call(engine: Engine, with_call: Program, without: Program, handler: Handler, count: int) -> float:
    times = []
    for program in (with_call, without):
        machine = engine.instantiate(program, gas=4 * count, host={0: handler})
        machine.registers[7] = count
        times.append(elapsed(machine.run, count))
    return times[0] - times[1]


def _public_call(count: int, values: bool) -> float:
    store = wasmtime.Store()
    text = _EMPTY.format(**{**_VALUES, "pass": "local.get 0"} if values else _NOTHING)
    function = _exported(wasmtime.Instance(store, wasmtime.Module(store.engine, text), []), store)

    def work() -> None:
        for _ in range(count):
            function(store)

    def work_with_values() -> None:
        for _ in range(count):
            function(store, 7)

    return elapsed(work_with_values if values else work, count)


def _public_callback(count: int, values: bool) -> float:
    store = wasmtime.Store()
    i64 = [wasmtime.ValType.i64()] if values else []
    handler = wasmtime.Func(store, wasmtime.FuncType(i64, i64), _same if values else _nothing)
    text = _CALLBACKS.format(**_VALUES if values else _NOTHING)
    function = _exported(wasmtime.Instance(store, wasmtime.Module(store.engine, text), [handler]), store)
    return elapsed(lambda: function(store, count), count)


def _nothing() -> None:
    return None


def _same(value: int) -> int:
    return value


def _exported(instance: wasmtime.Instance, store: wasmtime.Store) -> wasmtime.Func:
    function = instance.exports(store)["work"]
    assert isinstance(function, wasmtime.Func)
    return function
