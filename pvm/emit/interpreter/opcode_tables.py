"""The opcode tables that a host writes into the engine memory: what one spec's numbering means to the interpreter.

In: a `Spec`. Out: pairs of an address and 256 bytes.
"""

from __future__ import annotations

from functools import cache

from pvm import abi
from pvm.emit.interpreter.dispatch import HANDLER_OF, TRAP
from pvm.isa.expr import Jump, Load, Store, walk
from pvm.isa.formats import FORMATS
from pvm.isa.spec import Spec
from pvm.isa.table import Row


@cache
def opcode_tables(spec: Spec) -> tuple[tuple[int, bytes], ...]:
    """The tables HANDLERS, OPERANDS and TRAITS of `pvm.abi`. Invalid opcodes panic and end a block's charge."""
    rows = spec.by_opcode
    return (
        (abi.HANDLERS, bytes(TRAP if row is None else HANDLER_OF[row.name] for row in rows)),
        (abi.OPERANDS, bytes(abi.ENDS if row is None else _operands(row) for row in rows)),
        (abi.TRAITS, bytes(0 if row is None else _traits(row) for row in rows)),
    )


def _operands(row: Row) -> int:
    return FORMATS.index(row.format) | abi.VALID | (abi.TERMINATES | abi.ENDS if row.ends_block else 0)


def _traits(row: Row) -> int:
    traits = 0
    for effect in row.effects:
        if isinstance(effect, Jump) and effect.condition is not None:
            traits |= abi.CONDITIONAL
        for node in walk(effect):
            if isinstance(node, Load | Store):
                traits |= node.width | (abi.STORES if isinstance(node, Store) else 0)
    return traits
