"""Checkpoints: where they have to be, what they store, and which loops check instead.

That machines are exact with them is shown by what compares engines: tests/test_agreement.py and its likes.
"""

from __future__ import annotations

from pvm.emit.recompiler.checkpoints import Checkpoints, checkpoints
from pvm.emit.recompiler.module import context_of, regions_of
from pvm.flow import flow_of
from pvm.isa import GP_072
from pvm.program import assemble


def found(*lines: str) -> tuple[dict[int, list[str]], dict[int, list[str]], set[int]]:
    """Registers by the instruction, and by the first one of a header; the first instructions of blocks that check."""
    blob = assemble(".code\n" + "\n".join(lines) + "\n").blob
    flow, shapes = regions_of(flow_of(blob, GP_072), GP_072)
    program = context_of(blob, flow, GP_072, "instruction", "hardware", shapes)
    made: Checkpoints = checkpoints(flow, shapes[0], program.codes)
    within = {
        flow.blocks[number].first + place: names(mask)
        for number, places in made.within.items() for place, mask in places.items()
    }  # fmt: skip
    before = {flow.blocks[number].first: names(mask) for number, mask in made.before.items()}
    return within, before, {flow.blocks[number].first for number in made.checking}


def names(mask: int) -> list[str]:
    return [f"r{number}" for number in range(13) if mask >> number & 1]


def test_a_store_after_a_load_has_one() -> None:
    within, before, checking = found(
        "add_imm_64 r1, r1, 1",
        "load_ind_u8 r2, [r3]",
        "store_ind_u8 [r4], r2",  # 2: the load would see it
        "store_ind_u8 [r4 + 8], r2",
        "load_ind_u8 r5, [r3]",
        "load_ind_u8 r6, [r3 + 8]",
        "move_reg r7, r1",
        "store_ind_u8 [r4], r7",  # 7
        "trap",
    )  # fmt: skip
    assert within == {2: ["r1", "r2"], 7: ["r5", "r6", "r7"]}
    assert (before, checking) == ({}, set())


def test_stores_alone_and_loads_alone_have_none() -> None:
    assert found("store_ind_u8 [r1], r2", "store_ind_u8 [r1], r2", "load_ind_u8 r3, [r1]", "trap") == ({}, {}, set())


def test_a_loop_that_only_stores_has_it_before() -> None:
    within, before, checking = found(
        "load_ind_u8 r2, [r3]",
        "fallthrough",
        "loop:",
        "store_ind_u8 [r4], r2",  # 2
        "add_imm_64 r4, r4, 1",
        "branch_ne r4, r5, loop",
        "trap",
    )  # fmt: skip
    assert before == {2: ["r2"]}
    assert (within, checking) == ({}, set())


def test_a_loop_that_only_stores_after_no_load_has_none() -> None:
    assert found("loop:", "store_ind_u8 [r4], r2", "branch_ne r4, r5, loop", "trap") == ({}, {}, set())


def test_an_innermost_loop_of_both_checks_where_that_is_cheaper() -> None:
    within, before, checking = found(
        "loop:",
        "load_ind_u8 r2, [r3]",  # 0
        "add_imm_64 r3, r3, 1",
        "store_ind_u8 [r4], r2",
        "add_imm_64 r4, r4, 1",
        "branch_ne r4, r5, loop",
        "load_ind_u8 r6, [r3]",  # 5: the first access behind it that does not check
        "trap",
    )  # fmt: skip
    assert checking == {0}
    assert within == {5: ["r2", "r3", "r4"]}
    assert before == {}


def test_a_loop_of_many_accesses_and_few_registers_has_checkpoints() -> None:
    loads = [f"load_ind_u8 r2, [r{base}]" for base in (3, 4, 5, 6, 7, 8, 9)]
    within, _, checking = found(
        "loop:", *loads, "store_ind_u8 [r10], r2", "branch_ne r2, r11, loop", "trap",
    )  # fmt: skip
    assert checking == set()
    assert within == {len(loads): ["r2"]}


def test_what_follows_an_sbrk_has_one() -> None:
    within, _, _ = found("add_imm_64 r1, r1, 1", "sbrk r2, r1", "add_imm_64 r3, r3, 1", "trap")
    assert within == {2: ["r1", "r2"]}


def test_what_the_dispatcher_leads_to_sees_all_that_comes_there() -> None:
    within, _, _ = found(
        "start:",
        "store_ind_u8 [r4], r2",  # 0: after a load of the turn before
        "add_imm_64 r4, r4, 1",
        "jump_ind r1",
        "back:",
        "load_ind_u8 r2, [r3]",
        "jump start",
        ".jump_table back",
    )  # fmt: skip
    assert within == {0: ["r2", "r4"]}
