"""Ascending sequences without duplicates, which the paper asks of most extrinsics (section 3.7)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any


def ascends(items: Iterable[Any]) -> bool:
    """Whether each item is greater than the one before it."""
    return all(before < after for before, after in pairwise(items))
