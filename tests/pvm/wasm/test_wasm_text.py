"""Modules as text: a golden text, texts that an assembler reads back, corrupt modules, big modules."""

import time
import tracemalloc
from collections.abc import Callable

import pytest
import wasmtime
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pvm.wasm import (
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
    WasmError,
    code,
    encode,
    reference,
    text_lines,
    to_text,
)
from pvm.wasm.opcodes import BY_OPCODE, Immediate

UNARY = FunctionType((I64,), (I64,))
NONE = FunctionType()

SMALL = Module(
    imports=[Import("host", "tick", NONE), Import("host", "ram", Memory(1, 2, name="ram"))],
    functions=[
        Function(
            UNARY,
            [I32, I32, I64],
            code.call(0)
            + code.block(
                code.local_get(0),
                code.op("i64.eqz"),
                code.if_(code.br(1), code.op("nop")),
                code.i32_const(8),
                code.i64_const(-1),
                code.store("i64.store", offset=16, align=0),
            )
            + code.local_get(3),
            "double it",
            ("x", None, None, "sum"),
        )
    ],
    globals=[Global(I64, True, code.i64_const(1), "gas")],
    exports=[Export("f", ExternalKind.FUNCTION, 1)],
    data=[DataSegment(0, code.i32_const(0), b'a"\\\n\xff')],
    name="small",
    producers=[("pvm-wasm", "1")],
)

SMALL_TEXT = r"""(module $small
  (type (;0;) (func))
  (type (;1;) (func (param i64) (result i64)))
  (import "host" "tick" (func $tick (;0;) (type 0)))
  (import "host" "ram" (memory $ram (;0;) 1 2))
  (global $gas (;0;) (mut i64) i64.const 1)
  (export "f" (func $double_it))
  (func $double_it (;1;) (type 1) (param $x i64) (result i64)
    (local i32 i32) (local $sum i64)
    call $tick
    block
      local.get $x
      i64.eqz
      if
        br 1
      else
        nop
      end
      i32.const 8
      i64.const -1
      i64.store offset=16 align=1
    end
    local.get $sum
  )
  (data (;0;) (offset i32.const 0) "a\22\5c\0a\ff")
  (@producers (processed-by "pvm-wasm" "1"))
)
"""

RICH = Module(
    types=[UNARY, NONE],
    imports=[Import("m", "t", Table(1, 9, name="imported")), Import("m", "g", Global(I32, name="base"))],
    functions=[
        Function(NONE, (), code.call(1), "same"),
        Function(NONE, (), code.return_call(0), "same"),
        Function(NONE, (), code.op("nop"), "same.1"),
        Function(UNARY, [I64, I64], code.i64_const(-(2**63)), "odd (name) \N{SNOWMAN};", ("x", "x", "")),
        Function(
            UNARY,
            [reference(0), I32],
            code.local_get(0)
            + code.i32_const(0)
            + code.call_indirect(0, 1)
            + code.block(code.block(code.loop(code.local_get(2) + code.br_table([0, 2, 1], 1))), result=None)
            + code.block(code.op("nop"), result=0)
            + code.ref_func(3)
            + code.local_set(1)
            + b"".join(code.i32_const(n) for n in (0, 1, 2))
            + code.memory_copy(1, 0)
            + b"".join(code.i32_const(n) for n in (0, 1, 2))
            + code.memory_fill(1)
            + b"".join(code.i32_const(n) for n in (0, 1, 2))
            + code.memory_init(1, 1)
            + code.data_drop(1)
            + code.memory_size(1)
            + code.memory_grow()
            + code.load("i32.load", memory=1, align=0, offset=2**32 - 1)
            + code.op("drop")
            + code.ref_null()
            + code.op("drop")
            + code.ref_null(0)
            + code.op("drop")
            + code.i32_const(0)
            + code.table_get(1)
            + code.op("drop")
            + code.table_size()
            + code.op("drop")
            + code.local_get(0)
            + code.op("i64.mul_wide_s")
            + code.op("drop")
            + code.ref_func(3)
            + code.return_call_ref(0),
            "",
        ),
    ],
    tables=[Table(4, 4, reference(0), "typed", code.ref_null(0)), Table(2)],
    memories=[Memory(1, 2, name="a"), Memory(0)],
    globals=[Global(I64, False, code.i64_const(1) + code.i64_const(2) + code.op("i64.add"))],
    exports=[Export("\N{SNOWMAN}\0", ExternalKind.MEMORY, 1), Export("", ExternalKind.TABLE, 0)],
    start=0,
    elements=[
        ElementSegment(0, code.global_get(0), [0, 1]),
        ElementSegment(2, code.i32_const(0), [1]),
        ElementSegment(0, None, []),
        ElementSegment(0, None, [3], declarative=True),
        ElementSegment(1, code.i32_const(0), [3], type=reference(0)),
        ElementSegment(1, None, [3], type=reference(0)),
    ],
    data=[
        DataSegment(1, code.i32_const(0), bytes(range(256)) * 9),
        DataSegment(0, None, b""),
        DataSegment(0, code.i32_const(1), b"x"),
    ],
    name="rich module",
    producers=[("pvm-wasm", "1"), ("other", '"2"')],
)

ASSEMBLED = [
    """(module $m (type $t (func (param i64))) (memory $mem 1) (data $d "abc") (table $tab 1 externref)
    (elem $e externref (ref.null extern)) (@custom "odd" "x\\00y") (@custom "producers" "bad")
    (@producers (sdk "s" "1") (language "Python" "3") (processed-by "p" "2") (language "C" "99"))
    (table $fun 3 funcref) (elem $x (table $fun) (i32.const 0) funcref (ref.func 0) (ref.null func))
    (func (param i32 i32) (result i32) i32.const 0 i32.const 0 i32.const 0 memory.init $d
      i32.const 0 i32.const 0 i32.const 0 table.init $tab $e elem.drop $e
      i32.const 0 i32.const 0 i32.const 0 table.copy $tab $tab
      i32.const 0 i32.const 0 i32.const 0 memory.copy
      local.get 0 local.get 1 i32.const 1 select (result i32))
    (func $loc (type $t) (local $x (ref null func)) (local (ref null $t) f32 f64) block $named end
      ref.func $loc call $drop block (result (ref $t)) ref.func $loc br_on_non_null 0 unreachable end drop)
    (func $drop (param (ref func))) (elem declare func $loc))""",
    """(module (memory 1 2 shared) (memory $z 1) (func (param i32) (result i32) local.get 0 i32.load8_u 1 offset=3
      if (param) (result i32) i32.const 1 else i32.const 2 end))""",
    "(module)",
    "(module (func) (start 0))",
]


def features() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.wasm_tail_call = True
    config.wasm_function_references = True
    config.wasm_wide_arithmetic = True
    config.wasm_threads = True
    config.shared_memory = True
    return wasmtime.Engine(config)


def reassembled(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def test_golden() -> None:
    assert to_text(encode(SMALL)) == SMALL_TEXT


@pytest.mark.parametrize(
    "wasm", [encode(SMALL), encode(RICH), *map(reassembled, ASSEMBLED)], ids=lambda wasm: str(len(wasm))
)
def test_text_reads_back(wasm: bytes) -> None:
    wasmtime.Module.validate(features(), wasm)
    text = to_text(wasm)
    again = reassembled(text)
    wasmtime.Module.validate(features(), again)
    assert to_text(again) == text


def test_identifiers_are_legal_and_unique() -> None:
    text = to_text(encode(RICH))
    for name in ("$rich_module", "$same ", "$same.1 ", "$same.1.2 ", "$odd__name____ ", "$x ", "$x.1 "):
        assert name in text


def test_every_instruction_reads_back() -> None:
    """Each instruction with zeros for immediates; the result need not be valid, only assemble."""
    operands = {
        Immediate.NONE: b"",
        Immediate.BLOCK_TYPE: b"\x40\x0b",
        Immediate.I64: b"\x7f",
        Immediate.HEAP_TYPE: b"\x70",
        Immediate.VALUE_TYPES: b"\x01\x7e",
        Immediate.LABELS: b"\x01\x00\x00",
        Immediate.ACCESS: b"\x00\x05",
        Immediate.MEMORY_MEMORY: b"\x00\x00",
        Immediate.TABLE_TABLE: b"\x00\x00",
        Immediate.TYPE_TABLE: b"\x00\x00",
        Immediate.DATA_MEMORY: b"\x00\x00",
        Immediate.ELEMENT_TABLE: b"\x00\x00",
    }
    instructions = [i for i in BY_OPCODE.values() if i.name not in ("else", "end")]
    body = b"".join(i.encoding + operands.get(i.immediate, b"\x00") for i in instructions)
    module = Module(
        functions=[Function(NONE, [I64], body)],
        tables=[Table(1)],
        memories=[Memory(1)],
        globals=[Global(I32, True, code.i32_const(0))],
        data=[DataSegment(0, None, b"")],
        elements=[ElementSegment(0, None, [0])],
    )
    text = to_text(encode(module))
    assert to_text(reassembled(text)) == text
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("    ")]
    assert set(lines) >= {i.name for i in instructions}


def test_long_data_is_complete() -> None:
    data = bytes(i * 7 & 0xFF for i in range(100_000))
    text = to_text(encode(Module(memories=[Memory(9)], data=[DataSegment(0, code.i32_const(0), data)])))
    assert data in reassembled(text)


def test_long_names_are_cut_and_stay_unique() -> None:
    names = ["n" * 300, "n" * 126, "n" * 127, "n" * 128, "n" * 200]
    text = to_text(encode(Module(functions=[Function(NONE, (), b"", name) for name in names])))
    again = to_text(reassembled(text))
    assert again == text
    assert max(map(len, text.split())) <= 128


def _section(number: int, content: str) -> bytes:
    return b"\0asm\1\0\0\0" + bytes([number, len(content) // 2]) + bytes.fromhex(content)


@pytest.mark.parametrize(
    ("wasm", "what", "offset"),
    [
        (b"", "not a binary module", 0),
        (b"\0asm\2\0\0\0", "not a binary module", 0),
        (b"\0asm\1\0\0\0\x01", "ends inside an integer", 9),
        (b"\0asm\1\0\0\0\x01\x05\x00", "5 bytes announced, 1 left", 10),
        (b"\0asm\1\0\0\0\x0d\x00", "unknown section 13", 8),
        (_section(3, "00") + _section(1, "00")[8:], "type section out of order", 11),
        (_section(1, "00") + _section(1, "00")[8:], "type section out of order", 11),
        (_section(1, "0000"), "1 byte left over in type section", 11),
        (_section(1, "015f00"), "type form 0x5f", 11),
        (_section(1, "0160017b00"), "unknown value type 0x7b", 13),
        (_section(1, "ffffffff0f"), "items announced", 10),
        (_section(3, "0100"), "type 0 is not among", 11),
        (_section(5, "010400"), "unknown form of limits", 11),
        (_section(0, "0261"), "2 bytes announced", 11),
        (_section(0, "01ff"), "not UTF-8", 10),
        (_section(6, "017f00430b"), "unknown instruction 0x43", 13),
        (_section(6, "017f0002400b0b"), "block in a constant expression", 13),
        (_section(12, "01"), "1 data segments announced, 0 there", 11),
        (_section(1, "01600000") + _section(3, "0100")[8:], "1 functions but 0 bodies", 18),
        (_section(1, "01600000") + _section(10, "0102000b")[8:], "more bodies than functions", 17),
        (_section(1, "01600000") + _section(3, "0100")[8:] + _section(10, "010300050b")[8:], "else without if", 23),
        (_section(1, "01600000") + _section(3, "0100")[8:] + _section(10, "0103000b0b")[8:], "1 byte left over", 24),
        (_section(1, "01600000") + _section(3, "0100")[8:] + _section(10, "01020001")[8:], "unexpected end", 24),
    ],
)
def test_corrupt(wasm: bytes, what: str, offset: int) -> None:
    with pytest.raises(WasmError, match=what) as caught:
        to_text(wasm)
    assert caught.value.offset == offset
    assert f"byte offset {offset}" in str(caught.value)


def test_locals_out_of_proportion() -> None:
    functions = [Function(NONE, [I32] * 50_000, b"")] * 3
    assert bytes.fromhex("01d086037f0b") in encode(Module(functions=functions))  # 50000 locals in 6 bytes
    assert to_text(encode(Module(functions=functions[:1]))).count("i32") == 50_000
    with pytest.raises(WasmError, match="too many locals"):
        to_text(encode(Module(functions=functions)))
    with pytest.raises(WasmError, match="more than 50000 locals"):
        to_text(encode(Module(functions=[Function(NONE, [I32] * 50_001, b"")])))


RICH_WASM = encode(RICH).replace(bytes(range(256)) * 8, b"")


@pytest.mark.parametrize("wasm", [encode(SMALL), encode(RICH)], ids=["small", "rich"])
def test_truncation_is_an_error(wasm: bytes) -> None:
    whole = []  # the lengths at which a truncated module is whole again: between sections
    for size in range(len(wasm)):
        try:
            to_text(wasm[:size])
        except WasmError:
            continue
        whole.append(size)
    assert whole[0] == 8
    assert len(whole) <= 13


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([encode(SMALL), RICH_WASM, encode(RICH)]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255), st.integers(0, 2)), min_size=1, max_size=6),
)
@example(encode(RICH), [(0, 0, 0)])
def test_mutation_raises_nothing_else(wasm: bytes, edits: list[tuple[int, int, int]]) -> None:
    mutated = bytearray(wasm)
    for place, byte, edit in edits:
        at = 8 + place % (len(mutated) - 8)
        mutated[at : at + (edit > 0)] = bytes([byte]) if edit < 2 else b""
    try:
        assert to_text(bytes(mutated)).startswith("(module")
    except WasmError as error:
        assert 0 <= error.offset <= len(mutated)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    for wasm in (noise, b"\0asm\1\0\0\0" + noise):
        try:
            to_text(wasm)
        except WasmError as error:
            assert 0 <= error.offset <= len(wasm)


def _seconds(wasm: bytes) -> float:
    start = time.process_time()
    to_text(wasm)
    return time.process_time() - start


def _nested(depth: int) -> bytes:
    body = code.op("nop")
    opener = code.block()[:-1]
    return encode(Module(functions=[Function(NONE, (), opener * depth + body + code.op("end") * depth)]))


def _many(count: int) -> bytes:
    functions = [Function(UNARY, [I64], code.local_get(0), "same", ("x", "x"))] * count
    return encode(Module(functions=functions))


def _long(size: int) -> bytes:
    return encode(Module(memories=[Memory(1)], data=[DataSegment(0, code.i32_const(0), bytes(size))]))


@pytest.mark.parametrize(("make", "size"), [(_nested, 20_000), (_many, 4_000), (_long, 500_000)])
def test_big_inputs_take_linear_time(make: Callable[[int], bytes], size: int) -> None:
    small, large = make(size), make(8 * size)
    # Linear is 8 times, quadratic 64; the constant forgives a slow start.
    assert _seconds(large) < 24 * _seconds(small) + 0.1


def test_lines_take_little_memory() -> None:
    count = 100_000
    wasm = encode(Module(functions=[Function(NONE, (), code.op("nop") * count)]))
    tracemalloc.start()
    try:
        lines = sum(1 for _ in text_lines(wasm))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == to_text(wasm).count("\n") > count
    assert peak < 10 * count, "all lines were in memory"
