"""The instruction set: one row an instruction, in the Gray Paper's order (A.5, 0.7.2; `unlikely` from 0.8.0).

In: formats and expressions. Out: `ROWS`. A row's meaning is written here and nowhere else; register reads and
writes, whether it ends a block and what it may do are derived from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.isa.expr import (
    Binary,
    Const,
    DynamicJump,
    Effect,
    Expr,
    HostCall,
    If,
    Imm,
    Jump,
    Load,
    Panic,
    Reg,
    Sbrk,
    SetReg,
    Store,
    Unary,
    walk,
)
from pvm.isa.formats import (
    IMM,
    IMM_IMM,
    NONE,
    OFFSET,
    REG_IMM,
    REG_IMM_IMM,
    REG_IMM_OFFSET,
    REG_REG,
    REG_REG_IMM,
    REG_REG_IMM_IMM,
    REG_REG_OFFSET,
    REG_REG_REG,
    REG_WIDE,
    Format,
)
from pvm.lazy import lazy


@dataclass(frozen=True, eq=False)  # one object a row: caches are keyed by it, and hashing its effects is slow
class Row:
    """One instruction. `opcode_072` and `opcode_080` are None where that version lacks it."""

    opcode_072: int | None
    opcode_080: int | None
    name: str
    format: Format
    effects: tuple[Effect, ...]
    only_ends_block: bool = False  # it does nothing else: no effect says so

    @lazy
    def ends_block(self) -> bool:
        """Whether a block ends with it: it jumps, panics, or is there for nothing else."""
        return self.only_ends_block or any(isinstance(effect, Jump | DynamicJump | Panic) for effect in self.effects)

    @lazy
    def reads(self) -> tuple[str, ...]:
        """Register fields whose value the meaning reads, in the order a, b, d."""
        found = {node.field for effect in self.effects for node in walk(effect) if isinstance(node, Reg)}
        return tuple(sorted(found))

    @lazy
    def writes(self) -> tuple[str, ...]:
        """Register fields that the meaning sets."""
        return tuple(sorted({effect.field for effect in self.effects if isinstance(effect, SetReg | Sbrk)}))

    @lazy
    def accesses_memory(self) -> bool:
        """Whether the meaning loads or stores, so that it can fault."""
        return any(isinstance(node, Load | Store) for effect in self.effects for node in walk(effect))


_a, _b, _d, _x, _y = Reg("a"), Reg("b"), Reg("d"), Imm("x"), Imm("y")
_ALL_ONES = Const((1 << 64) - 1)


def _u(op: str, operand: Expr) -> Expr:
    return Unary(op, operand)


def _op(op: str, left: Expr, right: Expr) -> Expr:
    return Binary(op, left, right)


def _s32(value: Expr) -> Expr:
    return Unary("sext32", value)


def _u32(value: Expr) -> Expr:
    return Unary("zext32", value)


def _count32(value: Expr) -> Expr:
    return Binary("and", value, Const(31))


def _at(base: Expr) -> Expr:
    return Binary("add", base, _x)


def _set(field: str, value: Expr) -> tuple[Effect, ...]:
    return (SetReg(field, value),)


def _if(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return If(condition, then, otherwise)


def _is_zero(value: Expr) -> Expr:
    return Binary("eq", value, Const(0))


def _guarded(op: str, left: Expr, right: Expr, by_zero: Expr) -> Expr:
    """Division or remainder with the paper's result for a divisor of 0."""
    return If(_is_zero(right), by_zero, Binary(op, left, right))


def _overflowing(op: str, overflow: Expr, by_zero: Expr) -> Expr:
    """64-bit signed division or remainder of a by b: -2^63 by -1 gives `overflow`."""
    overflows = _op("and", _op("eq", _a, Const(1 << 63)), _op("eq", _b, _ALL_ONES))
    return If(_is_zero(_b), by_zero, If(overflows, overflow, Binary(op, _a, _b)))


def _jump(target: Imm, condition: Expr | None = None) -> tuple[Effect, ...]:
    return (Jump(target, condition),)


def _shift32(op: str, value: Expr, count: Expr) -> Expr:
    widened = _s32(value) if op == "shr_s" else _u32(value)
    return _s32(_op(op, widened, _count32(count)))


# Loads and stores come in the widths below, always in this order.
_LOADS = (("u8", 1, False), ("i8", 1, True), ("u16", 2, False), ("i16", 2, True), ("u32", 4, False),
          ("i32", 4, True), ("u64", 8, False))  # fmt: skip
_STORES = (("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8))


def _stores(first: int, prefix: str, format: Format, address: Expr, value: Expr) -> list[Row]:
    return [
        Row(first + i, first + i, f"{prefix}_{kind}", format, (Store(width, address, value),))
        for i, (kind, width) in enumerate(_STORES)
    ]


def _loads(first: int, prefix: str, format: Format, address: Expr) -> list[Row]:
    return [
        Row(first + i, first + i, f"{prefix}_{kind}", format, _set("a", Load(width, signed, address)))
        for i, (kind, width, signed) in enumerate(_LOADS)
    ]


def _branches(first: int, format: Format, target: Imm, right: Expr, suffix: str, ops: str) -> list[Row]:
    return [
        Row(first + i, first + i, f"branch_{op}{suffix}", format, _jump(target, _op(op, _a, right)))
        for i, op in enumerate(ops.split())
    ]


# fmt: off
ROWS: tuple[Row, ...] = (
    # A.5.1 no arguments
    Row(0,    0,    "trap",                 NONE,            (Panic(),)),
    Row(1,    1,    "fallthrough",          NONE,            (),                                 only_ends_block=True),
    Row(None, 2,    "unlikely",             NONE,            ()),
    # A.5.2 one immediate
    Row(10,   10,   "ecalli",               IMM,             (HostCall(_x),)),
    # A.5.3 one register, one extended-width immediate
    Row(20,   20,   "load_imm_64",          REG_WIDE,        _set("a", _x)),
    # A.5.4 two immediates
    *_stores(30, "store_imm", IMM_IMM, _x, _y),
    # A.5.5 one offset
    Row(40,   40,   "jump",                 OFFSET,          _jump(_x)),
    # A.5.6 one register, one immediate
    Row(50,   50,   "jump_ind",             REG_IMM,         (DynamicJump(_at(_a)),)),
    Row(51,   51,   "load_imm",             REG_IMM,         _set("a", _x)),
    *_loads(52, "load", REG_IMM, _x),
    *_stores(59, "store", REG_IMM, _x, _a),
    # A.5.7 one register, two immediates
    *_stores(70, "store_imm_ind", REG_IMM_IMM, _at(_a), _y),
    # A.5.8 one register, one immediate, one offset
    Row(80,   80,   "load_imm_jump",        REG_IMM_OFFSET,  (SetReg("a", _x), Jump(_y, None))),
    *_branches(81, REG_IMM_OFFSET, _y, _x, "_imm", "eq ne lt_u le_u ge_u gt_u lt_s le_s ge_s gt_s"),
    # A.5.9 two registers
    Row(100,  100,  "move_reg",             REG_REG,         _set("d", _a)),
    Row(101,  None, "sbrk",                 REG_REG,         (Sbrk("d", _a),)),
    Row(102,  101,  "count_set_bits_64",    REG_REG,         _set("d", _u("popcnt", _a))),
    Row(103,  102,  "count_set_bits_32",    REG_REG,         _set("d", _u("popcnt", _u32(_a)))),
    Row(104,  103,  "leading_zero_bits_64", REG_REG,         _set("d", _u("clz", _a))),
    Row(105,  104,  "leading_zero_bits_32", REG_REG,         _set("d", _op("sub", _u("clz", _u32(_a)), Const(32)))),
    Row(106,  105,  "trailing_zero_bits_64", REG_REG,        _set("d", _u("ctz", _a))),
    Row(107,  106,  "trailing_zero_bits_32", REG_REG,        _set("d", _u("ctz", _op("or", _a, Const(1 << 32))))),
    Row(108,  107,  "sign_extend_8",        REG_REG,         _set("d", _u("sext8", _a))),
    Row(109,  108,  "sign_extend_16",       REG_REG,         _set("d", _u("sext16", _a))),
    Row(110,  109,  "zero_extend_16",       REG_REG,         _set("d", _u("zext16", _a))),
    Row(111,  110,  "reverse_bytes",        REG_REG,         _set("d", _u("reverse_bytes", _a))),
    # A.5.10 two registers, one immediate
    *_stores(120, "store_ind", REG_REG_IMM, _at(_b), _a),
    *_loads(124, "load_ind", REG_REG_IMM, _at(_b)),
    Row(131,  131,  "add_imm_32",           REG_REG_IMM,     _set("a", _s32(_op("add", _b, _x)))),
    Row(132,  132,  "and_imm",              REG_REG_IMM,     _set("a", _op("and", _b, _x))),
    Row(133,  133,  "xor_imm",              REG_REG_IMM,     _set("a", _op("xor", _b, _x))),
    Row(134,  134,  "or_imm",               REG_REG_IMM,     _set("a", _op("or", _b, _x))),
    Row(135,  135,  "mul_imm_32",           REG_REG_IMM,     _set("a", _s32(_op("mul", _b, _x)))),
    Row(136,  136,  "set_lt_u_imm",         REG_REG_IMM,     _set("a", _op("lt_u", _b, _x))),
    Row(137,  137,  "set_lt_s_imm",         REG_REG_IMM,     _set("a", _op("lt_s", _b, _x))),
    Row(138,  138,  "shlo_l_imm_32",        REG_REG_IMM,     _set("a", _shift32("shl", _b, _x))),
    Row(139,  139,  "shlo_r_imm_32",        REG_REG_IMM,     _set("a", _shift32("shr_u", _b, _x))),
    Row(140,  140,  "shar_r_imm_32",        REG_REG_IMM,     _set("a", _shift32("shr_s", _b, _x))),
    Row(141,  141,  "neg_add_imm_32",       REG_REG_IMM,     _set("a", _s32(_op("sub", _x, _b)))),
    Row(142,  142,  "set_gt_u_imm",         REG_REG_IMM,     _set("a", _op("gt_u", _b, _x))),
    Row(143,  143,  "set_gt_s_imm",         REG_REG_IMM,     _set("a", _op("gt_s", _b, _x))),
    Row(144,  144,  "shlo_l_imm_alt_32",    REG_REG_IMM,     _set("a", _shift32("shl", _x, _b))),
    Row(145,  145,  "shlo_r_imm_alt_32",    REG_REG_IMM,     _set("a", _shift32("shr_u", _x, _b))),
    Row(146,  146,  "shar_r_imm_alt_32",    REG_REG_IMM,     _set("a", _shift32("shr_s", _x, _b))),
    Row(147,  147,  "cmov_iz_imm",          REG_REG_IMM,     _set("a", _if(_is_zero(_b), _x, _a))),
    Row(148,  148,  "cmov_nz_imm",          REG_REG_IMM,     _set("a", _if(_is_zero(_b), _a, _x))),
    Row(149,  149,  "add_imm_64",           REG_REG_IMM,     _set("a", _op("add", _b, _x))),
    Row(150,  150,  "mul_imm_64",           REG_REG_IMM,     _set("a", _op("mul", _b, _x))),
    Row(151,  151,  "shlo_l_imm_64",        REG_REG_IMM,     _set("a", _op("shl", _b, _x))),
    Row(152,  152,  "shlo_r_imm_64",        REG_REG_IMM,     _set("a", _op("shr_u", _b, _x))),
    Row(153,  153,  "shar_r_imm_64",        REG_REG_IMM,     _set("a", _op("shr_s", _b, _x))),
    Row(154,  154,  "neg_add_imm_64",       REG_REG_IMM,     _set("a", _op("sub", _x, _b))),
    Row(155,  155,  "shlo_l_imm_alt_64",    REG_REG_IMM,     _set("a", _op("shl", _x, _b))),
    Row(156,  156,  "shlo_r_imm_alt_64",    REG_REG_IMM,     _set("a", _op("shr_u", _x, _b))),
    Row(157,  157,  "shar_r_imm_alt_64",    REG_REG_IMM,     _set("a", _op("shr_s", _x, _b))),
    Row(158,  158,  "rot_r_64_imm",         REG_REG_IMM,     _set("a", _op("rotr", _b, _x))),
    Row(159,  159,  "rot_r_64_imm_alt",     REG_REG_IMM,     _set("a", _op("rotr", _x, _b))),
    Row(160,  160,  "rot_r_32_imm",         REG_REG_IMM,     _set("a", _s32(_op("rotr32", _b, _x)))),
    Row(161,  161,  "rot_r_32_imm_alt",     REG_REG_IMM,     _set("a", _s32(_op("rotr32", _x, _b)))),
    # A.5.11 two registers, one offset
    *_branches(170, REG_REG_OFFSET, _x, _b, "", "eq ne lt_u lt_s ge_u ge_s"),
    # A.5.12 two registers, two immediates
    Row(180,  180,  "load_imm_jump_ind",    REG_REG_IMM_IMM, (SetReg("a", _x), DynamicJump(_op("add", _b, _y)))),
    # A.5.13 three registers
    Row(190,  190,  "add_32",               REG_REG_REG,     _set("d", _s32(_op("add", _a, _b)))),
    Row(191,  191,  "sub_32",               REG_REG_REG,     _set("d", _s32(_op("sub", _a, _b)))),
    Row(192,  192,  "mul_32",               REG_REG_REG,     _set("d", _s32(_op("mul", _a, _b)))),
    Row(193,  193,  "div_u_32",             REG_REG_REG,     _set("d", _s32(_guarded("div_u", _u32(_a), _u32(_b),
                                                                                     _ALL_ONES)))),
    # In 64 bits -2^31 / -1 does not overflow, and the sign extension of 2^31 is the paper's -2^31.
    Row(194,  194,  "div_s_32",             REG_REG_REG,     _set("d", _s32(_guarded("div_s", _s32(_a), _s32(_b),
                                                                                     _ALL_ONES)))),
    Row(195,  195,  "rem_u_32",             REG_REG_REG,     _set("d", _s32(_guarded("rem_u", _u32(_a), _u32(_b),
                                                                                     _a)))),
    Row(196,  196,  "rem_s_32",             REG_REG_REG,     _set("d", _s32(_guarded("rem_s", _s32(_a), _s32(_b),
                                                                                     _a)))),
    Row(197,  197,  "shlo_l_32",            REG_REG_REG,     _set("d", _shift32("shl", _a, _b))),
    Row(198,  198,  "shlo_r_32",            REG_REG_REG,     _set("d", _shift32("shr_u", _a, _b))),
    Row(199,  199,  "shar_r_32",            REG_REG_REG,     _set("d", _shift32("shr_s", _a, _b))),
    Row(200,  200,  "add_64",               REG_REG_REG,     _set("d", _op("add", _a, _b))),
    Row(201,  201,  "sub_64",               REG_REG_REG,     _set("d", _op("sub", _a, _b))),
    Row(202,  202,  "mul_64",               REG_REG_REG,     _set("d", _op("mul", _a, _b))),
    Row(203,  203,  "div_u_64",             REG_REG_REG,     _set("d", _guarded("div_u", _a, _b, _ALL_ONES))),
    Row(204,  204,  "div_s_64",             REG_REG_REG,     _set("d", _overflowing("div_s", _a, _ALL_ONES))),
    Row(205,  205,  "rem_u_64",             REG_REG_REG,     _set("d", _guarded("rem_u", _a, _b, _a))),
    Row(206,  206,  "rem_s_64",             REG_REG_REG,     _set("d", _overflowing("rem_s", Const(0), _a))),
    Row(207,  207,  "shlo_l_64",            REG_REG_REG,     _set("d", _op("shl", _a, _b))),
    Row(208,  208,  "shlo_r_64",            REG_REG_REG,     _set("d", _op("shr_u", _a, _b))),
    Row(209,  209,  "shar_r_64",            REG_REG_REG,     _set("d", _op("shr_s", _a, _b))),
    Row(210,  210,  "and",                  REG_REG_REG,     _set("d", _op("and", _a, _b))),
    Row(211,  211,  "xor",                  REG_REG_REG,     _set("d", _op("xor", _a, _b))),
    Row(212,  212,  "or",                   REG_REG_REG,     _set("d", _op("or", _a, _b))),
    Row(213,  213,  "mul_upper_s_s",        REG_REG_REG,     _set("d", _op("mul_upper_s_s", _a, _b))),
    Row(214,  214,  "mul_upper_u_u",        REG_REG_REG,     _set("d", _op("mul_upper_u_u", _a, _b))),
    Row(215,  215,  "mul_upper_s_u",        REG_REG_REG,     _set("d", _op("mul_upper_s_u", _a, _b))),
    Row(216,  216,  "set_lt_u",             REG_REG_REG,     _set("d", _op("lt_u", _a, _b))),
    Row(217,  217,  "set_lt_s",             REG_REG_REG,     _set("d", _op("lt_s", _a, _b))),
    Row(218,  218,  "cmov_iz",              REG_REG_REG,     _set("d", _if(_is_zero(_b), _a, _d))),
    Row(219,  219,  "cmov_nz",              REG_REG_REG,     _set("d", _if(_is_zero(_b), _d, _a))),
    Row(220,  220,  "rot_l_64",             REG_REG_REG,     _set("d", _op("rotl", _a, _b))),
    Row(221,  221,  "rot_l_32",             REG_REG_REG,     _set("d", _s32(_op("rotl32", _a, _b)))),
    Row(222,  222,  "rot_r_64",             REG_REG_REG,     _set("d", _op("rotr", _a, _b))),
    Row(223,  223,  "rot_r_32",             REG_REG_REG,     _set("d", _s32(_op("rotr32", _a, _b)))),
    Row(224,  224,  "and_inv",              REG_REG_REG,     _set("d", _op("and", _a, _u("not", _b)))),
    Row(225,  225,  "or_inv",               REG_REG_REG,     _set("d", _op("or", _a, _u("not", _b)))),
    Row(226,  226,  "xnor",                 REG_REG_REG,     _set("d", _u("not", _op("xor", _a, _b)))),
    Row(227,  227,  "max",                  REG_REG_REG,     _set("d", _if(_op("gt_s", _a, _b), _a, _b))),
    Row(228,  228,  "max_u",                REG_REG_REG,     _set("d", _if(_op("gt_u", _a, _b), _a, _b))),
    Row(229,  229,  "min",                  REG_REG_REG,     _set("d", _if(_op("lt_s", _a, _b), _a, _b))),
    Row(230,  230,  "min_u",                REG_REG_REG,     _set("d", _if(_op("lt_u", _a, _b), _a, _b))),
)
# fmt: on

BY_NAME: dict[str, Row] = {row.name: row for row in ROWS}
