"""Two engines run the same program side by side, until they differ or the program ends.

In: a program, its start, two tiers. Out: how far they are, and the first difference, with the instruction that made it.

Both run a slice of gas at a time, and are compared after it: exit, pc, registers; now and then and at the end memory,
too. Once they differ, both start again, and the shortest run after which they differ is found by halving. The last
state that they share stands at the instruction that made the difference, or in block metering at its block. Engines
are deterministic. What differs is taken to stay different: a difference that is gone by the end of a slice is not seen.

Slices are gas, so what runs is what runs without them. Where running out sets the gas to 0 (0.7.2) and a block does not
fit the rest of a slice (block metering), that rest is lost, on both sides alike.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import count
from typing import Any

from pvm.errors import PvmError
from pvm.machine import AnyEngine, Exit, Reason
from pvm.reference import ReferenceEngine
from pvm_web.bridge.machines import metering_of, start_value
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.twins import Difference, Twins
from pvm_web.bridge.values import Big, Params, Refused

MakeEngine = Callable[[str, str, str], AnyEngine]
"""From a tier, a spec's name and a metering to an engine."""

TIERS: tuple[str, ...] = ("reference", "interpreter", "recompiler")
KEPT = 4  # comparisons, the last ones started
SECONDS = 0.05  # that a request may take, or a slice longer
_FIRST_SLICE = 256  # gas
_LARGEST_SLICE = 1 << 24  # more than any block costs

Work = Generator[None, None, None]


class Comparison:
    """One program on two engines. `work` does it, and may be left at every `yield`."""

    def __init__(self, make: Callable[[], Twins]) -> None:
        self._make = make
        self._slices: list[int] = []  # gas, of all so far
        self._checked = 0  # slices after which memory was the same
        self.steps = 0
        self.is_searching = False
        self.difference: Difference | None = None
        self.exit: Exit | None = None
        self.work = self._work()

    def _work(self) -> Work:
        twins, size = self._make(), _FIRST_SLICE
        yield
        while self.exit is None:
            piece, pc, began = min(size, twins.left), twins.first.machine.pc, time.monotonic()
            self._slices.append(piece)
            twins.slice(piece)
            took, self.steps = time.monotonic() - began, twins.used
            found = twins.difference()
            if found is None and (twins.has_ended or len(self._slices) >= 2 * self._checked):
                found = yield from twins.memory_difference()
                self._checked = len(self._slices) if found is None else self._checked
            if found is not None:
                self.difference = found
                yield from self._search(found)
                return
            exit = twins.first.exit
            if twins.has_ended and exit is not None:
                self.exit = replace(exit, gas=twins.left)  # all of it, not the slice's
            is_stuck = exit is not None and exit.reason is Reason.OUT_OF_GAS and exit.pc == pc
            if took < SECONDS / 8 or is_stuck:
                size = min(_LARGEST_SLICE, 2 * size)
            elif took > SECONDS:
                size = max(_FIRST_SLICE, size // 2)
            yield

    def _search(self, found: Difference) -> Work:
        """The first slice after which they differ, then how much of it that takes."""
        self.is_searching = True
        slices, low, high = self._slices, self._checked, len(self._slices)
        while high - low > 1:
            middle = (low + high) // 2
            _, earlier = yield from self._again(slices[:middle])
            low, high, found = (middle, high, found) if earlier is None else (low, middle, earlier)
        before, shared, differing = slices[: high - 1], 0, slices[high - 1]
        while differing - shared > 1:
            part = (shared + differing) // 2
            _, earlier = yield from self._again([*before, part])
            shared, differing, found = (part, differing, found) if earlier is None else (shared, part, earlier)
        twins, _ = yield from self._again([*before, shared] if shared else before)
        self.difference = replace(found, pc=twins.first.machine.pc)
        self.steps = twins.used
        self.is_searching = False

    def _again(self, slices: list[int]) -> Generator[None, None, tuple[Twins, Difference | None]]:
        """Both from the start, and how they differ after these slices."""
        twins = self._make()
        for piece in slices:
            yield
            twins.slice(piece)
        if not slices:
            return twins, None
        found = twins.difference()
        return twins, (yield from twins.memory_difference()) if found is None else found


class Lockstep:
    """The comparisons that are under way."""

    def __init__(self, make_engine: MakeEngine | None) -> None:
        self._make_engine = make_engine
        self._numbers = count(1)
        self._running: OrderedDict[int, Comparison] = OrderedDict()

    def start(self, loaded: Loaded, params: Params) -> dict[str, Any]:
        """The number of a new comparison."""
        metering, start = metering_of(loaded, params), start_value(loaded, params)
        args = b"" if loaded.trace is not None else params.octets("args", b"")
        left, right = (
            self._engine(name, params.choice(name, TIERS), loaded.spec.name, metering) for name in ("left", "right")
        )
        number = next(self._numbers)
        self._running[number] = Comparison(lambda: Twins(loaded, start, args, (left, right)))
        while len(self._running) > KEPT:
            self._running.popitem(last=False)
        return {"id": number}

    def run(self, params: Params) -> dict[str, Any]:
        """Go on for a while: until `budget` more gas is used, the time is over, or there is a result."""
        comparison = self._find(params)
        until = comparison.steps + params.number("budget", 64) if params.has("budget") else None
        deadline = time.monotonic() + SECONDS
        is_done = False
        try:
            while not is_done and time.monotonic() < deadline and (until is None or comparison.steps < until):
                is_done = next(comparison.work, comparison) is comparison
        except Exception:
            self.end(params)  # it cannot go on
            raise
        return {
            "done": is_done, "steps": Big(comparison.steps), "searching": comparison.is_searching,
            "difference": _difference(comparison.difference) if is_done else None,
            "exit": None if comparison.exit is None else _exit(comparison.exit),
        }  # fmt: skip

    def end(self, params: Params) -> None:
        """Forget a comparison."""
        self._running.pop(params.number("id", 32), None)

    def _find(self, params: Params) -> Comparison:
        found = self._running.get(params.number("id", 32))
        if found is None:
            raise Refused("id", "there is no such comparison: start it again")
        return found

    def _engine(self, where: str, tier: str, spec: str, metering: str) -> AnyEngine:
        if tier == "reference":
            return ReferenceEngine(spec, metering)
        if self._make_engine is None:
            raise Refused(where, f"{tier}: no WebAssembly can be run here")
        try:
            return self._make_engine(tier, spec, metering)
        except PvmError as error:
            raise Refused(where, str(error)) from None


def _difference(found: Difference | None) -> dict[str, Any] | None:
    return None if found is None else {"what": found.what, "left": found.left, "right": found.right, "pc": found.pc}


def _exit(exit: Exit) -> dict[str, Any]:
    return {
        "reason": exit.reason.value, "pc": exit.pc, "gas": Big(exit.gas), "address": exit.address, "call": exit.call,
    }  # fmt: skip
