"""Opcodes: where a program's instructions stand, how they go on, and where jumps lead, as decoding says it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pvm.flow.opcodes import CALLS, ENDS, STRAIGHT, instructions_of, opcodes_of, target_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, pack_bitmask
from pvm.program.decode import decode


@given(st.sampled_from([GP_072, GP_080]), st.data())
def test_they_are_what_decoding_yields(spec: Spec, data: st.DataObject) -> None:
    """Also where operands lie beyond an instruction's own octets, and where 24 octets are not marked."""
    code = data.draw(st.binary(max_size=120))
    every = data.draw(st.sampled_from([2, 4, 41]))
    draws = data.draw(st.binary(min_size=len(code), max_size=len(code)))
    blob = Blob(code, pack_bitmask(bytes(draw % every == 0 for draw in draws)))
    visited, opcodes, pcs = instructions_of(blob, spec)
    expected = list(decode(blob, spec))
    assert pcs == [*(instruction.pc for instruction in expected), len(code)]
    trap = spec.opcodes["trap"]
    marked = [code[instruction.pc] if blob.starts[instruction.pc] else trap for instruction in expected]
    assert list(opcodes) == [*marked, trap]
    assert [visited[instruction.pc] for instruction in expected] == marked
    offsets = opcodes_of(spec).offsets
    for instruction in expected:
        fields = [field for field in instruction.row.format.immediates if field.offset and instruction.valid]
        immediates = offsets[visited[instruction.pc]]
        assert bool(fields) == bool(immediates)
        for field in fields:
            target = target_of(blob, immediates, instruction.pc, instruction.next_pc)
            assert target == getattr(instruction, field.name)


def test_kinds() -> None:
    program = assemble(".code\nadd_64 r1, r2, r3\necalli 5\nsbrk r1, r2\nbranch_eq r1, r2, end\njump end\nend:\ntrap\n")
    _, opcodes, _ = instructions_of(program.blob, GP_072)
    table = opcodes_of(GP_072)
    assert list(opcodes.translate(table.kinds)) == [STRAIGHT, CALLS, CALLS, ENDS, ENDS, ENDS, ENDS]
    assert [table.falls[opcode] for opcode in opcodes] == [True, False, True, True, False, False, False]
    assert [bool(table.offsets[opcode]) for opcode in opcodes] == [False, False, False, True, True, False, False]
    assert [table.starts[opcode] for opcode in opcodes] == [False, False, False, True, True, True, True]


def test_an_invalid_opcode_is_a_trap_after_which_no_block_starts() -> None:
    table = opcodes_of(GP_072)
    assert (table.kinds[255], table.falls[255], table.starts[255]) == (ENDS, False, False)
    assert table.endings[255] is table.endings[0]
