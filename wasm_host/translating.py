"""Translating a program: what its blocks cost, the recompiler, wasmtime's compiler.

In: a program, a spec, a metering. Out: a `Compiled`. By the pipeline model the interpreter's decoder works the costs
out, and takes a machine's address space meanwhile: 25 ms for 164,304 instructions, for which Python takes a second.
"""

from __future__ import annotations

from collections.abc import Callable

import wasmtime

from pvm import abi
from pvm.emit.interpreter.decoded import DecodedCosts, index_size
from pvm.emit.recompiler import REGION_BLOCKS, recompile
from pvm.errors import ResourceError
from pvm.gas import Costs
from pvm.gas.metering import PIPELINE
from pvm.isa import Spec
from pvm.program import Program
from wasm_host.code.modules import Compiled, compile_module, interpreter, wasmtime_engine
from wasm_host.machine.ffi import caller
from wasm_host.machine.interpreted import function, load_program, new_instance
from wasm_host.machine.memory import EngineState


def compile_program(
    program: Program,
    spec: Spec,
    metering: str,
    protection: str = "software",
    region_blocks: int = REGION_BLOCKS,
    pause: Callable[[], object] = int,
    compile: Callable[[bytes], wasmtime.Module] = compile_module,
    calls: str = "auto",
) -> Compiled:
    """Translate and compile a program; the arguments before `compile` are those of `pvm.emit.recompiler.recompile`."""
    costs = decoded_costs(program, spec, calls) if metering == PIPELINE else None
    recompiled = recompile(program.blob, spec, metering, protection, region_blocks, pause, costs)
    return Compiled(recompiled, compile(recompiled.module))


def decoded_costs(program: Program, spec: Spec, calls: str = "auto") -> DecodedCosts:
    """The costs of a program's blocks. Raises ResourceError without address space for a machine."""
    store = wasmtime.Store(wasmtime_engine())
    exports = new_instance(store, interpreter()).exports(store)
    memory = exports[abi.ENGINE_MEMORY]
    assert isinstance(memory, wasmtime.Memory)
    state = EngineState(memory, store, {})
    load_program(state, program, spec, PIPELINE)
    caller(calls)(store, function(exports[abi.PREPARE]))()
    index, first, end = (state.field[name].value for name in ("index", "records", "records_end"))
    return DecodedCosts(state.read(index, index_size(len(program.blob.code))), state.read(first, end - first), first)


def costs_to_translate(program: Program, spec: Spec, metering: str) -> Costs | None:
    """The `costs` that `recompile` and its like want: None where they need none, or have to work them out."""
    if metering != PIPELINE:
        return None
    try:
        return decoded_costs(program, spec)
    except ResourceError:
        return None
