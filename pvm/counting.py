"""Machines that count how often each instruction was carried out.

In: what generated code has counted, and single steps. Out: `Counting`, of which engines make such machines, and counts
by pc. A machine that does not count has none of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pvm.errors import EngineError
from pvm.gas.metering import INSTRUCTION
from pvm.isa.spec import Spec
from pvm.machine import Exit, Machine, Reason
from pvm.program.blob import Blob
from pvm.program.decode import decode_at, instruction_pcs, is_entry, is_valid


class Counting(Machine):
    """A machine that counts. Single steps are counted here, entries less exits as generated code does."""

    def __init__(self, *arguments: Any) -> None:
        self._stepped: Counter[int] = Counter()
        super().__init__(*arguments)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), "counts"])

    def counts(self) -> dict[int, int]:
        """How often each instruction was carried out since the machine was made, by pc, where that is not 0.

        One that ended the run by a fault, a panic or a host call counts. Metered by block it is how often its block was
        paid for. Octets behind the code have no count.
        """
        changes = Counter(self._stepped)
        for pc, change in self._generated_counts():
            changes[pc] += change
        return _by_pc(changes, self.program.blob, self.spec)

    def _generated_counts(self) -> Iterable[tuple[int, int]]:
        """What generated code has counted: entries less exits, by pc."""
        return ()

    def _step(self) -> Exit | None:
        pc, (is_charged, _) = next_pc(self), self._flags()
        exit = super()._step()  # type: ignore[safe-super]
        if exit is None or (exit.reason is not Reason.OUT_OF_GAS and self._is_runnable(pc)):
            if self.metering == INSTRUCTION:
                self._note(pc, 1)
            elif not is_charged:
                self.count_step(pc, 1)
        return exit

    def take_back(self, pc: int) -> None:
        """The instruction that ended the run by a fault will be carried out again, and is to count once."""
        if self.metering == INSTRUCTION:
            self._note(pc, -1)

    def count_step(self, pc: int, times: int) -> None:
        """The block that a pc lies in was entered there."""
        self._stepped[pc] += times

    def _note(self, pc: int, times: int) -> None:
        self._stepped[pc] += times
        instruction = decode_at(self.program.blob, self.spec, pc)
        if instruction.valid and not instruction.row.ends_block:  # behind that, sums begin anew
            self._stepped[instruction.next_pc] -= times

    def _is_runnable(self, pc: int) -> bool:
        blob, spec = self.program.blob, self.spec
        return (not spec.validates or is_valid(blob, spec)) and is_entry(blob, spec, pc)


def counts_of(machine: Machine) -> dict[int, int]:
    """How often each instruction was carried out, by pc (`Counting.counts`).

    Raises EngineError for a machine that does not count.
    """
    if not isinstance(machine, Counting):
        raise EngineError("machine: it does not count; make its engine with counting=True")
    return machine.counts()


def next_pc(machine: Machine) -> int:
    """Where a machine goes on: behind a host call that has been answered, else at its pc."""
    pc, (_, is_called) = machine.pc, machine._flags()
    return decode_at(machine.program.blob, machine.spec, pc).next_pc if is_called else pc


def _by_pc(changes: Mapping[int, int], blob: Blob, spec: Spec) -> dict[int, int]:
    """Sums over each basic block, up to each instruction."""
    found, total = {}, 0
    code, starts, rows = blob.code, blob.starts, spec.by_opcode
    for pc in instruction_pcs(blob):
        total += changes.get(pc, 0)
        if total > 0:
            found[pc] = total
        row = rows[code[pc]] if starts[pc] else None
        if row is None or row.ends_block:
            total = 0
    return found
