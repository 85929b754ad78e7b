"""Value types and function types: WebAssembly specification, section 2.3 and 5.3."""

from dataclasses import dataclass

from pvm.wasm.leb128 import signed


@dataclass(frozen=True, slots=True)
class ValueType:
    """A value type: `name` as the text format spells it, `encoding` as the binary format writes it."""

    name: str
    encoding: bytes


I32 = ValueType("i32", b"\x7f")
I64 = ValueType("i64", b"\x7e")
F32 = ValueType("f32", b"\x7d")
F64 = ValueType("f64", b"\x7c")
FUNCREF = ValueType("funcref", b"\x70")
EXTERNREF = ValueType("externref", b"\x6f")


def reference(type_index: int, nullable: bool = True) -> ValueType:
    """The type of references to functions of the module's type `type_index`.

    Needs the typed function references of WebAssembly 3.0. Raises ValueError for a negative index.
    """
    if type_index < 0:
        raise ValueError(f"negative type index: {type_index}")
    if nullable:
        return ValueType(f"(ref null {type_index})", b"\x63" + signed(type_index))
    return ValueType(f"(ref {type_index})", b"\x64" + signed(type_index))


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function type: the value types of its parameters and of its results."""

    params: tuple[ValueType, ...] = ()
    results: tuple[ValueType, ...] = ()
