"""Forms: what each encoding of an instruction means, wherever it stands.

In: a blob and a spec. Out: the form and the pc of every instruction that execution from pc 0 can visit. Programs
repeat themselves: a third to a half of their instructions have octets of their own, so decoding remembers by octets,
and the steps around it are loops of Python's own in C (0.3 microseconds an instruction, and 4 for each new form).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import accumulate, pairwise
from operator import attrgetter

from pvm.isa.expr import DynamicJump, HostCall, Jump, Panic, Sbrk
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.program.blob import Blob
from pvm.program.decode import MAX_SKIP, TRAP, Instruction, decode_closed, decode_octets

# `Form.kind`: goes straight on, ends a basic block, is a host call or an sbrk, after which a machine may be entered.
STRAIGHT, ENDS, CALLS = range(3)

# An opcode, marked or not, and the octets up to the next one (A.2's skip).
MARKS = re.compile(rb"(?s).\x00{0,%d}" % MAX_SKIP)


class Ending(Enum):
    """What a block's last instruction does."""

    FALLS = "falls"
    JUMP = "jump"
    BRANCH = "branch"
    DYNAMIC = "dynamic jump"
    CALL = "host call"
    SBRK = "sbrk"
    PANIC = "panic"


@cache
def ending_of(row: Row) -> Ending:
    """What instructions of a row do at the end of a block; FALLS for all that just go on."""
    match row.effects[-1] if row.effects else None:
        case Jump(_, test):
            return Ending.JUMP if test is None else Ending.BRANCH
        case DynamicJump():
            return Ending.DYNAMIC
        case HostCall():
            return Ending.CALL
        case Sbrk():
            return Ending.SBRK
        case Panic():
            return Ending.PANIC
        case _:
            return Ending.FALLS


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: tables have them as keys
class Form:
    """`instruction` stands at pc 0, so that its offsets are relative. `offset` is that of a jump's target, None
    without one; `falls` whether the next instruction may follow."""

    instruction: Instruction
    kind: int
    offset: int | None
    falls: bool


class Forms(dict[bytes, Form | None]):
    """The forms met so far, by octets; None for octets whose meaning depends on those behind them."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self._spec = spec

    def __missing__(self, octets: bytes) -> Form | None:
        instruction = decode_closed(octets, self._spec)
        form = self[octets] = None if instruction is None else form_of(instruction)
        return form


def form_of(instruction: Instruction) -> Form:
    """The form of an instruction that was decoded at pc 0."""
    kind, falls, target = _control(instruction.row)
    return Form(instruction, kind, getattr(instruction, target) if target else None, falls)


@cache
def _control(row: Row) -> tuple[int, bool, str]:
    """Kind, whether the next instruction may follow, and the field of a jump's target or nothing."""
    match ending_of(row):
        case Ending.CALL:
            return CALLS, False, ""
        case Ending.SBRK:
            return CALLS, True, ""
        case Ending.JUMP | Ending.BRANCH as ending:
            [jump] = (effect for effect in row.effects if isinstance(effect, Jump))
            return ENDS, ending is Ending.BRANCH, jump.target.field
        case _:
            return ENDS if row.ends_block else STRAIGHT, not row.ends_block or not row.effects, ""


def forms_of(blob: Blob, spec: Spec) -> tuple[list[Form], list[int]]:
    """All forms and their pcs, the implicit trap after the code last."""
    pcs = [0, *accumulate(map(len, MARKS.findall(blob.starts)))]
    known, code = Forms(spec), blob.code
    found = list(map(known.__getitem__, [code[pc:end] for pc, end in pairwise(pcs)]))
    forms = _whole(found, blob, spec, pcs) if None in known.values() else found
    return [*forms, form_of(Instruction(0, 1, TRAP))], pcs


def _whole(found: Sequence[Form | None], blob: Blob, spec: Spec, pcs: Sequence[int]) -> list[Form]:
    """Decode those that look beyond their own octets."""
    code = blob.padded
    return [
        form or form_of(decode_octets(code[pc : pc + 32], end - pc, spec))
        for form, (pc, end) in zip(found, pairwise(pcs), strict=True)
    ]


kind_of = attrgetter("kind")
