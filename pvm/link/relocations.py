"""The relocations of RISC-V's psABI that are linked, by number.

In: nothing. Out: names, and sets of those that are treated alike.
"""

from __future__ import annotations

NAMES: dict[int, str] = {
    0: "NONE", 1: "32", 2: "64", 3: "RELATIVE", 16: "BRANCH", 17: "JAL", 18: "CALL", 19: "CALL_PLT", 20: "GOT_HI20",
    21: "TLS_GOT_HI20", 22: "TLS_GD_HI20", 23: "PCREL_HI20", 24: "PCREL_LO12_I", 25: "PCREL_LO12_S", 26: "HI20",
    27: "LO12_I", 28: "LO12_S", 29: "TPREL_HI20", 30: "TPREL_LO12_I", 31: "TPREL_LO12_S", 32: "TPREL_ADD",
    33: "ADD8", 34: "ADD16", 35: "ADD32", 36: "ADD64", 37: "SUB8", 38: "SUB16", 39: "SUB32", 40: "SUB64",
    43: "ALIGN", 44: "RVC_BRANCH", 45: "RVC_JUMP", 51: "RELAX", 52: "SUB6", 53: "SET6", 54: "SET8", 55: "SET16",
    56: "SET32", 57: "32_PCREL", 58: "IRELATIVE", 59: "PLT32", 60: "SET_ULEB128", 61: "SUB_ULEB128",
    62: "TLSDESC_HI20", 63: "TLSDESC_LOAD_LO12", 64: "TLSDESC_ADD_LO12", 65: "TLSDESC_CALL",
}  # fmt: skip
NUMBERS = {name: number for number, name in NAMES.items()}


def name_of(kind: int) -> str:
    """What the psABI calls it."""
    return f"R_RISCV_{NAMES.get(kind, kind)}"


# tp is 0 here: there is one hart, thread-local storage is data, and what code adds to tp are addresses.
IGNORED = frozenset(NUMBERS[name] for name in ("NONE", "ALIGN", "RELAX", "TPREL_ADD"))
TARGETS = frozenset(NUMBERS[name] for name in ("BRANCH", "JAL", "RVC_BRANCH", "RVC_JUMP"))
CALLS = frozenset(NUMBERS[name] for name in ("CALL", "CALL_PLT"))
PC_HIGH = frozenset(NUMBERS[name] for name in ("PCREL_HI20", "GOT_HI20", "TLS_GOT_HI20", "TLS_GD_HI20"))
PC_LOW = frozenset(NUMBERS[name] for name in ("PCREL_LO12_I", "PCREL_LO12_S"))
HIGH = frozenset(NUMBERS[name] for name in ("HI20", "TPREL_HI20"))
LOW = frozenset(NUMBERS[name] for name in ("LO12_I", "LO12_S", "TPREL_LO12_I", "TPREL_LO12_S"))
# By what they need of the global offset table: a slot with an address, or two, of which the first is 0 (a module).
GOT_HIGH = frozenset(NUMBERS[name] for name in ("GOT_HI20", "TLS_GOT_HI20"))
PAIR_HIGH = NUMBERS["TLS_GD_HI20"]
# Of data: octets, and whether the value is set, added or subtracted; PC counts from the place itself.
DATA: dict[int, tuple[int, str]] = {
    **{NUMBERS[name]: (size, how) for name, size, how in (
        ("32", 4, "set"), ("64", 8, "set"), ("32_PCREL", 4, "pc"), ("PLT32", 4, "pc"),
        ("ADD8", 1, "add"), ("ADD16", 2, "add"), ("ADD32", 4, "add"), ("ADD64", 8, "add"),
        ("SUB8", 1, "sub"), ("SUB16", 2, "sub"), ("SUB32", 4, "sub"), ("SUB64", 8, "sub"),
        ("SET8", 1, "set"), ("SET16", 2, "set"), ("SET32", 4, "set"),
    )},
}  # fmt: skip
