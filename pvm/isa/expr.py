"""The expression language in which the meaning of every instruction is written, once.

In: nothing. Out: the node types, and the operators with their meaning on Python integers.
Follows the Gray Paper's appendix A.5, whose formulas the rows of `table` transcribe.

Every expression yields an unsigned 64-bit value; comparisons yield 0 or 1. A row's meaning is a tuple of
*effects*. All expressions of a row read the state before the instruction (the paper's unprimed values); the
effects then happen in the order: stores, registers, control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1


# --- expressions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reg:
    """The value of the register that the operand field ("a", "b" or "d") names."""

    field: str


@dataclass(frozen=True, slots=True)
class Imm:
    """The immediate "x" or "y", sign-extended to 64 bits (for an offset: the target's pc)."""

    field: str


@dataclass(frozen=True, slots=True)
class Const:
    value: int


@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class If:
    """`then` when the condition is not 0, else `otherwise`; only the chosen arm is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Load:
    """`width` octets at `address` mod 2^32, little-endian, zero- or sign-extended."""

    width: int
    signed: bool
    address: Expr


Expr = Reg | Imm | Const | Unary | Binary | If | Load


# --- effects -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetReg:
    field: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Store:
    """The low `width` octets of `value` to `address` mod 2^32."""

    width: int
    address: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Jump:
    """The paper's branch: to the offset immediate `target` when `condition` holds (None: always)."""

    target: Imm
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class DynamicJump:
    """The paper's djump: through the jump table by `address` mod 2^32."""

    address: Expr


@dataclass(frozen=True, slots=True)
class HostCall:
    call: Expr


@dataclass(frozen=True, slots=True)
class Panic:
    pass


@dataclass(frozen=True, slots=True)
class Sbrk:
    """Grow the heap by `amount` bytes and set `field` to its old end (0.7.2 only).

    An amount of 0 asks for the heap's end. When the heap cannot grow that far, the register becomes 0.
    """

    field: str
    amount: Expr


Effect = SetReg | Store | Jump | DynamicJump | HostCall | Panic | Sbrk
Node = Expr | Effect


def children(node: Node) -> tuple[Expr, ...]:
    """The expressions directly below a node."""
    match node:
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case If(condition, then, otherwise):
            return (condition, then, otherwise)
        case Load(_, _, address) | DynamicJump(address):
            return (address,)
        case SetReg(_, value):
            return (value,)
        case Store(_, address, value):
            return (address, value)
        case Jump(target, condition):
            return (target,) if condition is None else (target, condition)
        case HostCall(call):
            return (call,)
        case Sbrk(_, amount):
            return (amount,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


# --- operators: name -> meaning on unsigned 64-bit integers --------------------------------------------------------


def signed64(value: int) -> int:
    """The paper's Z_8: the signed reading of an unsigned 64-bit value."""
    return value - (1 << 64) if value >> 63 else value


def sign_extend(value: int, octets: int) -> int:
    """The paper's X_n: the low `octets` octets of `value`, sign-extended to an unsigned 64-bit value."""
    bits = 8 * octets
    value &= (1 << bits) - 1
    return value | (MASK64 ^ ((1 << bits) - 1)) if bits and value >> (bits - 1) else value


def _divide_signed(left: int, right: int) -> int:
    """Division rounded towards zero, as the signed rows need."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _div_s(left: int, right: int) -> int:
    return _divide_signed(signed64(left), signed64(right)) & MASK64


def _rem_s(left: int, right: int) -> int:
    dividend, divisor = signed64(left), signed64(right)
    return (dividend - divisor * _divide_signed(dividend, divisor)) & MASK64


def _rotl(value: int, count: int, bits: int) -> int:
    mask = (1 << bits) - 1
    value &= mask
    count %= bits
    return (value << count | value >> (bits - count)) & mask


UNARY: dict[str, Callable[[int], int]] = {
    "sext8": lambda v: sign_extend(v, 1),
    "sext16": lambda v: sign_extend(v, 2),
    "sext32": lambda v: sign_extend(v, 4),
    "zext16": lambda v: v & 0xFFFF,
    "zext32": lambda v: v & MASK32,
    "not": lambda v: v ^ MASK64,
    "clz": lambda v: 64 - v.bit_length(),
    "ctz": lambda v: (v & -v).bit_length() - 1 if v else 64,
    "popcnt": lambda v: v.bit_count(),
    "reverse_bytes": lambda v: int.from_bytes(v.to_bytes(8, "little"), "big"),
}

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt_u": lambda a, b: a < b,
    "le_u": lambda a, b: a <= b,
    "ge_u": lambda a, b: a >= b,
    "gt_u": lambda a, b: a > b,
    "lt_s": lambda a, b: signed64(a) < signed64(b),
    "le_s": lambda a, b: signed64(a) <= signed64(b),
    "ge_s": lambda a, b: signed64(a) >= signed64(b),
    "gt_s": lambda a, b: signed64(a) > signed64(b),
}


def _as_number(compare: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    return lambda a, b: int(compare(a, b))


# Shift and rotation counts are taken modulo the width. `div_*` and `rem_*` are undefined for a divisor of 0, and
# `div_s` for -2^63 / -1: rows guard them with `If`.
BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: (a + b) & MASK64,
    "sub": lambda a, b: (a - b) & MASK64,
    "mul": lambda a, b: (a * b) & MASK64,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: (a << (b & 63)) & MASK64,
    "shr_u": lambda a, b: a >> (b & 63),
    "shr_s": lambda a, b: (signed64(a) >> (b & 63)) & MASK64,
    "rotl": lambda a, b: _rotl(a, b, 64),
    "rotr": lambda a, b: _rotl(a, -b, 64),
    "rotl32": lambda a, b: _rotl(a, b, 32),
    "rotr32": lambda a, b: _rotl(a, -b, 32),
    "div_u": lambda a, b: a // b,
    "div_s": _div_s,
    "rem_u": lambda a, b: a % b,
    "rem_s": _rem_s,
    "mul_upper_u_u": lambda a, b: (a * b) >> 64,
    "mul_upper_s_s": lambda a, b: ((signed64(a) * signed64(b)) >> 64) & MASK64,
    "mul_upper_s_u": lambda a, b: ((signed64(a) * b) >> 64) & MASK64,
    **{name: _as_number(compare) for name, compare in COMPARISONS.items()},
}


# --- text --------------------------------------------------------------------------------------------------------

_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<",
    "eq": "==", "ne": "!=",
}  # fmt: skip


def show(node: Node) -> str:
    """A node as one line of text, for `pvm isa` and its page."""
    match node:
        case Reg(field):
            return f"r{field.upper()}"
        case Imm(field):
            return field
        case Const(value) if value >= 1 << 32 and value.bit_count() == 1:
            return f"2^{value.bit_length() - 1}"
        case Const(value):
            return str(signed64(value))
        case Unary(op, operand):
            return f"{op}({show(operand)})"
        case Binary(op, left, right) if op in _SYMBOLS:
            return f"({show(left)} {_SYMBOLS[op]} {show(right)})"
        case Binary(op, left, right):
            return f"{op}({show(left)}, {show(right)})"
        case If(condition, then, otherwise):
            return f"({show(then)} if {show(condition)} else {show(otherwise)})"
        case Load(width, signed, address):
            return f"{'i' if signed else 'u'}{8 * width}[{_strip(show(address))}]"
        case SetReg(field, value):
            return f"r{field.upper()}' = {_strip(show(value))}"
        case Store(width, address, value):
            return f"u{8 * width}[{_strip(show(address))}]' = {_strip(show(value))}"
        case Jump(target, None):
            return f"jump {show(target)}"
        case Jump(target, condition) if condition is not None:
            return f"jump {show(target)} if {_strip(show(condition))}"
        case DynamicJump(address):
            return f"djump {_strip(show(address))}"
        case HostCall(call):
            return f"host call {show(call)}"
        case Sbrk(field, amount):
            return f"r{field.upper()}' = sbrk({show(amount)})"
        case _:
            return "panic"


def _strip(text: str) -> str:
    """Drop one pair of parentheses that encloses the whole text."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and index < len(text) - 1:
            return text
    return text[1:-1]
