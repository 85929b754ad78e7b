"""How runs end: the paper's exit reasons (A.1, A.6), and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from inspect import isawaitable
from typing import Any


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


class AsyncHandlerError(TypeError):
    """A handler is a coroutine function, whose answer has to be awaited."""

    def __init__(self, answer: Any) -> None:
        super().__init__("an async handler answers in `await machine.run_async()` alone")
        self.answer = answer

    def close(self) -> None:
        """Nobody is going to await it."""
        close = getattr(self.answer, "close", None)
        if close is not None:
            close()


def check_reason(reason: object) -> Reason:
    """What a handler returned. Raises TypeError unless it is a reason that a host call may end a run with.

    AsyncHandlerError is one: whoever can awaits the answer.
    """
    if isawaitable(reason):
        raise AsyncHandlerError(reason)
    if reason not in (Reason.HALT, Reason.PANIC, Reason.OUT_OF_GAS):
        raise TypeError(f"a handler returns None or Reason.HALT, PANIC or OUT_OF_GAS, not {reason!r}")
    assert isinstance(reason, Reason)
    return reason
