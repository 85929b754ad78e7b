"""Forms: decoding by octets yields what decoding at each pc does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pvm.flow.forms import CALLS, ENDS, STRAIGHT, forms_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, pack_bitmask
from pvm.program.decode import TRAP, Instruction, decode


def blob_of(code: bytes, marks: list[bool]) -> Blob:
    return Blob(code, pack_bitmask(bytes(marks)))


@given(st.sampled_from([GP_072, GP_080]), st.data())
def test_forms_are_what_decoding_yields(spec: Spec, data: st.DataObject) -> None:
    """Also where operands lie beyond an instruction's own octets, and where 24 octets are not marked."""
    code = data.draw(st.binary(max_size=120))
    density = data.draw(st.sampled_from([1, 3, 40]))
    marks = [data.draw(st.integers(0, density)) == 0 for _ in code]
    blob = blob_of(code, marks)
    forms, pcs = forms_of(blob, spec)
    expected = [*decode(blob, spec), Instruction(len(code), 1, TRAP)]
    assert pcs == [instruction.pc for instruction in expected]
    for form, wanted in zip(forms, expected, strict=True):
        assert at(form.instruction, wanted.pc) == wanted


def at(instruction: Instruction, pc: int) -> Instruction:
    """A form's instruction where it stands: offsets are no longer relative."""
    fields = instruction.row.format.immediates if instruction.valid else ()
    offsets = {field.name: pc + getattr(instruction, field.name) for field in fields if field.offset}
    return instruction._replace(pc=pc, **offsets)


def test_kinds() -> None:
    program = assemble(".code\nadd_64 r1, r2, r3\necalli 5\nsbrk r1, r2\nbranch_eq r1, r2, end\njump end\nend:\ntrap\n")
    forms, _ = forms_of(program.blob, GP_072)
    assert [form.kind for form in forms] == [STRAIGHT, CALLS, CALLS, ENDS, ENDS, ENDS, ENDS]
    assert [form.falls for form in forms] == [True, False, True, True, False, False, False]
    assert [form.offset is not None for form in forms] == [False, False, False, True, True, False, False]


def test_equal_octets_share_a_form() -> None:
    program = assemble(".code\nadd_64 r1, r2, r3\nadd_64 r1, r2, r3\nadd_64 r1, r2, r4\ntrap\n")
    forms, _ = forms_of(program.blob, GP_072)
    assert forms[0] is forms[1]
    assert forms[1] is not forms[2]
