"""Pairs of instructions that the interpreter carries out with one dispatch.

In: nothing. Out: `PAIRS`. A pair is worth a handler when it runs often; the first row must not end a block.
"""

from __future__ import annotations

PAIRS: tuple[tuple[str, str], ...] = ()
