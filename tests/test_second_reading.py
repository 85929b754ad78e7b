"""The second reading of the paper, against the public vectors, and then everything of ours against it.

`python -m tests.second_reading` runs any number of programs; here are a few hundred.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pvm.fuzz import CORNERS, compare, corner_case, memory_case, random_case
from pvm.fuzz.compare import reference
from tests.second_reading.code import NUMBERS, TERMINATORS, deblob
from tests.second_reading.comparison import all_engines, difference, static_difference
from tests.second_reading.engine import second_engine
from tests.second_reading.machine import HALT, PAGE, PANIC, TEXT, Exit, Memory, Practice, State, run

VERSIONS = ("0.7.2", "0.8.0")


def state(pc: int = 0, gas: int = 100, **registers: int) -> State:
    return State(pc, gas, [registers.get(f"r{number}", 0) for number in range(13)], Memory())


# --- the reading itself ----------------------------------------------------------------------------------------------


def test_public_vectors(shared: Path) -> None:
    """Their gas is charged by block."""
    paths = sorted((shared / "vectors" / "pvm-0.7.2").glob("*.json"))
    assert len(paths) == 307
    for path in paths:
        vector = json.loads(path.read_text())
        memory = Memory()
        for area in vector["initial-page-map"]:
            for page in range(area["address"] // PAGE, (area["address"] + area["length"]) // PAGE):
                memory.access[page] = "W" if area["is-writable"] else "R"
        for chunk in vector["initial-memory"]:
            memory.write(chunk["address"], len(chunk["contents"]), int.from_bytes(chunk["contents"], "little"))
        now = State(vector["initial-pc"], vector["initial-gas"], vector["initial-regs"], memory)
        exit = run(deblob(bytes(vector["program"])), now, Practice(block=True))
        assert exit == Exit(vector["expected-status"], vector.get("expected-page-fault-address")), path.name
        expected = (vector["expected-pc"], vector["expected-gas"], vector["expected-regs"])
        assert (now.pc, now.gas, now.registers) == expected, path.name
        for chunk in vector["expected-memory"]:
            octets = memory.read(chunk["address"], len(chunk["contents"]))
            assert octets == int.from_bytes(chunk["contents"], "little"), path.name


def test_cases_that_engines_got_wrong(shared: Path) -> None:
    path = shared / "cases" / "engine-0.7.2.json"
    if not path.is_file():
        pytest.skip("../shared has no cases")
    for case in json.loads(path.read_text())["cases"]:
        registers = {f"r{number}": value for number, value in case.get("registers", {}).items()}
        now = state(case["pc"], case["gas"], **registers)
        exit = run(deblob(bytes.fromhex(case["program"])), now)
        expected = case["expect"]
        assert exit is not None and exit.reason == expected["status"], case["name"]
        assert now.pc == expected.get("pc", now.pc) and now.gas == expected.get("gas", now.gas), case["name"]
        assert now.registers[7] == expected.get("r7", now.registers[7]), case["name"]


def test_opcodes_of_both_versions(shared: Path) -> None:
    numbers = json.loads((shared / "design" / "opcode_map_072_080.json").read_text())["opcodes"]
    for place, version in enumerate(VERSIONS):
        assert {name: number for number, name in NUMBERS[version].items()} == {
            name: both[place] for name, both in numbers.items() if both[place] is not None
        }
    assert len(NUMBERS["0.7.2"]) == 139 and len(TERMINATORS) == 22


def test_the_text_where_it_stands_alone() -> None:
    """A.1: pc is 0 after a panic, gas negative when it ran out; A.4: a fault costs nothing."""
    behind = deblob(bytes([0, 0, 2, 1, 0, 3]))  # fallthrough, trap
    now = state()
    assert run(behind, now, TEXT) == Exit(PANIC) and now.pc == 0
    now = state(gas=0)
    run(behind, now, TEXT)
    assert now.gas == -1
    load = deblob(bytes([0, 0, 5, 52, 0, 0, 0, 2, 1]))  # load_u8 r0, [0x20000]
    now = state(gas=0)
    assert run(load, now, TEXT) == Exit("page-fault", 0x20000) and now.gas == 0
    assert run(load, state(gas=0)) == Exit("out-of-gas")


def test_a_blob_with_an_entry_of_more_than_64_bits() -> None:
    """By the letter of A.1 it is an error; as everyone has it, an entry that no code reaches."""
    octets = bytes([1, 9, 1, *bytes(8), 1, 0, 1])
    assert deblob(octets) is not None and deblob(octets, naturals_of_64_bits=True) is None
    assert deblob(bytes([1, 9, 1, 0, 1, *bytes(7), 0, 1]), naturals_of_64_bits=True) is not None


def test_halt_through_a_jump_table_that_is_empty() -> None:
    jump = deblob(bytes([0, 0, 2, 50, 0, 1]))
    assert run(jump, state(r0=2**32 - 2**16)) == Exit(HALT)
    assert run(jump, state(r0=2**64 - 2**16)) == Exit(HALT)
    assert run(jump, state(r0=2)) == Exit(PANIC)


# --- what ours makes of programs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", VERSIONS)
def test_octets_that_may_be_programs(spec: str) -> None:
    """All of one or two octets, and more of any; what can be parsed is compared wholly."""
    random = Random(spec)
    two = [bytes([a, b]) for a in range(256) for b in range(0, 256, 5)]
    some = [random.randbytes(random.randrange(3, 9)) for _ in range(2000)]
    near = []
    for _ in range(2000):
        count, size, length = random.randrange(4), random.randrange(4), random.randrange(5)
        body = random.randbytes(count * size + length) + bytes([random.getrandbits(length)] if length else [])
        near.append(bytes([count, size, length]) + body + random.choice((b"", b"", b"", b"\0")))
    parsed = 0
    for octets in (b"", bytes(1), *two, *some, *near):
        assert static_difference(octets, spec) is None, octets.hex()
        parsed += deblob(octets) is not None
    assert parsed > 1000


@pytest.mark.parametrize("family", CORNERS)
def test_programs_and_what_is_nearly_one(family: str) -> None:
    for seed in range(150):
        case, random = corner_case(family, 1000 + seed), Random(seed)
        for spec in VERSIONS:
            assert static_difference(case.program, spec) is None, (family, 1000 + seed)
        odd = bytearray(case.program)
        odd[random.choice((0, 1, 2, len(odd) - 1, random.randrange(len(odd))))] ^= 1 << random.randrange(8)
        for octets in (bytes(odd), case.program[:-1], case.program + b"\0"):
            assert static_difference(octets, case.spec) is None, octets.hex()


# --- how they run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", CORNERS)
def test_corner_programs_on_every_engine(family: str) -> None:
    engines = all_engines()
    for seed in range(50):
        assert difference(corner_case(family, seed), engines) is None, f"{family} {seed}"


@pytest.mark.parametrize("make", [random_case, memory_case])
def test_other_programs_on_the_reference_engine(make: Callable[[int], object]) -> None:
    for seed in range(60):
        case = make(seed)
        assert compare(case, {"reference": reference}, second_engine) is None, seed
