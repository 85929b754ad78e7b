"""What the fuzzer runs, and the first family: programs of any octets and rows, most of which end soon.

In: a seed. Out: a `Case`: program, page map, registers, gas, pc.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pvm.isa import GP_072, GP_080, Row, Spec
from pvm.isa.expr import DynamicJump, HostCall, Imm, Jump, Load, SetReg, Store, walk
from pvm.program import PAGE_SIZE, Blob, pack_bitmask
from pvm.program.assembly_syntax import encode_instruction
from pvm.program.standard import HALT_ADDRESS
from pvm.registers import REGISTER_COUNT

ROUNDS = 12  # exits of a transcript at most
ANSWERED = 5  # the host call that has a handler, where the host changes pages
PAGES = (0x0F000, 0x10000, 0x20000, 0x21000, 0x7FFFF000, 0x80000000, 0xFFFFE000, 0xFFFFF000)
_VALUES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 2, HALT_ADDRESS)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A program and its start. `pages` are (address, access); `seed` decides what happens between exits.

    `contents` are (address, octets), written over the random contents of the pages. When gas has run out there are
    fewer than `refill` more. The host changes the access to `remapped` pages at host calls, of which it answers number
    `ANSWERED` by a handler. A transcript has at most `rounds` exits. With `is_blank` the pages start with
    zeros instead of random contents. So many pages were `left_out` of the case, with which chance goes on as before.
    With `moves_pc` the host sometimes sets pc at exits after which the program could go on where it is.
    """

    seed: int
    kind: str
    program: bytes
    spec: str
    metering: str
    pc: int
    gas: int
    registers: tuple[int, ...]
    pages: tuple[tuple[int, str], ...]
    contents: tuple[tuple[int, bytes], ...] = ()
    refill: int = 40
    remapped: tuple[int, ...] = ()
    rounds: int = ROUNDS
    is_blank: bool = False
    left_out: int = 0
    moves_pc: bool = False


def random_case(seed: int) -> Case:
    """The case of a seed: one of four kinds of program, under either spec and metering."""
    random = Random(seed)
    spec = random.choice((GP_072, GP_072, GP_080))
    kind, make = random.choice(tuple(_KINDS.items()))
    blob = make(random, spec)
    pages = tuple((page, random.choice(("r", "rw", "rw"))) for page in PAGES if random.random() < 0.5)
    # r0 often holds the address that halts, as in a standard program.
    first = HALT_ADDRESS if random.random() < 0.5 else value(random)
    registers = (first, *(value(random) for _ in range(REGISTER_COUNT - 1)))
    pc = 0 if random.random() < 0.8 else random.randrange(len(blob.code) + 3)
    gas = random.choice((random.randrange(12), random.randrange(100), 1000, 5000))
    metering = random.choice(("instruction", "block"))
    return Case(seed, kind, blob.encode(), spec.name, metering, pc, gas, registers, pages)


def value(random: Random) -> int:
    """A number of 64 bits that is worth trying: an edge, an address near a page's edge, a jump table address, any."""
    choice = random.random()
    if choice < 0.4:
        return random.choice(_VALUES)
    if choice < 0.75:  # near a page's edge
        return (random.choice(PAGES) + random.choice((0, 1, 8, PAGE_SIZE - 4, PAGE_SIZE - 1, PAGE_SIZE))) % (1 << 32)
    if choice < 0.9:  # a jump table address
        return random.randrange(24)
    return random.getrandbits(64)


def _noise(random: Random, spec: Spec) -> Blob:
    """Random octets under a random bitmask, dense or sparse."""
    length = random.randrange(120)
    density = random.choice((0.02, 0.2, 0.5, 1.0))
    starts = bytes(random.random() < density for _ in range(length))
    opcodes = list(spec.opcodes.values())
    code = bytes(
        random.choice(opcodes) if start and random.random() < 0.9 else random.getrandbits(8) for start in starts
    )
    return _blob(code, starts, tuple(random.randrange(length + 4) for _ in range(random.randrange(8))))


def _structured(random: Random, spec: Spec) -> Blob:
    """Basic blocks that jump to each other, with a jump table to them."""
    blocks = [
        [random.choice(_straight(spec)) for _ in range(random.randrange(6))] + [random.choice(_ends(spec))]
        for _ in range(random.randrange(1, 10))
    ]
    return _assembled(random, spec, blocks)


def _one_row(random: Random, spec: Spec) -> Blob:
    """One row again and again, so that its operands meet many values."""
    row = random.choice(_straight(spec))
    return _assembled(random, spec, [[row] * random.randrange(1, 12) + [random.choice(_ends(spec))]])


def _mutated(random: Random, spec: Spec) -> Blob:
    """A structured program with a few octets or marks changed."""
    blob = _structured(random, spec)
    code, starts = bytearray(blob.code), bytearray(blob.starts)
    for _ in range(random.randrange(1, 4)):
        place = random.randrange(len(code))
        if random.random() < 0.5:
            code[place] = random.getrandbits(8)
        else:
            starts[place] ^= 1
    return _blob(bytes(code), bytes(starts), blob.stored_entries)


_KINDS: dict[str, Callable[[Random, Spec], Blob]] = {
    "noise": _noise,
    "structured": _structured,
    "one row": _one_row,
    "mutated": _mutated,
}


def _blob(code: bytes, starts: bytes, jump_table: tuple[int, ...]) -> Blob:
    return Blob(code, pack_bitmask(starts), jump_table, 4 if jump_table else 0)


def _straight(spec: Spec) -> list[Row]:
    return [row for row in spec.rows if not row.ends_block]


def _ends(spec: Spec) -> list[Row]:
    return [row for row in spec.rows if row.ends_block]


def _assembled(random: Random, spec: Spec, blocks: list[list[Row]]) -> Blob:
    """Encode blocks. Offsets take two octets, so that places are known before targets are."""
    plans = [[(row, _widths(random, row)) for row in block] for block in blocks]
    place = 0
    starts_of_blocks = []
    for plan in plans:
        starts_of_blocks.append(place)
        for row, widths in plan:
            place += len(encode_instruction(row.format, 0, dict.fromkeys(row.format.fields, 0), widths))
    code, starts = bytearray(), bytearray()
    for plan in plans:
        for row, widths in plan:
            values = {field.name: random.randrange(REGISTER_COUNT) for field in row.format.registers}
            returns = any(isinstance(effect, DynamicJump) for effect in row.effects) and random.random() < 0.4
            if returns:
                values = dict.fromkeys(values, 0)
            for field in row.format.immediates:
                target = random.choice(starts_of_blocks) if random.random() < 0.9 else random.randrange(place + 4)
                immediate = 0 if returns else _immediate(random, row)
                values[field.name] = target - len(code) if field.offset else immediate
            octets = encode_instruction(row.format, spec.opcodes[row.name], values, widths)
            starts += b"\1" + bytes(len(octets) - 1)
            code += octets
    targets = tuple(random.choice(starts_of_blocks) for _ in range(random.randrange(6)))
    return _blob(bytes(code), bytes(starts), targets)


def _widths(random: Random, row: Row) -> tuple[int, ...]:
    return tuple(8 if f.wide else 2 if f.offset else random.choice((1, 2, 4, 4)) for f in row.format.immediates)


def _immediate(random: Random, row: Row) -> int:
    """A signed immediate: small where it is added to an address, a page's edge where it is one."""
    uses_address = any(isinstance(node, Load | Store | DynamicJump) for e in row.effects for node in walk(e))
    if uses_address and any(isinstance(effect, Store | SetReg) for effect in row.effects):
        is_absolute = any(
            isinstance(node, Load | Store) and isinstance(node.address, Imm) for e in row.effects for node in walk(e)
        )
        if is_absolute:
            return signed(value(random))
    if any(isinstance(effect, HostCall | Jump) for effect in row.effects) or random.random() < 0.5:
        return random.choice((0, 1, 2, 4, -1, -8, 8, 100))
    return signed(value(random))


def signed(number: int) -> int:
    """The low 32 bits as a signed number."""
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number
