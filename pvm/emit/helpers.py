"""Instruction sequences for operators that WebAssembly lacks: upper halves of products, byte reversal.

In: arguments on the stack. Out: bytes that leave the result there, using six i64 locals from `first` on.
i64.mul_wide would serve, but no browser has it. They are sequences and no functions because a call in the
interpreter's loop makes the compiler keep the loop's locals out of registers (measured: `blake2b` 2 times slower,
`fibonacci` and `sieve` 1.1 to 1.2 times).
"""

from __future__ import annotations

from functools import cache

from pvm.wasm.code import i64_const, local_get, local_set, local_tee, op

LOCALS = 6  # i64 locals that a sequence may use
_MASK32 = i64_const(0xFFFFFFFF)
_HALF = i64_const(32)


@cache
def sequence(name: str, first: int) -> bytes:
    """The sequence for the operator `name` of `pvm.isa.expr`."""
    left, right = first, first + 1
    match name:
        case "reverse_bytes":
            return local_set(first) + _reverse_bytes(first)
        case "mul_upper_u_u":
            signs: tuple[tuple[int, int], ...] = ()
        case "mul_upper_s_u":
            signs = ((left, right),)
        case "mul_upper_s_s":
            signs = ((left, right), (right, left))
        case _:
            raise KeyError(name)
    minus = b"".join(_minus_if_negative(sign, other) for sign, other in signs)
    return local_set(right) + local_set(left) + _mul_upper_u_u(first) + minus


def _get(*indices: int) -> bytes:
    return b"".join(map(local_get, indices))


def _mul_upper_u_u(first: int) -> bytes:
    """Schoolbook multiplication of two locals in halves of 32 bits; no sum exceeds 64 bits."""
    left, right, left_low, right_low, left_high, middle = range(first, first + LOCALS)
    right_high = _get(right) + _HALF + op("i64.shr_u")
    split = (
        _get(left) + _MASK32 + op("i64.and") + local_set(left_low)
        + _get(right) + _MASK32 + op("i64.and") + local_set(right_low)
        + _get(left) + _HALF + op("i64.shr_u") + local_set(left_high)
    )  # fmt: skip
    # middle = left_high * right_low + (left_low * right_low >> 32)
    cross = (
        _get(left_high, right_low) + op("i64.mul")
        + _get(left_low, right_low) + op("i64.mul") + _HALF + op("i64.shr_u") + op("i64.add") + local_set(middle)
    )  # fmt: skip
    # left_high * right_high + (middle >> 32) + (left_low * right_high + (middle & mask) >> 32)
    return (
        split + cross
        + _get(left_high) + right_high + op("i64.mul")
        + _get(middle) + _HALF + op("i64.shr_u") + op("i64.add")
        + _get(left_low) + right_high + op("i64.mul") + _get(middle) + _MASK32 + op("i64.and") + op("i64.add")
        + _HALF + op("i64.shr_u") + op("i64.add")
    )  # fmt: skip


def _minus_if_negative(sign: int, subtracted: int) -> bytes:
    """Subtract one local from the value on the stack when the other is negative."""
    return _get(sign) + i64_const(63) + op("i64.shr_s") + _get(subtracted) + op("i64.and") + op("i64.sub")


def _reverse_bytes(local: int) -> bytes:
    def swap(mask: int, bits: int) -> bytes:
        """Swap neighbouring groups of `bits` bits."""
        return (
            local_tee(local) + i64_const(mask) + op("i64.and") + i64_const(bits) + op("i64.shl")
            + _get(local) + i64_const(bits) + op("i64.shr_u") + i64_const(mask) + op("i64.and") + op("i64.or")
        )  # fmt: skip

    return _get(local) + swap(0x00FF00FF00FF00FF, 8) + swap(0x0000FFFF0000FFFF, 16) + _HALF + op("i64.rotl")
