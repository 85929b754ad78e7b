"""The instruction set as data: formats, the expression language, one row an instruction, and the versions."""

from pvm.isa.formats import FORMATS, Format
from pvm.isa.spec import GAS_VECTORS, GP_072, GP_080, SPEC_NAMES, SPECS, Spec, spec
from pvm.isa.table import BY_NAME, ROWS, Row

__all__ = [
    "BY_NAME", "FORMATS", "GAS_VECTORS", "GP_072", "GP_080", "ROWS", "SPECS", "SPEC_NAMES", "Format", "Row", "Spec",
    "spec",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
