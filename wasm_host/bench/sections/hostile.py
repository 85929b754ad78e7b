"""Hostile programs: what an attacker would send to make translating slow, large or wrong.

In: a kind, and how many instructions or octets. Out: a `Blob`, the same each time. All are programs of 0.7.2, made in
linear time. None needs memory, registers or arguments to do what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from pvm.emit.recompiler import MAX_INSTRUCTIONS, MAX_PROGRAM_WEIGHT, REGION_BLOCKS, weight_of_program
from pvm.isa import GP_072
from pvm.program import Blob

LONGEST = 25  # octets of an instruction: after 24 that are not marked comes the next one

_SAMPLE = 4096  # instructions, from which it is known how large a program of a kind will be
_ENTRIES = 1_000_000  # of a jump table that is large for its own sake
_DEPTH = 96  # loops in each other
_MULTIPLIER = 2654435761  # scatters numbers
_PERIOD = 9973  # instructions or blocks, after which what looks random comes again


@dataclass(frozen=True)
class Kind:
    """`make` yields a program of so many instructions; `title` says what it is made of."""

    name: str
    title: str
    make: Callable[[int], Blob]


def of_weight(kind: Kind, limit: int) -> tuple[int, Blob]:
    """The largest program of at most `limit` instructions in the count of `weight`, and its own count."""
    return _fitting(kind, limit, weight)


def weight(blob: Blob) -> int:
    """What a program has of the `MAX_INSTRUCTIONS` beyond which it is not translated, by number or by weight.

    Each mark and each 25 octets of code are taken for an instruction, whichever there are.
    """
    heaviness = weight_of_program(blob, GP_072) * MAX_INSTRUCTIONS // MAX_PROGRAM_WEIGHT
    return max(blob.starts.count(1) + len(blob.code) // LONGEST, heaviness)


def of_octets(kind: Kind, octets: int) -> tuple[int, Blob]:
    """The largest program of at most `octets` octets of code, and its number of instructions."""
    return _fitting(kind, octets, lambda blob: len(blob.code))


def _fitting(kind: Kind, limit: int, size: Callable[[Blob], int]) -> tuple[int, Blob]:
    count = int(limit * _SAMPLE / size(kind.make(_SAMPLE)))
    blob = kind.make(count)
    while size(blob) > limit:  # kinds that are not the same everywhere
        count = min(count - 1, int(count * limit / size(blob)))
        blob = kind.make(count)
    return count, blob


# --- parts -----------------------------------------------------------------------------------------------------------


def _op(name: str, *operands: int) -> bytes:
    return bytes([GP_072.opcodes[name], *operands])


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little", signed=True)


def _registers(a: int, b: int) -> int:
    """The octet that names two registers."""
    return b << 4 | a


def _packed(marks: bytes) -> bytes:
    """`pvm.program.pack_bitmask` in a hundredth of the time."""
    bits = marks[::-1].translate(bytes([48, 49]) + bytes(254))
    return int(bits or b"0", 2).to_bytes((len(marks) + 7) // 8, "little")


def blob_of(instructions: Sequence[bytes], table: Iterable[int] = (), size: int = 4) -> Blob:
    """A program of instructions, all marked."""
    marked = [b"\1" + bytes(length) for length in range(LONGEST)]
    marks = b"".join([marked[len(octets) - 1] for octets in instructions])
    entries = tuple(table)
    return Blob(b"".join(instructions), _packed(marks), entries, size if entries else 0)


_BRANCH = _op("branch_eq", _registers(1, 2))
_BRANCH_SIZE = len(_BRANCH) + 4


def _repeated(instructions: list[bytes], count: int) -> list[bytes]:
    return (instructions * (count // len(instructions) + 1))[:count]


def _branches(targets: Sequence[int]) -> Blob:
    """Blocks of a branch each, to the blocks of these numbers."""
    return blob_of([_BRANCH + _word((target - number) * _BRANCH_SIZE) for number, target in enumerate(targets)])


# --- blocks that go straight -----------------------------------------------------------------------------------------


def _endless(count: int) -> Blob:
    return blob_of([_op("add_64", _registers(1, 2), 3)] * count)


def _accesses(count: int) -> Blob:
    """Each goes off a register that has just changed, so that no two share a check; each store follows a load."""
    load, store = _op("load_ind_u64", _registers(3, 4), 8), _op("store_ind_u64", _registers(4, 3), 16)
    return blob_of(_repeated([load, store], count))


def _heavy(count: int) -> Blob:
    """Rows that take the most WebAssembly."""
    rows = ("mul_upper_s_s", "mul_upper_u_u", "mul_upper_s_u")
    instructions = [_op(name, _registers(1, 2), 3) for name in rows] + [_op("reverse_bytes", _registers(4, 3))]
    return blob_of(_repeated(instructions, count))


def _distinct(count: int) -> Blob:
    """No two have the same octets, so nothing that is remembered by octets helps, or access octets near each other."""
    start = _op("store_imm_ind_u64", 4 << 4 | 1)
    offsets = (number * _MULTIPLIER % (1 << 31) for number in range(count))
    return blob_of([start + _word(offset) + _word(~offset) for offset in offsets])


def _long(count: int) -> Blob:
    octets = Random(1).randbytes(LONGEST - 2)
    return blob_of([_op("load_imm", 1) + octets] * count)


def _sbrks(count: int) -> Blob:
    """On all registers, so that each is alive wherever a machine may be entered."""
    random = Random(1)
    instructions = [_op("sbrk", _registers(random.randrange(13), random.randrange(13))) for _ in range(_PERIOD)]
    return blob_of([_op("load_imm", 2, 100), *_repeated(instructions, count - 1)])


def _host_calls(count: int) -> Blob:
    return blob_of([_op("ecalli")] * count)


# --- blocks that jump ------------------------------------------------------------------------------------------------


def _jumps(count: int) -> Blob:
    jump = _op("jump")
    return blob_of([jump + _word(5 * (number * _MULTIPLIER % count - number)) for number in range(count)])


def _near(count: int) -> Blob:
    return blob_of(_repeated([_BRANCH + _word(step * _BRANCH_SIZE) for step in _near_steps()], count))


def _near_steps() -> list[int]:
    """To blocks that are near, not before the first."""
    random = Random(1)
    return [random.randrange(-min(number, 90), 90) for number in range(_PERIOD)]


def _first(count: int) -> Blob:
    return _branches([0] * count)


def _last(count: int) -> Blob:
    return _branches([count - 1] * count)


def _across(count: int) -> Blob:
    """Forwards over one bound between regions or two, by turns."""
    steps = (REGION_BLOCKS, 2 * REGION_BLOCKS - 1)
    return _branches([min(count - 1, number + steps[number % 2]) for number in range(count)])


def _overlapping(count: int) -> Blob:
    """Loops that begin in each other and end outside: none can be a loop of WebAssembly."""
    return _branches([max(0, number - _DEPTH) for number in range(count)])


def _astray(count: int) -> Blob:
    """Into the middle of instructions, before the code and behind it."""
    random, end = Random(1), count * _BRANCH_SIZE
    branches = [_BRANCH + _word(random.randrange(-end, end) // 6 * 6 + 1) for _ in range(_PERIOD)]
    return blob_of(_repeated(branches, count))


def _nested(count: int) -> Blob:
    """Loops in each other: so many begin, and so many end, again and again."""
    opening = [_op("fallthrough")] * _DEPTH
    # The loop that begins last ends first; of those that have begun, each is an octet long.
    closing = [_BRANCH + _word(-(turn + 1) - turn * _BRANCH_SIZE) for turn in range(_DEPTH)]
    return blob_of(_repeated(opening + closing, count))


def _checkpoints(count: int) -> Blob:
    """Blocks that load, store and jump back to anywhere, so that every register may have changed at every store."""
    random, instructions = Random(1), list[bytes]()
    for number in range(_PERIOD):
        loaded, other = 3 + number % 10, 3 + (number + 1) % 10  # the addresses' registers stay
        back = random.randrange(min(number + 1, REGION_BLOCKS))
        instructions += [
            _op("load_ind_u8", _registers(loaded, 1), 8), _op("store_ind_u8", _registers(loaded, 2), number % 99),
            _op("branch_eq", _registers(loaded, other)) + _word(-12 * back - 6),  # blocks have 12 octets
        ]  # fmt: skip
    return blob_of(_repeated(instructions, count))


# --- jump tables -----------------------------------------------------------------------------------------------------


def _targets(count: int) -> Blob:
    return blob_of([_op("fallthrough")] * count, range(count))


def _dynamic(count: int) -> Blob:
    """Dynamic jumps that set the register that they come from, to anywhere in a table of all blocks."""
    instructions = [
        _op("load_imm_jump_ind", _registers(number % 13, number % 13), 4) + _word(0)
        + _word(2 * (number * _MULTIPLIER % count + 1))
        for number in range(count)
    ]  # fmt: skip
    return blob_of(instructions, range(0, len(instructions[0]) * count, len(instructions[0])))


def _alive(count: int) -> Blob:
    """Jumps to near blocks that set a register each. All may be entered, and there all registers are alive."""
    size = 7
    instructions = [
        _op("load_imm_jump", 1 << 4 | number % 13, number % 100) + _word(step * size)
        for number, step in enumerate(_near_steps())
    ]
    return blob_of(_repeated(instructions, count), range(0, size * count, size))


def _wide_entries(count: int) -> Blob:
    """Entries of 8 octets, every other one beyond all addresses."""
    entries = min(_ENTRIES, count)
    return blob_of([_op("fallthrough")] * count, (n if n % 2 else (1 << 64) - 1 - n for n in range(entries)), 8)


def _empty_entries(count: int) -> Blob:
    """Entries of no octets, as many as there may be: all are 0."""
    return blob_of([_op("jump_ind", 1)] * count, [0] * count, 0)


def _one_target(count: int) -> Blob:
    return blob_of([_op("jump_ind", 1, 2)] * count, [3] * min(_ENTRIES, 16 * count))


# --- octets that are no program --------------------------------------------------------------------------------------


def _invalid(count: int) -> Blob:
    opcodes = [bytes([code]) for code, row in enumerate(GP_072.by_opcode) if row is None]
    return blob_of(_repeated(opcodes, count))


def _random(count: int) -> Blob:
    """Random octets, of which one in three is marked."""
    random = Random(1)
    length = 3 * count
    return Blob(random.randbytes(length), _packed(bytes(octet < 86 for octet in random.randbytes(length))))


def _unmarked(count: int) -> Blob:
    """Random octets, none of which is marked."""
    length = LONGEST * count
    return Blob(Random(1).randbytes(length), bytes((length + 7) // 8))


KINDS: tuple[Kind, ...] = (
    Kind("endless", "one block", _endless),
    Kind("accesses", "one block of loads and stores", _accesses),
    Kind("heavy", "the instructions that take the most code", _heavy),
    Kind("distinct", "no two instructions alike", _distinct),
    Kind("long", "instructions of 25 octets", _long),
    Kind("sbrks", "sbrk after sbrk", _sbrks),
    Kind("host calls", "ecalli after ecalli", _host_calls),
    Kind("jumps", "jumps to anywhere", _jumps),
    Kind("near", "branches to near blocks, both ways", _near),
    Kind("first", "branches to the first block", _first),
    Kind("last", "branches to the last block", _last),
    Kind("across", "branches over the bounds of regions", _across),
    Kind("overlapping", "loops that overlap", _overlapping),
    Kind("astray", "branches to no block", _astray),
    Kind("nested", "loops in each other", _nested),
    Kind("checkpoints", "loads, stores and jumps back", _checkpoints),
    Kind("targets", "every block in the jump table", _targets),
    Kind("dynamic", "dynamic jumps to anywhere", _dynamic),
    Kind("alive", "all registers alive at every jump", _alive),
    Kind("wide entries", "jump table entries of 8 octets", _wide_entries),
    Kind("empty entries", "jump table entries of no octets", _empty_entries),
    Kind("one target", "a million jump table entries alike", _one_target),
    Kind("invalid", "invalid opcodes", _invalid),
    Kind("random", "random octets, some marked", _random),
    Kind("unmarked", "random octets, none marked", _unmarked),
)
