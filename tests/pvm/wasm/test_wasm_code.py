"""The encodings of instructions, and the numbers and names refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm.wasm import EXTERNREF, I64, code
from pvm.wasm.leb128 import read_signed
from pvm.wasm.opcodes import BY_NAME, BY_OPCODE, Immediate

CASES: list[tuple[bytes, str]] = [
    (code.op("unreachable"), "00"),
    (code.op("i64.add"), "7c"),
    (code.op("i64.mul_wide_u"), "fc16"),
    (code.op("select"), "1b"),
    (code.i32_const(-1), "417f"),
    (code.i32_const(0xFFFFFFFF), "417f"),
    (code.i64_const(2**63), "428080808080808080807f"),
    (code.local_get(200), "20c801"),
    (code.local_set(1), "2101"),
    (code.local_tee(2), "2202"),
    (code.global_get(3), "2303"),
    (code.global_set(4), "2404"),
    (code.call(5), "1005"),
    (code.call_indirect(6), "110600"),
    (code.call_indirect(6, 1), "110601"),
    (code.return_call(7), "1207"),
    (code.return_call_indirect(8, table=2), "130802"),
    (code.call_ref(1), "1401"),
    (code.return_call_ref(1), "1501"),
    (code.br(0), "0c00"),
    (code.br_if(1), "0d01"),
    (code.br_table([0, 1], 2), "0e02000102"),
    (code.load("i64.load"), "290300"),
    (code.load("i64.load8_u", offset=300), "3100ac02"),
    (code.load("i32.load", offset=4, memory=1, align=0), "28400104"),
    (code.store("i64.store32"), "3e0200"),
    (code.store("i64.store", memory=2, offset=1), "37430201"),
    (code.memory_size(), "3f00"),
    (code.memory_grow(1), "4001"),
    (code.memory_fill(1), "fc0b01"),
    (code.memory_copy(1, 2), "fc0a0102"),
    (code.memory_init(3, 1), "fc080301"),
    (code.data_drop(3), "fc0903"),
    (code.block(code.op("nop"), code.br(0)), "0240010c000b"),
    (code.loop(), "03400b"),
    (code.block(result=I64), "027e0b"),
    (code.block(result=70), "02c6000b"),
    (code.if_(b"\x01"), "0440010b"),
    (code.if_(b"\x01", b"", result=None), "044001050b"),
    (code.ref_null(), "d070"),
    (code.ref_null(EXTERNREF), "d06f"),
    (code.ref_null(64), "d0c000"),
    (code.ref_func(9), "d209"),
    (code.table_get(), "2500"),
    (code.table_set(1), "2601"),
    (code.table_size(), "fc1000"),
    (code.table_grow(), "fc0f00"),
]

REFUSED: list[Callable[[], bytes]] = [
    lambda: code.op("i64.addd"),
    lambda: code.op("i64.load"),
    lambda: code.i32_const(2**32),
    lambda: code.i32_const(-(2**31) - 1),
    lambda: code.i64_const(2**64),
    lambda: code.local_get(-1),
    lambda: code.call(2**32),
    lambda: code.load("i64.store"),
    lambda: code.store("i64.load"),
    lambda: code.load("i64.load9"),
    lambda: code.load("v128.load"),
    lambda: code.load("i32.load8_u", align=1),
    lambda: code.load("i32.load", offset=2**32),
    lambda: code.load("i32.load", memory=-1),
    lambda: code.block(result=-1),
    lambda: code.ref_null(I64),
]


@pytest.mark.parametrize(("encoded", "expected"), CASES)
def test_encoding(encoded: bytes, expected: str) -> None:
    assert encoded.hex() == expected


@pytest.mark.parametrize("make", REFUSED)
def test_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError):
        make()


@given(st.integers(-(2**63), 2**64 - 1))
def test_i64_const_wraps(n: int) -> None:
    encoded = code.i64_const(n)
    assert read_signed(encoded, 1, 64) == ((n + 2**63) % 2**64 - 2**63, len(encoded))


def test_table_has_each_name_and_encoding_once() -> None:
    assert len({i.encoding for i in BY_OPCODE.values()}) == len(BY_OPCODE)
    assert len(BY_NAME) == len(BY_OPCODE) - 1  # the two encodings of select


def test_natural_alignments() -> None:
    accesses = {i.name: i.natural_alignment for i in BY_NAME.values() if i.immediate is Immediate.ACCESS}
    assert len(accesses) == 19
    assert accesses["i64.load"] == 3
    assert accesses["i32.store"] == 2
    assert accesses["i64.load16_s"] == 1
    assert accesses["i64.store8"] == 0
