"""What blocks cost, by either model.

In: a program, a spec, a metering. Out: a frozen `BlockCosts`. A new price list is one more function from a block's
instructions to its gas (`_PRICES`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pvm.gas import flat, pipeline, schedule
from pvm.gas.metering import BLOCK, INSTRUCTION, PIPELINE, choose_metering
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program.blob import Blob, Code, blob_of
from pvm.program.decode import TRAP, Instruction, decode_at, instruction_pcs, skip


class Costs(Protocol):
    """What blocks cost, wherever that is known from."""

    def at(self, pc: int) -> int:
        """Gas that the block costs that begins at a pc."""
        ...


Price = Callable[[Sequence[Instruction], Blob, Spec], int]


def schedule_of(block: Sequence[Instruction], blob: Blob, spec: Spec) -> schedule.Schedule:
    """What the pipeline model says of a block."""
    return schedule.schedule([pipeline.step_of(instruction, blob, spec) for instruction in block])


def _by_schedule(block: Sequence[Instruction], blob: Blob, spec: Spec) -> int:
    return schedule_of(block, blob, spec).cost


_PRICES: Mapping[str, Price] = {
    INSTRUCTION: flat.price,
    BLOCK: flat.price,
    PIPELINE: _by_schedule,
}


@dataclass(frozen=True, eq=False)
class BlockCosts(Mapping[int, int]):
    """What entering a pc costs: the whole block that it lies in, also when that is entered in its middle (0.8.0, A.4).

    A mapping from the pcs that `decode` yields, and the code's end; `at` has an answer for all others, too.
    Blocks are priced when they are first asked for, and once. `firsts` has where the block around each pc begins.
    """

    blob: Blob
    spec: Spec
    price: Price
    firsts: Mapping[int, int]
    _known: dict[int, int] = field(default_factory=dict)

    def __getitem__(self, pc: int) -> int:
        if pc not in self.firsts:
            raise KeyError(pc)
        return self.at(pc)

    def __iter__(self) -> Iterator[int]:
        return iter(self.firsts)

    def __len__(self) -> int:
        return len(self.firsts)

    def at(self, pc: int) -> int:
        """Gas. A pc that `decode` does not yield is no instruction's: a trap is all of its block."""
        first = self.firsts.get(pc)
        if first is None:
            return self.price((Instruction(pc, 1, TRAP),), self.blob, self.spec)
        cost = self._known.get(first)
        if cost is None:
            cost = self._known[first] = self.price(block_at(self.blob, self.spec, first), self.blob, self.spec)
        return cost

    def block(self, pc: int) -> list[Instruction]:
        """The instructions of the block around a pc that `decode` yields, or that is the code's end."""
        return block_at(self.blob, self.spec, self.firsts[pc])

    def starts(self) -> Iterator[int]:
        """The pcs at which blocks begin, by pc."""
        return (pc for pc, first in self.firsts.items() if pc == first)


def block_costs(blob: Code, spec: Spec | str, metering: str | None = None) -> BlockCosts:
    """What the blocks of a program cost by a metering's model, None for the version's own.

    Raises InputError for unknown names.
    """
    blob, spec = blob_of(blob), find_spec(spec)
    ends = [(row or TRAP).ends_block for row in spec.by_opcode]
    code, starts, firsts, first = blob.code, blob.starts, {}, 0
    for pc in instruction_pcs(blob):
        firsts[pc] = first
        if not starts[pc] or ends[code[pc]]:
            first = pc + 1 + skip(starts, pc)
    firsts[len(code)] = first
    return BlockCosts(blob, spec, _PRICES[choose_metering(spec, metering)], firsts)


def block_at(blob: Blob, spec: Spec, first: int) -> list[Instruction]:
    """The instructions of the block that begins at a pc. Behind the code there is the implicit trap."""
    block = [decode_at(blob, spec, first)]
    while not block[-1].row.ends_block:
        block.append(decode_at(blob, spec, block[-1].next_pc))
    return block
