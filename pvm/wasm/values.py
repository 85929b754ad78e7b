"""Code as expressions of Python: `total + 1` for `local_get(2) + i32_const(1) + op("i32.add")`.

For functions that are written by hand. A `Draft` makes one: parameters and locals are values, values are computed with
operators, statements are bytes. A `Linker` gives functions their indices when they are first called or defined, so
that they can be written in any order. Numbers are unsigned, and Python integers stand for constants.

    draft = Draft("gcd")
    a, b, rest = draft.param("a"), draft.param("b"), draft.local("rest")
    linker.define(draft.function(while_(b, rest.set(a % b), a.set(b), b.set(rest)), a, result=I32))

Raises ValueError for values of two types in one operation. Nothing else is checked here; an engine's validation is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from pvm.wasm.code import (
    block,
    br,
    br_if,
    call,
    global_get,
    global_set,
    i32_const,
    i64_const,
    if_,
    load,
    local_get,
    local_set,
    loop,
    memory_copy,
    memory_fill,
    memory_grow,
    memory_size,
    op,
    store,
)
from pvm.wasm.module import Function, Global
from pvm.wasm.types import I32, I64, FunctionType, ValueType


class Value:
    """Code that pushes one value of a type. `code` may be used more than once, and computes it each time."""

    __slots__ = ("code", "type")

    def __init__(self, code: bytes, type: ValueType = I32) -> None:
        self.code, self.type = code, type

    def __bool__(self) -> NoReturn:
        raise TypeError("a value is known only where the code runs: use `when`, `both`, `choose`")

    def _with(self, name: str, other: Operand, result: ValueType | None = None) -> Value:
        value = value_of(other, self.type)
        if value.type != self.type:
            raise ValueError(f"{name} of {self.type.name} and {value.type.name}")
        return Value(self.code + value.code + op(f"{self.type.name}.{name}"), result or self.type)

    def __add__(self, other: Operand) -> Value:
        return self._with("add", other)

    def __radd__(self, other: int) -> Value:
        return value_of(other, self.type) + self

    def __sub__(self, other: Operand) -> Value:
        return self._with("sub", other)

    def __rsub__(self, other: int) -> Value:
        return value_of(other, self.type) - self

    def __mul__(self, other: Operand) -> Value:
        return self._with("mul", other)

    def __rmul__(self, other: int) -> Value:
        return self * other

    def __floordiv__(self, other: Operand) -> Value:
        return self._with("div_u", other)

    def __mod__(self, other: Operand) -> Value:
        return self._with("rem_u", other)

    def __and__(self, other: Operand) -> Value:
        return self._with("and", other)

    def __or__(self, other: Operand) -> Value:
        return self._with("or", other)

    def __xor__(self, other: Operand) -> Value:
        return self._with("xor", other)

    def __lshift__(self, other: Operand) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Operand) -> Value:
        return self._with("shr_u", other)

    def __lt__(self, other: Operand) -> Value:
        return self._with("lt_u", other, I32)

    def __le__(self, other: Operand) -> Value:
        return self._with("le_u", other, I32)

    def __gt__(self, other: Operand) -> Value:
        return self._with("gt_u", other, I32)

    def __ge__(self, other: Operand) -> Value:
        return self._with("ge_u", other, I32)

    def equals(self, other: Operand) -> Value:
        return self._with("eq", other, I32)

    def differs(self, other: Operand) -> Value:
        return self._with("ne", other, I32)

    def __invert__(self) -> Value:
        """1 for 0, else 0."""
        return Value(self.code + op(f"{self.type.name}.eqz"))

    def leading_zeros(self) -> Value:
        return Value(self.code + op(f"{self.type.name}.clz"), self.type)

    def trailing_zeros(self) -> Value:
        return Value(self.code + op(f"{self.type.name}.ctz"), self.type)

    def rotate_right(self, other: Operand) -> Value:
        return self._with("rotr", other)

    def ones(self) -> Value:
        """How many bits are set."""
        return Value(self.code + op(f"{self.type.name}.popcnt"), self.type)

    def wide(self) -> Value:
        """From i32 to i64."""
        return Value(self.code + op("i64.extend_i32_u"), I64)

    def narrow(self) -> Value:
        """From i64 to i32: the low bits."""
        return Value(self.code + op("i32.wrap_i64"))


Operand = Value | int
Statement = bytes | Value
"""A value as a statement is what a function leaves, or a call of one that yields nothing."""


def value_of(operand: Operand, type: ValueType = I32) -> Value:
    """A constant of the type, or the value itself."""
    if isinstance(operand, Value):
        return operand
    return Value((i32_const if type == I32 else i64_const)(operand), type)


def sequence(*statements: Statement) -> bytes:
    """One statement after the other."""
    return b"".join(statement.code if isinstance(statement, Value) else statement for statement in statements)


class Variable(Value):
    """A value that can be set."""

    __slots__ = ("_set",)

    def __init__(self, get: bytes, set: bytes, type: ValueType) -> None:
        super().__init__(get, type)
        self._set = set

    def set(self, operand: Operand) -> bytes:
        value = value_of(operand, self.type)
        if value.type != self.type:
            raise ValueError(f"{value.type.name} for a variable of {self.type.name}")
        return value.code + self._set

    def add(self, operand: Operand) -> bytes:
        return self.set(self + operand)


# --- control -------------------------------------------------------------------------------------------------------


def _test(condition: Value) -> bytes:
    """Push an i32 that is not 0 where the condition holds: where it is not 0."""
    return (condition if condition.type == I32 else condition.differs(0)).code


def when(condition: Value, *then: Statement) -> bytes:
    return _test(condition) + if_(sequence(*then))


def either(condition: Value, then: Statement, otherwise: Statement) -> bytes:
    return _test(condition) + if_(sequence(then), sequence(otherwise))


def while_(condition: Value, *body: Statement) -> bytes:
    return block(loop((~condition).code + br_if(1) + sequence(*body) + br(0)))


def leave(operand: Operand | None = None, type: ValueType = I32) -> bytes:
    """Return from the function, with a value if it has a result."""
    return (b"" if operand is None else value_of(operand, type).code) + op("return")


def drop(value: Value) -> bytes:
    """Compute a value that is not needed."""
    return value.code + op("drop")


def choose(condition: Value, then: Operand, otherwise: Operand, type: ValueType = I32) -> Value:
    """One of two values; only that one is computed."""
    yes, no = value_of(then, type), value_of(otherwise, type)
    return Value(_test(condition) + if_(yes.code, no.code, result=type), type)


def both(first: Value, second: Value) -> Value:
    """1 if neither is 0; `second` is computed only where `first` is not 0."""
    return choose(first, second.differs(0), 0)


def any_(first: Value, second: Value) -> Value:
    """0 if both are 0; `second` is computed only where `first` is 0."""
    return choose(first, 1, second.differs(0))


UNREACHABLE = op("unreachable")

# --- memories ------------------------------------------------------------------------------------------------------


class Linear:
    """Access to one memory; every method takes an address and an offset that is known now."""

    def __init__(self, memory: int) -> None:
        self._memory = memory

    def byte(self, address: Operand, offset: int = 0) -> Value:
        return Value(value_of(address).code + load("i32.load8_u", offset, self._memory))

    def half(self, address: Operand, offset: int = 0) -> Value:
        """2 bytes as an i32."""
        return Value(value_of(address).code + load("i32.load16_u", offset, self._memory))

    def word(self, address: Operand, offset: int = 0) -> Value:
        """4 bytes as an i32."""
        return Value(value_of(address).code + load("i32.load", offset, self._memory))

    def long(self, address: Operand, offset: int = 0) -> Value:
        """8 bytes as an i64."""
        return Value(value_of(address).code + load("i64.load", offset, self._memory), I64)

    def set_byte(self, address: Operand, value: Operand, offset: int = 0) -> bytes:
        return value_of(address).code + value_of(value).code + store("i32.store8", offset, self._memory)

    def set_half(self, address: Operand, value: Operand, offset: int = 0) -> bytes:
        return value_of(address).code + value_of(value).code + store("i32.store16", offset, self._memory)

    def set_word(self, address: Operand, value: Operand, offset: int = 0) -> bytes:
        return value_of(address).code + value_of(value).code + store("i32.store", offset, self._memory)

    def set_long(self, address: Operand, value: Operand, offset: int = 0) -> bytes:
        return value_of(address).code + value_of(value, I64).code + store("i64.store", offset, self._memory)

    def fill(self, address: Operand, byte: Operand, length: Operand) -> bytes:
        return sequence(*map(value_of, (address, byte, length))) + memory_fill(self._memory)

    def copy(self, address: Operand, source: Linear, source_address: Operand, length: Operand) -> bytes:
        """`length` bytes from another memory, or this one."""
        operands = map(value_of, (address, source_address, length))
        return sequence(*operands) + memory_copy(self._memory, source._memory)

    def pages(self) -> Value:
        """Its size in pages of 64 KiB."""
        return Value(memory_size(self._memory))

    def grow(self, pages: Operand) -> Value:
        """Grow it: its size in pages before, or 2^32 - 1 when that failed."""
        return Value(value_of(pages).code + memory_grow(self._memory))


# --- functions -----------------------------------------------------------------------------------------------------


class Draft:
    """A function in the making: first its parameters, then its locals, then the whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._params: list[tuple[str, ValueType]] = []
        self._locals: list[tuple[str, ValueType]] = []

    def param(self, name: str, type: ValueType = I32) -> Variable:
        if self._locals:
            raise ValueError(f"{self.name}: parameter {name} after locals")
        return self._variable(self._params, name, type)

    def local(self, name: str, type: ValueType = I32) -> Variable:
        return self._variable(self._locals, name, type)

    def _variable(self, group: list[tuple[str, ValueType]], name: str, type: ValueType) -> Variable:
        number = len(self._params) + len(self._locals)
        group.append((name, type))
        return Variable(local_get(number), local_set(number), type)

    def function(self, *statements: Statement, result: ValueType | None = None) -> Function:
        """The function; with a result, the last statement is the value."""
        signature = FunctionType(tuple(type for _, type in self._params), () if result is None else (result,))
        names = [name for name, _ in self._params + self._locals]
        return Function(signature, [type for _, type in self._locals], sequence(*statements), self.name, names)


class Linker:
    """Indices of functions and globals by name.

    `known` are functions that others define; `first` is the index of the first that is defined here, which comes after
    all others.
    """

    def __init__(self, known: Mapping[str, int], first: int) -> None:
        self._index = dict(known)
        self._first = first
        self._names: list[str] = []
        self._functions: dict[str, Function] = {}
        self._globals: dict[str, tuple[int, Global]] = {}

    def index(self, name: str) -> int:
        """The function's index, which it gets now unless it has one."""
        if name not in self._index:
            self._index[name] = self._first + len(self._names)
            self._names.append(name)
        return self._index[name]

    def define(self, *functions: Function) -> None:
        for function in functions:
            name = function.name or ""
            if name in self._functions:
                raise ValueError(f"function {name} is defined twice")
            self.index(name)
            self._functions[name] = function

    def call(self, name: str, *operands: Operand, type: ValueType = I32) -> Value:
        """A call; `type` is that of the result."""
        return Value(sequence(*map(value_of, operands)) + call(self.index(name)), type)

    def variable(self, name: str, type: ValueType = I32, initial: int = 0) -> Variable:
        """A mutable global; the first who names it says how it starts."""
        if name not in self._globals:
            made = Global(type, mutable=True, initial=value_of(initial, type).code, name=name)
            self._globals[name] = len(self._globals), made
        number, found = self._globals[name]
        return Variable(global_get(number), global_set(number), found.type)

    def functions(self) -> Sequence[Function]:
        """All functions defined here, by index. Raises ValueError when one that is called is not."""
        missing = [name for name in self._names if name not in self._functions]
        if missing:
            raise ValueError(f"functions without a definition: {', '.join(missing)}")
        return [self._functions[name] for name in self._names]

    def globals(self) -> Sequence[Global]:
        return [made for _, made in self._globals.values()]
