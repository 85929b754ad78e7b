"""What the interpreter's decoder works blocks out to cost, against the pure model."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from time import perf_counter

import pytest

from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.outline import outline_of
from pvm.emit.recompiler.region_text import region_text
from pvm.examples import example
from pvm.fuzz import CORNERS, corner_case, memory_case, random_case
from pvm.gas import block_costs
from pvm.gas.pipeline import blocks, simulate, step_of
from pvm.isa import GAS_VECTORS, GP_072, GP_080, Spec
from pvm.program import Blob, Program, assemble, is_valid, pack_bitmask
from pvm.standalone import program_command
from wasm_host.translating import costs_to_translate, decoded_costs

MODEL = "pipeline"


def check(blob: Blob, spec: Spec) -> int:
    """How many blocks were compared, each at every pc of its instructions; none of a program that may not run."""
    if spec.validates and not is_valid(blob, spec):
        return 0
    found, count = decoded_costs(Program(blob), spec, "auto"), 0
    for block in blocks(blob, spec):
        if spec.validates and block[0].pc == len(blob.code):
            continue
        expected = simulate([step_of(instruction, blob, spec) for instruction in block]).cost
        for instruction in block:
            assert found.at(instruction.pc) == expected, f"{spec.name}: the block of pc {block[0].pc}"
        count += 1
    return count


def some_rows(random: Random, spec: Spec) -> Blob:
    """Any instructions with any operands in few registers, so that they depend on each other; long blocks, too."""
    code, starts = bytearray(), bytearray()
    rows = [row for row in spec.rows if random.random() < 0.3 or row.name == "move_reg"] or list(spec.rows)
    registers = random.choice((2, 4, 16))
    for _ in range(random.choice((5, 40, 200))):
        row = random.choice(rows)
        if row.ends_block and random.random() < 0.8:
            continue
        length = random.randrange(1, 7)
        low, high, third = (random.randrange(registers) for _ in range(3))
        code += bytes([spec.opcodes[row.name], high << 4 | low, third]) [:length].ljust(length, b"\0")
        starts += b"\1".ljust(length, b"\0")
    code += bytes([spec.opcodes["trap"]])
    return Blob(bytes(code), pack_bitmask(bytes(starts) + b"\1"))


@pytest.mark.parametrize("spec", [GP_072, GP_080, GAS_VECTORS], ids=lambda spec: spec.name)
def test_random_blocks(spec: Spec) -> None:
    random = Random(spec.name)
    assert sum(check(some_rows(random, spec), spec) for _ in range(60)) > 200


@pytest.mark.parametrize(
    ("source", "cost"),
    [
        ("trailing_zero_bits_64 r1, r2\n" * 4 + "load_imm r3, 1\n" * 6 + "trap", 4),  # five begin in one cycle
        ("div_u_64 r7, r8, r9\ndiv_u_64 r7, r8, r9\ntrap", 120),
        ("load_u8 r7, [0x20000]\nmove_reg r9, r7\nadd_64 r8, r9, r9\ntrap", 26),
        ("branch_eq r7, r8, 0\nfallthrough", 20), ("branch_eq r7, r8, 0\ntrap", 1),
    ],
)  # fmt: skip
def test_blocks_by_hand(source: str, cost: int) -> None:
    blob = assemble(f".code\n{source}\n", GP_080).blob
    assert check(blob, GP_080)
    assert decoded_costs(Program(blob), GP_080, "auto").at(0) == cost


@pytest.mark.parametrize("seed", range(40))
def test_odd_programs(seed: int) -> None:
    """Bitmasks that disagree with the code, undefined opcodes, targets anywhere."""
    for case in (random_case(seed), memory_case(seed), *(corner_case(one, seed) for one in CORNERS)):
        check(Blob.parse(case.program), GP_072 if case.spec == "0.7.2" else GP_080)


def test_every_public_cost(shared: Path) -> None:
    """Those of 356 vectors and of three large programs: 44,901 blocks."""
    count = 0
    for path in (*(shared / "vectors/gas-0.8.0").glob("*.json"), *(shared / "programs/static").glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        found = decoded_costs(Program(Blob.parse(bytes(data["program"]))), GAS_VECTORS, "auto")
        for pc, cost in data["block-gas-costs"].items():
            assert found.at(int(pc)) == cost, f"{path.name}: the block at pc {pc}"
            count += 1
    assert count == 44_901


def test_no_instruction() -> None:
    blob = assemble(".code\nload_imm r7, 500\ntrap\n", GP_080).blob
    found = decoded_costs(Program(blob), GP_080, "auto")
    with pytest.raises(IndexError, match="pc 1: no instruction"):
        found.at(1)
    assert block_costs(blob, GP_080, MODEL).at(1) == 2  # a trap


@pytest.mark.parametrize("name", ["blake2b", "sort"])
def test_translations_and_modules_are_the_same_with_costs_from_either_side(name: str) -> None:
    program = assemble(example(name).source, GP_080)
    costs = costs_to_translate(program, GP_080, MODEL)
    assert costs is not None and costs_to_translate(program, GP_080, "block") is None
    assert recompile(program.blob, GP_080, MODEL, costs=costs) == recompile(program.blob, GP_080, MODEL)
    assert outline_of(program.blob, GP_080, MODEL, costs=costs) == outline_of(program.blob, GP_080, MODEL)
    assert program_command(program, GP_080, MODEL, costs=costs) == program_command(program, GP_080, MODEL)
    text = region_text(program.blob, GP_080, MODEL, "software", 0)
    assert region_text(program.blob, GP_080, MODEL, "software", 0, costs) == text


@pytest.mark.parametrize(
    "unit", ["fallthrough", "ecalli 0", "div_u_64 r1, r2, r3", "load_ind_u8 r1, [r1]\n" + "add_64 r2, r1, r1\n" * 31]
)
def test_hostile_code_takes_linear_time(unit: str) -> None:
    """4,000,000 octets that are as dear to cost as any. It takes 0.2 to 0.8 s; a quadratic way would take minutes."""
    blob = assemble(f".code\n{unit}\n", GP_080).blob
    times = 4_000_000 // len(blob.code)
    program = Program(Blob(blob.code * times + b"\0", pack_bitmask(blob.starts * times + b"\1")))
    began = perf_counter()
    decoded_costs(program, GP_080, "auto")
    assert perf_counter() - began < 20
