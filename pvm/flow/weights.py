"""Weights: what instructions cost whoever compiles their WebAssembly, in those of most instructions.

In: a row, a spec. Out: numbers from 1 to `HEAVIEST`. Hosts compile a function in more than linear time and memory, so
functions and blocks are bounded by weight. Measured with wasmtime 50, functions of 4,000 instructions of one row each,
the most expensive of several choices of operands, in MiB beyond what an empty module takes:

- most rows: up to 8, immediate operands up to 15;
- what cranelift rewrites again and again (sums with an immediate, differences from one, exclusive ors with one,
  rotations): 33;
- `reverse_bytes`: 29; the upper half of a product: 36 to 48;
- a division or remainder, which branches because it must not divide by 0: 125; where -2^63 by -1 branches, too: 535.
  Their memory grows with the square of their number: the branches of a function each keep a record of its values;
- loads and stores off a register, where they are checked: 22 for 1,024 of them and as many as there may be of the rest
  (`pvm.emit.recompiler.module.REGION_ACCESSES`).

An sbrk takes no more memory than others, but 0.1 to 0.4 milliseconds.
"""

from __future__ import annotations

from functools import cache

from pvm.isa.expr import Binary, Effect, If, Imm, Load, Node, Sbrk, SetReg, Unary, walk
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.program.decode import TRAP

HEAVIEST = 8

_SBRK = 8
_BRANCHING = 4  # each condition around a division
_DIVISIONS = frozenset({"div_u", "div_s", "rem_u", "rem_s"})
_WITH_IMMEDIATE = {"add": 2, "sub": 2, "xor": 2}
_WITHOUT = {
    "mul_upper_s_s": 4, "mul_upper_s_u": 4, "mul_upper_u_u": 4, "rotl": 2, "rotr": 2, "rotl32": 2, "rotr32": 2,
}  # fmt: skip
_UNARY = {"reverse_bytes": 2}


@cache
def weights_of(spec: Spec) -> bytes:
    """The weight of each opcode, 256 entries."""
    return bytes(weight_of(row or TRAP) for row in spec.by_opcode)


def weight_of(row: Row) -> int:
    """The weight of a row's instructions."""
    return max([1, *map(_effect_weight, row.effects)])


def _effect_weight(effect: Effect) -> int:
    nodes = [*walk(effect)]
    match effect:
        case Sbrk():
            return _SBRK
        case SetReg() if not any(isinstance(node, Load) for node in nodes):
            divides = any(isinstance(node, Binary) and node.op in _DIVISIONS for node in nodes)
            conditions = sum(isinstance(node, If) for node in nodes) if divides else 0
            return max([_BRANCHING * conditions, *map(_operator_weight, nodes)])
        case _:
            return 1


def _operator_weight(node: Node) -> int:
    match node:
        case Binary(name, Imm(), _) | Binary(name, _, Imm()):
            return _WITH_IMMEDIATE.get(name, 1)
        case Binary(name, _, _):
            return _WITHOUT.get(name, 1)
        case Unary(name, _):
            return _UNARY.get(name, 1)
        case _:
            return 1
