"""What a host call answers, as a value: nothing has happened yet when it is there (B.5 to B.7).

In: a context, the 13 registers, the guest's memory, the gas that is left. Out: `Answer`. `pvm.jam.host_calls.handlers`
takes the gas and lets answers take effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pvm.jam.host_calls.table import RESULTS
from pvm.machine import Reason
from pvm.memory import Memory
from pvm.program.standard import ADDRESS_SPACE

SELF = (1 << 64) - 1  # in place of a service's number: the one that calls


class Answer(NamedTuple):
    """What a call does. Registers that are None stay; `data` is written at `address`, all of it writable.

    `effect` changes the context, and happens last. `gas` is taken besides the call's price; where that does not
    suffice, nothing else of the answer happens. `end` ends the run; an answer that panics does nothing else.
    """

    r7: int | None = None
    r8: int | None = None
    address: int = 0
    data: bytes = b""
    effect: Callable[[], object] | None = None
    gas: int = 0
    end: Reason | None = None


Function = Callable[[Any, list[int], Memory, int], Answer]
"""A host call: gets its context, the registers, the memory, and the gas that its price left. It changes nothing."""

PANIC = Answer(end=Reason.PANIC)
OUT_OF_GAS = Answer(end=Reason.OUT_OF_GAS)
OK, NONE, WHAT, OOB, WHO, FULL, CORE, CASH, LOW, HUH = (
    Answer(RESULTS[name]) for name in ("OK", "NONE", "WHAT", "OOB", "WHO", "FULL", "CORE", "CASH", "LOW", "HUH")
)


def is_writable(memory: Memory, address: int, length: int) -> bool:
    """Whether the guest may write so many octets, of which there may be none, at any 64-bit address."""
    return not length or (address + length <= ADDRESS_SPACE and memory.is_writable(address, length))


def part_of(value: bytes | None, memory: Memory, out: int, offset: int, length: int) -> Answer:
    """How `fetch` and its kin end: a part of `value` is written at `out`, and its whole length returned.

    Of no value there is nothing to write; the range that would be written has to be writable.
    """
    if value is None:
        return NONE
    size = len(value)
    start = min(offset, size)
    count = min(length, size - start)
    if not count:
        return Answer(size)
    if not is_writable(memory, out, count):
        return PANIC
    return Answer(size, None, out, value if count == size else value[start : start + count])
