"""Programs of one instruction again and again, or of a few: what each costs whoever compiles it.

In: a subject, a choice of operands, how many instructions. Out: a `Blob`, the same each time. All immediates have fixed
sizes, so that it is known where instructions are before it is known where they jump to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from random import Random

from pvm.isa import GP_072, Row
from pvm.program import Blob
from pvm.program.assembly_syntax import encode_instruction
from pvm.registers import REGISTER_COUNT
from wasm_host.bench.sections.hostile import Kind, blob_of

# Any registers and immediates; one register for all; each operand a register of its own and small immediates.
CHOICES: tuple[str, ...] = ("any", "one register", "alike")

_NEAR = 90  # blocks, at most so far away
_LONGEST_RUN = 600  # instructions of a row in a row, in mixes
_EXPENSIVE = (
    "mul_upper", "div", "rem", "rot", "load_ind", "store_ind", "add_imm", "xor_imm", "or_imm", "reverse_bytes", "sbrk",
    "ecalli", "branch_eq", "cmov_iz_imm", "load_imm_jump_ind",
)  # fmt: skip
_FIXED = {"a": 4, "b": 5, "d": 6}
_ONE = 3


@dataclass(frozen=True)
class Subject:
    """Rows, and how many instructions of each there are for one of the others. Mixes are told apart by their seed."""

    name: str
    rows: tuple[Row, ...]
    shares: tuple[float, ...]
    seed: int = 0

    def kind(self, choice: str) -> Kind:
        """The subject's programs with this choice of operands."""
        title = ", ".join(row.name for row in self.rows)
        return Kind(f"{self.name}, {choice}", f"{title}, {choice}", partial(_program, self, choice))


def _mixes(count: int) -> tuple[Subject, ...]:
    """Of two to six rows. Every other one is of those alone that are expensive to compile, or that branch."""
    expensive = [row for row in GP_072.rows if row.name.startswith(_EXPENSIVE)]
    found = []
    for seed in range(1, count + 1):
        random = Random(seed)
        rows = tuple(random.sample(expensive if seed % 2 else GP_072.rows, random.randrange(2, 7)))
        found.append(Subject(f"mix {seed}", rows, tuple(random.random() for _ in rows), seed))
    return tuple(found)


ROWS: tuple[Subject, ...] = tuple(Subject(row.name, (row,), (1.0,)) for row in GP_072.rows)
MIXES: tuple[Subject, ...] = _mixes(20)


def _program(subject: Subject, choice: str, count: int) -> Blob:
    random = Random(subject.seed)
    rows = _order(subject, random, count)
    sizes = [0, *accumulate(_sizes(rows))]
    starts = [0, *(number for number in range(1, count) if rows[number - 1].ends_block)]
    instructions, near = [], 0
    for number, row in enumerate(rows):
        while near + 1 < len(starts) and starts[near + 1] <= number:
            near += 1
        low, high = max(0, near - _NEAR), min(len(starts), near + _NEAR)
        # Alike are jumps to what follows.
        place = min(near + 1, len(starts) - 1) if choice == "alike" else random.randrange(low, high)
        instructions.append(_instruction(row, choice, random, sizes[starts[place]] - sizes[number]))
    return blob_of([*instructions, bytes([GP_072.opcodes["trap"]])])


def _order(subject: Subject, random: Random, count: int) -> list[Row]:
    """The rows of the instructions: one by one, or in the mixes of every other pair of seeds in runs."""
    if len(subject.rows) == 1:
        return [subject.rows[0]] * count
    if subject.seed // 2 % 2:
        return random.choices(subject.rows, subject.shares, k=count)
    rows: list[Row] = []
    while len(rows) < count:
        [row] = random.choices(subject.rows, subject.shares)
        rows += [row] * random.randrange(1, _LONGEST_RUN)
    return rows[:count]


def _sizes(rows: Sequence[Row]) -> list[int]:
    known = {row: len(_instruction(row, "alike", Random(0), 0)) for row in dict.fromkeys(rows)}
    return [known[row] for row in rows]


def _instruction(row: Row, choice: str, random: Random, offset: int) -> bytes:
    values = {}
    for register in row.format.registers:
        own = {"one register": _ONE, "alike": _FIXED[register.name]}.get(choice)
        values[register.name] = random.randrange(REGISTER_COUNT) if own is None else own
    for immediate in row.format.immediates:
        number = 8 if choice == "alike" else random.getrandbits(63 if immediate.wide else 31)
        values[immediate.name] = offset if immediate.offset else number
    widths = tuple(8 if immediate.wide else 4 for immediate in row.format.immediates)
    return encode_instruction(row.format, GP_072.opcodes[row.name], values, widths)
