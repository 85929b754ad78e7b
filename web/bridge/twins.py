"""Two machines that run the same program, a slice of gas at a time, and how they differ.

In: a program, its start, two engines. Out: a `Difference`, or none.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from pvm.log import log_handlers
from pvm.machine import AnyEngine, Exit, Machine, Reason, Start
from pvm.program import PAGE_SIZE
from pvm.program.standard import ADDRESS_SPACE
from pvm.trace import answer, start_machine
from pvm_web.bridge.opened import Loaded

_PIECE = 1 << 20  # bytes of memory that are compared at a time
_MOST_HEAP = 1 << 26  # bytes of grown heap that are compared


@dataclass(frozen=True)
class Difference:
    """What differs, both sides as text, and the pc of the instruction (or the block) that made it."""

    what: str
    left: str
    right: str
    pc: int


@dataclass
class Side:
    """A machine, its last exit, or why it failed."""

    machine: Machine
    exit: Exit | None = None
    failure: str | None = None


class Twins:
    """The two machines. `left` is gas that has not been given to them, `used` what they have used."""

    def __init__(self, loaded: Loaded, start: Start, args: bytes, engines: tuple[AnyEngine, AnyEngine]) -> None:
        self._loaded, self._start, self._answered = loaded, start, 0
        self.left, self.used = start.gas, 0
        self.has_ended = False
        self.sides = tuple(Side(_machine(loaded, start, args, engine)) for engine in engines)

    @property
    def first(self) -> Side:
        """The left one, which stands for both while they agree."""
        return self.sides[0]

    def slice(self, gas: int) -> None:
        """Run both until they have used `gas` or leave for another reason."""
        self._answer()
        for side in self.sides:
            try:
                side.machine.gas = gas
                side.exit = side.machine.run()
            except Exception as error:  # that is what a comparison is for
                side.failure = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        side, is_last = self.first, gas >= self.left
        rest = min(gas, side.machine.gas) if side.failure is None else 0
        self.used += gas - rest
        self.left -= gas - rest
        reason = None if side.exit is None else side.exit.reason
        if reason is Reason.OUT_OF_GAS:
            self.has_ended = is_last
        elif reason is Reason.HOST_CALL:
            trace = self._loaded.trace
            self.has_ended = trace is None or self._answered >= len(trace.calls)
        else:
            self.has_ended = True

    def _answer(self) -> None:
        """Answer the recorded call that both stand at."""
        trace, exit = self._loaded.trace, self.first.exit
        if trace is None or exit is None or exit.reason is not Reason.HOST_CALL:
            return
        call = trace.calls[self._answered]
        self._answered += 1
        for side in self.sides:
            answer(side.machine, replace(call, gas=None))
        if call.gas is not None:
            self.left = call.gas

    # --- comparing ---

    def difference(self) -> Difference | None:
        """The first thing that differs, memory aside."""
        left, right = self.sides
        if left.failure or right.failure:
            return self._found("failure", left.failure or "none", right.failure or "none")
        assert left.exit is not None and right.exit is not None
        if left.exit.reason is not right.exit.reason:
            return self._found("exit", left.exit.reason.value, right.exit.reason.value)
        for what, one, other in (
            ("host call", left.exit.call, right.exit.call), ("fault address", left.exit.address, right.exit.address),
            ("pc", left.machine.pc, right.machine.pc), ("gas", left.machine.gas, right.machine.gas),
        ):  # fmt: skip
            if one != other:
                return self._found(what, str(one), str(other))
        for number, (one, other) in enumerate(zip(left.machine.registers, right.machine.registers, strict=True)):
            if one != other:
                return self._found(f"r{number}", f"{one:#x}", f"{other:#x}")
        return None

    def memory_difference(self) -> Generator[None, None, Difference | None]:
        """The first byte of mapped memory that differs; in pieces, because there may be much of it."""
        one, other = (side.machine.memory for side in self.sides)
        for address, length in self._ranges():
            for at in range(address, address + length, _PIECE):
                size = min(_PIECE, address + length - at)
                left, right = one.read(at, size), other.read(at, size)
                if left != right:
                    offset = next(i for i, (a, b) in enumerate(zip(left, right, strict=True)) if a != b)
                    return self._found(f"memory at {at + offset:#x}", f"{left[offset]:#04x}", f"{right[offset]:#04x}")
                yield
        return None

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """What the guest may write to: what was mapped at the start, and the heap as far as it has grown."""
        yield from ((s.address, max(s.length, len(s.data))) for s in self._start.segments)
        memory = self.first.machine.memory
        first = end = -(-self._start.heap_end // PAGE_SIZE) * PAGE_SIZE
        last = min(ADDRESS_SPACE, first + _MOST_HEAP)
        while end < last and memory.access(end) is not None:
            end += PAGE_SIZE
        if end > first:
            yield first, end - first

    def _found(self, what: str, left: str, right: str) -> Difference:
        return Difference(what, left, right, self.first.machine.pc)


def _machine(loaded: Loaded, start: Start, args: bytes, engine: AnyEngine) -> Machine:
    if loaded.trace is None:
        return engine.instantiate(loaded.program, args, start.gas, start.pc, log_handlers(lambda line: None))
    machine = start_machine(loaded.trace, engine, loaded.program)
    if machine.pc != start.pc:
        machine.pc = start.pc
    return machine
