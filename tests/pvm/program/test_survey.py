"""Assembling for editors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvm.errors import AssemblyError, InputError
from pvm.examples import EXAMPLES
from pvm.isa import GP_072
from pvm.program import assemble, decode, survey


@pytest.mark.parametrize("name", [example.name for example in EXAMPLES])
def test_every_instruction_has_its_line(name: str) -> None:
    [source] = [example.source for example in EXAMPLES if example.name == name]
    found, lines = survey(source), source.split("\n")
    assert found.program == assemble(source) and not found.errors
    assert [pc for pc, _ in found.lines] == [i.pc for i in decode(found.program.blob, GP_072)]
    words = {"load_imm_jump": "call", "jump_ind": "ret"}
    for (_, line), instruction in zip(found.lines, decode(found.program.blob, GP_072), strict=True):
        text = lines[line - 1].split(";")[0].split(":")[-1].split()
        assert text[0] in (instruction.row.name, words.get(instruction.row.name))
    for pc, label in found.labels:
        assert f"{label}:" in source and pc <= len(found.program.code)


def test_labels_by_pc() -> None:
    found = survey("a: jump b\nb: c: trap\nd:")
    assert found.labels == ((0, "a"), (2, "b"), (2, "c"), (3, "d"))
    assert found.lines == ((0, 1), (2, 2))


def errors(source: str) -> list[tuple[int, int | None, str]]:
    return [(error.line, error.column, error.message) for error in survey(source).errors]


def test_all_errors_with_their_places() -> None:
    found = errors("trap\n  add_64 r1, r2\nadd_65\n\tjump 7x\n.equ a, b\nadd_64 r1, r2, q3\n.u8 1\ntrap trap")
    assert [(line, column) for line, column, _ in found] == [(2, 16), (3, 1), (4, 7), (5, 9), (6, 16), (7, 5), (8, 6)]
    assert found[1][2] == "unknown instruction 'add_65': did you mean add_64?"


def test_labels_are_looked_up_when_all_lines_are_right() -> None:
    assert errors("jump a\njump b\na: trap") == [(2, None, "unknown label 'b'")]
    assert errors("jump a\nnothing") == [(2, 1, "unknown instruction 'nothing'")]


def test_no_more_errors_than_asked_for() -> None:
    assert len(survey("x\n" * 100).errors) == 20
    assert len(survey("jump x\n" * 100, most=3).errors) == 3


def test_an_error_that_only_the_end_shows() -> None:
    assert errors(".jump_table entry_size=1 300") == [(1, None, "the jump table entry 300 does not fit entry_size=1")]


def test_unknown_versions_are_refused() -> None:
    with pytest.raises(InputError, match="unknown spec"):
        survey("trap", "1")


@given(st.text(alphabet="abr1. :;,\"'@[]+-/x\n$\\é\0", max_size=80) | st.text(max_size=40))
@settings(deadline=None)
def test_any_text_is_assembled_or_has_errors(source: str) -> None:
    found = survey(source)
    try:
        program = assemble(source)
    except AssemblyError as error:
        assert found.program is None and str(found.errors[0]) == str(error)
    else:
        assert found.program == program
    for error in found.errors:
        assert error.column is None or 1 <= error.column <= len(source.split("\n")[error.line - 1]) + 1
