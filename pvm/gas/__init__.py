"""Cost models: what entering a basic block costs."""

from pvm.gas.flat import block_costs, stray_cost

__all__ = ["block_costs", "stray_cost"]
