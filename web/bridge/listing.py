"""The listing: a window of a program's instructions as text, and one instruction explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pvm.flow.index import JUMP
from pvm.isa.expr import HostCall
from pvm.program import Instruction, decode_at, format_instruction
from pvm.program.facts import call_symbol, shown_name
from pvm.program.meaning import Place, meaning_of, operands_of, reads_of, writes_of
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.values import Big, Params

MOST_LINES = 4096  # of one window


def lines_value(loaded: Loaded, params: Params) -> list[dict[str, Any]]:
    """Instructions [first, first + count), less where the program ends."""
    first, count = params.number("first", 32), params.number("count", 32)
    blob, spec, labels = loaded.program.blob, loaded.spec, loaded.labels
    label_of = _names(labels)
    shown = []
    for number in range(first, min(first + min(count, MOST_LINES), len(loaded.index.pcs))):
        pc = loaded.index.pcs[number]
        instruction = decode_at(blob, spec, pc)
        shown.append({
            "pc": pc, "octets": blob.code[pc : instruction.next_pc].hex(), "name": instruction.row.name,
            "text": text_of(instruction, label_of), "comment": _comment(loaded, number, instruction),
            "label": labels.get(pc),
        })  # fmt: skip
    return shown


def explain_value(loaded: Loaded, params: Params) -> dict[str, Any]:
    """What stands at a pc, whether or not execution comes there."""
    pc, index = params.number("pc", 32), loaded.index
    instruction = decode_at(loaded.program.blob, loaded.spec, pc)
    number = index.find(pc)
    block = None
    if number is not None:
        first, end = index.block_around(number)
        end_pc = index.pcs[end] if end < len(index.pcs) else len(loaded.program.code)
        block = {"first_pc": index.pcs[first], "end_pc": end_pc, "instructions": end - first}
    code = loaded.program.code
    return {
        "name": instruction.row.name, "opcode": code[pc] if pc < len(code) else None,
        "format": instruction.row.format.title, "text": text_of(instruction, _names(loaded.labels)),
        "operands": [{"name": name, "value": Big(value)} for name, value in operands_of(instruction)],
        "meaning": list(meaning_of(instruction)), "gas": 1, "block": block,
        "reads": list(map(_place, reads_of(instruction))), "writes": list(map(_place, writes_of(instruction))),
        "comment": None if number is None else _comment(loaded, number, instruction),
        "call": _call(loaded, instruction),
    }  # fmt: skip


def text_of(instruction: Instruction, label_of: Callable[[int], str] | None = None) -> str:
    """An instruction on one line, without the blanks that align operands. An invalid opcode is the trap that it is."""
    if not instruction.valid:
        return instruction.row.name
    return " ".join(format_instruction(instruction, label_of).split())


def _names(labels: dict[int, str]) -> Callable[[int], str]:
    return lambda pc: labels.get(pc) or str(pc)


def _comment(loaded: Loaded, number: int, instruction: Instruction) -> str | None:
    """What a reader would not see from the text."""
    index, pc = loaded.index, instruction.pc
    if not loaded.program.blob.starts[pc]:
        return "not marked by the bitmask: panics"
    if not instruction.valid:
        return f"opcode {loaded.program.code[pc]} is invalid: panics"
    if index.kinds[number] == JUMP and not index.starts_block(index.targets[number]):
        return "panics: no block starts there"
    if (call := _call(loaded, instruction)) is not None:
        return call
    return None


def _call(loaded: Loaded, instruction: Instruction) -> str | None:
    """The name of the host call that an instruction makes, if it makes a known one."""
    makes = any(isinstance(effect, HostCall) for effect in instruction.row.effects)
    symbol = call_symbol(loaded.program, instruction.x, loaded.spec) if makes else None
    return None if symbol is None else shown_name(symbol)


def _place(place: Place) -> dict[str, Any]:
    is_memory = place.width is not None
    return {
        "text": place.text, "register": place.register, "width": place.width, "base": place.base,
        "offset": Big(place.offset) if is_memory else None,
    }  # fmt: skip
