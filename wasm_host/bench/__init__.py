"""Measures the engines: against each other, against native code and against another engine.

In: what to measure. Out: a `Report` of medians, spreads and ratios. The command is `wasm_host.bench.command`.
"""
