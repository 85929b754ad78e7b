"""Operand formats: how an instruction's octets become register and immediate operands.

In: the octets after the opcode and the skip length l. Out: thirteen `Format` values. Follows the Gray Paper's
A.5.1-A.5.13, one format a subsection. Two readers share this data: the Python decoder (`pvm.program.decode`) and
the decoder inside the generated interpreter (`pvm.emit`).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RegisterField:
    """Register operand `name` = min(12, (octet at pc + `octet` >> `shift`) & `mask`)."""

    name: str
    octet: int
    shift: int
    mask: int


@dataclass(frozen=True, slots=True)
class ImmediateField:
    """Immediate operand `name`, little-endian, sign-extended from its length in octets.

    It starts at pc + `start` (plus the length of x, for y). Its length is
    - 8 when `wide`;
    - min(4, (octet at pc + `length_octet` >> `length_shift`) & 7) when `length_octet` is given;
    - min(4, max(0, l - `used`)), less the length of x for y, otherwise: what the skip length leaves.
    An `offset` is relative to the instruction's pc and yields a target.
    """

    name: str
    start: int
    used: int = 0
    length_octet: int | None = None
    length_shift: int = 0
    wide: bool = False
    offset: bool = False


@dataclass(frozen=True, eq=False, slots=True)  # compared and hashed by identity, as rows are
class Format:
    name: str
    title: str
    registers: tuple[RegisterField, ...] = ()
    immediates: tuple[ImmediateField, ...] = ()

    fields: tuple[str, ...] = field(init=False)  # names of the operands, registers first

    def __post_init__(self) -> None:
        names = (*(f.name for f in self.registers), *(f.name for f in self.immediates))
        object.__setattr__(self, "fields", names)


_A = RegisterField("a", 1, 0, 15)
_B = RegisterField("b", 1, 4, 15)

NONE = Format("none", "no arguments")
IMM = Format("imm", "one immediate", (), (ImmediateField("x", 1),))
REG_WIDE = Format("reg_wide", "one register, one extended-width immediate", (_A,), (ImmediateField("x", 2, wide=True),))
IMM_IMM = Format(
    "imm_imm", "two immediates", (),
    (ImmediateField("x", 2, length_octet=1), ImmediateField("y", 2, used=1)),
)  # fmt: skip
OFFSET = Format("offset", "one offset", (), (ImmediateField("x", 1, offset=True),))
REG_IMM = Format("reg_imm", "one register, one immediate", (_A,), (ImmediateField("x", 2, used=1),))
REG_IMM_IMM = Format(
    "reg_imm_imm", "one register, two immediates", (_A,),
    (ImmediateField("x", 2, length_octet=1, length_shift=4), ImmediateField("y", 2, used=1)),
)  # fmt: skip
REG_IMM_OFFSET = Format(
    "reg_imm_offset", "one register, one immediate, one offset", (_A,),
    (ImmediateField("x", 2, length_octet=1, length_shift=4), ImmediateField("y", 2, used=1, offset=True)),
)  # fmt: skip
REG_REG = Format("reg_reg", "two registers", (RegisterField("d", 1, 0, 15), RegisterField("a", 1, 4, 15)))
REG_REG_IMM = Format("reg_reg_imm", "two registers, one immediate", (_A, _B), (ImmediateField("x", 2, used=1),))
REG_REG_OFFSET = Format(
    "reg_reg_offset", "two registers, one offset", (_A, _B), (ImmediateField("x", 2, used=1, offset=True),)
)
REG_REG_IMM_IMM = Format(
    "reg_reg_imm_imm", "two registers, two immediates", (_A, _B),
    (ImmediateField("x", 3, length_octet=2), ImmediateField("y", 3, used=2)),
)  # fmt: skip
REG_REG_REG = Format("reg_reg_reg", "three registers", (_A, _B, RegisterField("d", 2, 0, 255)))

FORMATS: tuple[Format, ...] = (
    NONE, IMM, REG_WIDE, IMM_IMM, OFFSET, REG_IMM, REG_IMM_IMM, REG_IMM_OFFSET,
    REG_REG, REG_REG_IMM, REG_REG_OFFSET, REG_REG_IMM_IMM, REG_REG_REG,
)  # fmt: skip
