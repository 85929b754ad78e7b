"""What blocks cost by the pipeline model, as the interpreter's decoder works it out, for whoever translates.

In: a program, a spec. Out: `pvm.emit.decoded.DecodedCosts`. Takes a machine's address space for as long as decoding
takes: 25 ms for 164,304 instructions, for which Python takes a second.
"""

from __future__ import annotations

import wasmtime

from pvm import abi
from pvm.emit.decoded import DecodedCosts, index_size
from pvm.errors import ResourceError
from pvm.gas import Costs
from pvm.gas.metering import PIPELINE
from pvm.isa import Spec
from pvm.program import Program
from wasm_host.calls import caller
from wasm_host.compiled import wasmtime_engine
from wasm_host.machine import function, load_program, new_instance
from wasm_host.memory import EngineState


def decoded_costs(program: Program, spec: Spec, calls: str = "auto") -> DecodedCosts:
    """The costs of a program's blocks. Raises ResourceError without address space for a machine."""
    store = wasmtime.Store(wasmtime_engine())
    exports = new_instance(store).exports(store)
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
