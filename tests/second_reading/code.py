"""A.1 to A.3: what is in a program's blob, where its instructions are, and which of them may be jumped to.

    deblob(octets) -> Code | None        A.1: None is the text's error, on which a run panics
    code.skip(n), code.zeta(n, count), code.opcode(n), code.block_starts

A name is the instruction's name in the text; `numbers(version)` has the opcodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

# A.5.1 to A.5.13 of 0.7.2: the first opcode of each run of consecutive ones, and their names in order.
TABLES = (
    (0, "trap fallthrough"),  # A.5.1
    (10, "ecalli"),  # A.5.2
    (20, "load_imm_64"),  # A.5.3
    (30, "store_imm_u8 store_imm_u16 store_imm_u32 store_imm_u64"),  # A.5.4
    (40, "jump"),  # A.5.5
    (50, "jump_ind load_imm load_u8 load_i8 load_u16 load_i16 load_u32 load_i32 load_u64 store_u8 store_u16 store_u32 "
         "store_u64"),  # A.5.6
    (70, "store_imm_ind_u8 store_imm_ind_u16 store_imm_ind_u32 store_imm_ind_u64"),  # A.5.7
    (80, "load_imm_jump branch_eq_imm branch_ne_imm branch_lt_u_imm branch_le_u_imm branch_ge_u_imm branch_gt_u_imm "
         "branch_lt_s_imm branch_le_s_imm branch_ge_s_imm branch_gt_s_imm"),  # A.5.8
    (100, "move_reg sbrk count_set_bits_64 count_set_bits_32 leading_zero_bits_64 leading_zero_bits_32 "
          "trailing_zero_bits_64 trailing_zero_bits_32 sign_extend_8 sign_extend_16 zero_extend_16 "
          "reverse_bytes"),  # A.5.9
    (120, "store_ind_u8 store_ind_u16 store_ind_u32 store_ind_u64 load_ind_u8 load_ind_i8 load_ind_u16 load_ind_i16 "
          "load_ind_u32 load_ind_i32 load_ind_u64 add_imm_32 and_imm xor_imm or_imm mul_imm_32 set_lt_u_imm "
          "set_lt_s_imm shlo_l_imm_32 shlo_r_imm_32 shar_r_imm_32 neg_add_imm_32 set_gt_u_imm set_gt_s_imm "
          "shlo_l_imm_alt_32 shlo_r_imm_alt_32 shar_r_imm_alt_32 cmov_iz_imm cmov_nz_imm add_imm_64 mul_imm_64 "
          "shlo_l_imm_64 shlo_r_imm_64 shar_r_imm_64 neg_add_imm_64 shlo_l_imm_alt_64 shlo_r_imm_alt_64 "
          "shar_r_imm_alt_64 rot_r_64_imm rot_r_64_imm_alt rot_r_32_imm rot_r_32_imm_alt"),  # A.5.10
    (170, "branch_eq branch_ne branch_lt_u branch_lt_s branch_ge_u branch_ge_s"),  # A.5.11
    (180, "load_imm_jump_ind"),  # A.5.12
    (190, "add_32 sub_32 mul_32 div_u_32 div_s_32 rem_u_32 rem_s_32 shlo_l_32 shlo_r_32 shar_r_32 add_64 sub_64 mul_64 "
          "div_u_64 div_s_64 rem_u_64 rem_s_64 shlo_l_64 shlo_r_64 shar_r_64 and xor or mul_upper_s_s mul_upper_u_u "
          "mul_upper_s_u set_lt_u set_lt_s cmov_iz cmov_nz rot_l_64 rot_l_32 rot_r_64 rot_r_32 and_inv or_inv xnor max "
          "max_u min min_u"),  # A.5.13
)  # fmt: skip

# A.3: T, the terminators.
_T = """
    trap fallthrough jump jump_ind load_imm_jump load_imm_jump_ind
    branch_eq branch_ne branch_ge_u branch_ge_s branch_lt_u branch_lt_s branch_eq_imm branch_ne_imm
    branch_lt_u_imm branch_lt_s_imm branch_le_u_imm branch_le_s_imm
    branch_ge_u_imm branch_ge_s_imm branch_gt_u_imm branch_gt_s_imm
"""
TERMINATORS = frozenset(_T.split())


def _numbers_072() -> dict[int, str]:
    return {first + at: name for first, names in TABLES for at, name in enumerate(names.split())}


def _numbers_080() -> dict[int, str]:
    """0.8.0: `unlikely` = 2 (A.5.1), no `sbrk`, and what follows it in A.5.9 moves down by one."""
    numbers = {}
    for number, name in _numbers_072().items():
        if name != "sbrk":
            numbers[number - 1 if 102 <= number <= 111 else number] = name
    numbers[2] = "unlikely"
    return numbers


# The names of U, the valid opcodes, by number.
NUMBERS = {"0.7.2": _numbers_072(), "0.8.0": _numbers_080()}


@dataclass(frozen=True)
class Table:
    """The dynamic jump table j: `count` naturals of `width` octets each (A.1, appendix C: little-endian)."""

    count: int
    width: int
    octets: bytes

    def entry(self, index: int) -> int:
        assert 0 <= index < self.count
        return int.from_bytes(self.octets[index * self.width : (index + 1) * self.width], "little")


@dataclass(frozen=True)
class Code:
    """c, k and j of A.1, read as `version`."""

    octets: bytes
    marks: tuple[bool, ...]
    table: Table
    version: str

    def skip(self, n: int) -> int:
        """A.2: min(24, j : (k ++ 1, 1, ...)[n + 1 + j] = 1)."""
        for j in range(24):
            at = n + 1 + j
            if at >= len(self.marks) or self.marks[at]:
                return j
        return 24

    def zeta(self, n: int, count: int = 1) -> int:
        """A.2, equation (instructions): the natural that `count` octets from n on encode; zeros follow the code."""
        return int.from_bytes(self.octets[n : n + count].ljust(count, b"\0"), "little")

    def opcode(self, n: int) -> str:
        """A.5: the name of c[n] where its bit is set and it is in U, else that of opcode 0."""
        return self.defined(n) or "trap"

    def defined(self, n: int) -> str | None:
        """The name of c[n] where k[n] = 1 and c[n] is in U, else None; so it is beyond the code, where k[n] is not."""
        if n >= len(self.octets) or not self.marks[n]:
            return None
        return NUMBERS[self.version].get(self.octets[n])

    @cached_property
    def block_starts(self) -> frozenset[int]:
        """A.3: ({0} and what follows each marked terminator), of these what is marked and in U."""
        follow = {n + 1 + self.skip(n) for n in range(len(self.octets)) if self.defined(n) in TERMINATORS}
        return frozenset(n for n in {0} | follow if self.defined(n) is not None)

    @cached_property
    def block_lengths(self) -> dict[int, int]:
        """Block metering with flat costs: how many instructions the block has that a pc lies in.

        0.7.2 has no such rule. As in 0.8.0 (A.4, L) the whole block is paid for also by who enters it in its middle. A
        block goes from where the last one ended, 0 at first, to a terminator. What is in none is a trap, and costs 1.
        """
        lengths: dict[int, int] = {}
        block: list[int] = []
        n = 0
        while n <= len(self.octets) or block:
            block.append(n)
            if self.opcode(n) in TERMINATORS:
                lengths.update(dict.fromkeys(block, len(block)))
                block = []
            n += 1 + self.skip(n)
        return lengths

    @cached_property
    def whole_is_valid(self) -> bool:
        """0.8.0, A.1: v_blob(c, k, 0), as a loop; and upstream's limits, #559."""
        if len(self.marks) > 2**25 or self.table.count > 2**24:
            return False
        n = 0
        while True:
            if n > 0 and n == len(self.marks):
                return True
            if not self.is_instruction(n):
                return False
            if n + 1 + self.skip(n) == len(self.marks) and self.defined(n) not in TERMINATORS:
                return False
            n += 1 + self.skip(n)

    def is_instruction(self, n: int) -> bool:
        """0.8.0, A.1: v_inst(c, k, n)."""
        return self.defined(n) is not None


def deblob(octets: bytes, version: str = "0.7.2", *, naturals_of_64_bits: bool = False) -> Code | None:
    """A.1: the one (c, k, j) whose encoding is `octets`: E(|j|) E1(z) E(|c|) Ez(j) E(c) E(k), |k| = |c|.

    None is the text's error. There is one encoding of everything, so lengths in more octets than they need, octets left
    over and bits of k beyond |c| are errors. j is in [N_R], naturals below 2^64: by the letter an entry that is not
    makes the whole blob an error, which `naturals_of_64_bits` chooses; otherwise it is a natural that no code reaches.
    """
    reader = _Reader(octets)
    count, width, length = reader.natural(), reader.fixed(1), reader.natural()
    if count is None or width is None or length is None:
        return None
    table, code, packed = reader.take(count * width), reader.take(length), reader.take((length + 7) // 8)
    if table is None or code is None or packed is None or reader.at != len(octets):
        return None
    if any(packed[n // 8] >> n % 8 & 1 for n in range(length, 8 * len(packed))):
        return None
    marks = tuple(bool(packed[n // 8] >> n % 8 & 1) for n in range(length))  # appendix C: least significant first
    found = Code(code, marks, Table(count, width, table), version)
    if naturals_of_64_bits and width > 8 and any(found.table.entry(at) >= 2**64 for at in range(count)):
        return None
    return found


class _Reader:
    """Decodes from the front of octets; every method returns None where they do not suffice or are no encoding."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0

    def take(self, count: int) -> bytes | None:
        if count > len(self.octets) - self.at:
            return None
        self.at += count
        return self.octets[self.at - count : self.at]

    def fixed(self, count: int) -> int | None:
        octets = self.take(count)
        return None if octets is None else int.from_bytes(octets, "little")

    def natural(self) -> int | None:
        """Appendix C, general natural numbers: as many octets follow as the first has leading ones."""
        first = self.fixed(1)
        if first is None:
            return None
        follow = 8 - (255 - first).bit_length()  # l in 0 to 8
        low = self.fixed(follow)
        if low is None:
            return None
        high = 0 if follow == 8 else first - (2**8 - 2 ** (8 - follow))
        value = high * 2 ** (8 * follow) + low
        least = 2 ** (7 * follow) if follow else 0
        return value if value >= least else None
