"""Fewer jumps: jumps to jumps go where those go, short blocks are copied to where code would jump or fall into them, a
constant that is loaded before a jump is loaded by the jump.

In: `Op`s. Out: ops that do the same. Falling into a label takes the PVM an instruction (`fallthrough`), as a jump
does; copies are executed without. Linear: copies are of blocks as they were, of at most `_MOST` instructions each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pvm.link.ops import LABEL, Op, effects_of

_MOST = 14  # instructions that are copied to one place
_GROWTH = 5  # copies may be one part in so many of the program
_STEPS = 16  # jumps that are followed
_OPPOSITE = {
    "eq": "ne", "ne": "eq", "lt_u": "ge_u", "ge_u": "lt_u", "lt_s": "ge_s", "ge_s": "lt_s", "gt_u": "le_u",
    "le_u": "gt_u", "gt_s": "le_s", "le_s": "gt_s",
}  # fmt: skip


@dataclass
class _Block:
    """Ops from a label, or from behind one that ends a block, to the next such place. `function` numbers functions."""

    labels: list[str]
    ops: list[Op] = field(default_factory=list)
    function: int = 0

    @property
    def falls(self) -> bool:
        """Whether the next block may come after it."""
        return not self.ops or effects_of(self.ops[-1].name).falls

    @property
    def ends(self) -> bool:
        """Whether its last op ends blocks, so that the next one needs no `fallthrough`."""
        return bool(self.ops) and effects_of(self.ops[-1].name).ends


def straighten(ops: Sequence[Op], keep: frozenset[str]) -> list[Op]:
    """The program with jumps followed and short blocks copied. `keep` are labels that are used from outside."""
    blocks = _blocks(ops, keep)
    places = {label: number for number, block in enumerate(blocks) for label in block.labels}
    _follow(blocks, places)
    bodies = [tuple(block.ops) for block in blocks]
    room = len(ops) // _GROWTH + _MOST
    for number, block in enumerate(blocks):
        if room > 0:
            room -= _copy(blocks, bodies, places, number, block)
    return _written(blocks)


def load_by_jumps(ops: Sequence[Op]) -> list[Op]:
    """`load_imm` before a jump, or before a return, as part of it."""
    out: list[Op] = []
    for op in ops:
        if op.name in ("jump", "jump_ind"):
            at = _last_constant(out, op)
            if at is not None:
                constant = out.pop(at)
                op = (Op("load_imm_jump", a=constant.a, x=constant.x, y=op.x, at=op.at) if op.name == "jump"
                      else Op("load_imm_jump_ind", a=constant.a, b=op.a, x=constant.x, y=op.x, at=op.at))  # fmt: skip
        out.append(op)
    return out


def _last_constant(out: Sequence[Op], jump: Op) -> int | None:
    """The place of a `load_imm` that may as well come last."""
    touched: set[int | str] = {jump.a} if jump.name == "jump_ind" else set()
    for at in range(len(out) - 1, max(-1, len(out) - 1 - _MOST), -1):
        op = out[at]
        if op.name == LABEL:
            return None
        effects = effects_of(op.name)
        if op.name == "load_imm" and op.a not in touched:
            return at
        if effects.ends or effects.leaves:
            return None
        touched |= {op[index] for index in effects.reads}
        if effects.write is not None:
            touched.add(op[effects.write])
    return None


def _blocks(ops: Sequence[Op], keep: frozenset[str]) -> list[_Block]:
    called = {str(op.y) for op in ops if op.name == "load_imm_jump"} | keep
    blocks = [_Block([])]
    function, section = 0, -1
    for op in ops:
        last = blocks[-1]
        if op.name == LABEL:
            if last.ops:
                last = _Block([])
                blocks.append(last)
            last.labels.append(str(op.x))
            function += op.x in called
        else:
            if last.ends or (last.ops and effects_of(last.ops[-1].name).leaves):
                last = _Block([])
                blocks.append(last)
            last.ops.append(op)
        if op.at >> 32 != section:
            section = op.at >> 32
            function += 1
        last.function = function
    return blocks


def _follow(blocks: Sequence[_Block], places: dict[str, int]) -> None:
    """Let what goes to a jump go where that goes."""
    for block in blocks:
        if not block.ops:
            continue
        last = block.ops[-1]
        index = effects_of(last.name).target
        if index is None or last.name == "load_imm_jump":
            continue
        target = str(last[index])
        for _ in range(_STEPS):
            there = blocks[places[target]] if target in places else None
            if there is None or there is block or len(there.ops) != 1 or there.ops[0].name != "jump":
                break
            if there.function != block.function:
                break
            target = str(there.ops[0].x)
        if target != last[index]:
            block.ops[-1] = Op._make(target if at == index else value for at, value in enumerate(last))


def _copy(
    blocks: list[_Block], bodies: Sequence[tuple[Op, ...]], places: dict[str, int], number: int, block: _Block
) -> int:
    """Put a copy of the block that comes after this one to its end, if that saves anything; how many ops that adds."""
    last = block.ops[-1] if block.ops else None
    jumps = last is not None and last.name == "jump"
    if jumps and last is not None:
        start = places.get(str(last.x))
    elif block.ends or number + 1 >= len(blocks) or not blocks[number + 1].labels or (
        last is not None and effects_of(last.name).leaves
    ):  # fmt: skip
        return 0
    else:
        start = number + 1
    if start is None or blocks[start].function != block.function:
        return 0
    copied: list[Op] = []
    at = start
    while True:
        body = bodies[at]
        copied += body
        if len(copied) > _MOST or any(effects_of(op.name).leaves and op.name != "jump_ind" for op in body):
            return 0
        if body and effects_of(body[-1].name).ends:
            break
        at += 1
        if at >= len(blocks) or at == number or blocks[at].function != block.function:
            return 0
    end = copied[-1]
    if effects_of(end.name).falls:  # a branch
        copied = _ended(blocks, places, number, copied, at + 1)
    if jumps:
        block.ops.pop()
    block.ops += copied
    return len(copied) - jumps


def _ended(blocks: list[_Block], places: dict[str, int], number: int, copied: list[Op], after: int) -> list[Op]:
    """A copy that ends with a branch, and goes on at block `after` when it is not taken."""
    branch = copied[-1]
    index = effects_of(branch.name).target
    assert index is not None
    if after == number + 1:
        return copied
    if after >= len(blocks):
        return [*copied, Op("trap", at=branch.at)]
    there = blocks[after]
    if not there.labels:
        name = f"{after}~"
        there.labels.append(name)
        places[name] = after
    label = there.labels[0]
    compare = branch.name[7:].removesuffix("_imm")
    if places.get(str(branch[index])) == number + 1 and compare in _OPPOSITE:
        name = branch.name.replace(compare, _OPPOSITE[compare])
        opposite = branch._replace(name=name)
        return [*copied[:-1], Op._make(label if at == index else value for at, value in enumerate(opposite))]
    return [*copied, Op("jump", x=label, at=branch.at)]


def _written(blocks: Sequence[_Block]) -> list[Op]:
    out: list[Op] = []
    at = 0
    for block in blocks:
        at = block.ops[0].at if block.ops else at
        out += [Op(LABEL, x=label, at=at) for label in block.labels]
        out += block.ops
    return out
