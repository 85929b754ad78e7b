"""A binary module as text: WebAssembly specification, chapter 5 read and chapter 6 written.

Limits, engines' own unless said: 1000 parameters or results a function type, 50000 locals a function;
and, so that the text stays in proportion to the module, 16 parameters and locals a byte of it
beyond the first 50000. 64-bit memories and tables, and the instructions that `opcodes` leaves out, are not known.
Custom sections go to the end of the text, wherever they stood.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import groupby
from types import MappingProxyType
from typing import Final

from pvm.wasm import custom
from pvm.wasm.cursor import Cursor
from pvm.wasm.errors import WasmError
from pvm.wasm.module import MAGIC, ExternalKind
from pvm.wasm.names import ModuleNames, Names, define, read_names, refer
from pvm.wasm.text_code import Scope, constant, function_lines
from pvm.wasm.types import FUNCREF, FunctionType

_TYPE_LIMIT: Final = 1000
_LOCALS_LIMIT: Final = 50_000
_LOCALS_PER_BYTE: Final = 16
_DATA_LINE: Final = 1024  # bytes of data on a line of the text

# Sections by their number; a module's come in this order.
_SECTIONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "type",
        2: "import",
        3: "function",
        4: "table",
        5: "memory",
        6: "global",
        7: "export",
        8: "start",
        9: "element",
        12: "data count",
        10: "code",
        11: "data",
    }
)
_ORDER: Final = tuple(_SECTIONS)
_CODE: Final = 10  # whose lines are not kept
_KINDS: Final[Mapping[ExternalKind, tuple[int, str]]] = MappingProxyType(
    {
        ExternalKind.FUNCTION: (custom.FUNCTION, "func"),
        ExternalKind.TABLE: (custom.TABLE, "table"),
        ExternalKind.MEMORY: (custom.MEMORY, "memory"),
        ExternalKind.GLOBAL: (custom.GLOBAL, "global"),
    }
)
_PRODUCERS_FIELDS: Final = ("language", "processed-by", "sdk")
_ESCAPED: Final = tuple(chr(b) if 0x20 <= b < 0x7F and chr(b) not in '"\\' else f"\\{b:02x}" for b in range(256))


@dataclass(slots=True)
class _Reader:
    """A module on its way to text: what has been read so far, and the lines that were not taken yet."""

    names: ModuleNames
    size: int  # bytes of the module
    lines: list[str] = field(default_factory=list)
    types: list[FunctionType] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)  # the types of the functions defined
    counts: dict[ExternalKind, int] = field(default_factory=lambda: dict.fromkeys(ExternalKind, 0))
    locals: int = 0  # parameters and locals written so far
    data_count: int | None = None
    bodies: int = 0
    data: int = 0

    def scope(self) -> Scope:
        return Scope(self.names, self.counts[ExternalKind.TABLE], self.counts[ExternalKind.MEMORY], {})

    def add(self, line: str) -> None:
        self.lines.append("  " + line)

    def taken(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def define(self, kind: ExternalKind) -> str:
        """Count one more item of the kind; what stands where it is defined: "func $f (;0;)"."""
        subsection, keyword = _KINDS[kind]
        self.counts[kind] += 1
        return f"{keyword} {define(self.names.space(subsection), self.counts[kind] - 1)}"

    def refer(self, kind: ExternalKind, index: int) -> str:
        return refer(self.names.space(_KINDS[kind][0]), index)

    def spend(self, count: int, offset: int) -> None:
        """Count parameters and locals written; WasmError when they are out of proportion to the module."""
        self.locals += count
        if self.locals > _LOCALS_LIMIT + _LOCALS_PER_BYTE * self.size:
            raise WasmError("too many locals for the module's size", offset)


def to_text(wasm: bytes) -> str:
    """The text of a binary module: flat instructions, one a line, with the names of its name section.

    Valid text for a valid module. Raises WasmError, which says what and at which byte, when the module is
    truncated or corrupt or uses what the reader does not know. Takes time and space linear in the module's size.
    """
    text = StringIO()
    for line in text_lines(wasm):
        text.write(line)
        text.write("\n")
    return text.getvalue()


def text_lines(wasm: bytes) -> Iterator[str]:
    """The same text line by line, of which little is kept; what is wrong is found on the way."""
    sections = list(_sections(wasm))
    customs = [(content.string(), content) for number, content in sections if number == 0]
    named = [content for name, content in customs if name == "name"]
    if len(named) > 1:
        raise WasmError("a second name section", named[1].offset)
    reader = _Reader(read_names(named[0]) if named else ModuleNames(), len(wasm))
    reader.lines.append(f"(module {reader.names.module}" if reader.names.module else "(module")
    for number, content in sections:
        if number:
            if number == _CODE:
                yield from _code_section(reader, content)
            else:
                _READERS[number](reader, content)
            content.finish(f"{_SECTIONS[number]} section")
            yield from reader.taken()
    if reader.bodies != len(reader.functions):
        raise WasmError(f"{len(reader.functions)} functions but {reader.bodies} bodies", len(wasm))
    if reader.data_count not in (None, reader.data):
        raise WasmError(f"{reader.data_count} data segments announced, {reader.data} there", len(wasm))
    for name, content in customs:
        if name != "name":
            _custom(reader, name, content)
    yield from reader.taken()
    yield ")"


def _sections(wasm: bytes) -> Iterator[tuple[int, Cursor]]:
    """The number and the content of each section; raises WasmError for a wrong header or order."""
    if wasm[: len(MAGIC)] != MAGIC:
        raise WasmError("not a binary module of version 1", 0)
    cursor = Cursor(wasm, len(MAGIC), len(wasm))
    place = -1
    while not cursor.done():
        start = cursor.offset
        number = cursor.byte()
        if number:
            if number not in _SECTIONS:
                raise WasmError(f"unknown section {number}", start)
            if _ORDER.index(number) <= place:
                raise WasmError(f"{_SECTIONS[number]} section out of order", start)
            place = _ORDER.index(number)
        yield number, cursor.part(cursor.u32())


# Sections: each reads the content of one and adds its lines


def _type_section(reader: _Reader, content: Cursor) -> None:
    for i in content.vector():
        start = content.offset
        function_type = content.function_type()
        if max(len(function_type.params), len(function_type.results)) > _TYPE_LIMIT:
            raise WasmError(f"more than {_TYPE_LIMIT} parameters or results", start)
        reader.types.append(function_type)
        name = define(reader.names.space(custom.TYPE), i)
        reader.add(f"(type {_spaced(name, f'(func{_signature(function_type, {})})')})")


def _import_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        field_ = f"{_quoted(content.string())} {_quoted(content.string())}"
        kind = _kind(content)
        described = reader.define(kind)
        if kind is ExternalKind.FUNCTION:
            described += f" {reader.scope().type_use(_type_index(reader, content))}"
        elif kind is ExternalKind.TABLE:
            described += f" {_table_type(content)}"
        elif kind is ExternalKind.MEMORY:
            described += f" {_limits(content, shareable=True)}"
        else:
            described += f" {_global_type(content)}"
        reader.add(f"(import {field_} ({described}))")


def _function_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        reader.functions.append(_type_index(reader, content))


def _table_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        defined = reader.define(ExternalKind.TABLE)
        start = content.offset
        if content.byte() != 0x40:
            content.offset = start
            reader.add(f"({defined} {_table_type(content)})")
            continue
        if content.byte() != 0:
            raise WasmError("unknown form of table", start)
        table_type = _table_type(content)
        reader.add(f"({_spaced(defined, table_type, constant(reader.scope(), content))})")


def _memory_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        reader.add(f"({reader.define(ExternalKind.MEMORY)} {_limits(content, shareable=True)})")


def _global_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        global_type = _global_type(content)
        initial = constant(reader.scope(), content)
        reader.add(f"({_spaced(reader.define(ExternalKind.GLOBAL), global_type, initial)})")


def _export_section(reader: _Reader, content: Cursor) -> None:
    for _ in content.vector():
        name = _quoted(content.string())
        kind = _kind(content)
        reader.add(f"(export {name} ({_KINDS[kind][1]} {reader.refer(kind, content.u32())}))")


def _start_section(reader: _Reader, content: Cursor) -> None:
    reader.add(f"(start {reader.refer(ExternalKind.FUNCTION, content.u32())})")


def _element_section(reader: _Reader, content: Cursor) -> None:
    """Bit 0 of the flags: no offset; bit 1: a table's index, or declarative; bit 2: expressions."""
    scope = reader.scope()
    for i in content.vector():
        start = content.offset
        flags = content.u32()
        if flags > 7:
            raise WasmError(f"unknown form of element segment {flags}", start)
        parts = ["elem", define(reader.names.space(custom.ELEMENT), i)]
        if flags & 1:
            parts.append("declare" if flags & 2 else "")
        else:
            table = scope.table(content.u32() if flags & 2 else 0)
            parts.append(f"(table {table})" if table else "")
            parts.append(f"(offset {constant(scope, content)})")
        if flags & 4:
            parts.append((content.reference_type() if flags & 3 else FUNCREF).name)
            parts += [f"(item {constant(scope, content)})" for _ in content.vector()]
        else:
            start = content.offset
            if flags & 3 and content.byte() != 0:
                raise WasmError("unknown kind of element", start)
            parts.append("func")
            parts += [reader.refer(ExternalKind.FUNCTION, content.u32()) for _ in content.vector()]
        reader.add(f"({_spaced(*parts)})")


def _data_count_section(reader: _Reader, content: Cursor) -> None:
    reader.data_count = content.u32()


def _code_section(reader: _Reader, content: Cursor) -> Iterator[str]:
    scope = reader.scope()
    for _ in content.vector():
        start = content.offset
        if reader.bodies == len(reader.functions):
            raise WasmError("more bodies than functions", start)
        body = content.part(content.u32())
        type_index = reader.functions[reader.bodies]
        function_type = reader.types[type_index]
        reader.bodies += 1
        locals_ = reader.names.locals.get(reader.counts[ExternalKind.FUNCTION], {})
        reader.spend(len(function_type.params) + len(function_type.results), start)
        head = f"{reader.define(ExternalKind.FUNCTION)} {scope.type_use(type_index)}"
        reader.add(f"({head}{_signature(function_type, locals_)}")
        declared = "".join(_declarations("local", _locals(reader, body), locals_, len(function_type.params)))
        if declared:
            reader.lines.append("   " + declared)
        yield from reader.taken()
        yield from function_lines(replace(scope, locals=locals_), body, 2)
        reader.add(")")


def _data_section(reader: _Reader, content: Cursor) -> None:
    scope = reader.scope()
    for i in content.vector():
        start = content.offset
        flags = content.u32()
        if flags > 2:
            raise WasmError(f"unknown form of data segment {flags}", start)
        parts = ["data", define(reader.names.space(custom.DATA), i)]
        if flags != 1:
            memory = scope.memory(content.u32() if flags == 2 else 0)
            parts.append(f"(memory {memory})" if memory else "")
            parts.append(f"(offset {constant(scope, content)})")
        reader.add(f"({_spaced(*parts)} {_quoted_lines(content.take(content.u32()))})")
        reader.data += 1


def _custom(reader: _Reader, name: str, content: Cursor) -> None:
    start = content.offset
    producers = _producers(content) if name == "producers" else None
    if producers is None:
        data = content.data[start : content.end]
        reader.add(f"(@custom {_quoted(name)} {_quoted_lines(data)})")
    else:
        reader.add(f"(@producers{producers})")


_READERS: Final = MappingProxyType(
    {
        1: _type_section,
        2: _import_section,
        3: _function_section,
        4: _table_section,
        5: _memory_section,
        6: _global_section,
        7: _export_section,
        8: _start_section,
        9: _element_section,
        12: _data_count_section,
        11: _data_section,
    }
)


# Parts of sections


def _kind(content: Cursor) -> ExternalKind:
    start = content.offset
    try:
        return ExternalKind(content.byte())
    except ValueError:
        raise WasmError("unknown kind of import or export", start) from None


def _type_index(reader: _Reader, content: Cursor) -> int:
    start = content.offset
    i = content.u32()
    if i >= len(reader.types):
        raise WasmError(f"type {i} is not among the module's {len(reader.types)}", start)
    return i


def _limits(content: Cursor, shareable: bool) -> str:
    start = content.offset
    flags = content.byte()
    if flags > 3 or (flags & 2 and not (shareable and flags & 1)):
        raise WasmError(f"unknown form of limits {flags:#04x}", start)
    minimum = str(content.u32())
    return _spaced(minimum, str(content.u32()) if flags & 1 else "", "shared" if flags & 2 else "")


def _table_type(content: Cursor) -> str:
    element_type = content.reference_type().name
    return f"{_limits(content, shareable=False)} {element_type}"


def _global_type(content: Cursor) -> str:
    value_type = content.value_type().name
    start = content.offset
    mutability = content.byte()
    if mutability > 1:
        raise WasmError(f"unknown mutability {mutability}", start)
    return f"(mut {value_type})" if mutability else value_type


def _locals(reader: _Reader, body: Cursor) -> list[str]:
    """The types' names of a function's locals."""
    types: list[str] = []
    for _ in body.vector():
        start = body.offset
        count = body.u32()
        if len(types) + count > _LOCALS_LIMIT:
            raise WasmError(f"more than {_LOCALS_LIMIT} locals", start)
        reader.spend(count, start)
        types += [body.value_type().name] * count
    return types


def _signature(function_type: FunctionType, names: Names) -> str:
    params = _declarations("param", [t.name for t in function_type.params], names, 0)
    return "".join([*params, *_declarations("result", [t.name for t in function_type.results], {}, 0)])


def _declarations(keyword: str, types: list[str], names: Names, first: int) -> Iterator[str]:
    """A declaration for each item with a name, one for each run without: (param $x i64) (param i64 i32)."""
    for named, run in groupby(enumerate(types, first), key=lambda item: item[0] in names):
        if named:
            yield from (f" ({keyword} {names[i]} {name})" for i, name in run)
        else:
            yield f" ({keyword} {' '.join(name for _, name in run)})"


def _producers(content: Cursor) -> str | None:
    """The fields of a producers section as text, or None for one the text format has no form for."""
    texts: list[str] = []
    known = iter(_PRODUCERS_FIELDS)
    try:
        for _ in content.vector():
            name = content.string()
            if name not in known:  # which also moves past it: each once, in this order
                return None
            for _ in content.vector():
                tool, version = content.string(), content.string()
                texts.append(f" ({name} {_quoted(tool)} {_quoted(version)})")
    except WasmError:
        return None
    return "".join(texts) if content.done() else None


def _quoted(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return '"' + "".join([_ESCAPED[b] for b in data]) + '"'


def _quoted_lines(data: bytes) -> str:
    """The data as one string, or on lines of its own as several, which the format joins."""
    if len(data) <= _DATA_LINE:
        return _quoted(data)
    lines = [_quoted(data[i : i + _DATA_LINE]) for i in range(0, len(data), _DATA_LINE)]
    return "".join("\n    " + line for line in lines)


def _spaced(*parts: str) -> str:
    return " ".join(filter(None, parts))
