"""Weights: every row has one, it follows from what the row becomes, and no block is heavier than blocks may be."""

from __future__ import annotations

from random import Random

import pytest

from pvm.emit.recompiler.templates import head_length, template_of
from pvm.flow import Follows, flow_of
from pvm.flow.blocks import MAX_INSTRUCTIONS, MAX_WEIGHT
from pvm.flow.weights import HEAVIEST, weight_of, weights_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, pack_bitmask
from pvm.wasm import I64
from pvm.wasm.code import if_

REMAINDER = b"\xce\x54\x06"  # rem_s_64 r6, r4, r5
_IF = if_(b"", b"", result=I64)[:2]


@pytest.mark.parametrize("spec", [GP_072, GP_080], ids=lambda spec: spec.name)
def test_every_row_has_a_weight(spec: Spec) -> None:
    weights = weights_of(spec)
    assert len(weights) == 256 and min(weights) == 1 and max(weights) == HEAVIEST
    for opcode, row in enumerate(spec.by_opcode):
        assert weights[opcode] == (1 if row is None else weight_of(row)), opcode


def test_what_branches_or_is_long_is_heavy() -> None:
    """The weight is at least 4 for each `if` of the lowered code, and 1 for each 28 octets of it."""
    for opcode, row in enumerate(GP_072.by_opcode):
        if row is None:
            continue
        text, _ = template_of(bytes([opcode]) + bytes(head_length(row.format)), GP_072).text
        assert weight_of(row) >= 4 * text.count(_IF), row.name
        assert weight_of(row) >= len(text) // 28, row.name


def test_heavy_blocks_are_split() -> None:
    code = REMAINDER * 1000
    flow = flow_of(Blob(code + b"\0", pack_bitmask(b"\1\0\0" * 1000 + b"\1")), GP_072)
    most = MAX_WEIGHT // HEAVIEST
    assert [block.end - block.first for block in flow.blocks] == [most, 1001 - most, 1]
    assert [block.follows for block in flow.blocks] == [Follows.BLOCK, Follows.SPLIT, Follows.BLOCK]
    assert [block.rest for block in flow.blocks] == [1001, 1001 - most, 1]
    assert [block.falls for block in flow.blocks] == [True, False, False]


@pytest.mark.parametrize("seed", range(20))
def test_no_block_is_too_heavy(seed: int) -> None:
    random = Random(seed)
    names = random.sample(["rem_s_64", "div_u_32", "mul_upper_u_u", "add_64", "rot_l_32", "move_reg"], 3)
    lines = [f"{name} r1, r2" + ", r3" * (name != "move_reg") for name in random.choices(names, (6, 3, 1), k=3000)]
    flow = flow_of(assemble(".code\n" + "\n".join([*lines, "trap"])).blob, GP_072)
    weights = flow.opcodes.translate(weights_of(GP_072))
    assert [block.first for block in flow.blocks] == [0, *(block.end for block in flow.blocks[:-1])]
    for block in flow.blocks:
        assert sum(weights[block.first : block.end]) <= MAX_WEIGHT and block.end - block.first <= MAX_INSTRUCTIONS
    least = len(weights) / MAX_INSTRUCTIONS + sum(weights) / (MAX_WEIGHT - HEAVIEST)
    assert len(flow.blocks) <= least + 2, "they are split no more than need be"
