"""Regions that follow calls: that what calls each other is together, that nothing is lost, and what it may take."""

from __future__ import annotations

import gc
import time

import pytest

from pvm.emit.recompiler.module import REGION_BLOCKS, regions_of
from pvm.flow import BASIC_BLOCK, Flow, Shape, flow_of, frequencies
from pvm.fuzz import random_case
from pvm.isa import GP_072
from pvm.isa import spec as find_spec
from pvm.program import Program, assemble


def arrange(lines: list[str], blocks: int = REGION_BLOCKS) -> tuple[Flow, tuple[Shape, ...]]:
    flow = flow_of(assemble("\n".join([".code", *lines]) + "\n").blob, GP_072)
    return regions_of(flow, GP_072, blocks)


def pcs_of(flow: Flow, shape: Shape) -> list[int]:
    return [block.pc for block in flow.blocks[shape.first : shape.end]]


def check(flow: Flow, shapes: tuple[Shape, ...], before: Flow) -> None:
    """The same blocks, each falling to the one behind it unless it ends its region."""
    assert sorted(block.pc for block in flow.blocks) == [block.pc for block in before.blocks]
    ends = {shape.end - 1 for shape in shapes}
    for number, block in enumerate(flow.blocks):
        old = before.blocks[before.index[block.pc]]
        for new_to, old_to in ((block.target, old.target), (block.onto, old.onto)):
            assert (new_to is None) == (old_to is None)
            assert new_to is None or flow.blocks[new_to].pc == before.blocks[old_to].pc  # type: ignore[index]
        assert block.onto in (None, number + 1) or number in ends
        assert flow.index[block.pc] == number
    assert {flow.blocks[number].pc for number in flow.entries} == {before.blocks[one].pc for one in before.entries}
    assert [shape.first for shape in shapes] == [0, *(shape.end for shape in shapes[:-1])]
    assert shapes[-1].end == len(flow.blocks)


def test_what_is_called_in_a_loop_is_with_the_caller() -> None:
    filler = ["trap"] * 20
    lines = [
        "loop:", "load_imm_jump r0, 2, far", "back:", "branch_ne_imm r7, 0, loop", "trap", *filler,
        "far:", "add_imm_64 r7, r7, -1", "jump_ind r0", *filler, ".jump_table back",
    ]  # fmt: skip
    flow, shapes = arrange(lines, 6)
    far = next(shape for shape in shapes if any(len(flow.pcs[b.first : b.end]) == 2 and b.ending.value == "dynamic jump"
                                                for b in flow.blocks[shape.first : shape.end]))  # fmt: skip
    assert 0 in pcs_of(flow, far)


def test_what_falls_on_and_on_is_cut_where_a_region_is_full() -> None:
    flow, shapes = arrange(["branch_eq_imm r7, 0, end"] * 10 + ["end:", "trap"], 4)
    assert [shape.end - shape.first for shape in shapes] == [4, 4, 4]
    assert flow.blocks[3].onto == 4


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("blocks", [1, 2, 5, 192])
def test_nothing_is_lost(spec: str, blocks: int) -> None:
    version = find_spec(spec)
    for seed in range(40):
        before = flow_of(Program.parse(random_case(seed).program, "plain").blob, version)
        flow, shapes = regions_of(before, version, blocks)
        check(flow, shapes, before)
        assert all(shape.end - shape.first <= blocks for shape in shapes)
        assert [block.pc for block in regions_of(before, version, blocks)[0].blocks] == [b.pc for b in flow.blocks]


def test_loops_and_what_they_call_run_most() -> None:
    flow, _ = arrange([
        "loop:", "load_imm_jump r0, 2, inner", "branch_ne_imm r7, 0, loop", "trap", "inner:", "jump_ind r0",
    ])  # fmt: skip
    counts, calls = frequencies(flow, GP_072)
    assert calls == {0}
    assert counts[0] > counts[2] and counts[flow.blocks[0].target or 0] > counts[2]


@pytest.mark.parametrize("lines", [
    ["load_imm_jump r0, 2, next{n}", "next{n}:"], ["branch_eq_imm r1, {n}, first"], ["jump last"],
    ["load_imm_jump r0, 2, first"],
], ids=["chain of calls", "all jump back", "all jump forwards", "all call the first"])  # fmt: skip
def test_what_is_hostile_takes_linear_time(lines: list[str]) -> None:
    def seconds(count: int) -> float:
        text = ["first:"] + [line.format(n=n) for n in range(count) for line in lines] + ["last:", "trap"]
        flow = flow_of(assemble("\n".join([".code", *text]) + "\n").blob, GP_072)
        gc.collect()  # what other tests left behind is not looked at meanwhile
        gc.disable()
        try:
            start = time.process_time()
            regions_of(flow, GP_072)
            return time.process_time() - start
        finally:
            gc.enable()

    assert seconds(64000) < 48 * max(seconds(4000), 0.02)  # quadratic would be 256


def test_blocks_within_basic_blocks_stay_what_they_were() -> None:
    flow, _ = arrange(["ecalli 1", "add_imm_64 r1, r1, 1", "trap"])
    assert [block.follows is BASIC_BLOCK for block in flow.blocks][:2] == [True, False]
