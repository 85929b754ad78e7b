"""The index of a program: where its instructions are, what they are, and where they jump, in arrays.

In: a blob and a spec. Out: a frozen `Index`, 10 bytes an instruction. Takes linear time, 0.3 microseconds an
instruction, and little more memory than the index itself: it is made for programs that are shown a window at a time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import compress, count

from pvm.flow.opcodes import Ending, ending_of, opcodes_of, target_of, visited_code
from pvm.isa.expr import Store
from pvm.isa.spec import Spec
from pvm.isa.table import Row
from pvm.lazy import lazy
from pvm.program.blob import Blob
from pvm.program.decode import TRAP as TRAP_ROW
from pvm.program.decode import is_instruction

# `Index.kinds`
STRAIGHT, JUMP, DYNAMIC, CALL, TRAP, LOAD, STORE = range(7)
NO_TARGET = -1

_CHUNK = 1 << 16  # octets of code


@dataclass(frozen=True, eq=False)
class Index:
    """One entry an instruction, by pc.

    `blocks` has 1 where the paper's blocks start, `targets` the pc that a static jump or branch leads to (which may lie
    anywhere below 2^31), else `NO_TARGET`. `kinds` are the constants above; a trap is also an invalid opcode.
    """

    pcs: array[int]
    kinds: bytes
    targets: array[int]
    blocks: bytes

    def find(self, pc: int) -> int | None:
        """The number of the instruction at a pc; None where execution from pc 0 finds none."""
        number = bisect_left(self.pcs, pc)
        return number if number < len(self.pcs) and self.pcs[number] == pc else None

    def starts_block(self, pc: int) -> bool:
        """Whether a block starts at a pc within the code."""
        return 0 <= pc < len(self._starts) and self._starts[pc] == 1

    @lazy
    def _starts(self) -> bytes:
        """1 for each pc at which a block starts, as far as there are such."""
        starts = bytearray(self.pcs[-1] + 1 if self.pcs else 0)
        for pc in compress(self.pcs, self.blocks):
            starts[pc] = 1
        return bytes(starts)

    def block_around(self, number: int) -> tuple[int, int]:
        """The instructions [first, end) of the block that instruction `number` lies in."""
        first, end = self.blocks.rfind(1, 0, number + 1), self.blocks.find(1, number + 1)
        return max(0, first), len(self.pcs) if end < 0 else end


def index_of(blob: Blob, spec: Spec, progress: Callable[[float], object] = float) -> Index:
    """The index of a program. `progress` gets how much of it is done, from 0 to 1, now and then."""
    table, shown = opcodes_of(spec), _kinds(spec)
    jumps, starts = bytes(map(bool, table.offsets)), bytes(table.starts)
    pcs, targets = array("I"), array("i")
    opcodes = bytearray()
    (code, marks), size = visited_code(blob, spec), len(blob.code)
    for begin in range(0, size, _CHUNK):
        progress(begin / size)
        end = min(size, begin + _CHUNK)
        places = [*compress(range(begin, end), marks[begin:end])]
        own = bytes(compress(code[begin:end], marks[begin:end]))
        chunk = array("i", [NO_TARGET]) * len(own)
        for number in compress(count(), own.translate(jumps)):
            pc = places[number]
            target = target_of(blob, table.offsets[own[number]], pc, _next(marks, pc))
            chunk[number] = target if 0 <= target < 1 << 31 else NO_TARGET
        pcs.extend(places)
        opcodes += own
        targets.extend(chunk)
    return Index(pcs, bytes(opcodes.translate(shown)), targets, _blocks(blob, spec, pcs, opcodes.translate(starts)))


def _next(marks: bytes, pc: int) -> int:
    """The pc of the instruction after that at `pc`."""
    found = marks.find(1, pc + 1)
    return len(marks) if found < 0 else found


@cache
def _kinds(spec: Spec) -> bytes:
    return bytes(_kind(row or TRAP_ROW) for row in spec.by_opcode)


def _kind(row: Row) -> int:
    match ending_of(row):
        case Ending.JUMP | Ending.BRANCH:
            return JUMP
        case Ending.DYNAMIC:
            return DYNAMIC
        case Ending.CALL:
            return CALL
        case Ending.PANIC:
            return TRAP
        case _ if row.accesses_memory:
            return STORE if any(isinstance(effect, Store) for effect in row.effects) else LOAD
        case _:
            return STRAIGHT


def _blocks(blob: Blob, spec: Spec, pcs: array[int], ends: bytearray) -> bytes:
    """Where blocks start (`pvm.program.decode.block_starts`)."""
    if not pcs:
        return b""
    marks = blob.starts
    blocks = bytearray(len(pcs))
    blocks[0] = 1
    for number in compress(count(), ends):
        if marks[pcs[number]] and number + 1 < len(pcs):
            blocks[number + 1] = 1
    for number in compress(count(), blocks):
        blocks[number] = is_instruction(blob, spec, pcs[number])
    return bytes(blocks)
