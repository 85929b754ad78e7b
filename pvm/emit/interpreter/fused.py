"""Pairs of instructions that the interpreter carries out with one dispatch.

In: nothing. Out: `PAIRS`. A first row never ends a block. The table holds the 110 pairs that save most dispatches over
our examples and four recorded runs of real services (which together weigh as much as all examples), counted on the
reference engine: of the 260 neighbours that run most often, those that are fused least, as `prepare` fuses from left to
right, were dropped again and again. The 110 neighbours that run most often, which stood here before, leave 0.50 to 0.76
dispatches an instruction, these 0.50 to 0.65.

Measured on the examples: 0.9 to 1.6 ns an instruction, 1.2 to 1.9 with those before (mandelbrot 3.6: its time was that
of a loop that the processor predicts wrongly; the same pairs in another order gave 1.6 to 4.5), 2.1 to 3.1 without any;
1.9 ns over all recorded runs, 2.25 with those before. Compiling the module takes 13 to 19 ms.
"""

from __future__ import annotations

_SECONDS_BY_FIRST: dict[str, str] = {
    "load_imm":
        "fallthrough load_imm load_imm_jump branch_ne_imm branch_lt_u_imm move_reg load_ind_u64 and_imm "
        "min_u ",
    "store_imm_ind_u8":
        "add_imm_64 add_64 ",
    "store_imm_ind_u64":
        "load_ind_u16 ",
    "move_reg":
        "ecalli load_imm load_imm_jump branch_lt_u_imm move_reg load_ind_u32 load_ind_u64 add_imm_64 "
        "neg_add_imm_64 branch_eq add_64 ",
    "store_ind_u8":
        "fallthrough load_imm add_imm_64 ",
    "store_ind_u32":
        "jump_ind store_imm_ind_u32 branch_eq_imm move_reg store_ind_u32 ",
    "store_ind_u64":
        "load_imm move_reg store_ind_u64 load_ind_u8 load_ind_u64 and_imm add_imm_64 branch_lt_u ",
    "load_ind_u8":
        "branch_ne_imm store_ind_u8 store_ind_u64 load_ind_u8 load_ind_u64 and_imm add_imm_64 shlo_l_imm_64 "
        "add_64 ",
    "load_ind_u32":
        "load_imm store_ind_u32 add_imm_64 branch_ge_u ",
    "load_ind_u64":
        "fallthrough load_imm load_imm_jump branch_eq_imm move_reg store_ind_u64 load_ind_u64 add_imm_64 "
        "shlo_l_imm_64 load_imm_jump_ind add_64 or ",
    "add_imm_32":
        "shlo_l_imm_64 ",
    "and_imm":
        "load_imm add_64 ",
    "set_lt_u_imm":
        "store_ind_u8 ",
    "cmov_nz_imm":
        "store_ind_u64 ",
    "add_imm_64":
        "jump_ind load_imm_jump branch_ne_imm move_reg store_ind_u64 load_ind_u64 add_imm_64 branch_ne "
        "branch_ge_u add_64 ",
    "mul_imm_64":
        "shlo_r_imm_64 sub_32 ",
    "shlo_l_imm_64":
        "add_imm_64 shlo_l_imm_64 shlo_r_imm_64 sub_64 or ",
    "shlo_r_imm_64":
        "shlo_l_imm_64 ",
    "shar_r_imm_64":
        "shar_r_imm_64 ",
    "shlo_l_imm_alt_64":
        "or ",
    "rot_r_64_imm":
        "add_64 ",
    "add_64":
        "load_imm move_reg store_ind_u64 load_ind_u8 load_ind_u32 load_ind_u64 branch_lt_u add_64 sub_64 xor ",
    "sub_64":
        "branch_lt_u ",
    "mul_64":
        "shlo_l_imm_64 add_64 sub_64 mul_64 ",
    "xor":
        "rot_r_64_imm ",
    "or":
        "store_ind_u64 xor_imm or ",
    "rot_l_64":
        "and ",
}

PAIRS: tuple[tuple[str, str], ...] = tuple(
    (first, second) for first, seconds in _SECONDS_BY_FIRST.items() for second in seconds.split()
)
