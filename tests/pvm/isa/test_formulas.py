"""The formulas of A.5, written from the text once more in Python's own numbers: the table must mean the same.

Nothing of `pvm.isa.expr` is used here. A formula gets what the text calls phi_A, phi_B, phi_D, nu_X and nu_Y, and
yields the new value of the one register that the instruction sets.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from pvm import Exit, Program, Reason, ReferenceEngine
from pvm.isa import GP_072, GP_080, ROWS, Row
from pvm.program import Blob, pack_bitmask
from pvm.program.assembly_syntax import encode_instruction

TOP = 1 << 64
EDGES = (0, 1, 2, 31, 32, 33, 63, 64, 0x80, 0x8000, 0x7FFFFFFF, 1 << 31, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63,
         TOP - (1 << 31), TOP - 2, TOP - 1, 0x123456789ABCDEF0)  # fmt: skip
# Immediates are four octets at most, and the sign goes on to 64 bits.
IMMEDIATES = (0, 1, 31, 32, 63, 0x7FFFFFFF, TOP - (1 << 31), TOP - 33, TOP - 1, 0x12345678)
OLD = 0x5555_0000_AAAA_1234  # in every register that the operands do not name
DATA = bytes((37 * place + 0x93) & 0xFF for place in range(4096))
PAGE = 0x20000


# --- the paper's functions -------------------------------------------------------------------------------------------


def signed(octets: int, value: int) -> int:
    """Z_n."""
    return value if value < 1 << (8 * octets - 1) else value - (1 << 8 * octets)


def unsigned(value: int) -> int:
    """The inverse of Z_8."""
    return (TOP + value) % TOP


def extended(octets: int, value: int) -> int:
    """X_n."""
    return value + value // (1 << (8 * octets - 1)) * (TOP - (1 << 8 * octets))


def bits(octets: int, value: int) -> list[int]:
    """B_n."""
    return [value // 2**place % 2 for place in range(8 * octets)]


def number(found: list[int]) -> int:
    """The inverse of B_n."""
    return sum(bit * 2**place for place, bit in enumerate(found))


def zeros(found: list[int]) -> int:
    """The largest n such that the first n bits are 0."""
    return max(n for n in range(len(found) + 1) if sum(found[:n]) == 0)


def towards_zero(numerator: int, denominator: int) -> int:
    """rtz of a quotient: the ceiling below 0, else the floor."""
    is_negative = numerator * denominator < 0
    return -(-numerator // denominator) if is_negative else numerator // denominator


def smod(a: int, b: int) -> int:
    return a if b == 0 else (a > 0) * (abs(a) % abs(b)) - (a < 0) * (abs(a) % abs(b))


def low(value: int) -> int:
    return value % 2**32


def bitwise(function: Callable[[int, int], int], left: int, right: int) -> int:
    return number([function(*pair) for pair in zip(bits(8, left), bits(8, right), strict=True)])


def rotated_right(octets: int, value: int, count: int) -> int:
    """Bit i of the result is bit i + count of the value."""
    found = bits(octets, value % 2 ** (8 * octets))
    return number([found[(place + count) % len(found)] for place in range(len(found))])


def rotated_left(octets: int, value: int, count: int) -> int:
    """Bit i + count of the result is bit i of the value."""
    found = bits(octets, value % 2 ** (8 * octets))
    result = [0] * len(found)
    for place, bit in enumerate(found):
        result[(place + count) % len(found)] = bit
    return number(result)


def div_s(octets: int, a: int, b: int) -> int:
    if b == 0:
        return TOP - 1
    return unsigned(a) if (a, b) == (-(1 << (8 * octets - 1)), -1) else unsigned(towards_zero(a, b))


def rem_s(octets: int, a: int, b: int) -> int:
    return 0 if (a, b) == (-(1 << (8 * octets - 1)), -1) else unsigned(smod(a, b))


# --- A.5.9, two registers: a -> d ------------------------------------------------------------------------------------

FROM_A: dict[str, Callable[[int], int]] = {
    "move_reg": lambda a: a,
    "count_set_bits_64": lambda a: sum(bits(8, a)),
    "count_set_bits_32": lambda a: sum(bits(4, low(a))),
    "leading_zero_bits_64": lambda a: zeros(bits(8, a)[::-1]),
    "leading_zero_bits_32": lambda a: zeros(bits(4, low(a))[::-1]),
    "trailing_zero_bits_64": lambda a: zeros(bits(8, a)),
    "trailing_zero_bits_32": lambda a: zeros(bits(4, low(a))),
    "sign_extend_8": lambda a: unsigned(signed(1, a % 2**8)),
    "sign_extend_16": lambda a: unsigned(signed(2, a % 2**16)),
    "zero_extend_16": lambda a: a % 2**16,
    "reverse_bytes": lambda a: sum((a // 256**place % 256) * 256 ** (7 - place) for place in range(8)),
}

# --- A.5.10, two registers and an immediate: b, x (and the old a) -> a -----------------------------------------------

FROM_B_X: dict[str, Callable[[int, int, int], int]] = {
    "add_imm_32": lambda b, x, a: extended(4, low(b + x)),
    "and_imm": lambda b, x, a: bitwise(min, b, x),
    "xor_imm": lambda b, x, a: bitwise(lambda p, q: (p + q) % 2, b, x),
    "or_imm": lambda b, x, a: bitwise(max, b, x),
    "mul_imm_32": lambda b, x, a: extended(4, low(b * x)),
    "set_lt_u_imm": lambda b, x, a: int(b < x),
    "set_lt_s_imm": lambda b, x, a: int(signed(8, b) < signed(8, x)),
    "shlo_l_imm_32": lambda b, x, a: extended(4, low(b * 2 ** (x % 32))),
    "shlo_r_imm_32": lambda b, x, a: extended(4, low(b) // 2 ** (x % 32)),
    "shar_r_imm_32": lambda b, x, a: unsigned(signed(4, low(b)) // 2 ** (x % 32)),
    "neg_add_imm_32": lambda b, x, a: extended(4, low(x + 2**32 - b)),
    "set_gt_u_imm": lambda b, x, a: int(b > x),
    "set_gt_s_imm": lambda b, x, a: int(signed(8, b) > signed(8, x)),
    "shlo_l_imm_alt_32": lambda b, x, a: extended(4, low(x * 2 ** (b % 32))),
    "shlo_r_imm_alt_32": lambda b, x, a: extended(4, low(x) // 2 ** (b % 32)),
    "shar_r_imm_alt_32": lambda b, x, a: unsigned(signed(4, low(x)) // 2 ** (b % 32)),
    "cmov_iz_imm": lambda b, x, a: x if b == 0 else a,
    "cmov_nz_imm": lambda b, x, a: x if b != 0 else a,
    "add_imm_64": lambda b, x, a: (b + x) % TOP,
    "mul_imm_64": lambda b, x, a: b * x % TOP,
    "shlo_l_imm_64": lambda b, x, a: b * 2 ** (x % 64) % TOP,
    "shlo_r_imm_64": lambda b, x, a: b // 2 ** (x % 64),
    "shar_r_imm_64": lambda b, x, a: unsigned(signed(8, b) // 2 ** (x % 64)),
    "neg_add_imm_64": lambda b, x, a: (x + TOP - b) % TOP,
    "shlo_l_imm_alt_64": lambda b, x, a: x * 2 ** (b % 64) % TOP,
    "shlo_r_imm_alt_64": lambda b, x, a: x // 2 ** (b % 64),
    "shar_r_imm_alt_64": lambda b, x, a: unsigned(signed(8, x) // 2 ** (b % 64)),
    "rot_r_64_imm": lambda b, x, a: rotated_right(8, b, x),
    "rot_r_64_imm_alt": lambda b, x, a: rotated_right(8, x, b),
    "rot_r_32_imm": lambda b, x, a: extended(4, rotated_right(4, b, x)),
    "rot_r_32_imm_alt": lambda b, x, a: extended(4, rotated_right(4, x, b)),
}

# --- A.5.13, three registers: a, b (and the old d) -> d --------------------------------------------------------------

FROM_A_B: dict[str, Callable[[int, int, int], int]] = {
    "add_32": lambda a, b, d: extended(4, low(a + b)),
    "sub_32": lambda a, b, d: extended(4, low(a + 2**32 - low(b))),
    "mul_32": lambda a, b, d: extended(4, low(a * b)),
    "div_u_32": lambda a, b, d: TOP - 1 if low(b) == 0 else extended(4, low(a) // low(b)),
    "div_s_32": lambda a, b, d: div_s(4, signed(4, low(a)), signed(4, low(b))),
    "rem_u_32": lambda a, b, d: extended(4, low(a) if low(b) == 0 else low(a) % low(b)),
    "rem_s_32": lambda a, b, d: rem_s(4, signed(4, low(a)), signed(4, low(b))),
    "shlo_l_32": lambda a, b, d: extended(4, low(a * 2 ** (b % 32))),
    "shlo_r_32": lambda a, b, d: extended(4, low(a) // 2 ** (b % 32)),
    "shar_r_32": lambda a, b, d: unsigned(signed(4, low(a)) // 2 ** (b % 32)),
    "add_64": lambda a, b, d: (a + b) % TOP,
    "sub_64": lambda a, b, d: (a + TOP - b) % TOP,
    "mul_64": lambda a, b, d: a * b % TOP,
    "div_u_64": lambda a, b, d: TOP - 1 if b == 0 else a // b,
    "div_s_64": lambda a, b, d: div_s(8, signed(8, a), signed(8, b)),
    "rem_u_64": lambda a, b, d: a if b == 0 else a % b,
    "rem_s_64": lambda a, b, d: rem_s(8, signed(8, a), signed(8, b)),
    "shlo_l_64": lambda a, b, d: a * 2 ** (b % 64) % TOP,
    "shlo_r_64": lambda a, b, d: a // 2 ** (b % 64),
    "shar_r_64": lambda a, b, d: unsigned(signed(8, a) // 2 ** (b % 64)),
    "and": lambda a, b, d: bitwise(min, a, b),
    "xor": lambda a, b, d: bitwise(lambda p, q: (p + q) % 2, a, b),
    "or": lambda a, b, d: bitwise(max, a, b),
    "mul_upper_s_s": lambda a, b, d: unsigned(signed(8, a) * signed(8, b) // TOP),
    "mul_upper_u_u": lambda a, b, d: a * b // TOP,
    "mul_upper_s_u": lambda a, b, d: unsigned(signed(8, a) * b // TOP),
    "set_lt_u": lambda a, b, d: int(a < b),
    "set_lt_s": lambda a, b, d: int(signed(8, a) < signed(8, b)),
    "cmov_iz": lambda a, b, d: a if b == 0 else d,
    "cmov_nz": lambda a, b, d: a if b != 0 else d,
    "rot_l_64": lambda a, b, d: rotated_left(8, a, b),
    "rot_l_32": lambda a, b, d: extended(4, rotated_left(4, a, b)),
    "rot_r_64": lambda a, b, d: rotated_right(8, a, b),
    "rot_r_32": lambda a, b, d: extended(4, rotated_right(4, a, b)),
    "and_inv": lambda a, b, d: bitwise(lambda p, q: p * (1 - q), a, b),
    "or_inv": lambda a, b, d: bitwise(lambda p, q: max(p, 1 - q), a, b),
    "xnor": lambda a, b, d: bitwise(lambda p, q: 1 - (p + q) % 2, a, b),
    "max": lambda a, b, d: unsigned(max(signed(8, a), signed(8, b))),
    "max_u": lambda a, b, d: max(a, b),
    "min": lambda a, b, d: unsigned(min(signed(8, a), signed(8, b))),
    "min_u": lambda a, b, d: min(a, b),
}

# --- A.5.8 and A.5.11, branches: whether phi_A and phi_B or nu_X make it jump ----------------------------------------

BRANCHES: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt_u": lambda a, b: a < b,
    "le_u": lambda a, b: a <= b,
    "ge_u": lambda a, b: a >= b,
    "gt_u": lambda a, b: a > b,
    "lt_s": lambda a, b: signed(8, a) < signed(8, b),
    "le_s": lambda a, b: signed(8, a) <= signed(8, b),
    "ge_s": lambda a, b: signed(8, a) >= signed(8, b),
    "gt_s": lambda a, b: signed(8, a) > signed(8, b),
}
OF_REGISTERS = {f"branch_{op}": BRANCHES[op] for op in ("eq", "ne", "lt_u", "lt_s", "ge_u", "ge_s")}
OF_IMMEDIATES = {f"branch_{op}_imm": function for op, function in BRANCHES.items()}

# --- memory: octets, and for loads whether the sign goes on ----------------------------------------------------------

WIDTHS = {"u8": (1, False), "i8": (1, True), "u16": (2, False), "i16": (2, True), "u32": (4, False), "i32": (4, True),
          "u64": (8, False)}  # fmt: skip
LOADS = {f"{name}_{kind}": width for name in ("load", "load_ind") for kind, width in WIDTHS.items()}
STORES = {
    f"{name}_{kind}": octets
    for name in ("store", "store_ind", "store_imm", "store_imm_ind")
    for kind, (octets, is_signed) in WIDTHS.items() if not is_signed
}  # fmt: skip

# What the tests below the formulas are about.
OTHERS = {"trap", "fallthrough", "unlikely", "ecalli", "load_imm_64", "load_imm", "jump", "jump_ind", "load_imm_jump",
          "load_imm_jump_ind", "sbrk"}  # fmt: skip


def test_every_instruction_has_a_formula() -> None:
    groups = (FROM_A, FROM_B_X, FROM_A_B, OF_REGISTERS, OF_IMMEDIATES, LOADS, STORES, dict.fromkeys(OTHERS))
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(row.name for row in ROWS)


class Stepper:
    """One instruction, of which a, b and d are r1, r2 and r3, between host calls: it may jump to the second."""

    def __init__(self, row: Row, x: int = 0, y: int = 0) -> None:
        spec = GP_072 if row.opcode_072 is not None else GP_080
        jumps = [field.name for field in row.format.immediates if field.offset]
        widths = [8 if field.wide else 4 for field in row.format.immediates]
        values = {"a": 1, "b": 2, "d": 3, "x": signed(8, x), "y": signed(8, y)}
        length = len(encode_instruction(row.format, spec.opcodes[row.name], values, widths))
        self.falls, self.jumps = length, length + 3
        values.update(dict.fromkeys(jumps, self.jumps))
        code = encode_instruction(row.format, spec.opcodes[row.name], values, widths)
        starts = b"\1" + bytes(length - 1)
        blob = Blob(code + b"\x0a\x01\x00\x0a\x02\x00", pack_bitmask(starts + b"\1\0\1\1\0\1"), (self.jumps,), 2)
        self.machine = ReferenceEngine(spec.name, "instruction").instantiate(Program(blob), gas=1)
        self.machine.memory.map(PAGE, 4096, "rw")

    def step(self, a: int = OLD, b: int = OLD, d: int = OLD) -> Exit | None:
        machine = self.machine
        machine.registers = [OLD, a, b, d, *[OLD] * 9]
        machine.pc, machine.gas = 0, 1
        exit = machine.step()
        assert machine.gas == 0, "it costs 1 gas"
        return exit

    def changed(self, a: int = OLD, b: int = OLD, d: int = OLD) -> dict[int, int]:
        """The registers that differ after a step, which must go on at the next instruction."""
        assert self.step(a, b, d) is None
        assert self.machine.pc == self.falls
        before = [OLD, a, b, d, *[OLD] * 9]
        return {n: value for n, value in enumerate(self.machine.registers) if value != before[n]}


def expected(register: int, old: int, new: int) -> dict[int, int]:
    return {register: new} if new != old else {}


def named(names: dict[str, Callable[..., object]]) -> list[Row]:
    return [row for row in ROWS if row.name in names]


@pytest.mark.parametrize("row", named(FROM_A), ids=lambda row: row.name)
def test_two_registers(row: Row) -> None:
    stepper = Stepper(row)
    for a in EDGES:
        assert stepper.changed(a=a) == expected(3, OLD, FROM_A[row.name](a)), hex(a)


@pytest.mark.parametrize("row", named(FROM_B_X), ids=lambda row: row.name)
def test_two_registers_and_an_immediate(row: Row) -> None:
    for x in IMMEDIATES:
        stepper = Stepper(row, x)
        for b in EDGES:
            assert stepper.changed(b=b) == expected(1, OLD, FROM_B_X[row.name](b, x, OLD)), (hex(b), hex(x))


@pytest.mark.parametrize("row", named(FROM_A_B), ids=lambda row: row.name)
def test_three_registers(row: Row) -> None:
    stepper = Stepper(row)
    for a, b in product(EDGES, EDGES):
        assert stepper.changed(a, b) == expected(3, OLD, FROM_A_B[row.name](a, b, OLD)), (hex(a), hex(b))


@pytest.mark.parametrize("row", named(OF_REGISTERS), ids=lambda row: row.name)
def test_branches_on_two_registers(row: Row) -> None:
    stepper = Stepper(row)
    for a, b in product(EDGES, EDGES):
        assert stepper.step(a, b) is None
        taken = OF_REGISTERS[row.name](a, b)
        assert stepper.machine.pc == (stepper.jumps if taken else stepper.falls), (hex(a), hex(b))
        assert stepper.machine.registers == [OLD, a, b, *[OLD] * 10]


@pytest.mark.parametrize("row", named(OF_IMMEDIATES), ids=lambda row: row.name)
def test_branches_on_an_immediate(row: Row) -> None:
    for x in IMMEDIATES:
        stepper = Stepper(row, x)
        for a in (*EDGES, x):
            assert stepper.step(a) is None
            taken = OF_IMMEDIATES[row.name](a, x)
            assert stepper.machine.pc == (stepper.jumps if taken else stepper.falls), (hex(a), hex(x))
            assert stepper.machine.registers == [OLD, a, *[OLD] * 11]


@pytest.mark.parametrize("row", named(dict.fromkeys(LOADS, int)), ids=lambda row: row.name)
def test_loads(row: Row) -> None:
    """At a register plus the immediate, mod 2^32, or at the immediate alone; octets with and without a sign."""
    octets, is_signed = LOADS[row.name]
    for place in (0, 3, 5, 7):
        offset, base = (0x10, (7 << 32) + PAGE + place - 0x10) if "ind" in row.name else (PAGE + place, OLD)
        stepper = Stepper(row, offset)
        stepper.machine.memory.write(PAGE, DATA)
        value = int.from_bytes(DATA[place : place + octets], "little")
        assert stepper.changed(b=base) == {1: extended(octets, value) if is_signed else value}
        assert stepper.machine.memory.read(PAGE, 4096) == DATA


@pytest.mark.parametrize("row", named(dict.fromkeys(STORES, int)), ids=lambda row: row.name)
def test_stores(row: Row) -> None:
    """A register or an immediate, of which the low octets count."""
    octets = STORES[row.name]
    for value, place in product((0x8877665544332211, TOP - 0x12345678), (0, 5)):
        is_immediate, is_indirect = "imm" in row.name, "ind" in row.name
        offset, base = (0x10, (7 << 32) + PAGE + place - 0x10) if is_indirect else (PAGE + place, OLD)
        stored = extended(4, low(value)) if is_immediate else value
        stepper = Stepper(row, offset, stored)
        stepper.machine.memory.write(PAGE, DATA)
        assert stepper.changed(*((base,) if is_immediate else (value, base))) == {}
        after = DATA[:place] + stored.to_bytes(8, "little")[:octets] + DATA[place + octets :]
        assert stepper.machine.memory.read(PAGE, 4096) == after


BY_NAME = {row.name: row for row in ROWS}


def test_no_arguments() -> None:
    assert Stepper(BY_NAME["trap"]).step() == Exit(Reason.PANIC, 0, 0)
    for name in ("fallthrough", "unlikely"):
        assert Stepper(BY_NAME[name]).changed() == {}


@pytest.mark.parametrize("x", IMMEDIATES)
def test_immediates_alone(x: int) -> None:
    assert Stepper(BY_NAME["ecalli"], x).step() == Exit(Reason.HOST_CALL, 0, 0, call=x)
    assert Stepper(BY_NAME["load_imm"], x).changed() == {1: x}


def test_an_immediate_of_eight_octets() -> None:
    for x in EDGES:
        assert Stepper(BY_NAME["load_imm_64"], x).changed() == {1: x}


def test_jumps() -> None:
    """To an offset, with and without setting a register; by the table, whose address may lie in the register that is
    set."""
    stepper = Stepper(BY_NAME["jump"])
    assert (stepper.step(), stepper.machine.pc) == (None, stepper.jumps)
    for x in IMMEDIATES:
        stepper = Stepper(BY_NAME["load_imm_jump"], x)
        assert (stepper.step(), stepper.machine.pc) == (None, stepper.jumps)
        assert stepper.machine.registers == [OLD, x, *[OLD] * 11]
        stepper = Stepper(BY_NAME["load_imm_jump_ind"], x, 6)
        assert (stepper.step(b=(5 << 32) - 4), stepper.machine.pc) == (None, stepper.jumps)
        assert stepper.machine.registers == [OLD, x, (5 << 32) - 4, *[OLD] * 10]
    stepper = Stepper(BY_NAME["jump_ind"], 6)
    assert (stepper.step(a=(5 << 32) - 4), stepper.machine.pc) == (None, stepper.jumps)
    assert stepper.machine.registers == [OLD, (5 << 32) - 4, *[OLD] * 11]


def test_numbers_of_0_7_2() -> None:
    """The opcodes as the tables of A.5 list them."""
    listed = {
        0: "trap fallthrough", 10: "ecalli", 20: "load_imm_64",
        30: "store_imm_u8 store_imm_u16 store_imm_u32 store_imm_u64", 40: "jump",
        50: "jump_ind load_imm load_u8 load_i8 load_u16 load_i16 load_u32 load_i32 load_u64 store_u8 store_u16 "
            "store_u32 store_u64",
        70: "store_imm_ind_u8 store_imm_ind_u16 store_imm_ind_u32 store_imm_ind_u64",
        80: "load_imm_jump branch_eq_imm branch_ne_imm branch_lt_u_imm branch_le_u_imm branch_ge_u_imm "
            "branch_gt_u_imm branch_lt_s_imm branch_le_s_imm branch_ge_s_imm branch_gt_s_imm",
        100: "move_reg sbrk count_set_bits_64 count_set_bits_32 leading_zero_bits_64 leading_zero_bits_32 "
             "trailing_zero_bits_64 trailing_zero_bits_32 sign_extend_8 sign_extend_16 zero_extend_16 reverse_bytes",
        120: "store_ind_u8 store_ind_u16 store_ind_u32 store_ind_u64 load_ind_u8 load_ind_i8 load_ind_u16 "
             "load_ind_i16 load_ind_u32 load_ind_i32 load_ind_u64 add_imm_32 and_imm xor_imm or_imm mul_imm_32 "
             "set_lt_u_imm set_lt_s_imm shlo_l_imm_32 shlo_r_imm_32 shar_r_imm_32 neg_add_imm_32 set_gt_u_imm "
             "set_gt_s_imm shlo_l_imm_alt_32 shlo_r_imm_alt_32 shar_r_imm_alt_32 cmov_iz_imm cmov_nz_imm add_imm_64 "
             "mul_imm_64 shlo_l_imm_64 shlo_r_imm_64 shar_r_imm_64 neg_add_imm_64 shlo_l_imm_alt_64 "
             "shlo_r_imm_alt_64 shar_r_imm_alt_64 rot_r_64_imm rot_r_64_imm_alt rot_r_32_imm rot_r_32_imm_alt",
        170: "branch_eq branch_ne branch_lt_u branch_lt_s branch_ge_u branch_ge_s", 180: "load_imm_jump_ind",
        190: "add_32 sub_32 mul_32 div_u_32 div_s_32 rem_u_32 rem_s_32 shlo_l_32 shlo_r_32 shar_r_32 add_64 sub_64 "
             "mul_64 div_u_64 div_s_64 rem_u_64 rem_s_64 shlo_l_64 shlo_r_64 shar_r_64 and xor or mul_upper_s_s "
             "mul_upper_u_u mul_upper_s_u set_lt_u set_lt_s cmov_iz cmov_nz rot_l_64 rot_l_32 rot_r_64 rot_r_32 "
             "and_inv or_inv xnor max max_u min min_u",
    }  # fmt: skip
    numbers = {name: first + place for first, names in listed.items() for place, name in enumerate(names.split())}
    assert dict(GP_072.opcodes) == numbers
    # 0.8.0 puts `unlikely` at 2, drops `sbrk`, and moves what followed it down by one.
    later = {name: opcode - (102 <= opcode <= 111) for name, opcode in numbers.items() if name != "sbrk"}
    assert dict(GP_080.opcodes) == {**later, "unlikely": 2}


def test_terminators() -> None:
    """T of A.3: neither `ecalli` nor `unlikely` ends a block."""
    names = {"trap", "fallthrough", "jump", "jump_ind", "load_imm_jump", "load_imm_jump_ind"}
    assert {row.name for row in ROWS if row.ends_block} == {*names, *OF_REGISTERS, *OF_IMMEDIATES}
