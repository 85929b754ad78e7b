"""How runs end: the paper's exit reasons (A.1, A.6), and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a run ended: the paper's exit reasons, and STOPPED, which the host asked for (`Machine.stop`, a limit)."""

    HALT = "halt"
    PANIC = "panic"
    OUT_OF_GAS = "out-of-gas"
    PAGE_FAULT = "page-fault"
    HOST_CALL = "host-call"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a run.

    `pc` is the instruction that caused it, or that is next, `gas` what remains. `address` is the lowest inaccessible
    page's address after a page fault, `call` the number of the host call after a host call; otherwise they are None.
    """

    reason: Reason
    pc: int
    gas: int
    address: int | None = None
    call: int | None = None


def check_reason(reason: object) -> Reason:
    """What a handler returned. Raises TypeError unless it is a reason that a host call may end a run with."""
    if reason not in (Reason.HALT, Reason.PANIC, Reason.OUT_OF_GAS):
        raise TypeError(f"a handler returns None or Reason.HALT, PANIC or OUT_OF_GAS, not {reason!r}")
    assert isinstance(reason, Reason)
    return reason
