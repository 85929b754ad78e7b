"""Assembling for editors: all errors at once, and which line each instruction comes from.

In: assembly text and a version. Out: a frozen `Survey`. The language is described in `pvm.program.assembler`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.errors import AssemblyError
from pvm.isa.spec import GP_072, Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.assembler import read
from pvm.program.assembly_errors import MAX_ERRORS
from pvm.program.program import Program


@dataclass(frozen=True)
class Survey:
    """`program` is None when there are `errors`.

    `labels` are the pcs of code labels, and `lines` pairs of a pc and the line that was written for it, by pc.
    """

    program: Program | None
    errors: tuple[AssemblyError, ...] = ()
    labels: tuple[tuple[int, str], ...] = ()
    lines: tuple[tuple[int, int], ...] = ()


def survey(source: str, spec: Spec | str = GP_072, most: int = MAX_ERRORS) -> Survey:
    """What `source` describes, or its first `most` errors. Raises InputError for an unknown version.

    A wrong line is left out, and those after it are read as if it were not there.
    """
    assembler, errors = read(source, find_spec(spec), most)
    if errors:
        return Survey(None, errors)
    try:
        program = assembler.finish()
    except AssemblyError as error:
        return Survey(None, (error,))
    labels = tuple(sorted((pc, name) for name, pc in assembler.code.pcs_of_labels().items()))
    return Survey(program, (), labels, tuple(assembler.code.pcs_and_lines()))
