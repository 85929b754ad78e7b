"""Cost models: what entering a basic block costs, as a value that engines read.

In: a program, a spec, a metering. Out: a frozen `BlockCosts`.
"""

from pvm.gas.costs import BlockCosts, Costs, block_costs
from pvm.gas.flat import STRAY_COST
from pvm.gas.metering import METERINGS, check_metering, choose_metering

__all__ = ["METERINGS", "STRAY_COST", "BlockCosts", "Costs", "block_costs", "check_metering", "choose_metering"]


def __dir__() -> list[str]:
    return __all__
