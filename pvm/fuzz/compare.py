"""Where engines disagree.

In: a `Case`, and how to make engines for it. Out: the first `Disagreement` with the reference engine, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from pvm.errors import LimitError, ResourceError
from pvm.fuzz.cases import Case
from pvm.fuzz.transcript import Observation, transcript
from pvm.machine import AnyEngine, Poll
from pvm.reference import ReferenceEngine

Make = Callable[[Case], AnyEngine]
ERROR = "error"


@dataclass(frozen=True)
class Disagreement:
    """The engine that differs, the number of the exit where it does so first, what differs there, and how.

    `what` is "error" when the engine raised one, "end" when one of the two has no such exit, else the first that is not
    the same of exit, pc, gas, registers, memory and accesses.
    """

    engine: str
    exit: int
    what: str
    expected: str
    found: str


def reference(case: Case) -> AnyEngine:
    """The engine that the others are compared with."""
    return ReferenceEngine(case.spec, case.metering)


def compare(
    case: Case, engines: Mapping[str, Make], yardstick: Make = reference, poll: Poll | None = None
) -> Disagreement | None:
    """Run the case on every engine; `poll` is the machines'.

    Raises InputError for a case that cannot be started, ResourceError when the system refuses memory, and LimitError
    when `poll` does.
    """
    expected = transcript(case, yardstick(case), poll)
    for name, make in engines.items():
        try:
            found = transcript(case, make(case), poll)
        except (ResourceError, LimitError):
            raise
        except Exception as error:  # whatever it is, the reference engine did without
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return Disagreement(name, 0, ERROR, f"{len(expected)} exits", text)
        for number, (one, other) in enumerate(zip_longest(expected, found)):
            if one != other:
                return _difference(name, number, one, other)
    return None


def _difference(engine: str, number: int, one: Observation | None, other: Observation | None) -> Disagreement:
    if one is None or other is None:
        return Disagreement(engine, number, "end", _short(one), _short(other))
    what = next(name for name in _PARTS if getattr(one, name) != getattr(other, name))
    if what == "memory":
        return Disagreement(engine, number, what, *_different_octet(dict(one.memory), dict(other.memory)))
    if what == "accesses":
        return Disagreement(engine, number, what, str(one.accesses), str(other.accesses))
    return Disagreement(engine, number, what, _short(one), _short(other))


_PARTS = ("exit", "pc", "gas", "registers", "memory", "accesses")


def _different_octet(one: dict[int, bytes], other: dict[int, bytes]) -> tuple[str, str]:
    """The first octet that is not the same. Pages that are not there are blank."""
    for page in sorted({*one, *other}):
        for place, (a, b) in enumerate(zip_longest(one.get(page, b""), other.get(page, b""), fillvalue=0)):
            if a != b:
                return f"{a:#04x} at {page + place:#x}", f"{b:#04x} at {page + place:#x}"
    return "the same octets", "in other pages"


def _short(seen: Observation | None) -> str:
    if seen is None:
        return "no such exit"
    exit = seen.exit
    reason = "none, after a step" if exit is None else exit.reason.value
    if exit is not None and exit.address is not None:
        reason += f" at {exit.address:#x}"
    if exit is not None and exit.call is not None:
        reason += f" {exit.call}"
    return f"{reason}, pc {seen.pc}, gas {seen.gas}, registers {' '.join(f'{value:x}' for value in seen.registers)}"
