"""A.5.1 to A.5.13: what each instruction does, by name.

Values only: `TWO`, `TWO_IMMEDIATE` and `THREE` compute a register from registers and immediates, `LOADS` and `STORES`
say how many octets go where, `CONDITIONS` when a branch is taken. What reaches memory or another instruction than the
next is carried out by `machine`.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.second_reading.operands import sext, signed


def unsigned(octets: int, value: int) -> int:
    """A.4: the inverse of Z_n."""
    return (2 ** (8 * octets) + value) % 2 ** (8 * octets)


def z8(value: int) -> int:
    return signed(8, value)


def z4(value: int) -> int:
    return signed(4, value % 2**32)


def u8(value: int) -> int:
    """Z_8^-1, into a register."""
    return unsigned(8, value)


def x4(value: int) -> int:
    """X_4(value mod 2^32)."""
    return sext(4, value % 2**32)


def bits(octets: int, value: int) -> list[int]:
    """B_n of A.4: the least significant first."""
    return [value // 2**i % 2 for i in range(8 * octets)]


def natural(sequence: list[int]) -> int:
    """B_n^-1."""
    return sum(bit * 2**i for i, bit in enumerate(sequence))


def zeros(sequence: list[int]) -> int:
    """max(n : sum of the first n bits = 0)."""
    return max(n for n in range(len(sequence) + 1) if sum(sequence[:n]) == 0)


def smod(a: int, b: int) -> int:
    """A.5.13: the modulo of the absolute values with the sign of the numerator."""
    if b == 0:
        return a
    sign = (a > 0) - (a < 0)
    return sign * (abs(a) % abs(b))


def rtz(a: int, b: int) -> int:
    """rtz(a / b): the quotient rounded towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def rotated_right(octets: int, value: int, by: int) -> int:
    """x with B(x)[i] = B(value)[(i + by) mod 8n]."""
    source = bits(octets, value % 2 ** (8 * octets))
    return natural([source[(i + by) % (8 * octets)] for i in range(8 * octets)])


def rotated_left(octets: int, value: int, by: int) -> int:
    """x with B(x)[(i + by) mod 8n] = B(value)[i]."""
    source = bits(octets, value % 2 ** (8 * octets))
    target = [0] * (8 * octets)
    for i in range(8 * octets):
        target[(i + by) % (8 * octets)] = source[i]
    return natural(target)


def each_bit(a: int, b: int, of: Callable[[int, int], bool]) -> int:
    """for all i in N_64 : B_8(result)[i] = of(B_8(a)[i], B_8(b)[i])."""
    return natural([int(of(i, j)) for i, j in zip(bits(8, a), bits(8, b), strict=True)])


def div_s(octets: int, a: int, b: int) -> int:
    if b == 0:
        return 2**64 - 1
    if a == -(2 ** (8 * octets - 1)) and b == -1:
        return u8(a)
    return u8(rtz(a, b))


def rem_s(octets: int, a: int, b: int) -> int:
    if a == -(2 ** (8 * octets - 1)) and b == -1:
        return 0
    return u8(smod(a, b))


# A.5.9 without sbrk: D of A.
TWO: dict[str, Callable[[int], int]] = {
    "move_reg": lambda a: a,
    "count_set_bits_64": lambda a: sum(bits(8, a)),
    "count_set_bits_32": lambda a: sum(bits(4, a % 2**32)),
    "leading_zero_bits_64": lambda a: zeros(bits(8, a)[::-1]),
    "leading_zero_bits_32": lambda a: zeros(bits(4, a % 2**32)[::-1]),
    "trailing_zero_bits_64": lambda a: zeros(bits(8, a)),
    "trailing_zero_bits_32": lambda a: zeros(bits(4, a % 2**32)),
    "sign_extend_8": lambda a: u8(signed(1, a % 2**8)),
    "sign_extend_16": lambda a: u8(signed(2, a % 2**16)),
    "zero_extend_16": lambda a: a % 2**16,
    "reverse_bytes": lambda a: int.from_bytes(a.to_bytes(8, "little")[::-1], "little"),
}

# A.5.10 without memory: A of A, B and nu_X.
TWO_IMMEDIATE: dict[str, Callable[[int, int, int], int]] = {
    "add_imm_32": lambda a, b, x: x4(b + x),
    "and_imm": lambda a, b, x: each_bit(b, x, lambda i, j: bool(i and j)),
    "xor_imm": lambda a, b, x: each_bit(b, x, lambda i, j: i != j),
    "or_imm": lambda a, b, x: each_bit(b, x, lambda i, j: bool(i or j)),
    "mul_imm_32": lambda a, b, x: x4(b * x),
    "set_lt_u_imm": lambda a, b, x: int(b < x),
    "set_lt_s_imm": lambda a, b, x: int(z8(b) < z8(x)),
    "shlo_l_imm_32": lambda a, b, x: x4(b * 2 ** (x % 32)),
    "shlo_r_imm_32": lambda a, b, x: x4(b % 2**32 // 2 ** (x % 32)),
    "shar_r_imm_32": lambda a, b, x: u8(z4(b) // 2 ** (x % 32)),
    "neg_add_imm_32": lambda a, b, x: x4(x + 2**32 - b),
    "set_gt_u_imm": lambda a, b, x: int(b > x),
    "set_gt_s_imm": lambda a, b, x: int(z8(b) > z8(x)),
    "shlo_l_imm_alt_32": lambda a, b, x: x4(x * 2 ** (b % 32)),
    "shlo_r_imm_alt_32": lambda a, b, x: x4(x % 2**32 // 2 ** (b % 32)),
    "shar_r_imm_alt_32": lambda a, b, x: u8(z4(x) // 2 ** (b % 32)),
    "cmov_iz_imm": lambda a, b, x: x if b == 0 else a,
    "cmov_nz_imm": lambda a, b, x: x if b != 0 else a,
    "add_imm_64": lambda a, b, x: (b + x) % 2**64,
    "mul_imm_64": lambda a, b, x: b * x % 2**64,
    "shlo_l_imm_64": lambda a, b, x: b * 2 ** (x % 64) % 2**64,
    "shlo_r_imm_64": lambda a, b, x: b // 2 ** (x % 64),
    "shar_r_imm_64": lambda a, b, x: u8(z8(b) // 2 ** (x % 64)),
    "neg_add_imm_64": lambda a, b, x: (x + 2**64 - b) % 2**64,
    "shlo_l_imm_alt_64": lambda a, b, x: x * 2 ** (b % 64) % 2**64,
    "shlo_r_imm_alt_64": lambda a, b, x: x // 2 ** (b % 64),
    "shar_r_imm_alt_64": lambda a, b, x: u8(z8(x) // 2 ** (b % 64)),
    "rot_r_64_imm": lambda a, b, x: rotated_right(8, b, x),
    "rot_r_64_imm_alt": lambda a, b, x: rotated_right(8, x, b),
    "rot_r_32_imm": lambda a, b, x: sext(4, rotated_right(4, b, x)),
    "rot_r_32_imm_alt": lambda a, b, x: sext(4, rotated_right(4, x, b)),
}

# A.5.13: D of A, B and D.
THREE: dict[str, Callable[[int, int, int], int]] = {
    "add_32": lambda a, b, d: x4(a + b),
    "sub_32": lambda a, b, d: x4(a + 2**32 - b % 2**32),
    "mul_32": lambda a, b, d: x4(a * b),
    "div_u_32": lambda a, b, d: 2**64 - 1 if b % 2**32 == 0 else x4(a % 2**32 // (b % 2**32)),
    "div_s_32": lambda a, b, d: div_s(4, z4(a), z4(b)),
    "rem_u_32": lambda a, b, d: x4(a) if b % 2**32 == 0 else x4(a % 2**32 % (b % 2**32)),
    "rem_s_32": lambda a, b, d: rem_s(4, z4(a), z4(b)),
    "shlo_l_32": lambda a, b, d: x4(a * 2 ** (b % 32)),
    "shlo_r_32": lambda a, b, d: x4(a % 2**32 // 2 ** (b % 32)),
    "shar_r_32": lambda a, b, d: u8(z4(a) // 2 ** (b % 32)),
    "add_64": lambda a, b, d: (a + b) % 2**64,
    "sub_64": lambda a, b, d: (a + 2**64 - b) % 2**64,
    "mul_64": lambda a, b, d: a * b % 2**64,
    "div_u_64": lambda a, b, d: 2**64 - 1 if b == 0 else a // b,
    "div_s_64": lambda a, b, d: div_s(8, z8(a), z8(b)),
    "rem_u_64": lambda a, b, d: a if b == 0 else a % b,
    "rem_s_64": lambda a, b, d: rem_s(8, z8(a), z8(b)),
    "shlo_l_64": lambda a, b, d: a * 2 ** (b % 64) % 2**64,
    "shlo_r_64": lambda a, b, d: a // 2 ** (b % 64),
    "shar_r_64": lambda a, b, d: u8(z8(a) // 2 ** (b % 64)),
    "and": lambda a, b, d: each_bit(a, b, lambda i, j: bool(i and j)),
    "xor": lambda a, b, d: each_bit(a, b, lambda i, j: i != j),
    "or": lambda a, b, d: each_bit(a, b, lambda i, j: bool(i or j)),
    "mul_upper_s_s": lambda a, b, d: u8(z8(a) * z8(b) // 2**64),
    "mul_upper_u_u": lambda a, b, d: a * b // 2**64,
    "mul_upper_s_u": lambda a, b, d: u8(z8(a) * b // 2**64),
    "set_lt_u": lambda a, b, d: int(a < b),
    "set_lt_s": lambda a, b, d: int(z8(a) < z8(b)),
    "cmov_iz": lambda a, b, d: a if b == 0 else d,
    "cmov_nz": lambda a, b, d: a if b != 0 else d,
    "rot_l_64": lambda a, b, d: rotated_left(8, a, b),
    "rot_l_32": lambda a, b, d: sext(4, rotated_left(4, a, b)),
    "rot_r_64": lambda a, b, d: rotated_right(8, a, b),
    "rot_r_32": lambda a, b, d: sext(4, rotated_right(4, a, b)),
    "and_inv": lambda a, b, d: each_bit(a, b, lambda i, j: bool(i and not j)),
    "or_inv": lambda a, b, d: each_bit(a, b, lambda i, j: bool(i or not j)),
    "xnor": lambda a, b, d: each_bit(a, b, lambda i, j: i == j),
    "max": lambda a, b, d: u8(max(z8(a), z8(b))),
    "max_u": lambda a, b, d: max(a, b),
    "min": lambda a, b, d: u8(min(z8(a), z8(b))),
    "min_u": lambda a, b, d: min(a, b),
}

# A.5.6 (load_*) and A.5.10 (load_ind_*): octets read, and whether their sign is extended.
LOADS = {"u8": (1, False), "i8": (1, True), "u16": (2, False), "i16": (2, True), "u32": (4, False), "i32": (4, True),
         "u64": (8, False)}  # fmt: skip
# A.5.4, A.5.6, A.5.7, A.5.10: octets written.
STORES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}

# A.5.8 (branch_*_imm: A and nu_X) and A.5.11 (branch_*: A and B): when the branch is taken.
CONDITIONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt_u": lambda a, b: a < b,
    "le_u": lambda a, b: a <= b,
    "ge_u": lambda a, b: a >= b,
    "gt_u": lambda a, b: a > b,
    "lt_s": lambda a, b: z8(a) < z8(b),
    "le_s": lambda a, b: z8(a) <= z8(b),
    "ge_s": lambda a, b: z8(a) >= z8(b),
    "gt_s": lambda a, b: z8(a) > z8(b),
}
