"""What one instruction means: its row's meaning with the operands put in.

In: a decoded instruction. Out: lines of text, and what it reads and writes, as frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from pvm.isa.expr import Binary, Effect, Expr, Imm, Load, Reg, Store, show, signed64, walk
from pvm.program.decode import Instruction

_FIELD = "field"


@dataclass(frozen=True)
class Place:
    """A register, or `width` octets of memory at register `base` (None: at no register) plus `offset`, mod 2^32."""

    text: str
    register: int | None = None
    width: int | None = None
    base: int | None = None
    offset: int = 0


def meaning_of(instruction: Instruction) -> tuple[str, ...]:
    """A line an effect, such as "r7' = r8 + 5"; targets of jumps are pcs."""
    return tuple(show(_filled(effect, instruction)) for effect in instruction.row.effects)


def operands_of(instruction: Instruction) -> tuple[tuple[str, int], ...]:
    """The fields of the instruction's format with their values; immediates are signed, offsets are the target's pc."""
    immediates = {field.name: field for field in instruction.row.format.immediates}
    return tuple(
        (name, signed64(value) if name in immediates and not immediates[name].offset else value)
        for name in instruction.row.format.fields
        for value in (getattr(instruction, name),)
    )


def reads_of(instruction: Instruction) -> tuple[Place, ...]:
    """The registers whose value the meaning needs, by number, then the memory that it loads."""
    numbers = sorted({getattr(instruction, name) for name in instruction.row.reads})
    loads = (node for effect in instruction.row.effects for node in walk(effect) if isinstance(node, Load))
    return (*(Place(f"r{number}", number) for number in numbers), *(_memory(node, instruction) for node in loads))


def writes_of(instruction: Instruction) -> tuple[Place, ...]:
    """The registers that it sets, by number, then the memory that it stores to."""
    numbers = sorted({getattr(instruction, name) for name in instruction.row.writes})
    stores = (effect for effect in instruction.row.effects if isinstance(effect, Store))
    return (*(Place(f"r{number}", number) for number in numbers), *(_memory(store, instruction) for store in stores))


def _memory(node: Load | Store, instruction: Instruction) -> Place:
    filled = _filled(node, instruction)
    width = filled.width
    text = f"u{8 * width}[{show(filled.address).removeprefix('(').removesuffix(')')}]"
    match node.address:
        case Imm(name):
            return Place(text, width=width, offset=getattr(instruction, name))
        case Binary("add", Reg(register), Imm(name)):
            return Place(text, None, width, getattr(instruction, register), getattr(instruction, name))
    raise AssertionError(f"an address of another shape: {node.address}")


def _filled(node: Any, instruction: Instruction) -> Any:
    """The node with operands for names: what `show` writes for them is a register's number or an immediate's value.

    Rows are a few levels deep.
    """
    changes: dict[str, object] = {}
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name == _FIELD:
            operand = getattr(instruction, value)
            changes[_FIELD] = _immediate(instruction, value) if isinstance(node, Imm) else str(operand)
        elif isinstance(value, Expr | Effect):
            changes[field.name] = _filled(value, instruction)
    return replace(node, **changes) if changes else node


def _immediate(instruction: Instruction, name: str) -> str:
    return str(dict(operands_of(instruction))[name])
