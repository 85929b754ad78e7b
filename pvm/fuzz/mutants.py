"""The third family: real programs, a little changed, with their memory, under page maps that may lack something.

In: a seed, and the programs to start from. Out: a `Case`. The same seed means the same case for the same programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from pvm.errors import InputError
from pvm.fuzz.cases import Case, value
from pvm.isa import GP_072, GP_080
from pvm.machine import start_of
from pvm.program import PAGE_SIZE, Blob, Program, pack_bitmask
from pvm.registers import REGISTER_COUNT

LONGEST = 2048  # octets of code: of longer programs a part is taken, because every engine translates every case
_ENDS = 5  # pages that are taken of each end of a segment
# For each version, what opcodes of 0.7.2 are there, as octets: the programs are of that version.
_OPCODES = {
    spec.name: [
        spec.opcodes.get(row.name if row else "", octet).to_bytes() for octet, row in enumerate(GP_072.by_opcode)
    ]
    for spec in (GP_072, GP_080)
}


@dataclass
class _Draft:
    """A program as instructions: octets that begin at a mark. Those before the first mark are the first."""

    pieces: list[bytes]
    jump_table: list[int]
    random: Random
    others: Sequence[Program]

    def place(self) -> int:
        return self.random.randrange(len(self.pieces))


def mutated_case(seed: int, programs: Sequence[Program]) -> Case:
    """The case of a seed. Raises InputError when there is no program to start from."""
    programs = [program for program in programs if program.code]
    if not programs:
        raise InputError("no program to mutate: each is empty")
    random = Random(f"mutant {seed}")
    spec = random.choice((GP_072, GP_072, GP_072, GP_080))
    program = random.choice(programs)
    pieces = [_OPCODES[spec.name][piece[0]] + piece[1:] for piece in _window(random, _pieces(program.blob))]
    draft = _Draft(pieces, list(program.blob.stored_entries), random, programs)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        random.choice(_MUTATIONS)(draft)
        draft.pieces = draft.pieces or [b"\0"]
    blob = _blob(draft)
    is_standard = program.sections is not None
    start = start_of(program, _arguments(random) if is_standard else b"", 0, None, None)
    pages: dict[int, str] = {}
    contents: list[tuple[int, bytes]] = []
    for segment in start.segments:
        for page in _some(segment.length // PAGE_SIZE):
            address = segment.address + page * PAGE_SIZE
            pages[address] = segment.access
            contents.append((address, segment.data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE].ljust(PAGE_SIZE, b"\0")))
    for address in random.sample(sorted(pages), random.choice((0, 0, 1, 2)) if len(pages) > 1 else 0):
        if access := random.choice(("r", "rw", "")):
            pages[address] = access
        else:
            del pages[address]
    registers = list(start.registers)
    is_part = len(program.code) > LONGEST
    for number in range(2, REGISTER_COUNT):  # in the middle of a program, registers are pointers and small numbers
        if is_part and pages:
            near = random.choice(list(pages)) + random.randrange(PAGE_SIZE)
            registers[number] = random.choice((near, near, random.randrange(64)))
    for _ in range(random.choice((0, 0, 1, 3)) if is_standard else REGISTER_COUNT):
        registers[random.randrange(REGISTER_COUNT)] = value(random)
    pc = 0 if random.random() < 0.8 else random.randrange(len(blob.code) + 2)
    gas = random.choice((random.randrange(300), 1500, 3000, 4000))
    remapped = tuple(random.sample(sorted(pages), min(3, len(pages)))) if random.random() < 0.3 else ()
    return Case(
        seed, "mutant", blob.encode(), spec.name, random.choice(("instruction", "block")), pc, gas, tuple(registers),
        tuple(pages.items()), tuple(chunk for chunk in contents if chunk[0] in pages), random.choice((20, 400)),
        remapped,
    )  # fmt: skip


def _pieces(blob: Blob) -> list[bytes]:
    marks = [0, *(place for place in range(1, len(blob.code)) if blob.starts[place]), len(blob.code)]
    return [blob.code[first:end] for first, end in pairwise(marks)]


def _window(random: Random, pieces: list[bytes]) -> list[bytes]:
    """All of a short program, else neighbouring instructions of a long one."""
    if sum(map(len, pieces)) <= LONGEST:
        return pieces
    first = random.randrange(len(pieces))
    taken, size = [], 0
    for piece in pieces[first:]:
        if size + len(piece) > LONGEST:
            break
        taken.append(piece)
        size += len(piece)
    return taken or [pieces[first][:LONGEST]]


def _blob(draft: _Draft) -> Blob:
    starts = b"".join(b"\1" + bytes(len(piece) - 1) for piece in draft.pieces)
    return Blob(b"".join(draft.pieces), pack_bitmask(starts), tuple(draft.jump_table), 4 if draft.jump_table else 0)


def _arguments(random: Random) -> bytes:
    """Often one small number, which many programs take for a count."""
    if random.random() < 0.6:
        return random.randrange(64).to_bytes(random.choice((1, 4, 8)), "little")
    return random.randbytes(random.randrange(40))


def _some(count: int) -> list[int]:
    """The numbers below `count`; of many the first and last."""
    return sorted({*range(min(count, _ENDS)), *range(max(0, count - _ENDS), count)})


# --- mutations: each changes a draft, which may become empty ----------------------------------------------------------


def _flip_bit(draft: _Draft) -> None:
    at = draft.place()
    octets = bytearray(draft.pieces[at])
    octets[draft.random.randrange(len(octets))] ^= 1 << draft.random.randrange(8)
    draft.pieces[at] = bytes(octets)


def _other_opcode(draft: _Draft) -> None:
    at = draft.place()
    draft.pieces[at] = draft.random.choice(list(GP_072.opcodes.values())).to_bytes() + draft.pieces[at][1:]


def _other_immediate(draft: _Draft) -> None:
    """The last octets of an instruction are most often its immediate."""
    at = draft.place()
    octets = draft.pieces[at]
    width = min(len(octets) - 1, draft.random.choice((1, 2, 4, 8)))
    if width > 0:
        number = value(draft.random) & ((1 << 8 * width) - 1)
        draft.pieces[at] = octets[:-width] + number.to_bytes(width, "little")


def _swap(draft: _Draft) -> None:
    one, other = draft.place(), draft.place()
    draft.pieces[one], draft.pieces[other] = draft.pieces[other], draft.pieces[one]


def _swap_alike(draft: _Draft) -> None:
    """Two of the same length, so that all jumps lead where they did."""
    one = draft.place()
    alike = [at for at, piece in enumerate(draft.pieces) if len(piece) == len(draft.pieces[one])]
    other = draft.random.choice(alike)
    draft.pieces[one], draft.pieces[other] = draft.pieces[other], draft.pieces[one]


def _remove(draft: _Draft) -> None:
    del draft.pieces[draft.place()]


def _repeat(draft: _Draft) -> None:
    at = draft.place()
    draft.pieces.insert(at, draft.pieces[at])


def _transplant(draft: _Draft) -> None:
    donor = _pieces(draft.random.choice(draft.others).blob)
    at = draft.random.randrange(len(donor))
    place = draft.place()
    draft.pieces[place:place] = donor[at : at + draft.random.randrange(1, 6)]


def _join(draft: _Draft) -> None:
    """A mark is missing."""
    at = draft.place()
    draft.pieces[at : at + 2] = [b"".join(draft.pieces[at : at + 2])]


def _split(draft: _Draft) -> None:
    """A mark too many."""
    at = draft.place()
    octets = draft.pieces[at]
    middle = draft.random.randrange(len(octets))
    draft.pieces[at : at + 1] = [part for part in (octets[:middle], octets[middle:]) if part]


def _other_entry(draft: _Draft) -> None:
    if draft.jump_table:
        size = sum(map(len, draft.pieces))
        draft.jump_table[draft.random.randrange(len(draft.jump_table))] = draft.random.randrange(size + 2)


_MUTATIONS: tuple[Callable[[_Draft], None], ...] = (
    _flip_bit, _flip_bit, _other_opcode, _other_opcode, _other_immediate, _other_immediate, _swap, _swap_alike,
    _swap_alike, _swap_alike, _remove, _repeat, _transplant, _join, _split, _other_entry,
)  # fmt: skip
