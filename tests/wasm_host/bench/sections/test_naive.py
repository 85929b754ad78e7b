"""The naive emitter emits what it says: WebAssembly that is valid, for every row that goes straight on."""

from __future__ import annotations

import wasmtime

from pvm.isa import spec
from pvm.program import Instruction
from pvm.wasm import I64, Function, FunctionType, Import, Memory, Module, encode
from wasm_host.bench.sections.naive import LOCAL_TYPES, emit_anew, is_straight
from wasm_host.code.modules import wasmtime_engine


def test_every_straight_row() -> None:
    rows = [row for row in spec("0.7.2").by_opcode if row is not None]
    straight = [row for row in rows if is_straight(row)]
    assert 80 < len(straight) < len(rows)
    codes = emit_anew(Instruction(0, 1, row, a=1, b=2, d=12, x=(1 << 64) - 7, y=9) for row in rows)
    assert len(codes) == len(straight)
    module = Module(
        imports=(
            Import("pvm", "guest", Memory(1, 1)), Import("pvm", "engine", Memory(32, 32)),
            Import("pvm", "sbrk", FunctionType((I64,), (I64,))),
        ),
        functions=tuple(Function(FunctionType((), ()), LOCAL_TYPES, code) for code in codes),
    )  # fmt: skip
    wasmtime.Module.validate(wasmtime_engine(), encode(module))
