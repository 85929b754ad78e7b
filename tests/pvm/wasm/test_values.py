"""Functions written with values compute what Python computes."""

from __future__ import annotations

import operator
from itertools import product

import pytest
import wasmtime

from pvm.wasm import I32, I64, Export, ExternalKind, Memory, Module, encode
from pvm.wasm.values import (
    Draft,
    Linear,
    Linker,
    Value,
    any_,
    both,
    choose,
    drop,
    either,
    leave,
    sequence,
    value_of,
    when,
    while_,
)

MEMORY = Linear(0)


def instance(linker):
    """Its functions by name, as Python functions."""
    functions = linker.functions()
    module = Module(
        functions=functions, globals=linker.globals(), memories=(Memory(1, 3), Memory(1)),
        exports=[Export(f.name, ExternalKind.FUNCTION, linker.index(f.name)) for f in functions],
    )  # fmt: skip
    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, encode(module)), []).exports(store)
    return {f.name: lambda *numbers, name=f.name: exports[name](store, *numbers) for f in functions}


def of_two(operation, type, result):
    """A function of two numbers that computes `operation`."""
    linker, draft = Linker({}, 0), Draft("f")
    a, b = draft.param("a", type), draft.param("b", type)
    linker.define(draft.function(operation(a, b), result=result))
    return instance(linker)["f"]


@pytest.mark.parametrize(("type", "bits"), [(I32, 32), (I64, 64)], ids=["i32", "i64"])
def test_operators(type, bits):
    limit = 1 << bits
    numbers = (0, 1, 2, 7, bits - 1, limit // 2 - 1, limit // 2, limit - 1)
    operations = (
        operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor, operator.floordiv,
        operator.mod, operator.lshift, operator.rshift,
    )  # fmt: skip
    for operation in operations:
        f = of_two(operation, type, type)
        for a, b in product(numbers, repeat=2):
            if operation in (operator.floordiv, operator.mod) and not b:
                continue
            count = b % bits if operation in (operator.lshift, operator.rshift) else b
            assert f(a, b) % limit == operation(a, count) % limit, operation
    for operation, meaning in (
        (operator.lt, operator.lt), (operator.le, operator.le), (operator.gt, operator.gt), (operator.ge, operator.ge),
        (Value.equals, operator.eq), (Value.differs, operator.ne), (lambda a, b: ~a, lambda a, b: not a),
        (both, lambda a, b: a and b), (any_, lambda a, b: a or b),
    ):  # fmt: skip
        f = of_two(operation, type, I32)
        for a, b in product(numbers, repeat=2):
            assert f(a, b) == bool(meaning(a, b))
    for operation, meaning in (
        (lambda a, b: a.leading_zeros(), lambda a: bits - a.bit_length()), (lambda a, b: a.ones(), int.bit_count),
        (lambda a, b: 3 + a, lambda a: a + 3), (lambda a, b: 3 - a, lambda a: 3 - a),
        (lambda a, b: 3 * a, lambda a: a * 3),
        (lambda a, b: choose(a, 4, 5, type), lambda a: 4 if a else 5),
    ):  # fmt: skip
        f = of_two(operation, type, type)
        for a in numbers:
            assert f(a, 0) % limit == meaning(a) % limit


def test_widths():
    assert of_two(lambda a, b: a.wide(), I32, I64)(-1, 0) == (1 << 32) - 1
    assert of_two(lambda a, b: a.narrow(), I64, I32)((5 << 32) + 7, 0) == 7


def test_control_and_calls():
    linker = Linker({}, 0)
    draft = Draft("gcd")
    a, b, rest = draft.param("a"), draft.param("b"), draft.local("rest")
    linker.define(draft.function(while_(b, rest.set(a % b), a.set(b), b.set(rest)), a, result=I32))
    draft = Draft("sign")
    number, found = draft.param("number", I64), draft.local("found", I64)
    linker.define(draft.function(
        when(~number, leave(0, I64)),
        either(number >> 63, found.set((1 << 64) - 1), found.set(1)),
        drop(linker.call("count")),
        found,
        result=I64,
    ))  # fmt: skip
    calls = linker.variable("calls", initial=40)
    linker.define(Draft("count").function(calls.add(1), linker.variable("calls"), result=I32))
    f = instance(linker)
    assert f["gcd"](48, 180) == 12 and f["gcd"](0, 5) == 5
    assert [f["sign"](n) for n in (0, 5, -5)] == [0, 1, -1]
    assert f["count"]() == 43


def test_memories():
    linker, other = Linker({}, 0), Linear(1)
    draft = Draft("f")
    at = draft.param("at")
    linker.define(draft.function(
        MEMORY.set_long(at, 0x1122334455667788), MEMORY.set_word(at, 0xAABBCCDD, 8), MEMORY.set_byte(at, 0x1FE, 12),
        MEMORY.fill(at + 13, 3, 2), other.copy(0, MEMORY, at, 20), other.word(2), result=I32,
    ))  # fmt: skip
    read = Draft("read")
    at = read.param("at")
    linker.define(read.function(other.long(at) + other.byte(at, 7).wide(), result=I64))
    linker.define(Draft("half").function(MEMORY.set_half(500, 0x1A5A6), MEMORY.half(501), result=I32))
    linker.define(Draft("grow").function(MEMORY.pages() * 100 + MEMORY.grow(1), result=I32))
    f = instance(linker)
    assert f["f"](100) == 0x33445566
    assert f["read"](7) == int.from_bytes(bytes.fromhex("11ddccbbaafe0303"), "little") + 3
    assert f["half"]() == 0xA5
    assert [f["grow"]() for _ in range(3)] == [101, 202, 299]  # the last one fails: -1


def test_mistakes():
    draft = Draft("f")
    number, small = draft.param("number", I64), draft.param("small")
    with pytest.raises(ValueError, match="add of i64 and i32"):
        number + small
    with pytest.raises(ValueError, match="i64 for a variable of i32"):
        small.set(number)
    with pytest.raises(TypeError, match="known only where the code runs"):
        0 < small < 5  # noqa: B015
    draft.local("local")
    with pytest.raises(ValueError, match="parameter late after locals"):
        draft.param("late")
    linker = Linker({"known": 4}, 5)
    assert linker.call("other").code == value_of(linker.call("other")).code != b""
    assert linker.index("known") == 4 and linker.index("other") == 5
    with pytest.raises(ValueError, match="without a definition: other"):
        linker.functions()
    linker.define(Draft("other").function(sequence()))
    with pytest.raises(ValueError, match="defined twice"):
        linker.define(Draft("other").function())
    assert [function.name for function in linker.functions()] == ["other"]
