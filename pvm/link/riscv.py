"""RISC-V instructions as data: RV64E with M, A, Zba, Zbb, Zbs, Zicond, and C's short forms by what they stand for.

In: words. Out: a `Decoded`. A row says which PVM instruction means the same, or by which rule of `lower` it is made.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pvm.errors import InputError


class Row(NamedTuple):
    """An instruction: `word & mask == match`.

    `format` is one of R, I, S, B, U, J, H (a shift's count of 6 bits), W (one of 5 bits). `rule` names how it becomes
    PVM, `to` the PVM's instruction, where there is one.
    """

    name: str
    mask: int
    match: int
    format: str
    rule: str
    to: str = ""


class Decoded(NamedTuple):
    """An instruction with its operands; registers are RISC-V's, `size` counts octets."""

    row: Row
    rd: int
    rs1: int
    rs2: int
    imm: int
    size: int


_ATOMICS = (
    ("lr", 2), ("sc", 3), ("amoswap", 1), ("amoadd", 0), ("amoxor", 4), ("amoor", 8), ("amoand", 12), ("amomin", 16),
    ("amomax", 20), ("amominu", 24), ("amomaxu", 28),
)  # fmt: skip


def _rows() -> tuple[Row, ...]:
    rows: list[Row] = []

    def add(names: str, format: str, rule: str, opcode: int, codes: str, to: str, mask: int = 0x707F) -> None:
        """`codes` are the bits beside the opcode, as funct3 or as funct7:funct3 in hexadecimal."""
        for name, code, target in zip(names.split(), codes.split(), to.split() or [""] * 99, strict=False):
            upper, _, lower = code.rpartition(":")
            bits = opcode | int(lower, 16) << 12 | int(upper or "0", 16) << 25
            rows.append(Row(name, mask, bits, format, rule, target))

    rows.append(Row("lui", 0x7F, 0x37, "U", "lui"))
    rows.append(Row("auipc", 0x7F, 0x17, "U", "auipc"))
    rows.append(Row("jal", 0x7F, 0x6F, "J", "jal"))
    add("jalr", "I", "jalr", 0x67, "0", "")
    add("beq bne blt bge bltu bgeu", "B", "branch", 0x63, "0 1 4 5 6 7",
        "branch_eq branch_ne branch_lt_s branch_ge_s branch_lt_u branch_ge_u")
    add("lb lh lw ld lbu lhu lwu", "I", "load", 0x03, "0 1 2 3 4 5 6",
        "load_ind_i8 load_ind_i16 load_ind_i32 load_ind_u64 load_ind_u8 load_ind_u16 load_ind_u32")
    add("sb sh sw sd", "S", "store", 0x23, "0 1 2 3", "store_ind_u8 store_ind_u16 store_ind_u32 store_ind_u64")
    add("addi slti sltiu xori ori andi", "I", "immediate", 0x13, "0 2 3 4 6 7",
        "add_imm_64 set_lt_s_imm set_lt_u_imm xor_imm or_imm and_imm")
    add("addiw", "I", "immediate", 0x1B, "0", "add_imm_32")
    add("slli srli srai rori", "H", "immediate", 0x13, "0:1 0:5 20:5 30:5",
        "shlo_l_imm_64 shlo_r_imm_64 shar_r_imm_64 rot_r_64_imm", 0xFC00707F)
    add("slliw srliw sraiw roriw", "W", "immediate", 0x1B, "0:1 0:5 20:5 30:5",
        "shlo_l_imm_32 shlo_r_imm_32 shar_r_imm_32 rot_r_32_imm", 0xFE00707F)
    add("add sub sll slt sltu xor srl sra or and mul mulh mulhsu mulhu div divu rem remu andn orn xnor "
        "max maxu min minu rol ror", "R", "registers", 0x33,
        "0:0 20:0 0:1 0:2 0:3 0:4 0:5 20:5 0:6 0:7 1:0 1:1 1:2 1:3 1:4 1:5 1:6 1:7 20:7 20:6 20:4 "
        "5:6 5:7 5:4 5:5 30:1 30:5",
        "add_64 sub_64 shlo_l_64 set_lt_s set_lt_u xor shlo_r_64 shar_r_64 or and mul_64 mul_upper_s_s mul_upper_s_u "
        "mul_upper_u_u div_s_64 div_u_64 rem_s_64 rem_u_64 and_inv or_inv xnor max max_u min min_u rot_l_64 rot_r_64",
        0xFE00707F)
    add("addw subw sllw srlw sraw mulw divw divuw remw remuw rolw rorw", "R", "registers", 0x3B,
        "0:0 20:0 0:1 0:5 20:5 1:0 1:4 1:5 1:6 1:7 30:1 30:5",
        "add_32 sub_32 shlo_l_32 shlo_r_32 shar_r_32 mul_32 div_s_32 div_u_32 rem_s_32 rem_u_32 rot_l_32 rot_r_32",
        0xFE00707F)
    for name, word, to in (
        ("clz", 0x60001013, "leading_zero_bits_64"), ("ctz", 0x60101013, "trailing_zero_bits_64"),
        ("cpop", 0x60201013, "count_set_bits_64"), ("sext.b", 0x60401013, "sign_extend_8"),
        ("sext.h", 0x60501013, "sign_extend_16"), ("clzw", 0x6000101B, "leading_zero_bits_32"),
        ("ctzw", 0x6010101B, "trailing_zero_bits_32"), ("cpopw", 0x6020101B, "count_set_bits_32"),
        ("rev8", 0x6B805013, "reverse_bytes"), ("zext.h", 0x0800403B, "zero_extend_16"),
    ):  # fmt: skip
        rows.append(Row(name, 0xFFF0707F, word, "R", "unary", to))
    rows.append(Row("orc.b", 0xFFF0707F, 0x28705013, "R", "orc_b"))
    add("sh1add sh2add sh3add", "R", "shift_add", 0x33, "10:2 10:4 10:6", "1 2 3", 0xFE00707F)
    add("add.uw sh1add.uw sh2add.uw sh3add.uw", "R", "shift_add", 0x3B, "4:0 10:2 10:4 10:6",
        "u0 u1 u2 u3", 0xFE00707F)
    add("slli.uw", "H", "shift_word", 0x1B, "4:1", "", 0xFC00707F)
    add("bclr bext binv bset", "R", "bit", 0x33, "24:1 24:5 34:1 14:1", "clear extract invert set", 0xFE00707F)
    add("bclri bexti binvi bseti", "H", "bit_immediate", 0x13, "24:1 24:5 34:1 14:1",
        "clear extract invert set", 0xFC00707F)
    add("czero.eqz czero.nez", "R", "zero_if", 0x33, "7:5 7:7", "iz nz", 0xFE00707F)
    for width, code in (("w", "2"), ("d", "3")):
        load = "load_ind_i32" if width == "w" else "load_ind_u64"
        for name, funct in _ATOMICS:
            rule = name if name in ("lr", "sc") else "atomic"
            mask = 0xF9F0707F if name == "lr" else 0xF800707F
            rows.append(Row(f"{name}.{width}", mask, 0x2F | int(code) << 12 | funct << 27, "R", rule, load))
    add("fence fence.i", "I", "nothing", 0x0F, "0 1", "")
    for name, word in (("ecall", 0x73), ("ebreak", 0x100073), ("unimp", 0xC0001073)):
        rows.append(Row(name, 0xFFFFFFFF, word, "I", "trap" if name != "ecall" else "refused"))
    # Ours, in the space for custom instructions: a host call by number, and the heap.
    add("pvm.ecalli", "I", "ecalli", 0x0B, "7", "ecalli")
    add("pvm.sbrk", "R", "unary", 0x0B, "0:1", "sbrk", 0xFFF0707F)
    # polkatool's, in the same space; and XTheadCondMov, which its target has.
    rows.append(Row("polkavm.import", 0xFFFFFFFF, 0x0B, "R", "import"))
    rows.append(Row("polkavm.memset", 0xFFFFFFFF, 0x200B, "R", "memset"))
    add("polkavm.heap_base", "R", "heap_base", 0x0B, "0:3", "", 0xFFFFF07F)
    add("th.mveqz th.mvnez", "R", "conditional", 0x0B, "20:1 21:1", "cmov_iz cmov_nz", 0xFE00707F)
    return tuple(rows)


ROWS = _rows()


@cache
def _by_opcode() -> dict[int, tuple[Row, ...]]:
    """The rows of each opcode, those with most fixed bits first."""
    found: dict[int, list[Row]] = {}
    for row in ROWS:
        found.setdefault(row.match & 0x7F, []).append(row)
    return {key: tuple(sorted(rows, key=lambda row: -row.mask.bit_count())) for key, rows in found.items()}


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def decode(word: int) -> Decoded:
    """The instruction in a word of 32 bits. Raises InputError for one that has no row."""
    for row in _by_opcode().get(word & 0x7F, ()):
        if word & row.mask == row.match:
            size = 12 if row.rule == "import" else 4  # a pointer is behind it
            return Decoded(row, word >> 7 & 31, word >> 15 & 31, word >> 20 & 31, _immediate(word, row.format), size)
    raise InputError(f"{word:#010x} is no instruction of RV64E with M, A, Zba, Zbb, Zbs or Zicond")


def _immediate(word: int, format: str) -> int:
    match format:
        case "I":
            return _signed(word >> 20, 12)
        case "S":
            return _signed(word >> 25 << 5 | word >> 7 & 31, 12)
        case "B":
            low = (word >> 8 & 15) << 1 | (word >> 25 & 63) << 5
            return _signed(low | (word >> 7 & 1) << 11 | word >> 31 << 12, 13)
        case "U":
            return _signed(word & 0xFFFFF000, 32)
        case "J":
            low = (word >> 21 & 1023) << 1 | (word >> 20 & 1) << 11
            return _signed(low | (word >> 12 & 255) << 12 | word >> 31 << 20, 21)
        case "H":
            return word >> 20 & 63
        case "W":
            return word >> 20 & 31
    return 0
