"""Short blocks are copied to where code would jump or fall into them, jumps are followed, jumps load constants."""

from __future__ import annotations

import random
import time

import pytest

import pvm
from pvm.isa import spec as find_spec
from pvm.link.ops import LABEL, Op
from pvm.link.straighten import load_by_jumps, straighten
from pvm.link.write import write
from pvm.program import Program

RETURN = Op("jump_ind", a=0, x=0)
COUNT = 1 << 8


def label(name: str) -> Op:
    return Op(LABEL, x=name)


def add(register: int, value: int) -> Op:
    return Op("add_imm_64", a=register, b=register, x=value)


def names(ops: list[Op]) -> str:
    return " ".join(op.x if op.name == LABEL else op.name for op in ops)  # type: ignore[misc]


def ended(ops: list[Op]) -> tuple[object, ...]:
    """Registers and reason at the end, and how many instructions it took."""
    blob, _ = write(ops, ["start"], [], find_spec("0.7.2"))
    machine = pvm.ReferenceEngine(metering="instruction").instantiate(Program(blob), gas=COUNT)
    machine.registers[0] = 0xFFFF0000
    exit = machine.run()
    return exit.reason, tuple(machine.registers), COUNT - machine.gas


def test_a_join_is_copied_to_what_falls_into_it() -> None:
    ops = [label("start"), Op("branch_eq_imm", a=2, x=0, y="join"), add(3, 1), label("join"), add(3, 2), RETURN]
    made = straighten(ops, frozenset(("start",)))
    assert names(made) == (
        "start branch_eq_imm add_imm_64 add_imm_64 jump_ind join add_imm_64 jump_ind"
    )


def test_a_loop_s_test_is_copied_to_its_start() -> None:
    ops = [label("start"), Op("jump", x="test"), label("body"), add(3, -1), label("test"),
           Op("branch_ne_imm", a=3, x=0, y="body"), RETURN]  # fmt: skip
    made = straighten(ops, frozenset(("start",)))
    # Where the branch leads to what comes next, it is turned round.
    assert names(made).startswith("start branch_eq_imm body add_imm_64 branch_ne_imm jump test branch_ne_imm")
    assert ended(made)[:2] == ended(ops)[:2]


def test_jumps_are_followed_but_not_round_and_round() -> None:
    ops = [label("start"), Op("branch_eq_imm", a=2, x=0, y="one"), RETURN, label("one"), Op("jump", x="two"),
           label("two"), Op("jump", x="three"), label("three"), Op("jump", x="two")]  # fmt: skip
    assert straighten(ops, frozenset(("start",)))[1].y in ("two", "three")


def test_functions_and_calls_are_not_copied() -> None:
    call = Op("load_imm_jump", a=0, x="", y="f")
    for ops in (
        [label("start"), add(3, 1), label("f"), add(3, 2), RETURN, label("g"), call, RETURN],
        [label("start"), add(3, 1), label("join"), call, RETURN, label("f"), RETURN],
    ):
        assert straighten(ops, frozenset(("start",))) == ops


def test_constants_before_jumps_and_returns_are_loaded_by_them() -> None:
    constant = Op("load_imm", a=7, x=5)
    assert load_by_jumps([constant, add(3, 1), Op("jump", x="there")]) == [
        add(3, 1), Op("load_imm_jump", a=7, x=5, y="there")]  # fmt: skip
    assert load_by_jumps([constant, RETURN]) == [Op("load_imm_jump_ind", a=7, b=0, x=5, y=0)]
    for ops in (
        [constant, add(7, 1), RETURN], [constant, Op("store_u8", a=7, x=1), RETURN], [constant, label("x"), RETURN],
        [Op("load_imm", a=0, x=5), RETURN], [constant, Op("ecalli", x=1), RETURN],
        [constant, Op("branch_eq", a=1, b=2, x="x"), RETURN],
    ):  # fmt: skip
        assert load_by_jumps(ops) == ops


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_end_alike_with_no_more_instructions(seed: int) -> None:
    """Blocks that jump forwards and backwards, some of which end at the limit of gas."""
    chance = random.Random(seed)
    count = chance.randrange(3, 14)
    ops: list[Op] = [label("start")]
    for number in range(count):
        if chance.random() < 0.7:
            ops.append(label(f"b{number}"))
        ops += [chance.choice((add(chance.randrange(2, 6), chance.randrange(-2, 3)),
                               Op("load_imm", a=chance.randrange(2, 6), x=chance.randrange(4)))) 
                for _ in range(chance.randrange(4))]  # fmt: skip
        there = {str(op.x) for op in ops if op.name == LABEL}
        targets = [*sorted(there), f"b{count}"]
        match chance.randrange(5):
            case 0:
                ops.append(Op("jump", x=chance.choice(targets)))
            case 1:
                ops.append(Op("branch_lt_s_imm", a=chance.randrange(2, 6), x=2, y=chance.choice(targets)))
            case 2:
                b = chance.randrange(2, 6)
                ops.append(Op("branch_ne", a=chance.randrange(2, 6), b=b, x=chance.choice(targets)))
            case 3:
                ops.append(RETURN)
    ops += [label(f"b{count}"), RETURN]
    before, after = ended(ops), ended(load_by_jumps(straighten(ops, frozenset(("start",)))))
    assert before[0] is pvm.Reason.OUT_OF_GAS or (before[:2] == after[:2] and after[2] <= before[2])


def test_it_takes_linear_time_and_copies_little() -> None:
    ops = [label("start")]
    for number in range(20_000):
        ops += [Op("branch_eq_imm", a=2, x=0, y=f"b{number}"), add(3, 1), label(f"b{number}"), add(3, 2)]
    began = time.perf_counter()
    made = straighten([*ops, RETURN], frozenset(("start",)))
    assert len(made) < 1.4 * len(ops) and time.perf_counter() - began < 30
