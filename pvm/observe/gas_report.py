"""Where gas goes: by block, by label, by source line.

In: a program and how often its instructions were carried out. Out: a frozen `GasReport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pvm.analysis.symbols import Symbols
from pvm.gas import block_costs, choose_metering
from pvm.gas.metering import INSTRUCTION
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program import Program


@dataclass(frozen=True)
class BlockLine:
    """A basic block from `pc` to before `end`: how often it was entered, and the gas that this took."""

    pc: int
    end: int
    times: int
    gas: int
    label: str
    line: str


@dataclass(frozen=True)
class NamedLine:
    """A label or a source line: how many instructions were carried out there, and the gas that this took."""

    name: str
    instructions: int
    gas: int


@dataclass(frozen=True)
class GasReport:
    """`blocks` by pc, `labels` and `lines` by gas, most first; code without a name has the name "". `gas` is the sum,
    what host calls took aside."""

    gas: int
    blocks: tuple[BlockLine, ...]
    labels: tuple[NamedLine, ...]
    lines: tuple[NamedLine, ...]

    def text(self, most: int = 20) -> str:
        """The report as text: the labels (or blocks, without labels) that took most, and their share of the gas."""
        named = [(line.name or "(no name)", line.gas) for line in self.labels if line.gas]
        if not any(line.name for line in self.labels):
            blocks = sorted(self.blocks, key=lambda block: (-block.gas, block.pc))
            named = [(f"block at {block.pc}", block.gas) for block in blocks]
        width = max((len(name) for name, _ in named[:most]), default=0)
        rows = [f"{name:{width}}  {gas:>16,}  {100 * gas / (self.gas or 1):5.1f} %" for name, gas in named[:most]]
        return "".join(f"{row}\n" for row in rows)


def gas_report(
    program: Program, counts: Mapping[int, int], spec: Spec | str = "0.7.2", metering: str | None = None,
    symbols: Symbols | None = None,
) -> GasReport:  # fmt: skip
    """What the counts of a machine (`counts_of`) with this version and metering say of its gas.

    By block and in the pipeline model a source line gets its instructions' part of what a block costs, rounded; what
    is left over is the first line's. Raises InputError for unknown names.
    """
    spec = find_spec(spec)
    metering = choose_metering(spec, metering)
    costs = block_costs(program.blob, spec, metering)
    symbols = symbols or Symbols()
    by_block: dict[int, list[int]] = {}
    for pc in sorted(counts):
        by_block.setdefault(costs.firsts.get(pc, pc), []).append(pc)
    blocks, labels, lines = [], Counter[str](), Counter[str]()
    label_gas, line_gas = Counter[str](), Counter[str]()
    for first, pcs in by_block.items():
        instructions = costs.block(first) if first in costs.firsts else []
        times = max(counts[pc] for pc in pcs)
        shares = {pc: counts[pc] for pc in pcs}
        if metering != INSTRUCTION:
            cost = costs.at(first)
            each = cost // len(instructions) if instructions else cost
            shares = {pc: counts[pc] * each for pc in pcs}
            shares[pcs[0]] += times * cost - sum(shares.values())
        end = instructions[-1].next_pc if instructions else first + 1
        blocks.append(BlockLine(first, end, times, sum(shares.values()), symbols.label(first), symbols.line(first)))
        for pc, gas in shares.items():
            label, line = symbols.label(pc), symbols.line(pc)
            labels[label] += counts[pc]
            lines[line] += counts[pc]
            label_gas[label] += gas
            line_gas[line] += gas
    return GasReport(
        sum(block.gas for block in blocks), tuple(blocks), _named(labels, label_gas), _named(lines, line_gas)
    )


def _named(instructions: Counter[str], gas: Counter[str]) -> tuple[NamedLine, ...]:
    names = sorted(instructions, key=lambda name: (-gas[name], name))
    return tuple(NamedLine(name, instructions[name], gas[name]) for name in names)
