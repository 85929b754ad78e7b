"""Shrinking: engines that are wrong on purpose, whose disagreements become a few instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pvm import ReferenceEngine
from pvm.examples import example
from pvm.fuzz import (
    CORNERS,
    Case,
    compare,
    corner_case,
    format_case,
    memory_case,
    mutated_case,
    parse_case,
    random_case,
    shrink,
)
from pvm.isa import spec as find_spec
from pvm.program import Blob, Program, assemble, block_starts, decode, decode_at, pack_bitmask

NOTHING = Case(0, "random", assemble("trap").encode(), "0.7.2", "instruction", 0, 10, (0,) * 13, ())


class BrokenMachine:
    """The reference machine, but after each instruction of one name something is not as it should be."""

    def __init__(self, machine: Any, blob: Any, spec: Any, name: str, spoil: Callable[[Any, Any], None]) -> None:
        self.__dict__.update(machine=machine, blob=blob, spec=spec, name=name, spoil=spoil)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.machine, name, value)

    def step(self) -> Any:
        instruction = decode_at(self.blob, self.spec, self.machine.pc)
        exit = self.machine.step()
        if instruction.valid and instruction.row.name == self.name:
            self.spoil(self.machine, instruction)
        return exit

    def run(self) -> Any:
        while True:
            exit = self.step()
            if exit is not None:
                return exit


class BrokenEngine:
    def __init__(self, case: Case, name: str, spoil: Callable[[Any, Any], None]) -> None:
        self.case, self.name, self.spoil = case, name, spoil

    def instantiate(self, program: Program, **options: Any) -> Any:
        machine = ReferenceEngine(self.case.spec, self.case.metering).instantiate(program, **options)
        return BrokenMachine(machine, program.blob, find_spec(self.case.spec), self.name, self.spoil)


def wrong_register(machine: Any, instruction: Any) -> None:
    machine.registers[instruction.d] ^= 1


def more_gas(machine: Any, instruction: Any) -> None:
    machine.gas += 1


def wrong_octet(machine: Any, instruction: Any) -> None:
    machine.memory.write(0x10000, b"\x99")


def raises(machine: Any, instruction: Any) -> None:
    raise RuntimeError("as intended")


def engines(name: str, spoil: Callable[[Any, Any], None]) -> dict[str, Any]:
    return {"broken": lambda case: BrokenEngine(case, name, spoil)}


def shrunk(case: Case, broken: dict[str, Any]) -> Case | None:
    """The small case, for a case that shows something."""
    found = compare(case, broken)
    if found is None:
        return None

    def shows(candidate: Case) -> bool:
        again = compare(candidate, broken)
        return again is not None and again.what == found.what

    small = shrink(case, shows)
    again = compare(small, broken)
    assert again is not None and again.what == found.what
    return small


def instructions(case: Case) -> list[str]:
    blob = Program.parse(case.program, format="plain").blob
    return [instruction.row.name for instruction in decode(blob, find_spec(case.spec))]


@pytest.mark.parametrize(("name", "seeds"), [("add_64", 12), ("xor", 40)])
def test_programs_that_work_on_memory(name: str, seeds: int) -> None:
    found = [small for seed in range(seeds) if (small := shrunk(memory_case(seed), engines(name, wrong_register)))]
    sizes = [len(instructions(small)) for small in found]
    assert all(name in instructions(small) for small in found)
    assert len(sizes) >= 3 and sorted(sizes)[len(sizes) // 2] <= 3 and max(sizes) <= 6, sizes
    assert all(not small.contents and small.gas < 20 for small in found)
    assert sum(not small.pages and not any(small.registers) for small in found) >= len(found) // 2


def test_random_programs() -> None:
    broken = engines("move_reg", wrong_register)
    sizes = [len(instructions(small)) for seed in range(100) if (small := shrunk(random_case(seed), broken))]
    assert sizes and max(sizes) <= 6, sizes


@pytest.mark.parametrize("spoil", [more_gas, wrong_octet, raises])
def test_other_ways_to_differ(spoil: Callable[[Any, Any], None]) -> None:
    case = next(case for case in map(memory_case, range(50)) if compare(case, engines("load_imm", spoil)))
    small = shrunk(case, engines("load_imm", spoil))
    assert small is not None and "load_imm" in instructions(small) and len(instructions(small)) <= 3


def test_jumps_still_lead_where_they_did() -> None:
    """The instruction at fault is behind a jump and in a loop, both of which are not needed."""
    source = """
        load_imm r3, 40
        fallthrough
    head:
        add_imm_64 r3, r3, -1
        branch_eq_imm r3, 7, there
        branch_ne_imm r3, 0, head
        trap
    there:
        mul_64 r4, r3, r3
        jump head
    """
    case = replace(NOTHING, program=assemble(source).encode(), gas=1000)
    small = shrunk(case, engines("mul_64", wrong_register))
    assert small is not None and instructions(small) in (["mul_64"], ["mul_64", "trap"])


def test_a_start_in_the_middle_is_kept() -> None:
    program = assemble("load_imm r1, 7\nfallthrough\nadd_64 r2, r1, r1\nxor r3, r1, r2\ntrap")
    pc = max(block_starts(program.blob, find_spec("0.7.2")) - {len(program.code)})
    case = replace(NOTHING, program=program.encode(), pc=pc)
    small = shrunk(case, engines("xor", wrong_register))
    assert small is not None and instructions(small)[:1] == ["xor"] and small.pc == 0


def test_octets_that_are_not_marked_go() -> None:
    code = bytes([1, 51, 1, 7, *range(60), 0])  # fallthrough, load_imm, what nothing enters, trap
    blob = Blob(code, pack_bitmask(bytes(at in (0, 1, len(code) - 1) for at in range(len(code)))))
    small = shrunk(replace(NOTHING, program=blob.encode()), engines("load_imm", wrong_octet))
    assert small is not None and instructions(small)[0] == "load_imm"
    assert len(Program.parse(small.program, format="plain").code) <= 3


def test_what_cannot_be_shrunk_stays() -> None:
    assert shrink(NOTHING, lambda case: False) == NOTHING
    assert shrink(NOTHING, lambda case: case == NOTHING) == NOTHING


def test_tries_are_bounded() -> None:
    tried = []

    def shows(case: Case) -> bool:
        tried.append(case)
        return True

    shrink(memory_case(3), shows, tries=25)
    assert len(tried) <= 25


def test_a_saved_case_is_read_again() -> None:
    broken = engines("xor", wrong_register)
    programs = [assemble(example("blake2b").source), assemble(example("sort").source)]
    corners = [corner_case(family, 3) for family in CORNERS]
    odd = replace(NOTHING, is_blank=True, rounds=3, moves_pc=True)
    for case in (random_case(5), memory_case(7), mutated_case(11, programs), *corners, odd):
        found = compare(case, broken) or compare(replace(NOTHING, program=assemble("xor r1, r2, r3").encode()), broken)
        assert found is not None
        assert parse_case(format_case(case, found, "pvm fuzz --count 1", "pvm fuzz --repeat x")) == case
