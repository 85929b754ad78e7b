"""What opcodes do to the flow of control: where a program's instructions stand, and how they go on.

In: a spec, a blob. Out: a frozen `Opcodes`, tables by opcode; the opcodes and pcs of a program. Where blocks begin and
end follows from opcodes alone, so they are kept as one bytes object, and what is asked of all of them is asked by
loops of Python's own in C.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import compress

from pvm.isa.expr import DynamicJump, HostCall, Jump, Panic, Sbrk
from pvm.isa.formats import ImmediateField
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.program.blob import Blob
from pvm.program.decode import MAX_SKIP, TRAP, immediate_length

# `Opcodes.kinds`: goes straight on; ends a basic block; is a host call or an sbrk, after which machines may be entered.
STRAIGHT, ENDS, CALLS = range(3)

# In marks, where an opcode is that none marks: after as many octets as an instruction may have.
_GAP = re.compile(rb"\x00{%d}" % (MAX_SKIP + 1))


class Ending(Enum):
    """What a block's last instruction does."""

    FALLS = "falls"
    JUMP = "jump"
    BRANCH = "branch"
    DYNAMIC = "dynamic jump"
    CALL = "host call"
    SBRK = "sbrk"
    PANIC = "panic"


FALLS, JUMP, BRANCH, DYNAMIC, CALL, SBRK, PANIC = Ending  # to read these takes a tenth of reading them off the class


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


@dataclass(frozen=True)
class Opcodes:
    """By opcode, 256 entries each. An invalid opcode is a trap, but no block starts after it.

    `kinds` are STRAIGHT, ENDS or CALLS; `falls` is whether the next instruction may follow; `starts` whether a block of
    the paper's starts after it; `offsets` are the immediates of jumps, the last of which leads to the target.
    """

    kinds: bytes
    endings: tuple[Ending, ...]
    falls: tuple[bool, ...]
    starts: tuple[bool, ...]
    offsets: tuple[tuple[ImmediateField, ...], ...]


@cache
def opcodes_of(spec: Spec) -> Opcodes:
    """The tables of a version."""
    rows = [row or TRAP for row in spec.by_opcode]
    endings = tuple(map(ending_of, rows))
    return Opcodes(
        bytes(map(_kind, rows)), endings, tuple(map(_falls, rows)),
        tuple(row is not None and row.ends_block for row in spec.by_opcode), tuple(map(_offsets, rows)),
    )  # fmt: skip


def _kind(row: Row) -> int:
    if ending_of(row) in (Ending.CALL, Ending.SBRK):
        return CALLS
    return ENDS if row.ends_block else STRAIGHT


def _falls(row: Row) -> bool:
    return ending_of(row) in (Ending.FALLS, Ending.BRANCH, Ending.SBRK)


def _offsets(row: Row) -> tuple[ImmediateField, ...]:
    immediates = row.format.immediates
    return immediates if immediates and immediates[-1].offset else ()


def target_of(blob: Blob, immediates: Sequence[ImmediateField], pc: int, end: int) -> int:
    """Where the jump of the octets [pc, end) leads to."""
    at = pc + immediates[-1].start
    if len(immediates) > 1:
        at += immediate_length(blob.padded, pc, immediates[0], end - pc - 1)
    return pc + int.from_bytes(blob.code[at:end][:4], "little", signed=True)


def unmarked_pcs(blob: Blob) -> list[int]:
    """The pcs that execution from 0 can visit although the bitmask does not mark them: 0, and those behind a gap."""
    first = [0] if blob.starts[:1] == b"\0" else []
    return first + [gap.end() - 1 for gap in _GAP.finditer(b"\1" + blob.starts[1:])]


def visited_code(blob: Blob, spec: Spec) -> tuple[bytes, bytes]:
    """The code with the paper's opcode(n) wherever execution from pc 0 finds an instruction, and marks of these pcs.

    Marks are 1 or 0, one an octet. At an unmarked pc stands a trap; an undefined opcode stays as it is. No operand lies
    at an unmarked pc, because no instruction looks at more than 12 octets.
    """
    unmarked = unmarked_pcs(blob)
    if not unmarked:
        return blob.code, blob.starts
    code, marks, trap = bytearray(blob.code), bytearray(blob.starts), spec.opcodes["trap"]
    for pc in unmarked:
        code[pc], marks[pc] = trap, 1
    return bytes(code), bytes(marks)


def instructions_of(blob: Blob, spec: Spec) -> tuple[bytes, bytes, list[int]]:
    """The visited code, and the opcodes and pcs of the instructions in it, the implicit trap after the code last."""
    code, marks = visited_code(blob, spec)
    pcs = [*compress(range(len(code)), marks), len(code)]
    return code, bytes(compress(code, marks)) + bytes([spec.opcodes["trap"]]), pcs
