"""Outlines and their text: what is there by hand, and that they say what the recompiler did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.outline import (
    HARDWARE,
    SOFTWARE,
    Entrance,
    Obstacle,
    Outline,
    RegionOutline,
    Way,
    outline_of,
)
from pvm.emit.recompiler.outline_text import outline_text
from pvm.errors import InputError
from pvm.examples import EXAMPLES, example
from pvm.flow import Ending, Follows
from pvm.fuzz import random_case
from pvm.isa import GP_072
from pvm.isa import spec as find_spec
from pvm.program import Blob, Program, assemble, disassemble
from pvm.wasm import to_text

# A loop that is entered in its middle, and within it one that is not.
IRREDUCIBLE = """
    branch_eq r7, r8, middle
head:
    load_ind_u64 r9, [r10]
    store_ind_u64 [r10 + 8], r9
    branch_eq_imm r9, 0, out
inner:
    add_imm_64 r9, r9, -1
    branch_ne_imm r9, 0, inner
    fallthrough
middle:
    add_imm_64 r7, r7, 1
    branch_ne r7, r8, head
    ecalli 7
    jump out
    trap
out:
    jump_ind r0
    .raw 0xff
"""
IRREDUCIBLE_TEXT = """\
spec 0.7.2, gas by instruction, memory protected by hardware
instructions 14, and a trap after the code
blocks       11
regions      1
loops        1 structured, 1 not
             1: a block inside is jumped to from outside
jumps        3 forwards, 1 back in loops, 1 by dispatchers, 0 to other regions, 1 dynamic
entries      4 of dispatchers
crossings    0 from region to region, 0 of them backwards
gas          looked at in 4 blocks
checkpoints  1
code         N bytes of WebAssembly

region 0: pc 0 to 32, blocks 0 to 10, instructions 15, loops 1 of 2, entries 4, crossings 0, checkpoints 1, bytes N
  block 0 at pc 0: 1 instruction, gas 1, needs 5
    entry 0: start
    branch_eq r7, r8, l18: forwards to block 4, else falls to block 1
  block 1 at l3: 3 instructions, gas 3, needs 4
    entry 1: jumps back
    no loop to block 4: block 4 inside is jumped to from outside
    checkpoint before pc 5: r7 r9
    branch_eq_imm r9, 0, l29: forwards to block 8, else falls to block 2
  loop, blocks 2 to 2
    block 2 at l11: 2 instructions, gas 2, needs 7
      entry 2: loop
      branch_ne_imm r9, 0, l11: back to block 2, else falls to block 3
  block 3 at pc 17: 1 instruction, gas 1
    fallthrough: falls to block 4
  block 4 at l18: 2 instructions, gas 2
    branch_ne r7, r8, l3: by the dispatcher to block 1, else falls to block 5
  block 5 at pc 24: 1 instruction, gas 2
    ecalli 7: host call 7, then entered again at block 6
  block 6 at pc 26: 1 instruction, gas 1, needs 2
    entry 3: after a host call
    jump l29: forwards to block 8
  block 7 at pc 28: 1 instruction, gas 1
    trap: panics
  block 8 at l29: 1 instruction, gas 1
    jump_ind r0: by the jump table
  block 9 at pc 31: 1 instruction, gas 1
    invalid opcode: panics
  block 10 at pc 32: 1 instruction, gas 1
    end of the code: panics
"""
# A loop with stores and no loads, behind a load: its checkpoint is before it. Then a jump to no block.
HOISTED = """
    load_ind_u64 r9, [r10]
    fallthrough
fill:
    store_ind_u64 [r7], r9
    add_imm_64 r7, r7, 8
    branch_ne r7, r8, fill
    branch_eq r7, r9, 1
    jump 1
"""


def outline(source: str, spec: str = "0.7.2", region_blocks: int = 192, region: int | None = None) -> Outline:
    program = assemble(f".code\n{source}\n", spec)
    return outline_of(program.blob, find_spec(spec), "instruction", HARDWARE, region_blocks, region)


def masked(text: str) -> str:
    """Without sizes, which any change of the generated code changes."""
    return re.sub(r"[\d,]+(?= bytes of)|(?<=bytes )\d[\d,]*", "N", text)


def obstacles(source: str, region_blocks: int = 192) -> list[tuple[int, Obstacle | None, int | None]]:
    regions = outline(source, region_blocks=region_blocks).regions
    return [(loop.header, loop.obstacle, loop.at) for region in regions for loop in region.loops]


def test_an_irreducible_program() -> None:
    assert masked(outline_text(outline(IRREDUCIBLE))) == IRREDUCIBLE_TEXT


def test_a_checkpoint_before_a_loop() -> None:
    text = outline_text(outline(HOISTED))
    assert """\
  loop, blocks 1 to 1
    checkpoint before it: r9
    block 1 at l3: 3 instructions, gas 3, needs 5
      entry 1: loop
""" in text
    software = outline_of(assemble(f".code\n{HOISTED}").blob, GP_072, "instruction", SOFTWARE)
    assert "protected by software" in outline_text(software) and "checkpoint" not in outline_text(software)


def test_jumps_to_no_block() -> None:
    text = outline_text(outline(HOISTED))
    assert "branch_eq r7, r9, 1: panics, no block starts there, else falls to block 3\n" in text
    assert "jump 1: panics, no block starts there\n" in text
    # In 0.8.0 both ways of a branch have to be blocks.
    text = outline_text(outline(HOISTED, "0.8.0"))
    assert "branch_eq r7, r9, 1: panics, no block starts on one side\n" in text


def test_a_block_is_split_and_gas_is_taken_once() -> None:
    first, second, _ = outline("add_imm_64 r7, r7, 1\n" * 1500 + "trap").regions[0].blocks
    assert (first.instructions, first.gas, first.needs, first.end.instruction) == (1024, 1501, 1501, None)
    assert (second.follows, second.instructions, second.gas, second.end.ending) == (
        Follows.SPLIT, 477, 0, Ending.PANIC,
    )  # fmt: skip


def test_after_an_sbrk() -> None:
    assert """\
    sbrk r7, r8: falls to block 1
  block 1 at pc 2: 1 instruction, gas 1, needs 1
    entry 1: after an sbrk
""" in outline_text(outline("sbrk r7, r8\ntrap"))


LOOP = "fallthrough\nhead: {}\nmiddle: add_imm_64 r7, r7, 1\nbranch_ne r7, r8, head\n{}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (LOOP.format("fallthrough", "trap"), (1, None, None)),
        (LOOP.format("fallthrough", "trap\n.jump_table middle"), (1, Obstacle.TABLE, 2)),
        (LOOP.format("ecalli 1", "trap"), (1, Obstacle.CALL, 2)),
        (LOOP.format("sbrk r7, r8", "trap"), (1, Obstacle.SBRK, 2)),
        (LOOP.format("fallthrough", "jump middle"), (1, Obstacle.OUTSIDE, 2)),
    ],
    ids=["none", "table", "call", "sbrk", "outside"],
)
def test_why_a_loop_is_none(source: str, found: tuple[int, Obstacle | None, int | None]) -> None:
    assert obstacles(source)[0] == found


def test_a_loop_is_none_because_of_a_loop_inside() -> None:
    source = "fallthrough\nhead: fallthrough\ninner: ecalli 1\nbranch_ne r7, r8, inner\nbranch_ne r7, r8, head\ntrap"
    assert obstacles(source) == [(1, Obstacle.INNER, 2), (2, Obstacle.CALL, 3)]


def test_a_loop_is_none_because_of_another_region() -> None:
    source = LOOP.format("fallthrough", "trap\njump middle")
    assert obstacles(source, region_blocks=4) == [(1, Obstacle.REGION, 2)]
    regions = outline(source, region_blocks=4).regions
    [jump] = [block.end.jump for block in regions[1].blocks if block.end.jump]
    assert (jump.block, jump.region, jump.way) == (2, 0, Way.REGION)
    assert regions[0].blocks[2].entrances == (Entrance.REGION,)
    assert [(region.crossings, region.backwards) for region in regions] == [(0, 0), (1, 1)]
    assert "jump l2: to block 2 in region 0" in outline_text(outline(source, region_blocks=4))


def test_one_region() -> None:
    source = "fallthrough\n" * 5 + "trap"
    whole, one = outline(source, region_blocks=3), outline(source, region_blocks=3, region=1)
    assert (whole.count, one.count, one.regions) == (3, 3, whole.regions[1:2])
    assert outline_text(one) in outline_text(whole) and outline_text(one).startswith("region 1: pc 3 to 5, ")
    assert "falls to block 3" not in outline_text(outline(source, region_blocks=3, region=0))
    for wrong in (3, -1):
        with pytest.raises(InputError, match=f"no region {wrong}: the program's are 0 to 2"):
            outline(source, region_blocks=3, region=wrong)


# --- against the recompiler ----------------------------------------------------------------------------------------


def functions(module: bytes) -> Iterator[str]:
    yield from re.findall(r"(?ms)^  \(func \$region_\d+ .*?^  \)$", to_text(module))


def check(region: RegionOutline, text: str) -> None:
    """A region against its function's text: each way of a jump leaves its mark there."""
    loops = [line.strip() for line in text.splitlines() if line.strip().startswith("loop")]
    assert len(loops) == 1 + sum(loop.obstacle is None for loop in region.loops)
    [table] = re.findall(r"br_table([ \d]+)", text)
    assert len(table.split()) == 1 + region.entries
    entries = sorted(block.entry for block in region.blocks if block.entry is not None)
    assert entries == list(range(region.entries))


@pytest.mark.parametrize("protection", [SOFTWARE, HARDWARE])
@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("name", [known.name for known in EXAMPLES])
def test_examples(name: str, spec: str, protection: str) -> None:
    version = find_spec(spec)
    program = assemble(example(name).source, version)
    check_program(program.blob, spec, "instruction", protection)
    text = disassemble(program, version)
    for block in outline_of(program.blob, version, "instruction", protection).regions[0].blocks:
        assert (f"\nl{block.pc}:\n" in text) == (block.label is not None)


def check_program(blob: Blob, spec: str, metering: str, protection: str, region_blocks: int = 192) -> Outline:
    found = outline_of(blob, find_spec(spec), metering, protection, region_blocks)
    made = recompile(blob, find_spec(spec), metering, protection, region_blocks)
    texts = list(functions(made.module))
    assert len(texts) == found.count
    for region, text in zip(found.regions, texts, strict=True):
        check(region, text)
    entered = {
        block.pc: region.number << 16 | block.entry
        for region in found.regions
        for block in region.blocks
        if block.entry is not None and block.follows is Follows.BLOCK
    }
    assert entered == made.entries
    size = sum(region.size for region in found.regions)
    assert 0 < len(made.module) - size < 600 + 40 * found.count
    assert outline_text(found) and outline_text(found, trees=False)
    return found


@pytest.mark.parametrize("region_blocks", [3, 192])
def test_random_programs(region_blocks: int) -> None:
    seen: Counter[object] = Counter()
    for seed in range(150):
        case = random_case(seed)
        blob = Program.parse(case.program, "plain").blob
        found = check_program(blob, case.spec, case.metering, (SOFTWARE, HARDWARE)[seed % 2], region_blocks)
        for region in found.regions:
            seen.update(loop.obstacle for loop in region.loops)
            seen.update(block.end.ending for block in region.blocks)
            seen.update(block.end.jump.way for block in region.blocks if block.end.jump)
    ways, obstacles = {Way.FORWARDS, Way.BACK, Way.DISPATCHER}, {None, Obstacle.CALL, Obstacle.TABLE}
    assert set(Ending) | ways | obstacles <= set(seen)
    assert (Way.REGION if region_blocks == 3 else Obstacle.OUTSIDE) in seen
