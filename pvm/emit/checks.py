"""Memory checks that accesses of a block share.

In: the instructions of a block. Out: what is to be checked before each. Accesses off one base register, which does not
change in between, within a page's length of each other, need one check of the two ends of what they span: a block runs
straight, so they all happen. A check that fails only hands the block to the interpreter, which finds out what happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from pvm.abi import READABLE, WRITABLE
from pvm.isa.expr import Binary, Imm, Load, Reg, Store, walk
from pvm.isa.table import Row
from pvm.program.decode import Instruction
from pvm.program.standard import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Check:
    """Bytes [low, high) off the register `base` need the page table's `bit`."""

    base: int
    low: int
    high: int
    bit: int


@dataclass(frozen=True)
class Plan:
    """`before` maps a place in the block to the check before it; the accesses in `covered` need none of their own."""

    before: dict[int, Check]
    covered: frozenset[int]


def shared_checks(instructions: Sequence[Instruction]) -> Plan:
    """The checks that two or more accesses share; all others check for themselves."""
    groups: list[tuple[Check, list[int]]] = []
    current: dict[int, int] = {}  # base register -> its group
    for place, instruction in enumerate(instructions):
        access = _access(instruction.row)
        if access is not None:
            field, width, bit = access
            offset = instruction.x - (1 << 64) if instruction.x >> 63 else instruction.x
            wanted = Check(getattr(instruction, field), offset, offset + width, bit)
            group = current.get(wanted.base)
            joined = None if group is None else _joined(groups[group][0], wanted)
            if group is None or joined is None:
                current[wanted.base] = len(groups)
                groups.append((wanted, [place]))
            else:
                groups[group] = joined, groups[group][1]
                groups[group][1].append(place)
        for field in instruction.row.writes:
            current.pop(getattr(instruction, field), None)
    shared = [(check, places) for check, places in groups if len(places) > 1]
    return Plan(
        {places[0]: check for check, places in shared}, frozenset(place for _, places in shared for place in places)
    )


def _joined(one: Check, other: Check) -> Check | None:
    """One check for both, None when they are too far apart for two pages to hold them."""
    low, high = min(one.low, other.low), max(one.high, other.high)
    return replace(one, low=low, high=high, bit=max(one.bit, other.bit)) if high - low <= PAGE_SIZE else None


@cache
def _access(row: Row) -> tuple[str, int, int] | None:
    """The base register's field, the width and the bit of a row that accesses memory off a register."""
    for effect in row.effects:
        for node in walk(effect):
            match node:
                case Load(width, _, Binary("add", Reg(field), Imm("x"))):
                    return field, width, READABLE
                case Store(width, Binary("add", Reg(field), Imm("x")), _):
                    return field, width, WRITABLE
    return None
