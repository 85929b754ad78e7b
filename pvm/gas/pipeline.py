"""The pipeline cost model of 0.8.0: a block costs what a simulated processor would take for it (A.9).

In: the instructions of a basic block. Out: a frozen `Timeline`, whose cost is max(cycles - 3, 1). This is the
yardstick: it reads as the paper does, and is slow.

The processor decodes in order, at most 4 slots a cycle, into a reorder buffer of 32. Up to 5 instructions a cycle begin
to execute, the oldest first, once their units are free and nothing that they depend on has cycles left. They retire in
order. `move_reg` is carried out by renaming, without an entry of the buffer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from pvm.gas.latencies import BRANCH_CYCLES, UNLIKELY_BRANCH_CYCLES, latency_of, sources_of
from pvm.isa.spec import Spec
from pvm.program.blob import Blob
from pvm.program.decode import TRAP, Instruction, decode

DECODE_SLOTS = 4  # a cycle
STARTS = 5  # a cycle
BUFFER = 32  # entries that have not retired
UNITS = (4, 4, 4, 1, 1)
SLACK = 3  # cycles that are not charged


class _State(Enum):
    DECODED = "DEC"
    WAITING = "WAIT"
    EXECUTING = "EXE"
    FINISHED = "FIN"


@dataclass(frozen=True)
class Span:
    """One instruction: the cycles in which it was decoded, began to execute, was done, and retired.

    A `move_reg` is decoded and that is all: the others are None.
    """

    pc: int
    decoded: int
    started: int | None = None
    done: int | None = None
    retired: int | None = None


@dataclass(frozen=True)
class Timeline:
    """A block's simulation: how many cycles it took, and a span an instruction."""

    cycles: int
    spans: tuple[Span, ...]

    @property
    def cost(self) -> int:
        """Gas that the block costs."""
        return max(self.cycles - SLACK, 1)


@dataclass(frozen=True)
class Step:
    """An instruction of a block, as the simulation takes it: registers by number."""

    pc: int
    cycles: int
    slots: int
    units: tuple[int, ...]
    sources: frozenset[int]
    destinations: frozenset[int]
    renames: bool


@dataclass(eq=False)
class _Entry:
    """An entry of the reorder buffer: the paper's s, c, p, r and t."""

    step: Step
    left: int
    needs: tuple[_Entry, ...]
    writes: frozenset[int]
    decoded: int
    state: _State = _State.DECODED
    started: int = 0
    done: int = 0


@dataclass
class _Processor:
    """The simulation's state, and the spans of what has retired, by number of the instruction."""

    cycle: int = 0
    slots: int = DECODE_SLOTS
    starts: int = STARTS
    units: list[int] = field(default_factory=lambda: list(UNITS))
    buffer: list[_Entry] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def decode(self, step: Step) -> None:
        """X': a `move_reg` renames, everything else enters the buffer."""
        self.slots -= step.slots
        written = step.destinations
        if step.renames:
            for entry in self.buffer:
                entry.writes = entry.writes | written if entry.writes & step.sources else entry.writes - written
            self.spans.append(Span(step.pc, self.cycle))
            return
        needs = tuple(entry for entry in self.buffer if entry.writes & step.sources)
        for entry in self.buffer:
            entry.writes -= written
        self.buffer.append(_Entry(step, step.cycles, needs, written, self.cycle))

    def ready(self) -> _Entry | None:
        """S: the oldest entry that waits for nothing more."""
        for entry in self.buffer:
            if entry.state is _State.WAITING and self._fits(entry) and all(not need.left for need in entry.needs):
                return entry
        return None

    def _fits(self, entry: _Entry) -> bool:
        return all(wanted <= free for wanted, free in zip(entry.step.units, self.units, strict=True))

    def start(self, entry: _Entry) -> None:
        """X'': it takes its units."""
        self.starts -= 1
        self._count(entry, -1)
        entry.state, entry.started = _State.EXECUTING, self.cycle

    def tick(self) -> None:
        """X''': the next cycle. What is finished retires in order; units are free in the last cycle of their use."""
        self.cycle, self.slots, self.starts = self.cycle + 1, DECODE_SLOTS, STARTS
        while self.buffer and self.buffer[0].state is _State.FINISHED:
            self._retire(self.buffer.pop(0))
        for entry in self.buffer:
            if entry.state is _State.DECODED:
                entry.state = _State.WAITING
            elif entry.state is _State.EXECUTING:
                if entry.left == 1:
                    self._count(entry, 1)
                if entry.left:
                    entry.left -= 1
                else:
                    entry.state, entry.done = _State.FINISHED, self.cycle

    def _count(self, entry: _Entry, sign: int) -> None:
        self.units = [free + sign * wanted for free, wanted in zip(self.units, entry.step.units, strict=True)]

    def _retire(self, entry: _Entry) -> None:
        self.spans.append(Span(entry.step.pc, entry.decoded, entry.started, entry.done, self.cycle))


def simulate(steps: Sequence[Step]) -> Timeline:
    """X: a block from an empty processor until all of it has retired. The last step is a terminator."""
    processor, position = _Processor(), 0
    while True:
        if position < len(steps) and steps[position].slots <= processor.slots and len(processor.buffer) < BUFFER:
            processor.decode(steps[position])
            position += 1
        elif processor.starts and (entry := processor.ready()) is not None:
            processor.start(entry)
        elif position == len(steps) and not processor.buffer:
            return Timeline(processor.cycle, tuple(sorted(processor.spans, key=lambda span: span.pc)))
        else:
            processor.tick()


def step_of(instruction: Instruction, blob: Blob, spec: Spec) -> Step:
    """An instruction as the simulation takes it."""
    row = instruction.row
    latency = latency_of(row)
    sources = sources_of(row, spec.cmov_reads_destination)
    read = frozenset(getattr(instruction, name) for name in sources)
    written = frozenset(getattr(instruction, name) for name in latency.destinations)
    overlaps = instruction.a == instruction.d if latency.first_source else bool(read & written)
    cycles = latency.cycles
    return Step(
        instruction.pc, _branch_cycles(instruction, blob, spec) if cycles is None else cycles,
        latency.slots_overlapping if overlaps else latency.slots, latency.units, read, written, row.name == "move_reg",
    )  # fmt: skip


def _branch_cycles(instruction: Instruction, blob: Blob, spec: Spec) -> int:
    """b: a branch is cheap when `unlikely` or a trap follows either way. Behind the code there are traps."""
    rare = {spec.opcodes["trap"], spec.opcodes.get("unlikely")}
    fields = instruction.row.format.immediates
    target = instruction.x if fields[-1].name == "x" else instruction.y
    for pc in (instruction.next_pc, target):
        opcode = blob.code[pc] if 0 <= pc < len(blob.code) else spec.opcodes["trap"]
        if opcode in rare:
            return UNLIKELY_BRANCH_CYCLES
    return BRANCH_CYCLES


def blocks(blob: Blob, spec: Spec) -> Iterator[list[Instruction]]:
    """The instructions of each basic block, by pc; the last one is, or ends with, the implicit trap after the code."""
    block: list[Instruction] = []
    for instruction in decode(blob, spec):
        block.append(instruction)
        if instruction.row.ends_block:
            yield block
            block = []
    yield [*block, Instruction(len(blob.code), 1, TRAP)]


def block_timeline(block: Sequence[Instruction], blob: Blob, spec: Spec) -> Timeline:
    """The simulation of a block's instructions."""
    return simulate([step_of(instruction, blob, spec) for instruction in block])
