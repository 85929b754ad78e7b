"""A module as plain values, and its encoding: WebAssembly specification, sections 2.5 and 5.5.

Indices count imports first, as the specification's do. An expression is `bytes` made with `code`, without
its final `end`. `encode` raises ValueError for a module that could not be valid because of a
mistake seen here (an index out of range, a type that is not there); it does not validate code.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from pvm.lazy import lazy
from pvm.wasm import custom
from pvm.wasm.code import index, op, ref_func
from pvm.wasm.custom import sized, string, vector
from pvm.wasm.types import FUNCREF, FunctionType, ValueType

MAGIC = b"\0asm\1\0\0\0"
_END = op("end")


class ExternalKind(Enum):
    """What an import or export is; the value is its byte in the binary format."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3


@dataclass(frozen=True)
class Memory:
    """A memory; `minimum` and `maximum` in pages of 64 KiB. A shared one needs a maximum."""

    minimum: int
    maximum: int | None = None
    shared: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of `minimum` to `maximum` references.

    `initial` is the constant expression every entry starts with (None: null).
    """

    minimum: int
    maximum: int | None = None
    type: ValueType = FUNCREF
    name: str | None = None
    initial: bytes | None = None


@dataclass(frozen=True)
class Global:
    """A global; `initial` is its constant expression, and stays empty when the global is an import."""

    type: ValueType
    mutable: bool = False
    initial: bytes = b""
    name: str | None = None


@dataclass(frozen=True)
class Import:
    """An import of the field `name` of `module`.

    `debug_name` goes to the name section; None stands for the description's name, or for a function
    the field's.
    """

    module: str
    name: str
    description: FunctionType | Table | Memory | Global
    debug_name: str | None = None


@dataclass(frozen=True)
class Function:
    """A function: `locals` come after the parameters; `local_names` name both, from local 0 on.

    `unlikely` are the offsets in `body`, in increasing order, of br_if and if instructions that seldom branch.
    """

    type: FunctionType
    locals: Sequence[ValueType]
    body: bytes
    name: str | None = None
    local_names: Sequence[str | None] = ()
    unlikely: Sequence[int] = ()


@dataclass(frozen=True)
class Export:
    """An export of the item of the given kind and index."""

    name: str
    kind: ExternalKind
    index: int


@dataclass(frozen=True)
class DataSegment:
    """Bytes put in `memory` at `offset`, a constant expression; with None, a passive segment."""

    memory: int
    offset: bytes | None
    data: bytes


@dataclass(frozen=True)
class ElementSegment:
    """Functions put in `table` at `offset`, a constant expression.

    Without an offset the segment is passive, or declarative: that only allows ref.func of the functions.
    `type` is the table's.
    """

    table: int
    offset: bytes | None
    functions: Sequence[int]
    declarative: bool = False
    type: ValueType = FUNCREF


@dataclass(frozen=True)
class Module:
    """A module.

    `types` come first in its types, in the order given; the other types of imports and functions follow
    in order of first use. `producers` are the (tool, version) of the producers section's processed-by.
    """

    types: Sequence[FunctionType] = ()
    imports: Sequence[Import] = ()
    functions: Sequence[Function] = ()
    tables: Sequence[Table] = ()
    memories: Sequence[Memory] = ()
    globals: Sequence[Global] = ()
    exports: Sequence[Export] = ()
    start: int | None = None
    elements: Sequence[ElementSegment] = ()
    data: Sequence[DataSegment] = ()
    name: str | None = None
    producers: Sequence[tuple[str, str]] = ()

    @lazy
    def all_types(self) -> tuple[FunctionType, ...]:
        """Every function type, in the order of the type section."""
        used = [i.description for i in self.imports if isinstance(i.description, FunctionType)]
        used += [f.type for f in self.functions]
        given = set(self.types)
        return (*self.types, *(t for t in dict.fromkeys(used) if t not in given))

    @lazy
    def _type_indices(self) -> Mapping[FunctionType, int]:
        indices: dict[FunctionType, int] = {}
        for i, function_type in enumerate(self.all_types):
            indices.setdefault(function_type, i)
        return indices

    def type_index(self, function_type: FunctionType) -> int:
        """The index of the function type; ValueError when the module has no such type."""
        try:
            return self._type_indices[function_type]
        except KeyError:
            raise ValueError(f"the module has no type {function_type}") from None

    def imported(self, kind: ExternalKind) -> int:
        """The number of imports of a kind: the index of the first item of that kind defined here."""
        return self._imported[kind]

    @lazy
    def _imported(self) -> Mapping[ExternalKind, int]:
        return Counter(map(_kind, self.imports))

    def defined(self, kind: ExternalKind) -> int:
        """The number of items of a kind that the module defines."""
        match kind:
            case ExternalKind.FUNCTION:
                return len(self.functions)
            case ExternalKind.TABLE:
                return len(self.tables)
            case ExternalKind.MEMORY:
                return len(self.memories)
            case ExternalKind.GLOBAL:
                return len(self.globals)


def encode(module: Module) -> bytes:
    """The binary module. Raises ValueError for a mistake in it, as said at the top of this file."""
    sections = (
        (1, _type_section(module)),
        (2, _import_section(module)),
        (3, _function_section(module)),
        (4, _table_section(module)),
        (5, _memory_section(module)),
        (6, _global_section(module)),
        (7, _export_section(module)),
        (8, _start_section(module)),
        (9, _element_section(module)),
        (12, _data_count_section(module)),
        (10, _code_section(module)),
        (11, _data_section(module)),
    )
    encoded = [bytes([number]) + sized(content) for number, content in sections if content]
    # Hints come before the code, all else behind.
    place = next((at for at, section in enumerate(encoded) if section[0] == 10), len(encoded))
    encoded.insert(place, _hint_section(module))
    return b"".join([MAGIC, *encoded, _name_section(module), custom.producers_section(module.producers)])


# Sections: each the content of one, b"" when the module has none of it


def _type_section(module: Module) -> bytes:
    return _section([_function_type(t) for t in module.all_types])


def _import_section(module: Module) -> bytes:
    return _section([string(i.module) + string(i.name) + _description(module, i) for i in module.imports])


def _function_section(module: Module) -> bytes:
    return _section([index(module.type_index(f.type)) for f in module.functions])


def _table_section(module: Module) -> bytes:
    return _section([_table(t) for t in module.tables])


def _memory_section(module: Module) -> bytes:
    return _section([_memory_type(m) for m in module.memories])


def _global_section(module: Module) -> bytes:
    return _section([_global_type(g) + g.initial + _END for g in module.globals])


def _export_section(module: Module) -> bytes:
    if len({e.name for e in module.exports}) != len(module.exports):
        raise ValueError("two exports have the same name")
    for e in module.exports:
        _check(module, e.kind, e.index)
    return _section([string(e.name) + bytes([e.kind.value]) + index(e.index) for e in module.exports])


def _start_section(module: Module) -> bytes:
    if module.start is None:
        return b""
    _check(module, ExternalKind.FUNCTION, module.start)
    return index(module.start)


def _element_section(module: Module) -> bytes:
    return _section([_element(module, e) for e in module.elements])


def _data_count_section(module: Module) -> bytes:
    # Needed by memory.init and data.drop only, but code is not searched for them, and it costs 3 bytes.
    return index(len(module.data)) if module.data else b""


def _code_section(module: Module) -> bytes:
    return _section([sized(_locals(f.locals) + f.body + _END) for f in module.functions])


def _hint_section(module: Module) -> bytes:
    first = module.imported(ExternalKind.FUNCTION)
    hints = {}
    for number, f in enumerate(module.functions, first):
        if f.unlikely:
            start = len(_locals(f.locals))
            hints[number] = [start + offset for offset in f.unlikely]
    return custom.branch_hint_section(hints)


def _data_section(module: Module) -> bytes:
    return _section([_data(module, d) for d in module.data])


def _name_section(module: Module) -> bytes:
    kinds = {
        custom.FUNCTION: (ExternalKind.FUNCTION, [f.name for f in module.functions]),
        custom.TABLE: (ExternalKind.TABLE, [t.name for t in module.tables]),
        custom.MEMORY: (ExternalKind.MEMORY, [m.name for m in module.memories]),
        custom.GLOBAL: (ExternalKind.GLOBAL, [g.name for g in module.globals]),
    }
    names = {}
    for subsection, (kind, defined) in kinds.items():
        imported = [_debug_name(i) for i in module.imports if _kind(i) is kind]
        names[subsection] = _named([*imported, *defined])
    first = module.imported(ExternalKind.FUNCTION)
    locals_ = {i: n for i, f in enumerate(module.functions, first) if (n := _local_names(f))}
    return custom.name_section(module.name, names, locals_)


# Parts of sections


def _section(items: Sequence[bytes]) -> bytes:
    return vector(items) if items else b""


def _function_type(function_type: FunctionType) -> bytes:
    params = vector([t.encoding for t in function_type.params])
    return b"\x60" + params + vector([t.encoding for t in function_type.results])


def _description(module: Module, import_: Import) -> bytes:
    kind = bytes([_kind(import_).value])
    match import_.description:
        case FunctionType() as function_type:
            return kind + index(module.type_index(function_type))
        case Table() as table:
            if table.initial is not None:
                raise ValueError(f"an imported table has an initial value: {import_.name}")
            return kind + _table_type(table)
        case Memory() as memory:
            return kind + _memory_type(memory)
        case Global() as global_:
            if global_.initial:
                raise ValueError(f"an imported global has an initial value: {import_.name}")
            return kind + _global_type(global_)


def _limits(minimum: int, maximum: int | None, flags: int = 0) -> bytes:
    if maximum is None:
        return bytes([flags]) + index(minimum)
    if maximum < minimum:
        raise ValueError(f"maximum {maximum} is below minimum {minimum}")
    return bytes([flags | 1]) + index(minimum) + index(maximum)


def _memory_type(memory: Memory) -> bytes:
    if memory.shared and memory.maximum is None:
        raise ValueError("a shared memory needs a maximum")
    return _limits(memory.minimum, memory.maximum, 2 if memory.shared else 0)


def _table_type(table: Table) -> bytes:
    return table.type.encoding + _limits(table.minimum, table.maximum)


def _table(table: Table) -> bytes:
    if table.initial is None:
        return _table_type(table)
    return b"\x40\x00" + _table_type(table) + table.initial + _END


def _global_type(global_: Global) -> bytes:
    return global_.type.encoding + bytes([global_.mutable])


def _element(module: Module, segment: ElementSegment) -> bytes:
    """Section 5.5.12. Bit 0 of the flags: no offset; bit 1: a table's index, or declarative; bit 2: expressions."""
    for function in segment.functions:
        _check(module, ExternalKind.FUNCTION, function)
    plain = segment.type == FUNCREF
    flags = 0 if plain else 4
    if plain:
        kind, functions = b"\x00", vector([index(f) for f in segment.functions])
    else:
        kind, functions = segment.type.encoding, vector([ref_func(f) + _END for f in segment.functions])
    if segment.offset is None:
        flags |= 3 if segment.declarative else 1
        return bytes([flags]) + kind + functions
    if segment.declarative:
        raise ValueError("a declarative element segment has an offset")
    _check(module, ExternalKind.TABLE, segment.table)
    if plain and segment.table == 0:
        return bytes([flags]) + segment.offset + _END + functions
    return bytes([flags | 2]) + index(segment.table) + segment.offset + _END + kind + functions


def _locals(types: Sequence[ValueType]) -> bytes:
    return vector([index(len(list(run))) + value_type.encoding for value_type, run in groupby(types)])


def _data(module: Module, segment: DataSegment) -> bytes:
    if segment.offset is None:
        return b"\x01" + sized(segment.data)
    _check(module, ExternalKind.MEMORY, segment.memory)
    if segment.memory == 0:
        return b"\x00" + segment.offset + _END + sized(segment.data)
    return b"\x02" + index(segment.memory) + segment.offset + _END + sized(segment.data)


def _kind(import_: Import) -> ExternalKind:
    match import_.description:
        case FunctionType():
            return ExternalKind.FUNCTION
        case Table():
            return ExternalKind.TABLE
        case Memory():
            return ExternalKind.MEMORY
        case Global():
            return ExternalKind.GLOBAL


def _check(module: Module, kind: ExternalKind, i: int) -> None:
    """Raise ValueError unless the module has an item of that kind and index."""
    count = module.imported(kind) + module.defined(kind)
    if not 0 <= i < count:
        raise ValueError(f"{kind.name.lower()} index {i} is not among the module's {count}")


def _debug_name(import_: Import) -> str | None:
    if import_.debug_name is not None:
        return import_.debug_name
    if isinstance(import_.description, FunctionType):
        return import_.name
    return import_.description.name


def _named(names: Sequence[str | None]) -> Mapping[int, str]:
    return {i: name for i, name in enumerate(names) if name is not None}


def _local_names(function: Function) -> Mapping[int, str]:
    if len(function.local_names) > len(function.type.params) + len(function.locals):
        raise ValueError(f"more local names than locals in function {function.name!r}")
    return _named(function.local_names)
