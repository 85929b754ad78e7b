"""Observing machines: counts, coverage, heat and gas by block, breakpoints, watchpoints, profiles.

It works with the machines of every engine, and they give the same answers. What is not asked for costs nothing.
"""

from pvm.analysis.symbols import Symbols, symbols_of
from pvm.breaking import Visit, run_to
from pvm.counting import counts_of
from pvm.observe.debugger import Access, Breakpoint, Debugger, Watch
from pvm.observe.gas_report import BlockLine, GasReport, NamedLine, gas_report
from pvm.observe.heat import Coverage, coverage_of, heat_lines
from pvm.observe.profile import Profile, profile

__all__ = [
    "Access", "BlockLine", "Breakpoint", "Coverage", "Debugger", "GasReport", "NamedLine", "Profile", "Symbols",
    "Visit", "Watch", "counts_of", "coverage_of", "gas_report", "heat_lines", "profile", "run_to", "symbols_of",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
