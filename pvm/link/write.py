"""Ops to octets: places, offsets, the jump table.

In: `Op`s without `ZERO`, the entry points, pointers to code. Out: a `Blob`, and where each instruction came from.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.errors import InputError, ProgramError
from pvm.isa.spec import Spec
from pvm.link.ops import LABEL, Op, effects_of
from pvm.program.assembly_code import CodeWriter
from pvm.program.blob import Blob

_ENTRY_WIDTH = 4  # octets of the offset in a jump at an entry point: 5 in all, so that the second is at pc 5


def write(
    ops: Sequence[Op], entries: Sequence[str], pointers: Sequence[str], spec: Spec
) -> tuple[Blob, tuple[tuple[int, int], ...]]:
    """The program blob, and for every instruction its pc and the `at` of its op.

    It begins with jumps to the labels `entries`, 5 octets each. `pointers` are labels in the order of the jump table.
    Raises InputError for an instruction that the version lacks.
    """
    writer = CodeWriter()
    for name in pointers:
        writer.add_entry(0, name)
    has_ended = True
    for name in entries:
        _put(writer, spec, Op("jump", x=name, at=-1), {"x": _ENTRY_WIDTH})
    for op in ops:
        if op.name == LABEL:
            if not has_ended:
                _put(writer, spec, Op("fallthrough", at=op.at), {})
            has_ended = True
            writer.define(str(op.x))
            continue
        has_ended = effects_of(op.name).ends
        if op.x == "":
            name = writer.label_in_table(0)
            _put(writer, spec, op._replace(x=writer.dynamic_address(0, name)), {})
            writer.define(name)
        else:
            _put(writer, spec, op, {})
    code, bitmask = writer.link()
    table, size = writer.link_jump_table()
    try:
        return Blob(code, bitmask, table, size), tuple(writer.pcs_and_lines())
    except ProgramError as error:
        raise InputError(f"the code: {error}") from None


def _put(writer: CodeWriter, spec: Spec, op: Op, widths: dict[str, int]) -> None:
    row = effects_of(op.name).row
    opcode = spec.opcodes.get(op.name)
    if opcode is None:
        raise InputError(f"{op.name} is no instruction of {spec.name}")
    fields = {"a": op.a, "b": op.b, "d": op.d, "x": op.x, "y": op.y}
    writer.write_instruction(op.at, row.format, opcode, {name: fields[name] for name in row.format.fields}, widths)
