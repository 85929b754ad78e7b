"""The text of one region against the whole module's, and the lines of its blocks."""

from __future__ import annotations

import pytest

from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.outline import outline_of
from pvm.emit.recompiler.region_text import region_at, region_text
from pvm.errors import InputError
from pvm.examples import EXAMPLES, example
from pvm.isa import GP_072, GP_080
from pvm.program import assemble
from pvm.wasm import to_text


@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_the_text_is_that_of_the_whole_module(metering: str, protection: str) -> None:
    source = "start: " + "branch_eq r1, r2, start\nload_u8 r3, [0x20000]\n" * 800
    blob = assemble(source, GP_080).blob
    whole = to_text(recompile(blob, GP_080, metering, protection).module)
    for region in range(3):
        text = region_text(blob, GP_080, metering, protection, region)
        assert text.startswith(f"(func $region_{region} ")
        assert "".join(f"  {line}\n" for line in text.splitlines()) in whole
    with pytest.raises(InputError, match="no region 3: the program's are 0 to 2"):
        region_text(blob, GP_080, metering, protection, 3)


@pytest.mark.parametrize("name", [known.name for known in EXAMPLES])
@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_lines_of_blocks(name: str, protection: str) -> None:
    blob = assemble(example(name).source).blob
    outline = outline_of(blob, GP_072, "instruction", protection)
    before = 0
    for block in outline.regions[0].blocks:
        found = region_at(blob, GP_072, "instruction", protection, block.pc)
        assert found.first_pc == block.pc < found.end_pc
        assert before <= found.first_line <= found.end_line
        before = found.end_line
        lines = [line.strip() for line in found.text.splitlines()[found.first_line : found.end_line]]
        if block.gas:  # what a block takes is taken within its lines
            at = [i for i, line in enumerate(lines) if line == f"i64.const {block.gas}"]
            assert any(lines[i - 1 : i + 2] == ["local.get 4", lines[i], "i64.sub"] for i in at)
        if block.needs is not None:
            assert lines[0] == f"i32.const {block.pc}"


def test_any_pc_of_a_block_leads_to_it() -> None:
    blob = assemble("load_imm r1, 5\nload_imm r2, 6\njump end\nend: trap").blob
    found = region_at(blob, GP_072, "instruction", "software", 4)
    assert (found.first_pc, found.end_pc, found.region) == (0, 8, 0)
    assert region_at(blob, GP_072, "instruction", "software", len(blob.code)).first_pc == len(blob.code)
    with pytest.raises(InputError, match="pc 100: the code ends at 9"):
        region_at(blob, GP_072, "instruction", "software", 100)
