"""Cost models: what entering a basic block costs."""

from pvm.gas.flat import STRAY_COST, block_costs

__all__ = ["STRAY_COST", "block_costs"]
