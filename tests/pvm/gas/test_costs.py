"""Costs of blocks as a value: by every pc in them, by either model, worked out once."""

from __future__ import annotations

import pytest

from pvm.gas import STRAY_COST, block_costs
from pvm.isa import GP_072
from pvm.program import Blob, assemble, pack_bitmask

BLOB = assemble(".code\nload_imm r1, 1\nmul_64 r1, r1, r1\njump 0\nload_imm r2, 2", "0.7.2").blob  # pcs 0, 3, 6; 11


def test_flat_costs_are_those_of_the_version() -> None:
    costs = block_costs(BLOB, "0.7.2")
    end = len(BLOB.code)
    assert dict(costs) == {0: 3, 3: 3, 6: 3, 11: 2, end: 2}  # the implicit trap ends the last one
    assert costs.at(1) == STRAY_COST
    assert (len(costs), list(costs.starts()), 1 in costs) == (5, [0, 11], False)
    with pytest.raises(KeyError):
        costs[1]


def test_pipeline_costs() -> None:
    costs = block_costs(BLOB, GP_072, "pipeline")
    assert [costs[pc] for pc in (0, 3, 6, 11)] == [15, 15, 15, 2]
    assert costs.at(1) == 2  # a trap
    assert [one.row.name for one in costs.block(6)] == ["load_imm", "mul_64", "jump"]


def test_opcodes_that_end_a_block_without_being_terminators() -> None:
    """Undefined, or not marked where execution finds one."""
    blob = Blob(bytes([51, 1, 255, 51, 2]), pack_bitmask(bytes([0, 0, 1, 1, 0])))
    assert dict(block_costs(blob, "0.7.2")) == {0: 1, 2: 1, 3: 2, 5: 2}
