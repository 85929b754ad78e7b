"""`grow_heap` for machines without JAM around them, on each engine."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import InputError, Machine, Program, Reason
from pvm.jam.host_calls.heap import heap_handlers
from pvm.program import PAGE_SIZE, assemble
from pvm.program.standard import STACK_END, ZONE_SIZE

# r7 is what is wanted; the answer is stored in the last page that it names.
SOURCE = """.standard stack={stack} heap={heap}
.code
    ecalli 1
    shlo_l_imm_64 r2, r7, 12
    store_ind_u64 [r2 - 8], r7
    jump_ind r0
"""


def begun(make_engine: Any, wanted: int, stack: int = PAGE_SIZE, heap: int = 1, gas: int = 10_000) -> Machine:
    program = assemble(SOURCE.format(stack=stack, heap=heap), "0.8.0")
    machine: Machine = make_engine(spec="0.8.0").instantiate(program, gas=gas, host=heap_handlers(program))
    machine.registers[7] = wanted
    return machine


def test_pages_are_added_and_can_be_used(make_engine: Any) -> None:
    first = begun(make_engine, 0)
    assert first.run().reason is Reason.HALT
    end = first.registers[7]
    assert end == 2 * ZONE_SIZE // PAGE_SIZE + 1  # one page of heap
    for wanted in (end, end - 1, 0):
        machine = begun(make_engine, wanted)
        assert machine.run().reason is Reason.HALT
        assert (machine.registers[7], machine.gas) == (end, first.gas)
    machine = begun(make_engine, end + 3)
    assert machine.run().reason is Reason.HALT
    assert (machine.registers[7], machine.gas) == (end + 3, first.gas - 3 * 121)
    assert machine.memory.access((end + 2) * PAGE_SIZE) == "rw"
    assert machine.memory.access((end + 3) * PAGE_SIZE) is None


@pytest.mark.parametrize("stack", [PAGE_SIZE, ZONE_SIZE, ZONE_SIZE + 1])
def test_how_far_it_grows(make_engine: Any, stack: int) -> None:
    """To a zone below the stack, whose size counts in whole zones; else nothing happens."""
    limit = (STACK_END - -(-stack // ZONE_SIZE) * ZONE_SIZE - ZONE_SIZE) // PAGE_SIZE
    for wanted, answer in ((limit, limit), (limit + 1, 33), (1 << 63, 33)):
        machine = begun(make_engine, wanted, stack, gas=1 << 40)
        assert machine.run().reason is Reason.HALT
        assert machine.registers[7] == answer


def test_it_remembers(make_engine: Any) -> None:
    machine = begun(make_engine, 40)
    for wanted, answer in ((40, 40), (35, 40), (41, 41), (1 << 32, 41)):
        machine.pc = 0
        machine.registers[7] = wanted
        assert machine.run().reason is Reason.HALT
        assert machine.registers[7] == answer


def test_gas(make_engine: Any) -> None:
    """275 and 121 a page; with less the run ends with none, and nothing has grown."""
    whole = begun(make_engine, 0)
    whole.run()
    block = 10_000 - whole.gas - 275
    for gas, reason in ((block + 275 + 2 * 121, Reason.HALT), (block + 275 + 2 * 121 - 1, Reason.OUT_OF_GAS),
                        (block + 274, Reason.OUT_OF_GAS)):  # fmt: skip
        machine = begun(make_engine, 35, gas=gas)
        exit = machine.run()
        assert (exit.reason, exit.gas) == (reason, 0)
        assert machine.memory.access(34 * PAGE_SIZE) == ("rw" if reason is Reason.HALT else None)


def test_a_plain_program_has_no_heap() -> None:
    with pytest.raises(InputError, match="plain program has no heap"):
        heap_handlers(Program(assemble("trap", "0.8.0").blob))
