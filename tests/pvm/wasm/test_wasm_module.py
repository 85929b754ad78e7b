"""Encoded modules validate and run under wasmtime, and caller's mistakes are refused."""

from collections.abc import Callable

import pytest
import wasmtime

from pvm.wasm import (
    FUNCREF,
    I32,
    I64,
    DataSegment,
    ElementSegment,
    Export,
    ExternalKind,
    Function,
    FunctionType,
    Global,
    Import,
    Memory,
    Module,
    Table,
    code,
    encode,
    reference,
)

UNARY = FunctionType((I64,), (I64,))
BINARY = FunctionType((I64, I64), (I64,))
NONE = FunctionType()


def store() -> wasmtime.Store:
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.wasm_tail_call = True
    config.wasm_function_references = True
    config.wasm_wide_arithmetic = True
    return wasmtime.Store(wasmtime.Engine(config))


def run(module: Module, *arguments: int) -> object:
    """Instantiate the module and call its export "f"."""
    at = store()
    instance = wasmtime.Instance(at, wasmtime.Module(at.engine, encode(module)), [])
    function = instance.exports(at)["f"]
    assert isinstance(function, wasmtime.Func)
    return function(at, *arguments)


def exporting(function: Function, **others: object) -> Module:
    values: dict[str, object] = {"functions": [function], "exports": [Export("f", ExternalKind.FUNCTION, 0)], **others}
    return Module(**values)  # type: ignore[arg-type]


def get(*locals_: int) -> bytes:
    return b"".join(map(code.local_get, locals_))


def test_empty_module() -> None:
    assert encode(Module()) == b"\0asm\1\0\0\0"


def test_add() -> None:
    assert run(exporting(Function(BINARY, (), get(0, 1) + code.op("i64.add"), "add", ("a", "b"))), 2, 3) == 5


def test_locals_are_run_length_compressed() -> None:
    body = code.i64_const(7) + code.local_set(3) + get(3, 0) + code.op("i64.mul")
    module = exporting(Function(UNARY, [I32, I32, I64, *[I32] * 1000], body))
    assert bytes.fromhex("03027f017ee8077f") in encode(module)
    assert run(module, 6) == 42


def test_factorial_with_loop() -> None:
    step = get(1, 0) + code.op("i64.mul") + code.local_set(1)
    step += get(0) + code.i64_const(1) + code.op("i64.sub") + code.local_tee(0) + code.op("i64.eqz")
    step += code.br_if(1) + code.br(0)
    body = code.i64_const(1) + code.local_set(1) + code.block(code.loop(step)) + get(1)
    assert run(exporting(Function(UNARY, [I64], body)), 10) == 3628800


def test_if_and_br_table() -> None:
    inner = code.block(get(0) + code.op("i32.wrap_i64") + code.br_table([0, 1], 2))
    middle = code.block(inner, code.i64_const(10), code.op("return"))
    body = code.block(middle, code.i64_const(20), code.op("return")) + get(0) + code.i64_const(7)
    body += code.op("i64.eq") + code.if_(code.i64_const(77), code.i64_const(30), result=I64)
    module = exporting(Function(UNARY, (), body))
    assert [run(module, n) for n in (0, 1, 2, 7)] == [10, 20, 30, 77]


def test_block_with_type_index() -> None:
    body = get(0) + code.block(code.i64_const(1), code.op("i64.add"), result=0)
    assert run(exporting(Function(UNARY, (), body), types=[UNARY]), 4) == 5


def test_wide_arithmetic() -> None:
    body = get(0, 1) + code.op("i64.mul_wide_u") + code.local_set(0) + code.op("drop") + get(0)
    assert run(exporting(Function(BINARY, (), body)), 2**62, 12) == 3


def test_two_memories_and_data() -> None:
    body = code.i32_const(0) + code.i32_const(1) + code.i32_const(3) + code.memory_init(1, 1)
    body += code.data_drop(1) + code.i32_const(16) + code.i32_const(0) + code.i32_const(3) + code.memory_copy(0, 1)
    body += code.i32_const(19) + code.i32_const(0xEE) + code.i32_const(1) + code.memory_fill()
    body += code.i32_const(0) + get(0) + code.store("i64.store", offset=8, memory=1)
    body += code.i32_const(0) + code.load("i64.load32_u", offset=16)
    body += code.i32_const(8) + code.load("i64.load", memory=1, align=0) + code.op("i64.add")
    body += code.i32_const(40) + code.load("i64.load8_u", memory=1) + code.op("i64.add")
    module = exporting(
        Function(UNARY, (), body),
        memories=[Memory(1, 2, name="low"), Memory(1, name="high")],
        data=[
            DataSegment(0, code.i32_const(0), b"zz"),
            DataSegment(0, None, b"\x09\x01\x02\x03"),
            DataSegment(1, code.i32_const(40), b"\x05"),
        ],
    )
    assert run(module, 1000) == 0xEE030201 + 1000 + 5


def test_tables_indirect_and_tail_calls() -> None:
    double = Function(UNARY, (), get(0, 0) + code.op("i64.add"))
    square = Function(UNARY, (), get(0, 0) + code.op("i64.mul"))
    body = get(0) + code.i32_const(0) + code.call_indirect(0) + code.i32_const(1) + code.return_call_indirect(0, 1)
    module = Module(
        functions=[Function(UNARY, (), body), double, square],
        tables=[Table(1, 1), Table(4, name="second")],
        elements=[
            ElementSegment(0, code.i32_const(0), [1]),
            ElementSegment(1, code.i32_const(1), [2]),
            ElementSegment(0, None, [1]),
            ElementSegment(0, None, [2], declarative=True),
        ],
        exports=[Export("f", ExternalKind.FUNCTION, 0)],
    )
    assert run(module, 3) == 36


def test_typed_function_references() -> None:
    unary = reference(0)
    body = get(0) + code.i32_const(2) + code.table_get() + code.return_call_ref(0)
    module = Module(
        types=[UNARY],
        functions=[Function(UNARY, (), body), Function(UNARY, (), get(0) + code.i64_const(1) + code.op("i64.add"))],
        tables=[Table(3, type=reference(0, nullable=False), initial=code.ref_func(1)), Table(1, type=unary)],
        elements=[ElementSegment(1, code.i32_const(0), [1], type=unary)],
        globals=[Global(unary, True, code.ref_null(0))],
        exports=[Export("f", ExternalKind.FUNCTION, 0)],
    )
    assert run(module, 41) == 42


def test_imports_globals_and_start() -> None:
    at = store()
    seen: list[int] = []
    function = wasmtime.Func(at, wasmtime.FuncType([wasmtime.ValType.i64()], []), seen.append)
    memory = wasmtime.Memory(at, wasmtime.MemoryType(wasmtime.Limits(1, 3)))
    table = wasmtime.Table(at, wasmtime.TableType(wasmtime.ValType.funcref(), wasmtime.Limits(2, None)), None)
    global_ = wasmtime.Global(at, wasmtime.GlobalType(wasmtime.ValType.i64(), True), wasmtime.Val.i64(5))
    start = code.global_get(0) + code.global_get(1) + code.op("i64.add") + code.global_set(0)
    start += code.global_get(0) + code.call(0)
    module = Module(
        imports=[
            Import("host", "say", FunctionType((I64,))),
            Import("host", "memory", Memory(1, 3, name="ram")),
            Import("host", "table", Table(2)),
            Import("host", "count", Global(I64, True), debug_name="counter"),
        ],
        functions=[Function(NONE, (), start)],
        globals=[Global(I64, False, code.i64_const(6))],
        exports=[Export("memory", ExternalKind.MEMORY, 0), Export("count", ExternalKind.GLOBAL, 0)],
        start=1,
    )
    wasmtime.Instance(at, wasmtime.Module(at.engine, encode(module)), [function, memory, table, global_])
    assert seen == [11]


def test_types_in_order_of_first_use() -> None:
    module = Module(
        types=[BINARY],
        imports=[Import("m", "f", NONE)],
        functions=[Function(UNARY, (), get(0)), Function(BINARY, (), get(0))],
    )
    assert module.all_types == (BINARY, NONE, UNARY)
    assert [module.type_index(t) for t in (BINARY, NONE, UNARY)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no type"):
        module.type_index(FunctionType((I32,)))


def test_shared_memory_encoding() -> None:
    assert encode(Module(memories=[Memory(1, 2, shared=True)]))[8:] == bytes.fromhex("050401030102")


def test_name_and_producers_sections() -> None:
    module = Module(
        functions=[Function(UNARY, [I32], get(0), "f", ("x", None))], name="m", producers=[("pvm-wasm", "1.2")]
    )
    encoded = encode(module)
    assert bytes.fromhex("046e616d65") + bytes.fromhex("0002016d") + bytes.fromhex("010401000166") in encoded
    assert bytes.fromhex("02060100010001") + b"x" in encoded
    assert encoded.endswith(b"\x01\x0cprocessed-by\x01\x08pvm-wasm\x031.2")


F = Function(NONE, (), b"")
BAD: list[Callable[[], Module]] = [
    lambda: Module(exports=[Export("f", ExternalKind.FUNCTION, 0)]),
    lambda: Module(functions=[F], exports=[Export("f", ExternalKind.FUNCTION, 0)] * 2),
    lambda: Module(functions=[F], start=1),
    lambda: Module(functions=[F], start=-1),
    lambda: Module(memories=[Memory(2, 1)]),
    lambda: Module(memories=[Memory(1, shared=True)]),
    lambda: Module(memories=[Memory(2**32)]),
    lambda: Module(data=[DataSegment(0, code.i32_const(0), b"")]),
    lambda: Module(functions=[F], elements=[ElementSegment(0, code.i32_const(0), [0])]),
    lambda: Module(tables=[Table(1)], elements=[ElementSegment(0, code.i32_const(0), [0])]),
    lambda: Module(
        functions=[F], tables=[Table(1)], elements=[ElementSegment(0, code.i32_const(0), [0], declarative=True)]
    ),
    lambda: Module(functions=[Function(NONE, [I64], b"", None, ("a", "b"))]),
    lambda: Module(imports=[Import("m", "g", Global(I64, False, code.i64_const(0)))]),
    lambda: Module(imports=[Import("m", "t", Table(1, None, FUNCREF, None, code.ref_null()))]),
    lambda: Module(name="\ud800"),
]


@pytest.mark.parametrize("make", BAD)
def test_mistakes_refused(make: Callable[[], Module]) -> None:
    with pytest.raises(ValueError):
        encode(make())


def test_negative_type_index_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        reference(-1)


def test_branch_hints_stand_before_the_code_and_count_from_the_locals() -> None:
    body = code.block(code.i32_const(0) + code.br_if(0))
    functions = (Function(FunctionType(), (), b""), Function(FunctionType(), (I32,), body, unlikely=(4,)))
    data = encode(Module(functions=functions))
    assert body[4] == code.br_if(0)[0]
    name = b"metadata.code.branch_hint"
    # One function, of index 1, with one hint: at 3 octets of locals and 4 of body, one octet long, unlikely.
    content = bytes([len(name)]) + name + bytes([1, 1, 1, 3 + 4, 1, 0])
    section = bytes([0, len(content)]) + content
    assert section in data
    assert data.index(section) < data.index(body)
    wasmtime.Module(wasmtime.Engine(), data)
