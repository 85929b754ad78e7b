"""How 0.8.0 charges, on each engine: a block's cost when it is entered, wherever, once, or nothing (A.1, A.9)."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Machine, Program, Reason, ReferenceEngine
from pvm.gas import block_costs
from pvm.isa import GP_080
from pvm.program import assemble
from pvm.program.decode import skip

PAGE = 0x20000
# Instructions at pc 0, 5, 8, 10, 15; a block at 16 and one at 17.
SOURCE = f"""
.code
    load_u8 r1, [{PAGE}]
    add_imm_64 r2, r2, 1
    ecalli 5
    store_u8 [{PAGE + 0x1000}], r2
    fallthrough
    fallthrough
    jump 0
"""


def program(source: str = SOURCE) -> Program:
    return assemble(source, GP_080)


def costs(source: str = SOURCE) -> Any:
    return block_costs(program(source).blob, GP_080, "pipeline")


def begun(make_engine: Any, gas: int, pc: int = 0, **options: Any) -> Machine:
    machine: Machine = make_engine(spec="0.8.0", **options).instantiate(program(), gas=gas, pc=pc)
    machine.memory.map(PAGE, 1, "r")
    return machine


def test_a_block_is_paid_when_it_is_entered_and_once(make_engine: Any) -> None:
    """A fault that is repaired and a host call that is answered go on within it for nothing."""
    whole = costs().at(0)
    calls: list[int] = []
    machine = make_engine(spec="0.8.0").instantiate(
        program(), gas=1000, host={5: lambda machine: calls.append(machine.gas)}
    )
    assert machine.run() == Exit(Reason.PAGE_FAULT, 0, 1000 - whole, address=PAGE)
    machine.memory.map(PAGE, 1, "r")
    fault = machine.run()
    assert (fault.reason, fault.gas, fault.address) == (Reason.PAGE_FAULT, 1000 - whole, PAGE + 0x1000)
    assert calls == [1000 - whole]
    machine.memory.map(PAGE + 0x1000, 1, "rw")
    machine.gas = 20  # for the two blocks behind it, and not for the first one again
    assert machine.run() == Exit(Reason.OUT_OF_GAS, 0, 20 - costs().at(16) - costs().at(17))
    assert calls == [1000 - whole]


def test_the_whole_block_is_paid_where_it_is_entered_in_its_middle(make_engine: Any) -> None:
    whole = costs().at(0)
    for pc, instruction in ((5, "add"), (8, "ecalli")):
        machine = begun(make_engine, whole, pc)
        assert machine.run() == Exit(Reason.HOST_CALL, 8, 0, call=5), instruction
        machine = begun(make_engine, whole - 1, pc)
        assert machine.run() == Exit(Reason.OUT_OF_GAS, pc, whole - 1), instruction


def test_setting_pc_pays_anew(make_engine: Any) -> None:
    whole = costs().at(0)
    machine = begun(make_engine, 3 * whole)
    for left in (2, 1, 0):
        assert machine.run() == Exit(Reason.HOST_CALL, 8, left * whole, call=5)
        machine.pc = machine.pc
    assert machine.run() == Exit(Reason.OUT_OF_GAS, 8, 0)


@pytest.mark.parametrize("missing", [1, 2, 7])
def test_out_of_gas_takes_nothing_and_can_go_on(make_engine: Any, missing: int) -> None:
    whole = costs().at(0)
    machine = begun(make_engine, whole - missing)
    for _ in range(2):
        assert machine.run() == machine.step() == Exit(Reason.OUT_OF_GAS, 0, whole - missing)
    machine.gas += missing
    assert machine.run() == Exit(Reason.HOST_CALL, 8, 0, call=5)


def test_steps_pay_as_runs_do(make_engine: Any) -> None:
    """The first instruction of a block pays all of it, and the others nothing: whatever is mixed."""
    whole = costs().at(0)
    machine = begun(make_engine, 1000)
    for pc in (5, 8):
        assert machine.step() is None
        assert (machine.pc, machine.gas) == (pc, 1000 - whole)
    assert machine.step() == Exit(Reason.HOST_CALL, 8, 1000 - whole, call=5)
    for _ in range(2):
        fault = machine.step()
        assert (fault.reason, fault.gas) == (Reason.PAGE_FAULT, 1000 - whole)
    machine.memory.map(PAGE + 0x1000, 1, "rw")
    assert machine.step() is None
    assert machine.gas == 1000 - whole
    assert machine.step() is None
    at = machine.pc
    assert machine.gas == 1000 - whole  # the next block is paid when its first instruction runs
    assert machine.step() is None
    assert machine.gas == 1000 - whole - costs().at(at)


def test_gas_that_never_reaches_is_never_negative(make_engine: Any) -> None:
    """Around a loop, for every amount of gas."""
    source = ".code\nadd_imm_64 r1, r1, 1\nbranch_ne_imm r1, 3, 0\nfallthrough\nfallthrough\ntrap\n"
    prices = costs(source)
    first, second, third = sorted(set(prices.firsts.values()))[1:4]
    paid = [(0, 0)]  # what has been paid where gas may run out, and the pc there
    for pc in (0, 0, 0, first, second, third):
        paid[-1] = paid[-1][0], pc
        paid.append((paid[-1][0] + prices.at(pc), 0))
    for gas in range(paid[-1][0] + 3):
        machine = make_engine(spec="0.8.0").instantiate(program(source), gas=gas)
        exit = machine.run()
        reached = max(number for number, (sum_, _) in enumerate(paid) if sum_ <= gas)
        if reached == len(paid) - 1:
            assert exit == Exit(Reason.PANIC, third, gas - paid[-1][0])
        else:
            assert exit == Exit(Reason.OUT_OF_GAS, paid[reached][1], gas - paid[reached][0])


def test_one_block_dearer_than_a_slice(make_engine: Any) -> None:
    """A host gives generated code gas in slices: 100 cycles an `ecalli`, of which four are under way at a time."""
    source = ".code\njump end\n" + "ecalli 1\n" * 50_000 + "end: trap\n"
    prices = costs(source)
    inside = 1 + skip(program(source).blob.starts, 0)
    whole = prices.at(inside)
    assert whole > 1 << 20
    for gas, reason in ((whole, Reason.HOST_CALL), (whole - 1, Reason.OUT_OF_GAS)):
        machine = make_engine(spec="0.8.0").instantiate(program(source), gas=gas, pc=inside)
        assert machine.run().reason is reason
        assert machine.gas == (0 if reason is Reason.HOST_CALL else gas)


@pytest.mark.parametrize("spec", ["0.7.2", "gas-vectors"])
def test_other_numberings_can_be_charged_so_too(make_engine: Any, spec: str) -> None:
    """Also where no program is refused: an opcode that is undefined or not marked costs what a trap does."""
    bad = assemble(".code\nload_imm r1, 1\n.raw 0xff\n", "0.7.2")
    engine = make_engine(spec=spec, gas="pipeline")  # its third machine does not decode the program any more
    for pc, cost in ((0, 2), (1, 2), (3, 2), (4, 2), (99, 2), (1, 2)):
        machine = engine.instantiate(bad, gas=9, pc=pc)
        assert machine.run().reason is Reason.PANIC
        assert machine.gas == 9 - cost, pc
    assert ReferenceEngine(spec, gas="pipeline").metering == "pipeline"
