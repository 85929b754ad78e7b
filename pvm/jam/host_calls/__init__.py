"""The host calls of JAM, by the numbers that each version gives them."""

from __future__ import annotations

from pvm.jam.host_calls.table import (
    GAS_072,
    LOG,
    LOG_CALL,
    RESULTS,
    ROWS,
    UNKNOWN_GAS,
    WHAT,
    HostCallRow,
    Price,
    Rate,
    as_dict,
    by_number,
    call_name,
)

__all__ = [
    "GAS_072", "LOG", "LOG_CALL", "RESULTS", "ROWS", "UNKNOWN_GAS", "WHAT", "HostCallRow", "Price", "Rate", "as_dict",
    "by_number", "call_name",
]  # fmt: skip
