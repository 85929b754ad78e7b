"""RISC-V instructions that take several of the PVM: atomics of a single hart, Zba, Zbs, Zicond, orc.b.

In: registers of the PVM. Out: ops. Where one more register is needed than there is, it is kept in `scratch`, an address
of 16 octets that belong to the linker.
"""

from __future__ import annotations

from pvm.link.ops import REGISTERS, ZERO, Op

_OPERATIONS = {
    "amoadd": "add_64", "amoxor": "xor", "amoor": "or", "amoand": "and", "amomin": "min", "amomax": "max",
    "amominu": "min_u", "amomaxu": "max_u",
}  # fmt: skip


def _spare(*taken: int, but: int = ZERO) -> int:
    """A register that is none of these; from a5 down, for it is the least used."""
    return next(number for number in reversed(range(REGISTERS)) if number not in taken and number not in (1, but))


def _kept(temporary: int, scratch: int, steps: list[Op]) -> list[Op]:
    return [Op("store_u64", a=temporary, x=scratch), *steps, Op("load_u64", a=temporary, x=scratch)]


def atomic(name: str, rd: int, rs1: int, rs2: int, scratch: int) -> list[Op]:
    """rd = [rs1], [rs1] = rd op rs2: nothing comes between on a machine with one hart."""
    operation, _, width = name.partition(".")
    is_word = width == "w"
    load, store = ("load_ind_i32", "store_ind_u32") if is_word else ("load_ind_u64", "store_ind_u64")
    old = _spare(rd, rs1, rs2)
    new = _spare(rd, rs1, rs2, but=old)
    steps = [Op(load, a=old, b=rs1)]
    if operation == "amoswap":
        steps.append(Op(store, a=rs2, b=rs1))
    else:
        source = rs2
        if is_word and operation in ("amomin", "amomax", "amominu", "amomaxu"):
            steps.append(Op("add_imm_32", a=new, b=rs2, x=0))
            source = new
        steps.append(Op(_OPERATIONS[operation], a=old, b=source, d=new))
        steps.append(Op(store, a=new, b=rs1))
    steps.append(Op("move_reg", a=old, d=rd))
    return _kept(old, scratch, _kept(new, scratch + 8, steps))


def shift_add(to: str, rd: int, rs1: int, rs2: int, scratch: int) -> list[Op]:
    """rd = rs2 + (rs1 << n); with "u", of the low 32 bits of rs1."""
    count, is_word = int(to[-1]), to.startswith("u")
    into = rd if rd not in (rs2, ZERO) else _spare(rd, rs1, rs2)
    steps = [Op("shlo_l_imm_64", a=into, b=rs1, x=32), Op("shlo_r_imm_64", a=into, b=into, x=32 - count)]
    if not is_word:
        steps = [Op("shlo_l_imm_64", a=into, b=rs1, x=count)]
    steps.append(Op("add_64", a=into, b=rs2, d=rd))
    return steps if into == rd else _kept(into, scratch, steps)


def bit(to: str, rd: int, rs1: int, imm: int | None, rs2: int, scratch: int) -> list[Op]:
    """One bit of rs1, which rs2 or an immediate counts, cleared, extracted, inverted or set."""
    if to == "extract":
        shift = Op("shlo_r_64", a=rs1, b=rs2, d=rd) if imm is None else Op("shlo_r_imm_64", a=rd, b=rs1, x=imm)
        return [shift, Op("and_imm", a=rd, b=rd, x=1)]
    operation = {"clear": "and_inv", "invert": "xor", "set": "or"}[to]
    into = _spare(rd, rs1, rs2)
    mask = Op("load_imm_64", a=into, x=1 << (imm or 0)) if imm is not None else Op(
        "shlo_l_imm_alt_64", a=into, b=rs2, x=1)  # fmt: skip
    return _kept(into, scratch, [mask, Op(operation, a=rs1, b=into, d=rd)])


def zero_if(to: str, rd: int, rs1: int, rs2: int) -> list[Op]:
    """rd = 0 if rs2 is zero ("iz") or is not ("nz"), else rs1."""
    if rs2 == ZERO:
        return [Op("load_imm", a=rd) if to == "iz" else Op("move_reg", a=rs1, d=rd)]
    if rd != rs2:
        return [Op("move_reg", a=rs1, d=rd), Op(f"cmov_{to}_imm", a=rd, b=rs2, x=0)]
    if rs1 == rd:
        return [] if to == "iz" else [Op("load_imm", a=rd)]
    if to == "iz":
        return [Op("cmov_nz", a=rs1, b=rs2, d=rd)]
    return [
        Op("set_lt_u_imm", a=rd, b=rs2, x=1), Op("neg_add_imm_64", a=rd, b=rd, x=0), Op("and", a=rd, b=rs1, d=rd)
    ]  # fmt: skip


def or_combine(rd: int, rs1: int, scratch: int) -> list[Op]:
    """Each octet of rd is 255 where that of rs1 is not 0 (orc.b)."""
    mask = _spare(rd, rs1)
    sum = _spare(rd, rs1, but=mask)
    steps = [
        Op("load_imm_64", a=mask, x=0x7F7F7F7F7F7F7F7F), Op("and", a=rs1, b=mask, d=sum),
        Op("add_64", a=sum, b=mask, d=sum), Op("or", a=sum, b=rs1, d=sum), Op("shlo_r_imm_64", a=sum, b=sum, x=7),
        Op("load_imm_64", a=mask, x=0x0101010101010101), Op("and", a=sum, b=mask, d=sum),
        Op("mul_imm_64", a=rd, b=sum, x=255),
    ]  # fmt: skip
    return _kept(mask, scratch, _kept(sum, scratch + 8, steps))
