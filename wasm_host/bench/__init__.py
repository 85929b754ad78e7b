"""Measures the engines: against each other, against native code and against another engine.

In: what to measure (`run.Options`). Out: a `Report` of medians, spreads and ratios.
"""
