"""Which functions take the gas, by who called them: what flame graphs are made of.

In: a machine. Out: a frozen `Profile`, exact where gas is taken by instruction.

Calls are the instructions that set a register to a dynamic address and jump. A call has returned when its machine is at
that address again with the stack pointer (r1) as it was. The machine stops at both, which takes some 5 microseconds
each; between them it is interpreted at full speed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pvm.analysis.functions import DIRECT, call_sites, jump_target
from pvm.analysis.symbols import Symbols
from pvm.breaking import run_to
from pvm.gas.metering import INSTRUCTION
from pvm.machine import Exit, Machine
from pvm.program import Instruction

DEEPEST = 256  # calls of a stack that are told apart
_STACK_POINTER = 1


@dataclass(frozen=True)
class Profile:
    """How a run ended, and the gas by stack: the names of functions, the outermost first."""

    exit: Exit
    stacks: Mapping[tuple[str, ...], int]

    @property
    def gas(self) -> int:
        """All gas that the run took."""
        return sum(self.stacks.values())

    def folded(self) -> str:
        """The stacks as text that flame graph viewers read: names joined by semicolons, a space, the gas."""
        return "".join(f"{';'.join(map(_plain, stack))} {gas}\n" for stack, gas in sorted(self.stacks.items()) if gas)


def profile(machine: Machine, symbols: Symbols | None = None) -> Profile:
    """Run a machine to an exit, and tell which functions took the gas.

    A function is called by its symbol, else by its first pc. What handlers take counts for who makes the host call.
    Where gas is taken by block, a block's gas counts for the function that it begins in; of stacks deeper than
    `DEEPEST` the innermost calls count for the last one that is told apart. Raises what `Machine.run` raises.
    """
    walk = _Walk(machine, symbols or Symbols())
    exit = run_to(machine, walk.stops, walk.visit) if walk.stops else machine.run()
    assert exit is not None
    walk.spend(machine.gas)
    return Profile(exit, dict(walk.stacks))


@dataclass(frozen=True, slots=True)
class _Frame:
    name: str
    returns_to: int
    stack_pointer: int


class _Walk:
    """The calls that are open, and what was spent so far."""

    def __init__(self, machine: Machine, symbols: Symbols) -> None:
        self._machine, self._symbols, self._blob = machine, symbols, machine.program.blob
        self._calls = {call.pc: (call, pc) for call, pc in call_sites(self._blob, machine.spec)}
        self._returns = {pc for _, pc in self._calls.values()}
        self.stops = self._calls.keys() | self._returns
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self._frames: list[_Frame] = []
        self._first = self._name(machine.pc)
        self._key: tuple[str, ...] = (self._first,)
        self._gas = machine.gas
        if machine.pc in self.stops:
            self.visit(machine)

    def visit(self, machine: Machine) -> bool:
        """The machine stands before a call, or where one returns to."""
        pc = machine.pc
        if pc in self._returns:
            stack_pointer = machine.registers[_STACK_POINTER]
            for depth in range(len(self._frames) - 1, max(-1, len(self._frames) - DEEPEST), -1):
                frame = self._frames[depth]
                if frame.returns_to == pc and frame.stack_pointer == stack_pointer:
                    self.spend(machine.gas)
                    del self._frames[depth:]
                    self._note_stack()
                    break
        call = self._calls.get(pc)
        if call is not None:
            target = self._target(call[0])
            if target is not None:
                self.spend(max(0, machine.gas - (machine.metering == INSTRUCTION)))  # the call itself is the caller's
                self._frames.append(_Frame(self._name(target), call[1], machine.registers[_STACK_POINTER]))
                self._note_stack()
        return False

    def spend(self, gas: int) -> None:
        """What was spent since the last call or return is the stack's."""
        self.stacks[self._key] += self._gas - gas
        self._gas = gas

    def _note_stack(self) -> None:
        self._key = (self._first, *(frame.name for frame in self._frames[:DEEPEST]))

    def _target(self, call: Instruction) -> int | None:
        if call.row.name == DIRECT:
            return call.y
        address = (self._machine.registers[call.b] + call.y) % (1 << 32)
        return jump_target(self._blob, address)

    def _name(self, pc: int) -> str:
        return self._symbols.label(pc) or f"pc {pc}"


def _plain(name: str) -> str:
    """A name without what separates stacks and lines."""
    return "".join(" " if character.isspace() else ":" if character == ";" else character for character in name)
