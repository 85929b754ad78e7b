"""Memory checks that accesses of a block share.

In: a block's accesses. Out: what is to be checked before each. Accesses off one base register, which does not change
in between, within a page's length of each other, need one check of the two ends of what they span: a block runs
straight, so they all happen. A check that fails only hands the block to the interpreter, which finds out what happens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

from pvm.emit.recompiler.instructions import Guarded, Reach
from pvm.program.standard import PAGE_SIZE


class Plan(NamedTuple):
    """`before` maps an access to the check before it; the accesses in `covered` need none of their own."""

    before: dict[int, Reach]
    covered: Collection[int]


NO_PLAN = Plan({}, ())


@dataclass(slots=True)
class _Group:
    """Accesses off one base register, and what they span: see `Reach`."""

    base: int
    low: int
    high: int
    bit: int
    accesses: list[int]


def shared_checks(accesses: Sequence[int], guarded: Sequence[Guarded], written: Sequence[int]) -> Plan:
    """The checks that two or more of a block's accesses share; all others check for themselves.

    `accesses` are the places of `guarded` in `written`, the registers that instructions set.
    """
    groups: dict[int, _Group] = {}  # the last one of each base register
    joined: dict[int, _Group] = {}  # those of two or more, by the first
    for number, (_, _, reach) in zip(accesses, guarded, strict=True):
        if reach is None:
            continue
        base, low, high, bit = reach
        group = groups.get(base)
        if group is not None:
            # One check for both, unless they are too far apart for two pages to hold them.
            wide_low, wide_high = min(low, group.low), max(high, group.high)
            shared = group.accesses
            if wide_high - wide_low <= PAGE_SIZE and not reduce(or_, written[shared[-1] : number]) >> base & 1:
                shared.append(number)
                group.low, group.high, group.bit = wide_low, wide_high, max(bit, group.bit)
                joined[shared[0]] = group
                continue
        groups[base] = _Group(base, low, high, bit, [number])
    if not joined:
        return NO_PLAN
    return Plan(
        {first: Reach(group.base, group.low, group.high, group.bit) for first, group in joined.items()},
        {number for group in joined.values() for number in group.accesses},
    )
