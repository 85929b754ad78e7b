"""A small WebAssembly writer, and a reader to text.

Instructions are bytes made by the functions of `code`; a `Module` is a plain value, `encode` makes it
a binary module, and `to_text` turns any binary module of the supported kind into text.
"""

from pvm.wasm import code
from pvm.wasm.errors import WasmError
from pvm.wasm.module import (
    DataSegment,
    ElementSegment,
    Export,
    ExternalKind,
    Function,
    Global,
    Import,
    Memory,
    Module,
    Table,
    encode,
)
from pvm.wasm.text import text_lines, to_text
from pvm.wasm.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, FunctionType, ValueType, reference

__all__ = [
    "EXTERNREF",
    "F32",
    "F64",
    "FUNCREF",
    "I32",
    "I64",
    "DataSegment",
    "ElementSegment",
    "Export",
    "ExternalKind",
    "Function",
    "FunctionType",
    "Global",
    "Import",
    "Memory",
    "Module",
    "Table",
    "ValueType",
    "WasmError",
    "code",
    "encode",
    "reference",
    "text_lines",
    "to_text",
]
