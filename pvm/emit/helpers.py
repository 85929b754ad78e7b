"""Helper functions for operators that WebAssembly lacks: upper halves of products, byte reversal.

In: nothing. Out: `HELPERS`, functions that a module appends. i64.mul_wide would serve, but no browser has it.
"""

from __future__ import annotations

from pvm.wasm import I64, Function, FunctionType
from pvm.wasm.code import i64_const, local_get, local_set, local_tee, op

_UNARY = FunctionType((I64,), (I64,))
_BINARY = FunctionType((I64, I64), (I64,))
_MASK32 = i64_const(0xFFFFFFFF)
_HALF = i64_const(32)


def _get(*indices: int) -> bytes:
    return b"".join(map(local_get, indices))


def _mul_upper_u_u() -> bytes:
    """Schoolbook multiplication in halves of 32 bits; no sum exceeds 64 bits."""
    left_low, right_low, left_high, right_high, middle = 2, 3, 4, 5, 6
    split = (
        _get(0) + _MASK32 + op("i64.and") + local_set(left_low)
        + _get(1) + _MASK32 + op("i64.and") + local_set(right_low)
        + _get(0) + _HALF + op("i64.shr_u") + local_set(left_high)
        + _get(1) + _HALF + op("i64.shr_u") + local_set(right_high)
    )  # fmt: skip
    # middle = left_high * right_low + (left_low * right_low >> 32)
    cross = (
        _get(left_high, right_low) + op("i64.mul")
        + _get(left_low, right_low) + op("i64.mul") + _HALF + op("i64.shr_u") + op("i64.add") + local_set(middle)
    )  # fmt: skip
    # high * high + (middle >> 32) + (left_low * right_high + (middle & mask) >> 32)
    return (
        split + cross
        + _get(left_high, right_high) + op("i64.mul")
        + _get(middle) + _HALF + op("i64.shr_u") + op("i64.add")
        + _get(left_low, right_high) + op("i64.mul") + _get(middle) + _MASK32 + op("i64.and") + op("i64.add")
        + _HALF + op("i64.shr_u") + op("i64.add")
    )  # fmt: skip


def _minus_if_negative(sign: int, subtracted: int) -> bytes:
    """Subtract one argument from the value on the stack when the other is negative."""
    return _get(sign) + i64_const(63) + op("i64.shr_s") + _get(subtracted) + op("i64.and") + op("i64.sub")


def _reverse_bytes() -> bytes:
    def swap(mask: int, bits: int) -> bytes:
        """Swap neighbouring groups of `bits` bits."""
        return (
            local_tee(0) + i64_const(mask) + op("i64.and") + i64_const(bits) + op("i64.shl")
            + _get(0) + i64_const(bits) + op("i64.shr_u") + i64_const(mask) + op("i64.and") + op("i64.or")
        )  # fmt: skip

    return _get(0) + swap(0x00FF00FF00FF00FF, 8) + swap(0x0000FFFF0000FFFF, 16) + _HALF + op("i64.rotl")


HELPERS: tuple[Function, ...] = (
    Function(_BINARY, (I64,) * 5, _mul_upper_u_u(), "mul_upper_u_u"),
    Function(_BINARY, (I64,) * 5, _mul_upper_u_u() + _minus_if_negative(0, 1) + _minus_if_negative(1, 0),
             "mul_upper_s_s"),
    Function(_BINARY, (I64,) * 5, _mul_upper_u_u() + _minus_if_negative(0, 1), "mul_upper_s_u"),
    Function(_UNARY, (), _reverse_bytes(), "reverse_bytes"),
)  # fmt: skip
HELPER_NAMES: tuple[str, ...] = tuple(function.name or "" for function in HELPERS)
