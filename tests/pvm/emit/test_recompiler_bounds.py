"""How much of a program becomes one function, and which programs are translated at all."""

from __future__ import annotations

from random import Random

import pytest

from pvm.emit.recompiler.instructions import accesses_of
from pvm.emit.recompiler.module import (
    MAX_INSTRUCTIONS,
    MAX_PROGRAM_WEIGHT,
    REGION_ACCESSES,
    REGION_BLOCKS,
    REGION_WEIGHT,
    is_translatable,
    regions_of,
)
from pvm.flow import HEAVIEST, flow_of, weights_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, pack_bitmask

REMAINDER = b"\xce\x54\x06"  # rem_s_64 r6, r4, r5


def remainders(count: int) -> Blob:
    return Blob(REMAINDER * count + b"\0", pack_bitmask(b"\1\0\0" * count + b"\1"))


def check_regions(blob: Blob, spec: Spec) -> list[int]:
    """The weights of the program's regions, none of which exceeds a bound."""
    flow, shapes = regions_of(flow_of(blob, spec), spec)
    weights, accesses = flow.opcodes.translate(weights_of(spec)), flow.opcodes.translate(accesses_of(spec))
    found = []
    for shape in shapes:
        numbers = [number for block in flow.blocks[shape.first : shape.end] for number in range(block.first, block.end)]
        found.append(sum(weights[number] for number in numbers))
        assert found[-1] <= REGION_WEIGHT, shape
        assert sum(accesses[number] != 0 for number in numbers) <= REGION_ACCESSES, shape
        assert shape.end - shape.first <= REGION_BLOCKS, shape
    assert sum(found) == sum(weights)
    return found


def test_regions_are_closed_by_weight() -> None:
    assert check_regions(remainders(2048), GP_072) == [REGION_WEIGHT] * 4 + [2]


@pytest.mark.parametrize("seed", range(10))
def test_no_region_is_too_heavy(seed: int) -> None:
    random = Random(seed)
    spec = random.choice((GP_072, GP_080))
    rows = random.choices([
        "rem_s_64 r1, r2, r3", "mul_upper_s_s r1, r2, r3", "add_imm_64 r1, r1, 7", "move_reg r1, r2", "fallthrough",
        "load_ind_u8 r1, [r2 + 8]", "ecalli 1",
    ], [random.random() ** 4 for _ in range(7)], k=6000)  # fmt: skip
    check_regions(assemble("\n".join([".code", *rows, "trap"]), spec).blob, spec)


def test_heavy_programs_are_left_to_the_interpreter() -> None:
    most = MAX_PROGRAM_WEIGHT // HEAVIEST
    assert is_translatable(remainders(most - 1000), GP_072)
    assert not is_translatable(remainders(most), GP_072), "its trap is too much"


def test_light_programs_are_bounded_by_their_number_of_instructions() -> None:
    moves = b"\x64\x21"  # move_reg r1, r2
    for count, taken in ((MAX_INSTRUCTIONS * 12 // 13, True), (MAX_INSTRUCTIONS + 1, False)):
        marks = b"\x55" * (count // 4) + pack_bitmask(b"\1\0" * (count % 4))
        assert is_translatable(Blob(moves * count, marks), GP_072) == taken


def test_instructions_that_no_bit_marks_count() -> None:
    """One in 25 octets is executed all the same."""
    code = (REMAINDER + bytes(22)) * (MAX_PROGRAM_WEIGHT // HEAVIEST)
    assert is_translatable(Blob(code, bytes((len(code) + 7) // 8)), GP_072)
    code = bytes(25 * (MAX_INSTRUCTIONS + 1))
    assert not is_translatable(Blob(code, bytes((len(code) + 7) // 8)), GP_072)
