"""The index of a program against what it is derived from."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvm.examples import EXAMPLES
from pvm.flow import index
from pvm.flow.index import CALL, DYNAMIC, JUMP, LOAD, STORE, STRAIGHT, TRAP, index_of
from pvm.isa import GP_072, GP_080, Spec
from pvm.program import Blob, assemble, block_starts, decode, pack_bitmask
from pvm.program.explain import jump_target


def check(blob: Blob, spec: Spec) -> None:
    found, instructions = index_of(blob, spec), list(decode(blob, spec))
    assert list(found.pcs) == [i.pc for i in instructions]
    starts = block_starts(blob, spec)
    assert list(found.blocks) == [i.pc in starts for i in instructions]
    targets = [-1 if (target := jump_target(i)) is None or not 0 <= target < 1 << 31 else target for i in instructions]
    assert list(found.targets) == targets
    assert [kind == TRAP for kind in found.kinds] == [i.row.name == "trap" for i in instructions]


@pytest.mark.parametrize("name", [example.name for example in EXAMPLES])
def test_examples(name: str) -> None:
    [source] = [example.source for example in EXAMPLES if example.name == name]
    for spec in (GP_072, GP_080):
        check(assemble(source, spec).blob, spec)


@given(st.binary(max_size=200), st.binary(min_size=25, max_size=25), st.integers(1, 200))
@settings(deadline=None)
def test_any_code(code: bytes, marks: bytes, chunk: int) -> None:
    bits = bytes(marks[i // 8] >> i % 8 & 1 for i in range(len(code)))
    blob = Blob(code, pack_bitmask(bits))
    before = index._CHUNK
    index._CHUNK = max(chunk, 26)
    try:
        check(blob, GP_072)
        check(blob, GP_080)
    finally:
        index._CHUNK = before


def test_kinds_and_blocks() -> None:
    source = "trap\njump pc + 0\njump_ind r0\necalli 1\nload_u8 r1, [4]\nstore_u8 [4], r1\nadd_64 r1, r2, r3\n.raw 0xff"
    found = index_of(assemble(source).blob, GP_072)
    assert list(found.kinds) == [TRAP, JUMP, DYNAMIC, CALL, LOAD, STORE, STRAIGHT, TRAP]
    assert list(found.blocks) == [1, 1, 1, 1, 0, 0, 0, 0]
    assert found.block_around(5) == (3, 8) and found.block_around(0) == (0, 1)
    assert found.find(1) == 1 and found.find(3) is None and found.find(10**9) is None
    assert found.starts_block(1) and not found.starts_block(3)


def test_marks_and_undefined_opcodes() -> None:
    """Blocks start behind marked terminators, where a marked and defined opcode is."""
    for code, marks, blocks in (
        ("010100", "011", [0, 0, 1]),  # pc 0 is not marked
        ("ff0100", "111", [0, 0, 1]), ("01ff00", "111", [1, 0, 0]),  # undefined
        ("01" + 30 * "00" + "00", "1" + 30 * "0" + "1", [1, 0, 0]),  # visited at 25, not marked
        ("330701 00", "100 1", [1, 0]),  # the terminator's octet is an operand
    ):
        found = index_of(Blob(bytes.fromhex(code), pack_bitmask(bytes(map(int, marks.replace(" ", ""))))), GP_072)
        assert list(found.blocks) == blocks, code


def test_a_large_program_takes_linear_time() -> None:
    size = 1_000_000
    blob = Blob(b"\x01" * size, pack_bitmask(b"\x01" * size))
    began, done = time.perf_counter(), []
    found = index_of(blob, GP_072, done.append)
    assert time.perf_counter() - began < 10
    assert len(found.pcs) == size == found.blocks.count(1)
    assert done == sorted(done) and len(done) > 10
