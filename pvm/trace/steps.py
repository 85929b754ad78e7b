"""Traces of instructions: a line an instruction, as `FORMAT.md` describes.

In: a machine before and after one instruction. Out: text. Gas and registers are those after the instruction, so that
the first line that differs from another engine's is the instruction that one of the two got wrong.
"""

from __future__ import annotations

from pvm.isa import Spec
from pvm.isa.expr import MASK32
from pvm.machine import Exit, Machine, Reason
from pvm.program import Program, decode_at, format_instruction, is_entry, is_valid
from pvm.program.meaning import Place, reads_of, writes_of
from pvm.registers import REGISTER_COUNT

_REGISTERS = "".join(f" r{number:02}=%#x" for number in range(REGISTER_COUNT))
STEP = "pc="  # what the line of an instruction begins with

_Accesses = tuple[tuple[Place, ...], tuple[Place, ...]]
_NONE: _Accesses = ((), ())


class Steps:
    """Writes the lines of one machine's instructions. With `memory`, they have what was loaded and stored, too.

    `begin` is called before each instruction, `end` after it with what came of it.
    """

    def __init__(self, machine: Machine, program: Program, spec: Spec, memory: bool = False) -> None:
        self._machine, self._program, self._spec, self._memory = machine, program, spec, memory
        self._heads: dict[int, str] = {}
        self._accesses: dict[int, _Accesses] = {}
        self._runs = not spec.validates or is_valid(program.blob, spec)
        self._pc = 0
        self._loads = ""
        self._stores: list[tuple[int, int]] = []

    def begin(self, pc: int) -> None:
        """The machine is about to run the instruction at `pc`."""
        self._pc = pc
        if self._memory:
            self._look(pc)

    def end(self, exit: Exit | None) -> str:
        """The line of the instruction; none for one that was not carried out: out of gas, or no instruction."""
        pc, machine = self._pc, self._machine
        if exit is not None and not self._was_run(exit):
            return ""
        head = self._heads.get(pc)
        if head is None:
            text = " ".join(format_instruction(decode_at(self._program.blob, self._spec, pc)).split())
            head = self._heads[pc] = f"{STEP}{pc} {text} gas="
        line = f"{head}{machine.gas}{_REGISTERS % tuple(machine.registers[:])}"
        return f"{line}{self._accessed(exit)}\n" if self._memory else f"{line}\n"

    def _was_run(self, exit: Exit) -> bool:
        if exit.reason is Reason.OUT_OF_GAS:
            return False
        return self._runs and is_entry(self._program.blob, self._spec, self._pc)

    def _look(self, pc: int) -> None:
        """Note what the instruction loads, and where it stores."""
        places = self._accesses.get(pc)
        if places is None:
            instruction = decode_at(self._program.blob, self._spec, pc)
            is_any = instruction.row.accesses_memory
            found = (reads_of(instruction), writes_of(instruction)) if is_any else _NONE
            places = self._accesses[pc] = (
                tuple(place for place in found[0] if place.width), tuple(place for place in found[1] if place.width)
            )  # fmt: skip
        memory = self._machine.memory
        self._loads, self._stores = "", []
        for place in places[0]:
            address, width = self._address(place), place.width or 0
            if memory.is_readable(address, width):
                self._loads += f" load 0x{address:08x} len={width} -> 0x{memory.read(address, width).hex()}"
        for place in places[1]:
            self._stores.append((self._address(place), place.width or 0))

    def _address(self, place: Place) -> int:
        base = 0 if place.base is None else self._machine.registers[place.base]
        return (base + place.offset) & MASK32

    def _accessed(self, exit: Exit | None) -> str:
        if exit is not None and exit.reason in (Reason.PAGE_FAULT, Reason.PANIC):
            return ""
        memory = self._machine.memory
        stores = (
            f" store 0x{address:08x} len={width} <- 0x{memory.read(address, width).hex()}"
            for address, width in self._stores
        )
        return self._loads + "".join(stores)
