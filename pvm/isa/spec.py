"""Versions of the specification: which opcode means which row, and the rules in which versions differ.

In: the rows. Out: `Spec` values, found by name with `spec`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.errors import InputError
from pvm.isa.table import BY_NAME, ROWS, Row
from pvm.lazy import lazy
from pvm.suggestions import unknown


@dataclass(frozen=True, eq=False)  # one object a version: it is compared and hashed by identity
class Spec:
    """One version.

    - `by_opcode`: 256 entries, the row of each opcode or None where it is invalid.
    - `validates`: the whole program is checked before it runs, and branches check both ways (0.8.0, A.1, A.4).
    - `gas_stays`: out of gas leaves the gas counter as it was (0.8.0); otherwise it becomes 0.
    - `prices_blocks`: gas is that of the pipeline model, charged by the block (0.8.0, A.9); otherwise 1 an instruction.
    - `read_only_panics`: a store to a read-only page panics, not faults. Only the public gas vectors ask for it.
    - `cmov_reads_destination`: in the pipeline gas model, whether a conditional move has its destination among its
      sources, which the text leaves open. The newest public vectors say so for all four; the public gas vectors, which
      are older, say no for the moves of three registers.
    """

    name: str
    by_opcode: tuple[Row | None, ...]
    validates: bool = False
    gas_stays: bool = False
    prices_blocks: bool = False
    read_only_panics: bool = False
    cmov_reads_destination: bool = True

    def __repr__(self) -> str:
        return f"<Spec {self.name}>"

    @lazy
    def opcodes(self) -> dict[str, int]:
        """Row name -> opcode."""
        return {row.name: opcode for opcode, row in enumerate(self.by_opcode) if row is not None}

    @lazy
    def rows(self) -> tuple[Row, ...]:
        """The rows that this version has, by opcode."""
        return tuple(row for row in self.by_opcode if row is not None)


def _numbering(opcodes: dict[int, Row]) -> tuple[Row | None, ...]:
    return tuple(opcodes.get(opcode) for opcode in range(256))


_OPCODES_072 = {row.opcode_072: row for row in ROWS if row.opcode_072 is not None}
_OPCODES_080 = {row.opcode_080: row for row in ROWS if row.opcode_080 is not None}

GP_072 = Spec("0.7.2", _numbering(_OPCODES_072))
GP_080 = Spec("0.8.0", _numbering(_OPCODES_080), validates=True, gas_stays=True, prices_blocks=True)
# What the public vectors of the 0.8.0 gas model are written in: the 0.7.2 numbers plus `unlikely` = 3.
GAS_VECTORS = Spec(
    "gas-vectors", _numbering({**_OPCODES_072, 3: BY_NAME["unlikely"]}), gas_stays=True, prices_blocks=True,
    read_only_panics=True, cmov_reads_destination=False,
)  # fmt: skip

SPECS: dict[str, Spec] = {s.name: s for s in (GP_072, GP_080, GAS_VECTORS)}
# The versions a person chooses between; the third, "gas-vectors", serves those who run the public vectors.
SPEC_NAMES: tuple[str, ...] = ("0.7.2", "0.8.0")


def elsewhere(name: str) -> str:
    """For messages about an instruction that a version lacks: "; 0.8.0 has it (--spec 0.8.0)"."""
    found = [version for version in SPEC_NAMES if name in SPECS[version].opcodes]
    return f"; {found[0]} has it (--spec {found[0]})" if found else ""


def spec(name: str | Spec) -> Spec:
    """The version called `name`; a version itself is returned as it is.

    Raises InputError for an unknown name.
    """
    if isinstance(name, Spec):
        return name
    try:
        return SPECS[name]
    except (KeyError, TypeError):
        raise InputError(unknown("spec", name, SPEC_NAMES)) from None
