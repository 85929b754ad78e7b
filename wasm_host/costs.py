"""What blocks cost by the pipeline model, as the interpreter's decoder works it out, for whoever translates.

In: a program, a spec. Out: `DecodedCosts`, which has `pvm.gas.BlockCosts.at`. Takes a machine's address space for as
long as decoding takes: 25 ms for 164,304 instructions, for which Python takes a second.
"""

from __future__ import annotations

import struct

import wasmtime

from pvm import abi
from pvm.abi import RECORD
from pvm.gas.metering import PIPELINE
from pvm.isa import Spec
from pvm.program import Program
from wasm_host.calls import caller
from wasm_host.compiled import wasmtime_engine
from wasm_host.machine import function, load_program, new_instance
from wasm_host.memory import EngineState

_WORD = struct.Struct("<I")


class DecodedCosts:
    """What entering pcs of a decoded program costs; raises IndexError for others than `pvm.program.decode` yields."""

    def __init__(self, index: bytes, records: bytes, first: int) -> None:
        self._index, self._records, self._first = index, records, first

    def at(self, pc: int) -> int:
        """Gas."""
        (record,) = _WORD.unpack_from(self._index, 4 * pc)
        if not record:
            raise IndexError(f"pc {pc}: no instruction")
        (cost,) = _WORD.unpack_from(self._records, (record & -2) - self._first + RECORD.charge)
        return int(cost)


def decoded_costs(program: Program, spec: Spec, calls: str) -> DecodedCosts:
    """The costs of a program's blocks. Raises ResourceError without address space for a machine."""
    store = wasmtime.Store(wasmtime_engine())
    exports = new_instance(store).exports(store)
    memory = exports[abi.ENGINE_MEMORY]
    assert isinstance(memory, wasmtime.Memory)
    state = EngineState(memory, store, {})
    load_program(state, program, spec, PIPELINE)
    caller(calls)(store, function(exports[abi.PREPARE]))()
    index, first, end = (state.field[name].value for name in ("index", "records", "records_end"))
    return DecodedCosts(state.read(index, 4 * (len(program.blob.code) + 1)), state.read(first, end - first), first)
