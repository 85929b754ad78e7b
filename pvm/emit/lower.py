"""Lowering: expressions of the instruction table to WebAssembly instructions.

In: an expression and a `Binding`, which says where operands are found. Out: bytes that leave one value on the
stack. Both WebAssembly engines share this file: the interpreter binds operands to fields decoded at run time, the
recompiler to constants and locals. A value is wanted in one of three ways: as an i64, as an i32 with its low half
(addresses, 32-bit arithmetic), or as an i32 condition.
"""

from __future__ import annotations

from typing import Protocol

from pvm.isa.expr import COMPARISONS, Binary, Const, Expr, If, Imm, Load, Reg, Unary, walk
from pvm.wasm import I64
from pvm.wasm.code import i32_const, i64_const, if_, op


class Binding(Protocol):
    """Where operands are, and how memory is read. Each method returns instructions that push one value."""

    def register(self, field: str) -> bytes:
        """The operand register's value, i64."""

    def register_low(self, field: str) -> bytes:
        """Its low half, i32."""

    def immediate(self, field: str) -> bytes:
        """The immediate, i64."""

    def immediate_low(self, field: str) -> bytes:
        """Its low half, i32."""

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        """A checked load of `width` octets at the i32 that `address` pushes, extended to i64."""

    def helper(self, name: str) -> bytes:
        """The result of an operator of `helpers.sequence`; its arguments are on the stack."""


_SAME = {"add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "rotl", "rotr", "div_u", "div_s", "rem_u",
         "rem_s"}  # fmt: skip
_LOW = {"add", "sub", "mul", "and", "or", "xor"}  # the low half of the result depends on low halves alone
_UNARY = {
    "sext8": op("i64.extend8_s"),
    "sext16": op("i64.extend16_s"),
    "sext32": op("i64.extend32_s"),
    "zext16": i64_const(0xFFFF) + op("i64.and"),
    "zext32": i64_const(0xFFFFFFFF) + op("i64.and"),
    "not": i64_const(-1) + op("i64.xor"),
    "clz": op("i64.clz"),
    "ctz": op("i64.ctz"),
    "popcnt": op("i64.popcnt"),
}
_WRAP = op("i32.wrap_i64")
_COUNT = Const(31)


def value(expr: Expr, bind: Binding) -> bytes:
    """The expression as an i64."""
    match expr:
        case Reg(field):
            return bind.register(field)
        case Imm(field):
            return bind.immediate(field)
        case Const(number):
            return i64_const(number)
        case Unary("sext32", inner) if _is_low(inner):
            return low(inner, bind) + op("i64.extend_i32_s")
        case Unary("reverse_bytes", inner):
            return value(inner, bind) + bind.helper("reverse_bytes")
        case Unary(name, inner):
            return value(inner, bind) + _UNARY[name]
        case Binary(name, _, _) if name in COMPARISONS:
            return condition(expr, bind) + op("i64.extend_i32_u")
        case Binary("div_u" | "rem_u" as name, Unary("zext32", left), Unary("zext32", right)):
            return low(left, bind) + low(right, bind) + op(f"i32.{name}") + op("i64.extend_i32_u")
        case Binary(name, left, right) if name in _SAME:
            return value(left, bind) + value(right, bind) + op(f"i64.{name}")
        case Binary("rotl32" | "rotr32", _, _):
            return low(expr, bind) + op("i64.extend_i32_u")
        case Binary(name, left, right):
            return value(left, bind) + value(right, bind) + bind.helper(name)
        case If(test, then, otherwise):
            arms = value(then, bind), value(otherwise, bind)
            if _must_branch(then) or _must_branch(otherwise):
                return condition(test, bind) + if_(*arms, result=I64)
            return b"".join(arms) + condition(test, bind) + op("select")
        case Load(width, signed, address):
            return bind.load(width, signed, low(address, bind))


def low(expr: Expr, bind: Binding) -> bytes:
    """The low half of the expression as an i32."""
    match expr:
        case Reg(field):
            return bind.register_low(field)
        case Imm(field):
            return bind.immediate_low(field)
        case Const(number):
            return i32_const(number & 0xFFFFFFFF)
        case Unary("sext32" | "zext32", inner):
            return low(inner, bind)
        case Binary(name, left, right) if name in _LOW:
            return low(left, bind) + low(right, bind) + op(f"i32.{name}")
        case Binary("rotl32" | "rotr32" as name, left, right):
            return low(left, bind) + low(right, bind) + op(f"i32.{name[:4]}")
        case Binary("shl" | "shr_u" | "shr_s" as name, left, Binary("and", count, mask)) if _is_shift32(expr):
            assert mask == _COUNT
            return low(left, bind) + low(count, bind) + op(f"i32.{name}")  # i32 shifts take the count modulo 32
        case _:
            return value(expr, bind) + _WRAP


def condition(expr: Expr, bind: Binding) -> bytes:
    """The expression as an i32 that is 0 exactly when the expression is."""
    match expr:
        case Binary("eq", left, Const(0)):
            return value(left, bind) + op("i64.eqz")
        case Binary("and", left, right) if _is_condition(left) and _is_condition(right):
            return condition(left, bind) + condition(right, bind) + op("i32.and")
        case Binary(name, left, right) if name in COMPARISONS:
            return value(left, bind) + value(right, bind) + op(f"i64.{name}")
        case _:
            return value(expr, bind) + i64_const(0) + op("i64.ne")


def _is_condition(expr: Expr) -> bool:
    return isinstance(expr, Binary) and expr.op in COMPARISONS


def _is_low(expr: Expr) -> bool:
    """Whether `low` computes the expression with 32-bit instructions throughout its root."""
    match expr:
        case Binary(name, _, _) if name in _LOW or name in ("rotl32", "rotr32"):
            return True
        case Reg() | Imm():
            return False
        case _:
            return _is_shift32(expr)


def _is_shift32(expr: Expr) -> bool:
    """Whether it is a shift of a 32-bit value by a count below 32, widened as that shift needs."""
    match expr:
        case Binary("shl" | "shr_u", Unary("zext32", _), Binary("and", _, mask)):
            return mask == _COUNT
        case Binary("shr_s", Unary("sext32", _), Binary("and", _, mask)):
            return mask == _COUNT
        case _:
            return False


def _must_branch(expr: Expr) -> bool:
    """Whether evaluating the arm when it is not chosen could trap (division) or have an effect (load)."""
    return any(
        isinstance(node, Load) or (isinstance(node, Binary) and node.op in ("div_u", "div_s", "rem_u", "rem_s"))
        for node in walk(expr)
    )
