"""Expressions as lines of the text format, one instruction a line: specification, section 6.5."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pvm.wasm import custom
from pvm.wasm.cursor import Cursor
from pvm.wasm.errors import WasmError
from pvm.wasm.names import ModuleNames, Names, refer
from pvm.wasm.opcodes import BY_OPCODE, PREFIX, PREFIXED, Immediate, Instruction
from pvm.wasm.types import ValueType

INDENT_LIMIT: Final = 32
"""The deepest nesting that is indented: text of nested blocks would otherwise grow as their depth's square."""

_MARGINS: Final = tuple("  " * depth for depth in range(INDENT_LIMIT + 1))


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression's indices mean."""

    names: ModuleNames
    tables: int  # how many: with one, its index is left out
    memories: int  # likewise
    locals: Names

    def space(self, subsection: int, index: int) -> str:
        """The text of an index into an index space."""
        return refer(self.names.space(subsection), index)

    def type_use(self, index: int) -> str:
        """(type ...)"""
        return f"(type {self.space(custom.TYPE, index)})"

    def table(self, index: int) -> str:
        """A table's text, "" for the only table."""
        return "" if index == 0 and self.tables == 1 else self.space(custom.TABLE, index)

    def memory(self, index: int) -> str:
        """A memory's text, "" for the only memory."""
        return "" if index == 0 and self.memories == 1 else self.space(custom.MEMORY, index)


def function_lines(scope: Scope, cursor: Cursor, depth: int) -> Iterator[str]:
    """Read a function's instructions up to the end of the cursor: a line for each, indented by `depth`.

    The final `end` gets no line. Raises WasmError at bad input.
    """
    openers: list[str] = []  # the blocks around: "block", "loop", "if" or "else"
    while True:
        start = cursor.offset
        instruction = _instruction(cursor)
        text = _text(scope, cursor, instruction)
        name = instruction.name
        if name == "end":
            if not openers:
                break
            openers.pop()
        elif name == "else" and (not openers or openers.pop() != "if"):
            raise WasmError("else without if", start)
        yield _MARGINS[min(depth + len(openers), INDENT_LIMIT)] + text
        if name == "else" or instruction.immediate is Immediate.BLOCK_TYPE:
            openers.append(name)
    cursor.finish("function body")


def instruction_offsets(body: bytes) -> list[int]:
    """Where each instruction of a function's body begins, which is without the final `end`: each is a line of text.

    Raises WasmError at bad input.
    """
    scope, cursor, offsets = Scope(ModuleNames(), 1, 1, {}), Cursor(body, 0, len(body)), []
    while not cursor.done():
        offsets.append(cursor.offset)
        _text(scope, cursor, _instruction(cursor))
    return offsets


def constant(scope: Scope, cursor: Cursor) -> str:
    """Read a constant expression and its `end`, as one line. Raises WasmError at bad input."""
    texts: list[str] = []
    while True:
        start = cursor.offset
        instruction = _instruction(cursor)
        if instruction.name == "end":
            return " ".join(texts)
        if instruction.immediate is Immediate.BLOCK_TYPE or instruction.name == "else":
            raise WasmError(f"{instruction.name} in a constant expression", start)
        texts.append(_text(scope, cursor, instruction))


def _instruction(cursor: Cursor) -> Instruction:
    start = cursor.offset
    opcode = cursor.byte()
    if opcode == PREFIX:
        number = cursor.u32()
        instruction = BY_OPCODE.get(PREFIXED + number)
        described = f"{PREFIX:#04x} {number}"
    else:
        instruction = BY_OPCODE.get(opcode)
        described = f"{opcode:#04x}"
    if instruction is None:
        raise WasmError(f"unknown instruction {described}", start)
    return instruction


def _text(scope: Scope, cursor: Cursor, instruction: Instruction) -> str:
    if instruction.immediate is Immediate.NONE:
        return instruction.name
    operands = _OPERANDS[instruction.immediate](scope, cursor, instruction)
    return f"{instruction.name} {operands}" if operands else instruction.name


# Operands: each the text of one kind of immediate, "" for none


def _block_type(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    block_type = cursor.block_type()
    if block_type is None:
        return ""
    if isinstance(block_type, ValueType):
        return f"(result {block_type.name})"
    return scope.type_use(block_type)


def _label(_scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return str(cursor.u32())


def _labels(_scope: Scope, cursor: Cursor, _: Instruction) -> str:
    labels = [str(cursor.u32()) for _ in cursor.vector()]
    return " ".join([*labels, str(cursor.u32())])


def _index(subsection: int) -> Callable[[Scope, Cursor, Instruction], str]:
    return lambda scope, cursor, _: scope.space(subsection, cursor.u32())


def _local(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return refer(scope.locals, cursor.u32())


def _type_table(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    type_use = scope.type_use(cursor.u32())
    return _spaced(scope.table(cursor.u32()), type_use)


def _table(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return scope.table(cursor.u32())


def _table_table(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    to, from_ = cursor.u32(), cursor.u32()
    # One index alone is not legal here: both or none.
    if scope.table(to) or scope.table(from_):
        return f"{scope.space(custom.TABLE, to)} {scope.space(custom.TABLE, from_)}"
    return ""


def _element_table(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    element = scope.space(custom.ELEMENT, cursor.u32())
    return _spaced(scope.table(cursor.u32()), element)


def _memory(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return scope.memory(cursor.u32())


def _memory_memory(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    to, from_ = cursor.u32(), cursor.u32()
    if scope.memory(to) or scope.memory(from_):
        return f"{scope.space(custom.MEMORY, to)} {scope.space(custom.MEMORY, from_)}"
    return ""


def _data_memory(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    data = scope.space(custom.DATA, cursor.u32())
    return _spaced(scope.memory(cursor.u32()), data)


def _access(scope: Scope, cursor: Cursor, instruction: Instruction) -> str:
    start = cursor.offset
    alignment = cursor.u32()
    memory = 0
    if alignment & 0x40:
        memory = cursor.u32()
        alignment ^= 0x40
    if alignment >= 32:
        raise WasmError(f"alignment of 2**{alignment} bytes", start)
    offset = cursor.u32()
    return _spaced(
        scope.memory(memory),
        f"offset={offset}" if offset else "",
        f"align={1 << alignment}" if alignment != instruction.natural_alignment else "",
    )


def _i32(_scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return str(cursor.signed(32))


def _i64(_scope: Scope, cursor: Cursor, _: Instruction) -> str:
    return str(cursor.signed(64))


def _heap_type(scope: Scope, cursor: Cursor, _: Instruction) -> str:
    heap_type = cursor.heap_type()
    return heap_type if isinstance(heap_type, str) else scope.space(custom.TYPE, heap_type)


def _value_types(_scope: Scope, cursor: Cursor, _: Instruction) -> str:
    types = [cursor.value_type().name for _ in cursor.vector()]
    return f"(result {' '.join(types)})"


def _spaced(*parts: str) -> str:
    return " ".join(filter(None, parts))


_OPERANDS: Final[Mapping[Immediate, Callable[[Scope, Cursor, Instruction], str]]] = MappingProxyType(
    {
        Immediate.BLOCK_TYPE: _block_type,
        Immediate.LABEL: _label,
        Immediate.LABELS: _labels,
        Immediate.FUNCTION: _index(custom.FUNCTION),
        Immediate.TYPE: _index(custom.TYPE),
        Immediate.TYPE_TABLE: _type_table,
        Immediate.LOCAL: _local,
        Immediate.GLOBAL: _index(custom.GLOBAL),
        Immediate.TABLE: _table,
        Immediate.TABLE_TABLE: _table_table,
        Immediate.ELEMENT: _index(custom.ELEMENT),
        Immediate.ELEMENT_TABLE: _element_table,
        Immediate.MEMORY: _memory,
        Immediate.MEMORY_MEMORY: _memory_memory,
        Immediate.DATA: _index(custom.DATA),
        Immediate.DATA_MEMORY: _data_memory,
        Immediate.ACCESS: _access,
        Immediate.I32: _i32,
        Immediate.I64: _i64,
        Immediate.HEAP_TYPE: _heap_type,
        Immediate.VALUE_TYPES: _value_types,
    }
)
