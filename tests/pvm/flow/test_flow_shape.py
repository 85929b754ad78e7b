"""Shapes: which loops are WebAssembly loops, and where the dispatcher leads."""

from __future__ import annotations

from pvm.flow import Loop, Shape, flow_of, shape_of
from pvm.isa import GP_072
from pvm.program import assemble


def shape(*lines: str, crossings: frozenset[int] = frozenset()) -> Shape:
    flow = flow_of(assemble(".code\n" + "\n".join(lines) + "\n").blob, GP_072)
    return shape_of(flow, 0, len(flow.blocks), crossings)


NESTED = ("outer:", "fallthrough", "inner:", "branch_eq r1, r2, inner", "branch_eq r1, r3, outer", "trap")


def test_loops_nest() -> None:
    found = shape(*NESTED)
    assert found.loops == (Loop(0, 2), Loop(1, 1))
    assert found.entries == (0,)


def test_a_dynamic_entry_inside_leaves_a_loop_to_the_dispatcher() -> None:
    found = shape(*NESTED, ".jump_table inner")
    assert found.loops == (Loop(1, 1),)
    assert found.entries == (0, 1)


def test_so_does_a_jump_from_outside() -> None:
    found = shape("branch_eq r1, r2, middle", "loop:", "fallthrough", "middle:", "branch_eq r1, r3, loop", "trap")
    assert found.loops == ()
    assert found.entries == (0, 1)


def test_and_a_jump_from_another_region() -> None:
    found = shape(*NESTED, crossings=frozenset({1}))
    assert found.loops == (Loop(1, 1),)
    assert found.entries == (0, 1)


def test_loops_that_overlap_are_left_to_the_dispatcher() -> None:
    found = shape(
        "first:", "fallthrough", "second:", "branch_eq r1, r2, first", "branch_eq r1, r3, second", "trap"
    )  # fmt: skip
    assert found.loops in ((Loop(0, 1),), (Loop(1, 2),))
    assert len(found.entries) == 2


def test_a_host_call_is_entered_behind() -> None:
    found = shape("loop:", "ecalli 1", "branch_eq r1, r2, loop", "trap")
    assert found.loops == ()
    assert found.entries == (0, 1)
