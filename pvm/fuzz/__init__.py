"""Differential fuzzing: programs whose whole course must be the same on every engine.

In: a seed. Out: a `Case` of one of seven families, its `transcript` on an engine, a `Disagreement` of two engines, and
the smallest case that still shows it (`shrink`), which can be saved and read again.
"""

from pvm.fuzz.cases import Case, random_case
from pvm.fuzz.compare import Disagreement, Make, compare
from pvm.fuzz.corners import CORNERS, corner_case
from pvm.fuzz.memory import memory_case
from pvm.fuzz.mutants import mutated_case
from pvm.fuzz.saved import format_case, parse_case
from pvm.fuzz.shrink import shrink
from pvm.fuzz.transcript import Observation, observe, observed_pages, start, transcript

__all__ = [
    "CORNERS", "Case", "Disagreement", "Make", "Observation", "compare", "corner_case", "format_case", "memory_case",
    "mutated_case", "observe", "observed_pages", "parse_case", "random_case", "shrink", "start", "transcript",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
