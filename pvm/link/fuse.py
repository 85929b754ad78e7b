"""Constants into instructions: what is known of registers along straight code makes instructions of the PVM that have
immediates, and the register `ZERO` goes.

In: `Op`s. Out: as many or fewer, without `ZERO`. One pass, linear; what sets a register that nobody reads any more is
left to `dead`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvm.errors import InputError
from pvm.isa.expr import MASK64, signed64
from pvm.link.forms import BRANCH_LEFT, BRANCH_RIGHT, LEFT, RIGHT
from pvm.link.ops import LABEL, REGISTERS, ZERO, Op, effects_of, evaluate, fits, load_constant, signed32

_WIDTHS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}
_LOOK_AHEAD = 24  # instructions in which a register to spare is looked for


def fuse(ops: Sequence[Op], scratch: int | None) -> list[Op]:
    """The same program with constants put in. `scratch` is an address of 8 octets for a register, if there is memory.

    Raises InputError where a register must be kept and there is none.
    """
    out: list[Op] = []
    known: dict[int, int] = {ZERO: 0}
    is_dead = False
    for index, op in enumerate(ops):
        if op.name == LABEL:
            known, is_dead = {ZERO: 0}, False
            out.append(op)
            continue
        if is_dead:  # after a jump, before any label
            continue
        effects = effects_of(op.name)
        for made in _fused(op, known):
            made_effects = effects_of(made.name)
            for legal in _without_zero(made, ops, index, scratch):
                out.append(legal)
                _learn(legal, known)
            effects = made_effects
        if effects.leaves:
            known = {ZERO: 0}
        is_dead = not effects.falls
    return out


def _learn(op: Op, known: dict[int, int]) -> None:
    """What is known after an op."""
    effects = effects_of(op.name)
    if effects.write is None:
        return
    target = op[effects.write]
    assert isinstance(target, int)
    known.pop(target, None)
    if op.name in ("load_imm", "load_imm_64") and isinstance(op.x, int):
        known[target] = op.x & MASK64


def _fused(op: Op, known: dict[int, int]) -> list[Op]:
    """An op, with what is known put in: one op, or none where it does nothing."""
    name, effects = op.name, effects_of(op.name)
    if effects.value is not None:
        return _fused_value(op, known)
    if name.startswith("load_ind_"):
        if op.b in known:
            address = signed32(known[op.b] + _number(op.x))
            return [Op("load_" + name[9:], a=op.a, x=address, at=op.at)]
    elif name.startswith("store_ind_"):
        return [_fused_store(op, known)]
    elif name in BRANCH_RIGHT:
        return _fused_branch(op, known)
    return [op]


def _fused_value(op: Op, known: dict[int, int]) -> list[Op]:
    effects = effects_of(op.name)
    assert effects.value is not None and effects.write is not None
    target = op[effects.write]
    assert isinstance(target, int)
    if target == ZERO:
        return []
    if op.name in ("load_imm", "load_imm_64"):
        value = _number(op.x)
        return [] if known.get(target) == value & MASK64 else [load_constant(target, value, op.at)]
    if all(op[field] in known for field in effects.reads):
        values = {field: known[op[field]] for field in effects.reads}  # type: ignore[index]
        return [load_constant(target, evaluate(effects.value, _replaced(op, values)), op.at)]
    if op.name == "move_reg":
        return [] if op.a == target else [op]
    if op.name == "add_imm_64" and op.x == 0:
        return [] if op.b == target else [Op("move_reg", a=op.b, d=target, at=op.at)]
    for table, field, other in ((RIGHT, 2, op.a), (LEFT, 1, op.b)):
        form = table.get(op.name)
        if form is not None and op[field] in known:
            x = form.how(known[op[field]])  # type: ignore[index]
            if x is not None:
                made = Op(form.name, a=target, b=other, x=x, at=op.at)
                return _fused_value(made, {}) if made.name == "add_imm_64" and x == 0 and other != ZERO else [made]
    if op.name in ("cmov_iz", "cmov_nz") and op.b in known:
        is_translatable = (known[op.b] == 0) == (op.name == "cmov_iz")
        return _fused_value(Op("move_reg", a=op.a, d=op.d, at=op.at), known) if is_translatable else []
    return [op]


def _fused_store(op: Op, known: dict[int, int]) -> Op:
    kind = op.name[10:]
    value: int | None = None
    if op.a in known:
        bits = _WIDTHS[kind]
        low = known[op.a] & (1 << bits) - 1
        value = low - (1 << bits) if low >> (bits - 1) else low
        value = value if fits(value) else None
    address = signed32(known[op.b] + _number(op.x)) if op.b in known else None
    if address is not None:
        if value is not None:
            return Op(f"store_imm_{kind}", x=address, y=value, at=op.at)
        return Op(f"store_{kind}", a=op.a, x=address, at=op.at)
    if value is not None:
        return Op(f"store_imm_ind_{kind}", a=op.b, x=op.x, y=value, at=op.at)
    return op


def _fused_branch(op: Op, known: dict[int, int]) -> list[Op]:
    compare = op.name[7:]
    if (op.a in known and op.b in known) or op.a == op.b:
        left, right = (known[op.a], known[op.b]) if op.a in known else (0, 0)
        signed = signed64(left), signed64(right)
        holds = {
            "eq": left == right, "ne": left != right, "lt_u": left < right, "ge_u": left >= right,
            "lt_s": signed[0] < signed[1], "ge_s": signed[0] >= signed[1],
        }[compare]  # fmt: skip
        return [Op("jump", x=op.x, at=op.at)] if holds else []
    if op.b in known and fits(known[op.b]):
        return [Op(BRANCH_RIGHT[op.name], a=op.a, x=signed64(known[op.b]), y=op.x, at=op.at)]
    if op.a in known and fits(known[op.a]):
        return [Op(BRANCH_LEFT[op.name], a=op.b, x=signed64(known[op.a]), y=op.x, at=op.at)]
    return [op]


def _without_zero(op: Op, ops: Sequence[Op], index: int, scratch: int | None) -> list[Op]:
    """The op without `ZERO`, for those that have no form with an immediate."""
    effects = effects_of(op.name)
    fields = [field for field in effects.reads if op[field] == ZERO]
    if effects.write is not None and op[effects.write] == ZERO:
        # The access itself may fault; the value goes where it is kept from being seen.
        spare = _spare(op, ops, index)
        return _guarded([_replaced(op, {effects.write: spare[0]})], spare, scratch, op)
    if not fields:
        return [op]
    target = op[effects.write] if effects.write is not None else None
    if effects.write is not None and all(op[field] != target for field in effects.reads) and target is not None:
        assert isinstance(target, int)
        return [Op("load_imm", a=target, at=op.at), _replaced(op, dict.fromkeys(fields, target))]
    spare = _spare(op, ops, index)
    filled = _replaced(op, dict.fromkeys(fields, spare[0]))
    return _guarded([Op("load_imm", a=spare[0], at=op.at), filled], spare, scratch, op)


def _guarded(made: list[Op], spare: tuple[int, bool], scratch: int | None, op: Op) -> list[Op]:
    """The ops with the spare register kept around them, if it is in use."""
    number, is_free = spare
    if is_free:
        return made
    if scratch is None or effects_of(op.name).ends:
        raise InputError(f"{op.name} needs a register for 0, and none is free")
    return [
        Op("store_u64", a=number, x=scratch, at=op.at), *made, Op("load_u64", a=number, x=scratch, at=op.at)
    ]  # fmt: skip


def _spare(op: Op, ops: Sequence[Op], index: int) -> tuple[int, bool]:
    """A register that the op does not use, and whether what follows sets it before anybody reads it."""
    mine = {op[field] for field in (*effects_of(op.name).reads, effects_of(op.name).write or 1)}
    read = set(mine)
    for after in ops[index + 1 : index + 1 + _LOOK_AHEAD]:
        if after.name == LABEL:
            break
        effects = effects_of(after.name)
        read |= {after[field] for field in effects.reads}
        if effects.ends or effects.leaves:
            break
        if effects.write is not None:
            target = after[effects.write]
            if isinstance(target, int) and target not in read and target < REGISTERS:
                return target, True
    return next(n for n in reversed(range(REGISTERS)) if n not in mine and n != 1), False


def _replaced(op: Op, values: Mapping[int, int]) -> Op:
    """The op with other values in some of its fields, by number."""
    return Op._make(values.get(index, value) for index, value in enumerate(op))


def _number(value: int | str) -> int:
    assert isinstance(value, int)
    return value

