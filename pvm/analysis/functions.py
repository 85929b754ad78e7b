"""Which function calls which, as far as the code says.

In: a program, symbols. Out: a frozen `CallGraph`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pvm.analysis.symbols import Symbols
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.program import Blob, Instruction, Program, decode

DIRECT, INDIRECT = "load_imm_jump", "load_imm_jump_ind"  # set a register to a dynamic address, and jump


@dataclass(frozen=True)
class CallGraph:
    """`functions` are pcs and names: what symbols name, and what is called. `calls` says how often a call from one to
    another stands in the code, by their pcs; `unknown` how many calls of each lead to where only a register knows."""

    functions: tuple[tuple[int, str], ...]
    calls: Mapping[tuple[int, int], int]
    unknown: Mapping[int, int]

    def callees(self, pc: int) -> tuple[int, ...]:
        """The functions that one calls."""
        return tuple(sorted({callee for caller, callee in self.calls if caller == pc}))

    def callers(self, pc: int) -> tuple[int, ...]:
        """The functions that call one."""
        return tuple(sorted({caller for caller, callee in self.calls if callee == pc}))


def call_graph(program: Program, spec: Spec | str = "0.7.2", symbols: Symbols | None = None) -> CallGraph:
    """The calls between functions.

    Without symbols, a function begins wherever a call leads to, and at pc 0, and is called by its pc. Raises InputError
    for an unknown version.
    """
    found, symbols = list(call_sites(program.blob, find_spec(spec))), symbols or Symbols()
    names = dict(symbols.labels)
    for call, _ in found:
        if call.row.name == DIRECT:
            names.setdefault(call.y, f"pc {call.y}")
    names.setdefault(0, "pc 0")
    whole = Symbols(tuple(sorted(names.items())))
    calls, unknown = Counter[tuple[int, int]](), Counter[int]()
    for call, _ in found:
        caller = whole.start(call.pc)
        if call.row.name == DIRECT:
            calls[caller, call.y] += 1
        else:
            unknown[caller] += 1
    return CallGraph(whole.labels, dict(sorted(calls.items())), dict(sorted(unknown.items())))


def call_sites(blob: Blob, spec: Spec) -> Iterator[tuple[Instruction, int]]:
    """The calls in the code, each with the pc that it returns to: instructions that set a register to a dynamic address
    that leads somewhere, and jump."""
    for instruction in decode(blob, spec):
        if instruction.row.name in (DIRECT, INDIRECT):
            pc = jump_target(blob, instruction.x)
            if pc is not None:
                yield instruction, pc


def jump_target(blob: Blob, address: int) -> int | None:
    """The pc that a dynamic jump to an address leads to (A.4); None where there is none."""
    index, odd = divmod(address, 2)
    return None if odd or not 1 <= index <= blob.jump_count else blob.jump_table[index - 1]
