"""Why programs panic, in words."""

from __future__ import annotations

import pytest

from pvm.isa import GP_072, GP_080, Spec
from pvm.program import assemble, decode, invalid_at, jumps_to_no_block, why_panic


@pytest.mark.parametrize(
    ("source", "spec", "pc", "words"),
    [
        ("trap", GP_072, 0, "it is a trap"),
        ("trap", GP_072, 9, "went past the end"),
        ("load_imm r1, 1\nloop:\njump loop", GP_072, 3, "no block starts at pc 3, where it jumps"),
        (".raw 0xff", GP_072, 0, "the opcode 255 is invalid"),
        ("load_u8 r1, [5]", GP_072, 0, "below 2^16"),
        ("jump_ind r3", GP_072, 0, "no block start by the jump table"),
        ("load_imm r1, 1", GP_080, 0, "invalid in 0.8.0: the last instruction, at pc 0, does not end a block"),
        (".raw 0xff\ntrap", GP_080, 0, "the opcode 255 at pc 0 is invalid"),
        (".unmarked 0x00\ntrap", GP_080, 0, "marks no instruction at pc 0"),
        ("load_imm r1, 1\ntrap", GP_080, 1, "no instruction begins at pc 1"),
        ("fallthrough\nbranch_eq_imm r1, 0, 0", GP_080, 1, "no block starts at pc"),
    ],
)
def test_reasons(source: str, spec: Spec, pc: int, words: str) -> None:
    assert words in why_panic(assemble(f".code\n{source}\n", spec).blob, spec, pc)


def test_an_empty_program_is_invalid() -> None:
    assert invalid_at(assemble(".code\n").blob, GP_080) == "there is no code"


def test_jumps_that_can_only_panic() -> None:
    blob = assemble(".code\nload_imm r1, 1\nloop:\nbranch_eq_imm r1, 1, loop\njump end\nend: trap\n").blob
    [(instruction, target)] = jumps_to_no_block(blob, GP_072, list(decode(blob, GP_072)))
    assert (instruction.row.name, target) == ("branch_eq_imm", 3)
