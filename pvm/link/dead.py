"""Registers that nobody reads: what only sets those is taken out, labels that nobody uses as well, and a branch around
one move becomes a conditional move.

In: `Op`s. Out: fewer. Live registers are found by the usual equations over blocks, each solved again only when a block
after it changed, which 13 registers allow 13 times. Where code leaves (calls, dynamic jumps, host calls) all registers
count as read, but after a return just those that the calling convention keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm.link.ops import ALL, LABEL, Op, effects_of, signed32

# After `ret`: ra itself, sp, s0, s1, and results in a0 and a1.
_RETURNED = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8


def drop_dead(ops: Sequence[Op], keep: frozenset[str], held: int = 0) -> list[Op]:
    """The ops without those that have no effect. `keep` are labels that are used from outside.

    Bits of `held` are registers that count as read everywhere: frame pointers, for who looks at the stack.
    """
    ops = _moves(ops, keep)
    used = _used_labels(ops) | keep
    ops = [op for op in ops if op.name != LABEL or op.x in used]
    ops = [
        op for index, op in enumerate(ops)
        if op.name != "jump" or not (index + 1 < len(ops) and ops[index + 1][:6] == Op(LABEL, x=op.x)[:6])
    ]  # fmt: skip
    blocks, number_of = _blocks(ops)
    live = _live_in(ops, blocks, number_of)
    kept: list[list[Op]] = []
    for number in range(len(blocks)):
        kept.append(_kept(ops, blocks, number, live, number_of, held))
    return [op for block in kept for op in block]


def _used_labels(ops: Sequence[Op]) -> set[str]:
    found = set()
    for op in ops:
        if op.name != LABEL:
            target = effects_of(op.name).target
            if target is not None:
                found.add(str(op[target]))
    return found


def _moves(ops: Sequence[Op], keep: frozenset[str]) -> list[Op]:
    """`if (a) d = s` as one instruction, where nothing else jumps to the end of it."""
    counts: dict[str, int] = {}
    for op in ops:
        if op.name != LABEL:
            target = effects_of(op.name).target
            if target is not None:
                counts[str(op[target])] = counts.get(str(op[target]), 0) + 1
    out: list[Op] = []
    index = 0
    while index < len(ops):
        op = ops[index]
        if (
            op.name in ("branch_eq_imm", "branch_ne_imm") and op.x == 0 and index + 2 < len(ops)
            and ops[index + 2].name == LABEL and ops[index + 2].x == op.y
        ):  # fmt: skip
            move, flag = ops[index + 1], "nz" if op.name == "branch_eq_imm" else "iz"
            made = None
            if move.name == "move_reg":
                made = Op(f"cmov_{flag}", a=move.a, b=op.a, d=move.d, at=move.at)
            elif move.name == "load_imm":
                made = Op(f"cmov_{flag}_imm", a=move.a, b=op.a, x=move.x, at=move.at)
            if made is not None:
                out.append(made)
                index += 2 if counts[str(op.y)] > 1 or op.y in keep else 3
                continue
        out.append(op)
        index += 1
    return out


def _blocks(ops: Sequence[Op]) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Ranges of ops, and the number of the block at each label."""
    bounds: list[tuple[int, int]] = []
    number_of: dict[str, int] = {}
    start = 0
    for index, op in enumerate(ops):
        if op.name == LABEL:
            if index > start and any(o.name != LABEL for o in ops[index - 1 : index]):
                bounds.append((start, index))
                start = index
            number_of[str(op.x)] = len(bounds)
        else:
            effects = effects_of(op.name)
            if effects.ends or effects.leaves:
                bounds.append((start, index + 1))
                start = index + 1
    if start < len(ops):
        bounds.append((start, len(ops)))
    return bounds, number_of


def _out(ops: Sequence[Op], bounds: Sequence[tuple[int, int]], number: int, live: Sequence[int],
         number_of: dict[str, int]) -> int:  # fmt: skip
    """The registers that are read after a block."""
    last = ops[bounds[number][1] - 1]
    after = live[number + 1] if number + 1 < len(bounds) else ALL
    if last.name == LABEL:
        return after
    effects = effects_of(last.name)
    if effects.leaves:
        is_return = last.name == "jump_ind" and last.a == 0 and last.x == 0
        return _RETURNED if is_return else ALL
    found = after if effects.falls else 0
    if effects.target is not None:
        target = number_of.get(str(last[effects.target]))
        found |= ALL if target is None else live[target]
    return found


def _live_in(
    ops: Sequence[Op], bounds: Sequence[tuple[int, int]], number_of: dict[str, int]
) -> list[int]:
    """The registers that are read from the start of each block on."""
    before: list[list[int]] = [[] for _ in bounds]
    for number, (_, end) in enumerate(bounds):
        last = ops[end - 1]
        if number + 1 < len(bounds):
            before[number + 1].append(number)
        target = effects_of(last.name).target if last.name != LABEL else None
        if target is not None:
            block = number_of.get(str(last[target]))
            if block is not None:
                before[block].append(number)
    reads, sets = [], []
    for start, end in bounds:
        read = written = 0
        for op in ops[start:end]:
            if op.name == LABEL:
                continue
            effects = effects_of(op.name)
            for field in effects.reads:
                read |= 1 << op[field] & ~written  # type: ignore[operator]
            if effects.write is not None and not effects.leaves:
                written |= 1 << op[effects.write]  # type: ignore[operator]
        reads.append(read)
        sets.append(written)
    live = [0] * len(bounds)
    queue = list(range(len(bounds)))
    is_queued = [True] * len(bounds)
    while queue:
        number = queue.pop()
        is_queued[number] = False
        found = reads[number] | _out(ops, bounds, number, live, number_of) & ~sets[number]
        if found != live[number]:
            live[number] = found
            for block in before[number]:
                if not is_queued[block]:
                    is_queued[block] = True
                    queue.append(block)
    return live


def _kept(ops: Sequence[Op], bounds: Sequence[tuple[int, int]], number: int, live: Sequence[int],
          number_of: dict[str, int], held: int) -> list[Op]:  # fmt: skip
    """The ops of a block that do something."""
    needed = after = _out(ops, bounds, number, live, number_of)  # `after` the last op that was kept
    start, end = bounds[number]
    kept: list[Op] = []
    for op in reversed(ops[start:end]):
        if op.name == "add_imm_64" and kept and not after & 1 << op.a:
            made = _displaced(op, kept[-1])
            if made is not None:
                kept[-1] = made
                needed = needed & ~(1 << op.a) | 1 << op.b
                continue
        if op.name != LABEL:
            effects = effects_of(op.name)
            bit = 1 << op[effects.write] if effects.write is not None else 0  # type: ignore[operator]
            if effects.value is not None and not (needed | held) & bit:
                continue
            after = needed & ~bit if effects.accesses else needed
            needed &= ~bit
            for field in effects.reads:
                needed |= 1 << op[field]  # type: ignore[operator]
        kept.append(op)
    return kept[::-1]


def _displaced(sum: Op, access: Op) -> Op | None:
    """A load or store at [sum.a + x], and sum.a is read by nothing else, as one at [sum.b + x + y]; None for others."""
    if access.name.startswith("load_ind_") and access.b == sum.a:
        return access._replace(b=sum.b, x=signed32(int(sum.x) + int(access.x)))
    if access.name.startswith("store_ind_") and access.b == sum.a and access.a != sum.a:
        return access._replace(b=sum.b, x=signed32(int(sum.x) + int(access.x)))
    if access.name.startswith("store_imm_ind_") and access.a == sum.a:
        return access._replace(a=sum.b, x=signed32(int(sum.x) + int(access.x)))
    return None
