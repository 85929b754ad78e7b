"""Every RISC-V row against its meaning, written here a second time: random registers, x0, one register twice."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import pvm
from pvm.link import Options, link
from pvm.link.riscv import ROWS, Row
from tests.pvm.link import elves

M64 = (1 << 64) - 1
HALT = 0xFFFF0000
MEMORY = 0x20000  # read-write data without read-only data before them
REGISTERS = (0, 8, 9, 10, 11, 12, 13, 14, 15)  # x0, s0, s1, a0 to a5
PLACES = {1: 0, 2: 1, 5: 2, 6: 3, 7: 4, 8: 5, 9: 6, **{number: number - 3 for number in range(10, 16)}}
SPECIAL = (0, 1, 2, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 63) - 1, M64, 0x00FF00010080FF00)


def s64(value: int) -> int:
    return value - (1 << 64) if value >> 63 & 1 else value


def s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def div(a: int, b: int) -> int:
    return -1 if b == 0 else quotient(a, b)


def rem(a: int, b: int) -> int:
    return a if b == 0 else a - b * quotient(a, b)


def u32(value: int) -> int:
    return value & 0xFFFFFFFF


def orc(a: int) -> int:
    return int.from_bytes(bytes(255 if octet else 0 for octet in a.to_bytes(8, "little")), "little")


def rotated(value: int, count: int, bits: int) -> int:
    count %= bits
    value &= (1 << bits) - 1
    return value >> count | value << (bits - count) & ((1 << bits) - 1)


BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "sll": lambda a, b: a << (b & 63),
    "slt": lambda a, b: s64(a) < s64(b), "sltu": lambda a, b: a < b, "xor": lambda a, b: a ^ b,
    "srl": lambda a, b: a >> (b & 63), "sra": lambda a, b: s64(a) >> (b & 63), "or": lambda a, b: a | b,
    "and": lambda a, b: a & b, "mul": lambda a, b: a * b, "mulh": lambda a, b: s64(a) * s64(b) >> 64,
    "mulhsu": lambda a, b: s64(a) * b >> 64, "mulhu": lambda a, b: a * b >> 64, "div": lambda a, b: div(s64(a), s64(b)),
    "divu": lambda a, b: a // b if b else -1, "rem": lambda a, b: rem(s64(a), s64(b)),
    "remu": lambda a, b: a % b if b else a, "andn": lambda a, b: a & ~b, "orn": lambda a, b: a | ~b,
    "xnor": lambda a, b: ~(a ^ b), "max": lambda a, b: max(s64(a), s64(b)), "maxu": max, "minu": min,
    "min": lambda a, b: min(s64(a), s64(b)), "rol": lambda a, b: rotated(a, -b, 64),
    "ror": lambda a, b: rotated(a, b, 64),
    "addw": lambda a, b: s32(a + b), "subw": lambda a, b: s32(a - b), "sllw": lambda a, b: s32(a << (b & 31)),
    "srlw": lambda a, b: s32(u32(a) >> (b & 31)), "sraw": lambda a, b: s32(a) >> (b & 31),
    "mulw": lambda a, b: s32(a * b),
    "divw": lambda a, b: s32(div(s32(a), s32(b))), "divuw": lambda a, b: s32(u32(a) // u32(b)) if u32(b) else -1,
    "remw": lambda a, b: s32(rem(s32(a), s32(b))), "remuw": lambda a, b: s32(u32(a) % u32(b) if u32(b) else a),
    "rolw": lambda a, b: s32(rotated(a, -b, 32)), "rorw": lambda a, b: s32(rotated(a, b, 32)),
    **{f"sh{n}add": lambda a, b, n=n: (a << n) + b for n in (1, 2, 3)},
    **{f"sh{n}add.uw": lambda a, b, n=n: (u32(a) << n) + b for n in (1, 2, 3)},
    "add.uw": lambda a, b: u32(a) + b, "bclr": lambda a, b: a & ~(1 << (b & 63)),
    "bext": lambda a, b: a >> (b & 63) & 1, "binv": lambda a, b: a ^ 1 << (b & 63),
    "bset": lambda a, b: a | 1 << (b & 63),
    "czero.eqz": lambda a, b: a if b else 0, "czero.nez": lambda a, b: 0 if b else a,
}  # fmt: skip
IMMEDIATE = {
    "addi": "add", "slti": "slt", "sltiu": "sltu", "xori": "xor", "ori": "or", "andi": "and", "addiw": "addw",
    "slli": "sll", "srli": "srl", "srai": "sra", "rori": "ror", "slliw": "sllw", "srliw": "srlw", "sraiw": "sraw",
    "roriw": "rorw", "bclri": "bclr", "bexti": "bext", "binvi": "binv", "bseti": "bset",
}  # fmt: skip
UNARY: dict[str, Callable[[int], int]] = {
    "clz": lambda a: 64 - a.bit_length(), "ctz": lambda a: (a & -a).bit_length() - 1 if a else 64,
    "cpop": lambda a: a.bit_count(), "sext.b": lambda a: ((a & 255) ^ 128) - 128,
    "sext.h": lambda a: ((a & 0xFFFF) ^ 0x8000) - 0x8000, "clzw": lambda a: 32 - u32(a).bit_length(),
    "ctzw": lambda a: (u32(a) & -u32(a)).bit_length() - 1 if u32(a) else 32, "cpopw": lambda a: u32(a).bit_count(),
    "rev8": lambda a: int.from_bytes(a.to_bytes(8, "little"), "big"), "zext.h": lambda a: a & 0xFFFF, "orc.b": orc,
}  # fmt: skip
LOADS = {"lb": (1, True), "lh": (2, True), "lw": (4, True), "ld": (8, False), "lbu": (1, False), "lhu": (2, False),
         "lwu": (4, False)}  # fmt: skip
STORES = {"sb": 1, "sh": 2, "sw": 4, "sd": 8}
BRANCHES: dict[str, Callable[[int, int], bool]] = {
    "beq": lambda a, b: a == b, "bne": lambda a, b: a != b, "blt": lambda a, b: s64(a) < s64(b),
    "bge": lambda a, b: s64(a) >= s64(b), "bltu": lambda a, b: a < b, "bgeu": lambda a, b: a >= b,
}  # fmt: skip
ATOMICS: dict[str, Callable[[int, int], int]] = {
    "amoswap": lambda a, b: b, "amoadd": BINARY["add"], "amoxor": BINARY["xor"], "amoor": BINARY["or"],
    "amoand": BINARY["and"], "amomin": BINARY["min"], "amomax": BINARY["max"], "amominu": min, "amomaxu": max,
}  # fmt: skip


class Case:
    """One instruction with operands, what the registers hold before, and memory."""

    def __init__(self, row: Row, chance: random.Random) -> None:
        self.row = row
        self.rd, self.rs1, self.rs2 = (chance.choice(REGISTERS) for _ in range(3))
        self.imm = chance.choice((0, 1, -1, 5, -2048, 2047, chance.randrange(-2048, 2048)))
        self.constant = chance.random() < 0.4  # a `li` before: constants are put into instructions
        self.memory = chance.randbytes(64)
        self.before = {number: chance.choice((*SPECIAL, chance.getrandbits(64))) for number in PLACES}
        self.before[5] = HALT
        self.before[0] = 0
        name, row_is_memory = row.name, False
        if name in LOADS or name in STORES or name[-2:] in (".w", ".d"):
            row_is_memory = True
            while self.rs1 == 0 or ((name in STORES or name[-2] == ".") and self.rs2 == self.rs1):
                self.rs1 = chance.choice(REGISTERS)
        self.is_memory = row_is_memory
        self.before_code: list[int] = []
        if row_is_memory:
            self.imm = chance.randrange(-16, 17) if name[-2] != "." else 0
            self.before[self.rs1] = MEMORY + 24
        elif self.constant and self.rs2:
            value = chance.randrange(-2048, 2048)
            self.before_code = [elves.i_type(0x13, self.rs2, 0, value)]
            self.now = {**self.before, self.rs2: value & M64}
        if not self.before_code:
            self.now = dict(self.before)

    def word(self) -> list[int]:
        row = self.row
        match row.format:
            case "R":
                # The mask says which register fields are the instruction's own.
                rs2 = 0 if row.mask >> 20 & 31 else self.rs2
                return [elves.r_type(row.match, self.rd, self.rs1, rs2)]
            case "I":
                return [elves.i_type(row.match, self.rd, self.rs1, self.imm)]
            case "H" | "W":
                self.imm &= 63 if row.format == "H" else 31
                return [row.match | self.rd << 7 | self.rs1 << 15 | self.imm << 20]
            case "S":
                return [elves.s_type(row.match, self.rs1, self.rs2, self.imm)]
            case "B":  # over an instruction that marks a0
                return [elves.b_type(row.match, self.rs1, self.rs2, 8), elves.i_type(0x13, 10, 10, 1)]
            case _:
                return [row.match | self.rd << 7 | (self.imm & 0xFFFFF) << 12]

    def after(self) -> tuple[dict[int, int], bytes]:
        """Registers and memory as they must be."""
        now, memory, name = dict(self.now), bytearray(self.memory), self.row.name
        a, b = now[self.rs1], now[self.rs2]
        result: int | None = None
        if name in BINARY:
            result = BINARY[name](a, b)
        elif name in IMMEDIATE:
            result = BINARY[IMMEDIATE[name]](a, self.imm & M64)
        elif name.startswith("th.mv"):
            result = a if (b == 0) == (name == "th.mveqz") else now.get(self.rd, 0)
        elif name == "slli.uw":
            result = u32(a) << self.imm
        elif name in UNARY:
            result = UNARY[name](a)
        elif name == "lui":
            result = s32((self.imm & 0xFFFFF) << 12)
        elif name in LOADS:
            size, signed = LOADS[name]
            at = 24 + self.imm
            result = int.from_bytes(memory[at : at + size], "little", signed=signed)
        elif name in STORES:
            at, size = 24 + self.imm, STORES[name]
            memory[at : at + size] = (b & (1 << 8 * size) - 1).to_bytes(size, "little")
        elif name in BRANCHES:
            if not BRANCHES[name](a, b):
                now[10] = now[10] + 1 & M64
        elif name[-2:] in (".w", ".d") and self.row.rule in ("lr", "sc", "atomic"):
            size = 4 if name.endswith("w") else 8
            old = int.from_bytes(memory[24 : 24 + size], "little")
            wide = s32(old) & M64 if size == 4 else old
            result = wide
            if self.row.rule != "lr":
                operand = (s32(b) & M64) if size == 4 else b
                new = operand if self.row.rule == "sc" else ATOMICS[name[:-2]](wide, operand)
                memory[24 : 24 + size] = (new & (1 << 8 * size) - 1).to_bytes(size, "little")
                result = 0 if self.row.rule == "sc" else wide
        if result is not None and self.rd:
            now[self.rd] = int(result) & M64
        return now, bytes(memory)


SKIPPED = ("auipc", "jal", "jalr", "fence", "fence.i", "ecall", "ebreak", "unimp", "pvm.ecalli", "pvm.sbrk",
           "polkavm.import", "polkavm.memset", "polkavm.heap_base")  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in SKIPPED], ids=lambda row: row.name)
def test_row(row: Row) -> None:
    chance = random.Random(row.name)
    cases = [Case(row, chance) for _ in range(60)]
    elf = elves.Elf()
    for number, case in enumerate(cases):
        code = elves.words(*case.before_code, *case.word(), elves.JR_T0)
        elf.add(f".text.{number}", elves.CODE, code, f"case{number}")
    elf.add(".data", elves.DATA, bytes(64), "memory")
    # Memory is there because something that is reached points to it.
    pointer = elf.add(".text.pointer", elves.CODE, elves.words(0x37 | 10 << 7, elves.RET), "pointer")
    elf.relocate(pointer, 0, "HI20", "memory")
    names = tuple(f"case{number}" for number in range(len(cases)))
    program = link([("rows.o", elf.encode())], Options((*names, "pointer"), heap=4096)).program
    program = pvm.Program.parse(program.encode())
    for number, case in enumerate(cases):
        machine = pvm.ReferenceEngine().instantiate(program, gas=10_000, pc=5 * number)
        machine.memory.write(MEMORY, case.memory)
        for register, place in PLACES.items():
            machine.registers[place] = case.before[register]
        exit = machine.run()
        wanted, memory = case.after()
        text = f"{row.name} x{case.rd}, x{case.rs1}, x{case.rs2}, {case.imm}; li before: {bool(case.before_code)}"
        assert exit.reason is pvm.Reason.HALT, f"{text}: {exit}"
        got = {register: machine.registers[place] for register, place in PLACES.items()}
        different = {f"x{r}": (hex(got[r]), hex(wanted[r])) for r in PLACES if got[r] != wanted[r]}
        assert not different, f"{text}: got, wanted {different}"
        assert machine.memory.read(MEMORY, 64) == memory, text
