"""The interpreter: one WebAssembly module generated from the instruction table, the same for every program.

In: the rows. Out: the module's bytes. Follows A.4; the contract with hosts is `pvm.abi`.

How it runs. `prepare` decodes the program to records of 20 bytes. `execute` calls `dispatch`, a loop around one
`br_table` over the records' handlers, each generated from a row. Gas is charged when a block is entered, in all
meterings: by block it costs what the block costs, by instruction it costs the instructions that are left in the block,
and an exit before the block's end gives back what was not used. When the gas does not reach to the block's end, the
record where it ends is patched to stop; the same serves single steps.

Measured: handlers as functions that tail-call each other through a table took 1.8 to 3.2 times as long on the examples
(2.2 to 3.5 ns an instruction in the loop against 6.0 to 6.9), with typed function references too. Decoding operands
each time they are used, from the octets, took 0.9 to 2.1 times as long (3.2 to 4.4 ns against 2.1 to 4.1, both without
pairs), and pairs need records.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pvm import abi
from pvm.emit.interpreter import costs, decoder, execute
from pvm.emit.interpreter.dispatch import FIRST_PAIR, HANDLER_OF, STOP, TRAP, dispatch_function
from pvm.emit.interpreter.fused import PAIRS
from pvm.emit.state import ENGINE, GUEST
from pvm.version import __version__
from pvm.wasm import DataSegment, Export, ExternalKind, Function, Memory, Module, encode
from pvm.wasm.code import i32_const

MEMORIES = (
    Memory(abi.GUEST_PAGES, abi.GUEST_PAGES, name="guest"),
    Memory(abi.PROGRAM // abi.WASM_PAGE, abi.GUEST_PAGES, name="engine"),
)
_EXPORTS = (abi.PREPARE, abi.RUN, abi.STEP, abi.FINISH, abi.SBRK)


def interpreter_module(pairs: Sequence[tuple[str, str]] = PAIRS, counts: bool = False) -> Module:
    """The interpreter as a module value; `pairs` are the rows that one handler carries out together.

    With `counts` it counts how often instructions were carried out, by pc: where a debugger wants to know.
    """
    index = interpreter_index(0)
    return Module(
        functions=interpreter_functions(index, pairs, counts),
        memories=MEMORIES,
        exports=(
            Export(abi.GUEST_MEMORY, ExternalKind.MEMORY, GUEST),
            Export(abi.ENGINE_MEMORY, ExternalKind.MEMORY, ENGINE),
            *(Export(name, ExternalKind.FUNCTION, index[name]) for name in _EXPORTS),
        ),
        data=interpreter_data(pairs),
        name="pvm interpreter",
        producers=(("pvm-wasm", __version__),),
    )


def interpreter_index(first: int) -> dict[str, int]:
    """The indices of the interpreter's functions by name, where the first has this one."""
    return {name: first + i for i, name in enumerate((*decoder.NAMES, "dispatch", *execute.NAMES, *costs.NAMES))}


def interpreter_functions(
    index: dict[str, int], pairs: Sequence[tuple[str, str]] = PAIRS, counts: bool = False
) -> tuple[Function, ...]:
    """The interpreter's functions in the order of `index`."""
    decoding, others = decoder.functions(index, TRAP, STOP), execute.functions(index, counts)
    return (*decoding, dispatch_function(pairs, counts), *others, *costs.functions(index))


def interpreter_data(pairs: Sequence[tuple[str, str]] = PAIRS) -> tuple[DataSegment, ...]:
    """What the engine memory holds before any program is there."""
    pair_bytes = tuple(
        DataSegment(ENGINE, i32_const(abi.PAIRS + HANDLER_OF[a] * 256 + HANDLER_OF[b]), bytes([FIRST_PAIR + i]))
        for i, (a, b) in enumerate(pairs)
    )
    return (*pair_bytes, DataSegment(ENGINE, i32_const(abi.LEAD_IN + abi.RECORD.pc), b"\xff" * 4))


@cache
def interpreter_bytes(counts: bool = False) -> bytes:
    """The interpreter as a binary module."""
    return encode(interpreter_module(counts=counts))
