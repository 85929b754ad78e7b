"""What the pipeline model takes an instruction for: cycles, decode slots, execution units, registers (0.8.0, A.10).

In: a row. Out: a frozen `Latency`. Sources and destinations are the registers that the row's meaning reads and writes,
whatever happens at run time (A.9).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pvm.isa.expr import Effect, Reg, Sbrk, SetReg, walk
from pvm.isa.table import Row

MEMORY_CYCLES = 25  # of a load or store, wherever it goes
UNLIKELY_BRANCH_CYCLES = 1  # of a branch beside `unlikely` or `trap`
BRANCH_CYCLES = 20

# Execution units of the simulated processor, by place in a tuple of counts.
UNITS = ("alu", "load", "store", "multiply", "divide")
NO_UNITS = (0, 0, 0, 0, 0)
_ALU, _LOAD, _STORE = (1, 0, 0, 0, 0), (1, 1, 0, 0, 0), (1, 0, 1, 0, 0)
_MULTIPLY, _DIVIDE, _TWO_ALUS = (1, 0, 0, 1, 0), (1, 0, 0, 0, 1), (2, 0, 0, 0, 0)

Units = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Latency:
    """`cycles` until an instruction is done, None for a branch, which asks where it goes.

    It takes `slots` to decode it, or `slots_overlapping` where its destination is one of its sources; of a shift with
    `first_source` the first source alone counts. `units` are taken while it executes. `sources` and `destinations` are
    operand fields.
    """

    cycles: int | None
    slots: int
    slots_overlapping: int
    units: Units
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    first_source: bool = False


def _names(*groups: str) -> tuple[str, ...]:
    return tuple(name for group in groups for name in group.split())


# A row: cycles, slots where destination and sources overlap, slots otherwise, units, the instructions.
_SIZES = ("u8", "i8", "u16", "i16", "u32", "i32", "u64")
_STORED = ("u8", "u16", "u32", "u64")
# fmt: off
_ROWS: tuple[tuple[int | None, int, int, Units, tuple[str, ...]], ...] = (
    (0,   1, 1, NO_UNITS,  _names("move_reg")),
    (1,   1, 2, _ALU,      _names("xor and or add_64 sub_64 xor_imm and_imm or_imm add_imm_64",
                                  "shlo_r_imm_64 shar_r_imm_64 shlo_l_imm_64 rot_r_64_imm reverse_bytes")),
    (2,   2, 3, _ALU,      _names("add_32 sub_32 add_imm_32 shlo_r_imm_32 shar_r_imm_32 shlo_l_imm_32 rot_r_32_imm")),
    (1,   1, 1, _ALU,      _names("count_set_bits_32 count_set_bits_64 leading_zero_bits_32 leading_zero_bits_64",
                                  "sign_extend_8 sign_extend_16 zero_extend_16")),
    (2,   1, 1, _TWO_ALUS, _names("trailing_zero_bits_32 trailing_zero_bits_64")),
    (1,   2, 3, _ALU,      _names("shlo_l_64 shlo_r_64 shar_r_64 rot_l_64 rot_r_64")),
    (2,   3, 4, _ALU,      _names("shlo_l_32 shlo_r_32 shar_r_32 rot_l_32 rot_r_32")),
    (1,   3, 3, _ALU,      _names("shlo_l_imm_alt_64 shlo_r_imm_alt_64 shar_r_imm_alt_64 rot_r_64_imm_alt")),
    (2,   4, 4, _ALU,      _names("shlo_l_imm_alt_32 shlo_r_imm_alt_32 shar_r_imm_alt_32 rot_r_32_imm_alt")),
    (3,   3, 3, _ALU,      _names("set_lt_u set_lt_s set_lt_u_imm set_lt_s_imm set_gt_u_imm set_gt_s_imm")),
    (2,   2, 2, _ALU,      _names("cmov_iz cmov_nz")),
    (2,   3, 3, _ALU,      _names("cmov_iz_imm cmov_nz_imm and_inv or_inv neg_add_imm_64")),
    (2,   2, 3, _ALU,      _names("xnor")),
    (3,   4, 4, _ALU,      _names("neg_add_imm_32")),
    (3,   2, 3, _ALU,      _names("max max_u min min_u")),
    (MEMORY_CYCLES, 1, 1, _LOAD,  tuple(f"load{kind}_{size}" for kind in ("", "_ind") for size in _SIZES)),
    (MEMORY_CYCLES, 1, 1, _STORE, tuple(f"store{kind}_{size}" for kind in ("", "_ind", "_imm", "_imm_ind")
                                        for size in _STORED)),
    (None, 1, 1, _ALU,     _names("branch_eq branch_ne branch_lt_u branch_lt_s branch_ge_u branch_ge_s",
                                  "branch_eq_imm branch_ne_imm branch_lt_u_imm branch_lt_s_imm branch_le_u_imm",
                                  "branch_le_s_imm branch_ge_u_imm branch_ge_s_imm branch_gt_u_imm branch_gt_s_imm")),
    (60,  4, 4, _DIVIDE,   _names("div_u_32 div_s_32 rem_u_32 rem_s_32 div_u_64 div_s_64 rem_u_64 rem_s_64")),
    (1,   1, 1, NO_UNITS,  _names("load_imm")),
    (1,   2, 2, NO_UNITS,  _names("load_imm_64")),
    (3,   1, 2, _MULTIPLY, _names("mul_64 mul_imm_64")),
    (4,   2, 3, _MULTIPLY, _names("mul_32 mul_imm_32")),
    (4,   4, 4, _MULTIPLY, _names("mul_upper_s_s mul_upper_u_u")),
    (6,   4, 4, _MULTIPLY, _names("mul_upper_s_u")),
    (2,   1, 1, NO_UNITS,  _names("trap fallthrough")),
    (40,  1, 1, NO_UNITS,  _names("unlikely")),
    (15,  1, 1, NO_UNITS,  _names("jump load_imm_jump")),
    (22,  1, 1, NO_UNITS,  _names("jump_ind load_imm_jump_ind")),
    (100, 4, 4, _ALU,      _names("ecalli sbrk")),  # the paper has no sbrk, which vectors of this model never use
)
# fmt: on
_BY_NAME = {name: row[:4] for row in _ROWS for name in row[4]}
_FIRST_SOURCE = frozenset(
    _names("shlo_l_64 shlo_r_64 shar_r_64 rot_l_64 rot_r_64 shlo_l_32 shlo_r_32 shar_r_32 rot_l_32 rot_r_32")
)


@cache
def latency_of(row: Row) -> Latency:
    """What a row's instructions are to the pipeline."""
    cycles, overlapping, slots, units = _BY_NAME[row.name]
    sources: dict[str, None] = {}
    destinations: dict[str, None] = {}
    for effect in row.effects:
        sources.update(dict.fromkeys(node.field for node in walk(effect) if isinstance(node, Reg)))
        destinations.update(dict.fromkeys(_written(effect)))
    return Latency(
        cycles, slots, overlapping, units, tuple(sources), tuple(destinations), row.name in _FIRST_SOURCE
    )


def sources_of(row: Row, cmov_reads_destination: bool) -> tuple[str, ...]:
    """The sources, for either reading of conditional moves (`Spec.cmov_reads_destination`)."""
    latency = latency_of(row)
    if not cmov_reads_destination and row.name in ("cmov_iz", "cmov_nz"):
        return tuple(name for name in latency.sources if name not in latency.destinations)
    return latency.sources


def _written(effect: Effect) -> tuple[str, ...]:
    return (effect.field,) if isinstance(effect, SetReg | Sbrk) else ()
