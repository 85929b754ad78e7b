"""The pipeline model against blocks worked out by hand, and against the costs that public vectors give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvm.gas.latencies import latency_of
from pvm.gas.pipeline import Span, Timeline, block_timeline, blocks
from pvm.gas.timeline_text import deciding, timeline_lines
from pvm.isa import GAS_VECTORS, GP_080, Spec
from pvm.isa.table import BY_NAME, ROWS
from pvm.program import Blob, assemble

EVERY = 12  # of the blocks of large programs: all of them take some 15 s


def timelines(source: str, spec: Spec = GP_080) -> list[Timeline]:
    blob = assemble(f".code\n{source}\n", spec).blob
    return [block_timeline(block, blob, spec) for block in blocks(blob, spec)]


def cost(source: str, spec: Spec = GP_080) -> int:
    """The cost of the first block."""
    return timelines(source, spec)[0].cost


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_instruction_has_a_latency(row: object) -> None:
    latency = latency_of(row)  # type: ignore[arg-type]
    assert set(latency.sources) <= {"a", "b", "d"}
    assert latency.slots_overlapping <= latency.slots <= 4


def test_registers_are_those_of_the_meaning() -> None:
    found = {name: latency_of(BY_NAME[name]) for name in ("store_ind_u8", "load_imm_jump_ind", "cmov_iz", "move_reg")}
    assert [(set(each.sources), set(each.destinations)) for each in found.values()] == [
        ({"a", "b"}, set()), ({"b"}, {"a"}), ({"a", "b", "d"}, {"d"}), ({"a"}, {"d"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("trap", 2),  # decoded in cycle 0, waits, executes in 1 and 2, finished in 3, retires in 4: 5 - 3
        ("fallthrough", 2),
        ("load_imm r7, 5\ntrap", 2),
        ("unlikely\ntrap", 40),
        ("load_u8 r7, [0x20000]\ntrap", 25),
        ("load_u8 r7, [0x20000]\nadd_64 r8, r7, r7\ntrap", 26),  # waits for what was loaded
        ("load_u8 r7, [0x20000]\nadd_64 r8, r9, r9\ntrap", 25),
        ("load_u8 r7, [0x20000]\nmove_reg r9, r7\nadd_64 r8, r9, r9\ntrap", 26),  # a move renames
        ("load_u8 r7, [0x20000]\nmove_reg r7, r9\nadd_64 r8, r7, r7\ntrap", 25),  # or needs no more what was loaded
        ("load_u8 r7, [0x20000]\nload_imm r7, 5\nadd_64 r8, r7, r7\ntrap", 25),  # what was loaded is needed no more
        ("div_u_64 r7, r8, r9\ndiv_u_64 r7, r8, r9\ntrap", 120),  # there is one divider, free a cycle before
        ("trailing_zero_bits_64 r7, r8\n" * 8 + "trap", 8),  # two units each, for two cycles
        ("jump 0", 15),
        ("branch_eq r7, r8, 0\nfallthrough", 20),
        ("branch_eq r7, r8, 0\ntrap", 1),  # cheap beside a trap
        ("branch_eq r7, r8, rare\nfallthrough\nrare: trap", 1),
        ("branch_eq r7, r8, rare\nfallthrough\nrare: unlikely\ntrap", 1),
        ("branch_eq r7, r8, 0\nunlikely\ntrap", 1),
        ("ecalli 0\ntrap", 100),
    ],
)
def test_blocks_by_hand(source: str, expected: int) -> None:
    assert cost(source) == expected


def test_the_open_reading_of_conditional_moves() -> None:
    """Whether a move waits for its destination. Those with an immediate have no reading that leaves it out."""
    source = "load_u8 r7, [0x20000]\n{} r7, r8, {}\nload_ind_u8 r9, [r7]\ntrap"
    moves = source.format("cmov_iz", "r9")
    assert (cost(moves), cost(moves, GAS_VECTORS)) == (52, 27)
    constants = source.format("cmov_iz_imm", "5")
    assert cost(constants) == cost(constants, GAS_VECTORS)


def test_a_block_of_many_instructions_is_bounded_by_decoding() -> None:
    """Four slots a cycle."""
    assert cost("\n".join(["load_imm r7, 5"] * 400) + "\ntrap") == 400 // 4 + 2


def test_the_implicit_trap_is_a_block_of_its_own() -> None:
    assert [each.cost for each in timelines("fallthrough")] == [2, 2]


def test_spans() -> None:
    [timeline, _] = timelines("load_u8 r7, [0x20000]\nmove_reg r9, r7\nadd_64 r8, r9, r9\ntrap")
    load, move, add, trap = timeline.spans
    assert load == Span(0, 0, 1, 27, 28)
    assert move == Span(load.pc + 5, 0)
    assert (add.started, add.done) == (26, 28)
    assert (trap.decoded, trap.retired) == (1, timeline.cycles)  # the four slots of cycle 0 are taken
    assert deciding(timeline) == add


def test_drawing() -> None:
    [timeline, _] = timelines("load_imm r7, 5\nadd_64 r8, r7, r7\ntrap")
    texts = {span.pc: f"instruction {span.pc}" for span in timeline.spans}
    assert list(timeline_lines(timeline, texts))[:5] == [
        "                  0",
        "                  012345",
        "0  instruction 0  D==-R",
        "3  instruction 3  D.==-R",
        "6  instruction 6  D===-R",
    ]


def _costs(data: dict[str, object]) -> dict[int, int]:
    costs = data["block-gas-costs"]
    if isinstance(costs, dict):
        return {int(pc): value for pc, value in costs.items()}
    assert isinstance(costs, list)
    return {each["pc"]: each["cost"] for each in costs}


def _compare(path: Path, spec: Spec, every: int) -> int:
    data = json.loads(path.read_text(encoding="utf-8"))
    blob, expected = Blob.parse(bytes(data["program"])), _costs(data)
    count = 0
    for number, block in enumerate(blocks(blob, spec)):
        pc = block[0].pc
        if number % every == 0 and pc in expected:
            found = block_timeline(block, blob, spec).cost
            assert found == expected[pc], f"{path.name}: the block at pc {pc}"
            count += 1
    return count


def test_public_vectors(shared: Path) -> None:
    paths = sorted((shared / "vectors/gas-0.8.0").glob("*.json"))
    assert len(paths) == 356
    assert sum(_compare(path, GAS_VECTORS, 1) for path in paths) > 1000


@pytest.mark.parametrize("name", ["doom", "pinky", "prime-sieve"])
def test_large_programs(shared: Path, name: str) -> None:
    assert _compare(shared / "programs/static" / f"{name}.json", GAS_VECTORS, EVERY) > 20
