"""Four more families: programs that reach the corners of decoding and jumping (A.2, A.3, A.5).

- marks: the bitmask disagrees with the code: opcodes are not marked, operands are, more than 24 octets in a row not.
- opcodes: undefined opcodes, as targets, fallen into, entered.
- targets: jumps of every kind into the middle of instructions, to what is not marked, to the end of the code, beyond,
  below 0.
- tables: jump tables with entries of 0 to 255 octets, of any value and number.

In: a family, a seed. Out: a `Case`, under either spec and metering. In all families code may end within an instruction,
and the host may move pc at any exit. 0.8.0 refuses what is spoilt, so that most of its programs are not.
"""

from __future__ import annotations

from random import Random

from pvm.fuzz.cases import Case, value
from pvm.isa import GP_072, GP_080, Row, Spec
from pvm.program import pack_bitmask
from pvm.program.assembly_syntax import encode_instruction
from pvm.program.codec import encode_natural
from pvm.program.standard import HALT_ADDRESS
from pvm.registers import REGISTER_COUNT

CORNERS: tuple[str, ...] = ("marks", "opcodes", "targets", "tables")

_PAGE = 0x20000  # what r1 points into
_HALT, _POINTER, _ZERO = 0, 1, 12  # what these registers hold at first: where a jump halts, a pointer, 0
_GAPS = (22, 23, 24, 25, 26, 30, 47, 48, 49, 50, 51, 75, 76)  # octets that are not marked; a skip is at most 24
_SIZES = (0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 7, 8, 8, 9, 12, 16, 31, 32, 64, 128, 254, 255)  # octets of an entry
_COUNTS = (0, 1, 2, 5, 100, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) + 5, 1 << 63, (1 << 64) - 1)  # of no octets
_OFTEN = (
    "load_imm", "add_imm_64", "move_reg", "xor", "load_imm_64", "load_ind_u8", "store_ind_u32", "store_imm_ind_u16",
    "cmov_nz_imm", "rem_s_64", "ecalli", "ecalli",
)  # fmt: skip
_ENDS = (
    "jump", "jump", "load_imm_jump", "load_imm_jump", "jump_ind", "load_imm_jump_ind", "fallthrough", "fallthrough",
    "trap", "branch_eq_imm", "branch_ne_imm", "branch_lt_u", "branch_ge_s", "branch_gt_u_imm", "branch_eq",
)  # fmt: skip
_DYNAMIC = {"jump_ind": ("a", "x"), "load_imm_jump_ind": ("b", "y")}  # where the address comes from


def corner_case(family: str, seed: int) -> Case:
    """The case of a seed in one of `CORNERS`."""
    random = Random(f"{family} {seed}")
    spec = random.choice((GP_072, GP_072, GP_080))
    draft = _Draft(random, spec, family)
    program = draft.program()
    length = len(draft.code)
    entry = random.randrange(length + 4) if random.random() < 0.9 else random.choice((1 << 31, (1 << 32) - 1))
    registers = [random.choice((0, 1, 2, 4, 6, 1 << 32, HALT_ADDRESS, value(random))) for _ in range(REGISTER_COUNT)]
    registers[_POINTER], registers[_ZERO] = _PAGE + random.choice((0, 8, 4090)), random.choice((0, 0, 0, 0, 1 << 32))
    registers[_HALT] = random.choice((HALT_ADDRESS, HALT_ADDRESS, registers[_HALT]))
    access = random.choice(("rw", "rw", "r"))
    return Case(
        seed, family, program, spec.name, random.choice(("instruction", "block")),
        0 if random.random() < 0.6 else entry,
        random.choice((random.randrange(6), random.randrange(40), 200, 200)), tuple(registers),
        ((_PAGE, access),) if random.random() < 0.8 else (), remapped=(_PAGE,) if random.random() < 0.3 else (),
        refill=random.choice((4, 40)), is_blank=True, moves_pc=random.random() < 0.5,
    )  # fmt: skip


class _Draft:
    """Code and marks as they are written: blocks that jump to each other, and what the family spoils in them."""

    def __init__(self, random: Random, spec: Spec, family: str) -> None:
        self.random, self.spec, self.family = random, spec, family
        self.spoils = not spec.validates or random.random() < 0.3
        self.code, self.marks = bytearray(), bytearray()
        self.places: list[int] = []  # where instructions begin
        self.blocks: list[int] = [0]  # where they begin after a terminator
        self.holes: list[tuple[int, Row, dict[str, int], tuple[int, ...]]] = []  # what waits for its target
        self.straight = [row for row in spec.rows if not row.ends_block and not _is_spared(row)]
        self.by_name = {row.name: row for row in spec.rows}

    def program(self) -> bytes:
        """The whole blob."""
        for _ in range(self.random.randrange(1, 10)):
            for _ in range(self.random.choice((0, 0, 1, 1, 2, 4))):
                often = self.random.random() < 0.8
                self.write(self.by_name[self.random.choice(_OFTEN)] if often else self.random.choice(self.straight))
            self.write(self.by_name[self.random.choice(_ENDS)])
            self.blocks.append(len(self.code))
        if self.family == "marks" and self.spoils:
            self.spoil_marks()
        for place, row, values, widths in self.holes:
            values[row.format.immediates[-1].name] = self.target(place) - place
            octets = self.encode(row, values, widths)
            self.code[place + len(octets) - widths[-1] : place + len(octets)] = octets[-widths[-1] :]
        if self.family == "opcodes" and self.spoils:
            for _ in range(self.random.randrange(4)):
                self.code[self.random.choice(self.places)] = self.undefined()
        if self.spoils and self.random.random() < 0.25:  # the code ends within its last instructions
            left = max(1, len(self.code) - self.random.randrange(1, 9))
            del self.code[left:], self.marks[left:]
        count, size, table = self.table()
        return b"".join((
            encode_natural(count), bytes([size]), encode_natural(len(self.code)), table, self.code,
            pack_bitmask(bytes(self.marks)),
        ))  # fmt: skip

    def write(self, row: Row) -> None:
        """One instruction; before it what the family puts between instructions."""
        random = self.random
        if self.spoils and self.family == "marks" and random.random() < 0.08:
            self.put(random.randbytes(1) + self.filler(random.choice(_GAPS)), marked=random.random() < 0.7)
        if self.spoils and self.family == "opcodes" and random.random() < 0.15:
            self.put(bytes([self.undefined()]) + random.randbytes(random.randrange(6)))
        widths = tuple(
            8 if field.wide else random.choice((2, 2, 3, 4)) if field.offset else random.choice((0, 1, 1, 2, 4))
            for field in row.format.immediates
        )
        values = {field.name: random.randrange(REGISTER_COUNT) for field in row.format.registers}
        for field in row.format.immediates:
            number = random.choice((0, 1, 2, 5, -1, 100, value(random)))
            values[field.name] = 0 if field.offset else number
        if row.name in _DYNAMIC:
            base, offset = _DYNAMIC[row.name]
            widths = (*widths[:-1], 2)
            values[base] = random.choice((_ZERO, _ZERO, _ZERO, _ZERO, _HALT, values[base]))
            values[offset] = random.choice((2, 2, 4, 4, 6, 8, 3, 2 * random.randrange(16), random.randrange(40), -2))
            if values[base] == _HALT and random.random() < 0.7:
                values[offset] = 0
        elif row.accesses_memory:
            values["a" if row.format.name == "reg_imm_imm" else "b"] = _POINTER
            values["x"] = random.choice((0, 0, 1, 8))
            widths = (1, *widths[1:])
        elif any(field.offset for field in row.format.immediates):
            self.holes.append((len(self.code), row, values, widths))
        octets = bytearray(self.encode(row, values, widths))
        if len(octets) > 1 and random.random() < 0.08:  # registers above 12, lengths above 4, nibbles not in use
            odd = random.choice((random.getrandbits(8), 0xFF, 0xDD, 0x75))
            octets[random.choice((1, min(2, len(octets) - 1)))] = odd
        self.put(bytes(octets))

    def encode(self, row: Row, values: dict[str, int], widths: tuple[int, ...]) -> bytes:
        return encode_instruction(row.format, self.spec.opcodes[row.name], values, widths)

    def put(self, octets: bytes, marked: bool = True) -> None:
        self.places.append(len(self.code))
        self.marks += bytes([marked]) + bytes(len(octets) - 1)
        self.code += octets

    def filler(self, count: int) -> bytes:
        """Octets that would do something, were they instructions."""
        return bytes(self.random.choice((0, 1, 10, 51, 52, 40, 7)) for _ in range(count))

    def undefined(self) -> int:
        """An opcode that the version does not have; most often one that the other has, or a neighbour."""
        near = [octet for octet in (2, 3, 9, 11, 29, 34, 101, 111, 162, 231, 255) if self.spec.by_opcode[octet] is None]
        return self.random.choice((*near, *(octet for octet in range(256) if self.spec.by_opcode[octet] is None)))

    def spoil_marks(self) -> None:
        """Change a few marks, or all."""
        for _ in range(self.random.randrange(1, 4)):
            match self.random.choice(("opcode", "opcode", "block", "operand", "operand", "first", "run", "any", "all")):
                case "opcode":
                    self.marks[self.random.choice(self.places)] = 0
                case "block":
                    self.marks[min(self.random.choice(self.blocks), len(self.marks) - 1)] = 0
                case "operand" | "any":
                    self.marks[self.random.randrange(len(self.marks))] ^= 1
                case "first":
                    self.marks[0] = 0
                case "run":
                    first = self.random.randrange(len(self.marks))
                    end = min(len(self.marks), first + self.random.choice(_GAPS))
                    self.marks[first:end] = bytes(end - first)
                case _ if self.random.random() < 0.3:
                    self.marks[:] = bytes([self.random.randrange(2)]) * len(self.marks)

    def target(self, place: int) -> int:
        """Where a jump at `place` leads: to a block, or elsewhere."""
        random, end = self.random, len(self.code)
        if random.random() < (0.6 if self.family == "targets" else 0.85):
            return random.choice(self.blocks)
        unmarked = [at for at, mark in enumerate(self.marks) if not mark]
        return random.choice((
            random.choice(self.places), random.choice(self.places) + 1, random.choice(unmarked or [0]),
            random.randrange(end), place, end, end, end - 1, end + 1, end + random.randrange(40), -1, -end,
            -random.randrange(1, 60), -random.randrange(1 << 15), random.randrange(1 << 15),
        ))  # fmt: skip

    def table(self) -> tuple[int, int, bytes]:
        """|j|, z and the entries' octets."""
        random = self.random
        if self.family != "tables":
            size, count = random.choice((1, 2, 4)), random.randrange(6)
            return count, size, b"".join(_entry(self.target(0), size) for _ in range(count))
        size = random.choice((*_SIZES, random.randrange(256)))
        if size == 0:
            return random.choice(_COUNTS), 0, b""
        count = random.randrange(13)
        return count, size, b"".join(_entry(self.entry(size), size) for _ in range(count))

    def entry(self, size: int) -> int:
        """A place, or a number that is one when its upper octets are lost, or any."""
        random = self.random
        choice = random.random()
        if choice < 0.5:
            return random.choice(self.blocks)
        if choice < 0.65:
            return self.target(0)
        if choice < 0.85:
            return random.choice(self.blocks) + (1 << random.choice((8, 16, 31, 32, 33, 63, 64, 8 * size - 1)))
        return random.choice((random.getrandbits(8 * size), (1 << 8 * size) - 1, len(self.code)))


def _is_spared(row: Row) -> bool:
    """Rows that access an address which is an operand, most often not mapped, and the one that may map much."""
    return row.name == "sbrk" or (row.accesses_memory and "_ind_" not in row.name)


def _entry(number: int, size: int) -> bytes:
    return (number % (1 << 8 * size)).to_bytes(size, "little")
