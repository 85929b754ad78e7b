"""A.5.1 to A.5.13: what the octets of an instruction say, each subsection written out.

    operands(code, n) -> Operands        of the instruction at n, by the subsection of its name

Registers are indices 0 to 12. Immediates are naturals below 2^64; what the text makes of an offset is an integer that
may be negative or beyond the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.second_reading.code import TABLES, Code


@dataclass(frozen=True)
class Operands:
    """r_A, r_B, r_D and the immediates nu_X, nu_Y of a subsection; None is what it does not have."""

    a: int | None = None
    b: int | None = None
    d: int | None = None
    x: int | None = None
    y: int | None = None


def signed(octets: int, value: int) -> int:
    """A.4, equation (signedfunc): Z_n, for n octets. Of no octets there is 0 alone."""
    return value if 2 * value < 2 ** (8 * octets) else value - 2 ** (8 * octets)


def sext(octets: int, value: int) -> int:
    """A.4, equation (signedextension): X_n(x) = x + floor(x / 2^(8n-1)) (2^64 - 2^(8n))."""
    return value + (2 * value // 2 ** (8 * octets)) * (2**64 - 2 ** (8 * octets))


def none(code: Code, n: int) -> Operands:
    """A.5.1, without arguments."""
    return Operands()


def one_immediate(code: Code, n: int) -> Operands:
    """A.5.2."""
    length = code.skip(n)
    l_x = min(4, length)
    return Operands(x=sext(l_x, code.zeta(n + 1, l_x)))


def one_register_one_extended_immediate(code: Code, n: int) -> Operands:
    """A.5.3: eight octets, however far the next instruction is."""
    return Operands(a=min(12, code.zeta(n + 1) % 16), x=code.zeta(n + 2, 8))


def two_immediates(code: Code, n: int) -> Operands:
    """A.5.4."""
    length = code.skip(n)
    l_x = min(4, code.zeta(n + 1) % 8)
    l_y = min(4, max(0, length - l_x - 1))
    return Operands(x=sext(l_x, code.zeta(n + 2, l_x)), y=sext(l_y, code.zeta(n + 2 + l_x, l_y)))


def one_offset(code: Code, n: int) -> Operands:
    """A.5.5."""
    length = code.skip(n)
    l_x = min(4, length)
    return Operands(x=n + signed(l_x, code.zeta(n + 1, l_x)))


def one_register_one_immediate(code: Code, n: int) -> Operands:
    """A.5.6."""
    length = code.skip(n)
    l_x = min(4, max(0, length - 1))
    return Operands(a=min(12, code.zeta(n + 1) % 16), x=sext(l_x, code.zeta(n + 2, l_x)))


def one_register_two_immediates(code: Code, n: int) -> Operands:
    """A.5.7."""
    length = code.skip(n)
    r_a = min(12, code.zeta(n + 1) % 16)
    l_x = min(4, code.zeta(n + 1) // 16 % 8)
    l_y = min(4, max(0, length - l_x - 1))
    return Operands(a=r_a, x=sext(l_x, code.zeta(n + 2, l_x)), y=sext(l_y, code.zeta(n + 2 + l_x, l_y)))


def one_register_one_immediate_one_offset(code: Code, n: int) -> Operands:
    """A.5.8."""
    length = code.skip(n)
    r_a = min(12, code.zeta(n + 1) % 16)
    l_x = min(4, code.zeta(n + 1) // 16 % 8)
    l_y = min(4, max(0, length - l_x - 1))
    return Operands(a=r_a, x=sext(l_x, code.zeta(n + 2, l_x)), y=n + signed(l_y, code.zeta(n + 2 + l_x, l_y)))


def two_registers(code: Code, n: int) -> Operands:
    """A.5.9: D comes before A."""
    return Operands(d=min(12, code.zeta(n + 1) % 16), a=min(12, code.zeta(n + 1) // 16))


def two_registers_one_immediate(code: Code, n: int) -> Operands:
    """A.5.10."""
    length = code.skip(n)
    r_a, r_b = min(12, code.zeta(n + 1) % 16), min(12, code.zeta(n + 1) // 16)
    l_x = min(4, max(0, length - 1))
    return Operands(a=r_a, b=r_b, x=sext(l_x, code.zeta(n + 2, l_x)))


def two_registers_one_offset(code: Code, n: int) -> Operands:
    """A.5.11."""
    length = code.skip(n)
    r_a, r_b = min(12, code.zeta(n + 1) % 16), min(12, code.zeta(n + 1) // 16)
    l_x = min(4, max(0, length - 1))
    return Operands(a=r_a, b=r_b, x=n + signed(l_x, code.zeta(n + 2, l_x)))


def two_registers_two_immediates(code: Code, n: int) -> Operands:
    """A.5.12."""
    length = code.skip(n)
    r_a, r_b = min(12, code.zeta(n + 1) % 16), min(12, code.zeta(n + 1) // 16)
    l_x = min(4, code.zeta(n + 2) % 8)
    l_y = min(4, max(0, length - l_x - 2))
    return Operands(a=r_a, b=r_b, x=sext(l_x, code.zeta(n + 3, l_x)), y=sext(l_y, code.zeta(n + 3 + l_x, l_y)))


def three_registers(code: Code, n: int) -> Operands:
    """A.5.13: r_D is the whole octet, not its lower half."""
    r_a, r_b = min(12, code.zeta(n + 1) % 16), min(12, code.zeta(n + 1) // 16)
    return Operands(a=r_a, b=r_b, d=min(12, code.zeta(n + 2)))


# A.5.1 to A.5.13, in the order of the tables of opcodes.
SUBSECTIONS = (
    none,
    one_immediate,
    one_register_one_extended_immediate,
    two_immediates,
    one_offset,
    one_register_one_immediate,
    one_register_two_immediates,
    one_register_one_immediate_one_offset,
    two_registers,
    two_registers_one_immediate,
    two_registers_one_offset,
    two_registers_two_immediates,
    three_registers,
)
OF_NAME = {
    name: subsection for (_, names), subsection in zip(TABLES, SUBSECTIONS, strict=True) for name in names.split()
} | {"unlikely": none}


def operands(code: Code, n: int) -> Operands:
    """What the instruction at n is given; of a trap nothing, wherever its octets come from."""
    return OF_NAME[code.opcode(n)](code, n)
