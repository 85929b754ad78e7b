"""Memory checks that accesses of a block share.

In: the codes of a block. Out: what is to be checked before each. Accesses off one base register, which does not change
in between, within a page's length of each other, need one check of the two ends of what they span: a block runs
straight, so they all happen. A check that fails only hands the block to the interpreter, which finds out what happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pvm.emit.straight import Code, Reach
from pvm.program.standard import PAGE_SIZE


@dataclass(frozen=True)
class Plan:
    """`before` maps a place in the block to the check before it; the accesses in `covered` need none of their own."""

    before: dict[int, Reach]
    covered: frozenset[int]


NO_PLAN = Plan({}, frozenset())


def shared_checks(codes: Sequence[Code]) -> Plan:
    """The checks that two or more accesses share; all others check for themselves."""
    groups: list[tuple[Reach, list[int]]] = []
    current: dict[int, int] = {}  # base register -> its group
    for place, code in enumerate(codes):
        wanted = code.reach
        if wanted is not None:
            group = current.get(wanted.base)
            joined = None if group is None else _joined(groups[group][0], wanted)
            if group is None or joined is None:
                current[wanted.base] = len(groups)
                groups.append((wanted, [place]))
            else:
                groups[group][1].append(place)
                groups[group] = joined, groups[group][1]
        if code.written and current:
            for base in [base for base in current if code.written >> base & 1]:
                del current[base]
    shared = [(check, places) for check, places in groups if len(places) > 1]
    if not shared:
        return NO_PLAN
    return Plan(
        {places[0]: check for check, places in shared}, frozenset(place for _, places in shared for place in places)
    )


def _joined(one: Reach, other: Reach) -> Reach | None:
    """One check for both, None when they are too far apart for two pages to hold them."""
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Reach(one.base, low, high, max(one.bit, other.bit)) if high - low <= PAGE_SIZE else None
