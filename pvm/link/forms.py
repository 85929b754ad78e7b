"""Which instruction takes a constant in place of a register, as data.

In: nothing. Out: tables by name. A constant is the value of a register that is known; `how` makes the immediate of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pvm.isa.expr import MASK64, signed64
from pvm.link.ops import fits, signed32


class Form(NamedTuple):
    """`how` gives the immediate, or None for a constant that the instruction cannot take."""

    name: str
    how: Callable[[int], int | None]


def _same(value: int) -> int | None:
    return signed64(value & MASK64) if fits(value) else None


def _negated(value: int) -> int | None:
    return _same(-value)


def _inverted(value: int) -> int | None:
    return _same(~value)


def _negated32(value: int) -> int | None:
    return signed32(-value)


def _count64(value: int) -> int | None:
    return value & 63


def _count32(value: int) -> int | None:
    return value & 31


def _rotated64(value: int) -> int | None:
    return -value & 63


def _rotated32(value: int) -> int | None:
    return -value & 31


# d = a op b with b known: `name` a=d, b=a, x.
RIGHT: dict[str, Form] = {
    "add_64": Form("add_imm_64", _same), "add_32": Form("add_imm_32", signed32), "sub_64": Form("add_imm_64", _negated),
    "sub_32": Form("add_imm_32", _negated32), "and": Form("and_imm", _same), "or": Form("or_imm", _same),
    "xor": Form("xor_imm", _same), "mul_64": Form("mul_imm_64", _same), "mul_32": Form("mul_imm_32", signed32),
    "set_lt_u": Form("set_lt_u_imm", _same), "set_lt_s": Form("set_lt_s_imm", _same),
    "shlo_l_64": Form("shlo_l_imm_64", _count64), "shlo_r_64": Form("shlo_r_imm_64", _count64),
    "shar_r_64": Form("shar_r_imm_64", _count64), "shlo_l_32": Form("shlo_l_imm_32", _count32),
    "shlo_r_32": Form("shlo_r_imm_32", _count32), "shar_r_32": Form("shar_r_imm_32", _count32),
    "rot_r_64": Form("rot_r_64_imm", _count64), "rot_l_64": Form("rot_r_64_imm", _rotated64),
    "rot_r_32": Form("rot_r_32_imm", _count32), "rot_l_32": Form("rot_r_32_imm", _rotated32),
    "and_inv": Form("and_imm", _inverted), "or_inv": Form("or_imm", _inverted), "xnor": Form("xor_imm", _inverted),
}  # fmt: skip
# … with a known: `name` a=d, b=b, x.
LEFT: dict[str, Form] = {
    **{name: RIGHT[name] for name in ("add_64", "add_32", "and", "or", "xor", "mul_64", "mul_32", "xnor")},
    "sub_64": Form("neg_add_imm_64", _same), "sub_32": Form("neg_add_imm_32", signed32),
    "set_lt_u": Form("set_gt_u_imm", _same), "set_lt_s": Form("set_gt_s_imm", _same),
    "shlo_l_64": Form("shlo_l_imm_alt_64", _same), "shlo_r_64": Form("shlo_r_imm_alt_64", _same),
    "shar_r_64": Form("shar_r_imm_alt_64", _same), "shlo_l_32": Form("shlo_l_imm_alt_32", signed32),
    "shlo_r_32": Form("shlo_r_imm_alt_32", signed32), "shar_r_32": Form("shar_r_imm_alt_32", signed32),
    "rot_r_64": Form("rot_r_64_imm_alt", _same), "rot_r_32": Form("rot_r_32_imm_alt", signed32),
    "cmov_iz": Form("cmov_iz_imm", _same), "cmov_nz": Form("cmov_nz_imm", _same),
}  # fmt: skip
# A branch whose right operand is known, and one whose left is: operands change sides.
BRANCH_RIGHT = {f"branch_{op}": f"branch_{op}_imm" for op in ("eq", "ne", "lt_u", "lt_s", "ge_u", "ge_s")}
BRANCH_LEFT = {
    "branch_eq": "branch_eq_imm", "branch_ne": "branch_ne_imm", "branch_lt_u": "branch_gt_u_imm",
    "branch_lt_s": "branch_gt_s_imm", "branch_ge_u": "branch_le_u_imm", "branch_ge_s": "branch_le_s_imm",
}  # fmt: skip
