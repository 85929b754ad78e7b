"""Blocks: they end where the paper's do, after calls, and when they get long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pvm.flow import Follows, flow_of
from pvm.flow.blocks import MAX_INSTRUCTIONS
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, pack_bitmask
from pvm.program.decode import block_starts


@given(st.sampled_from([GP_072, GP_080]), st.binary(max_size=100), st.data())
def test_starts_are_the_papers(spec: Spec, code: bytes, data: st.DataObject) -> None:
    density = data.draw(st.sampled_from([0, 1, 30]))
    blob = Blob(code, pack_bitmask(bytes(data.draw(st.integers(0, density)) == 0 for _ in code)))
    flow = flow_of(blob, spec)
    assert flow.starts == block_starts(blob, spec)
    assert [block.first for block in flow.blocks] == [0, *(block.end for block in flow.blocks[:-1])]
    assert flow.blocks[-1].end == len(flow.opcodes) == len(flow.pcs)
    assert all(flow.index[block.pc] == number for number, block in enumerate(flow.blocks))


def test_calls_split_a_basic_block() -> None:
    flow = flow_of(assemble(".code\nadd_64 r1, r1, r1\necalli 1\nsbrk r1, r2\nfallthrough\nnext:\ntrap\n").blob, GP_072)
    assert [(block.follows, block.rest, block.falls) for block in flow.blocks] == [
        (Follows.BLOCK, 4, False), (Follows.CALL, 2, True), (Follows.CALL, 1, True), (Follows.BLOCK, 1, False),
        (Follows.BLOCK, 1, False),
    ]  # fmt: skip
    assert flow.entries == {0, 1, 2}


def test_long_blocks_are_split() -> None:
    count = 2 * MAX_INSTRUCTIONS + 5
    flow = flow_of(assemble(".code\n" + "add_64 r1, r1, r1\n" * count + "trap\n").blob, GP_072)
    assert [block.end - block.first for block in flow.blocks] == [MAX_INSTRUCTIONS, MAX_INSTRUCTIONS, 6, 1]
    assert [block.rest for block in flow.blocks[:3]] == [count + 1, count + 1 - MAX_INSTRUCTIONS, 6]
    assert [block.follows for block in flow.blocks[1:3]] == [Follows.SPLIT] * 2
    assert [block.falls for block in flow.blocks] == [True, True, False, False]


def test_targets_that_start_no_block_are_none() -> None:
    program = assemble(".code\nloop:\nadd_64 r1, r1, r1\nbranch_eq r1, r2, loop\njump loop\n")
    flow = flow_of(program.blob, GP_072)
    assert [block.target for block in flow.blocks] == [0, 0, None]
    moved = Blob(program.blob.code[:-1] + b"\xf5", program.blob.bitmask)  # into the middle of the first block
    assert flow_of(moved, GP_072).blocks[1].target is None
