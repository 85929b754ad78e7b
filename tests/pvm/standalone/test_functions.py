"""Single functions of standalone modules, where what they compute is a matter of many cases."""

from __future__ import annotations

import sys

import pytest
import wasmtime

from pvm import abi
from pvm.standalone import wasi
from pvm.standalone.escape import _changes, define_escape
from pvm.standalone.files import define_files, top
from pvm.standalone.numbers import define_numbers
from pvm.standalone.output import define_output
from pvm.standalone.writer import HOST, Writer
from pvm.wasm import Export, ExternalKind, Memory, Module, encode
from pvm.wasm.values import Draft


class Functions:
    """The functions of a module without engine and guest: `call(name, *numbers)`, and its memory."""

    def __init__(self) -> None:
        w = Writer({}, len(wasi.IMPORTS))
        for define in (define_output, define_escape, define_files, define_numbers):
            define(w)
        w.define(Draft("begin").function(top(w).set(w.end)))
        functions = w.linker.functions()
        self.end = w.end
        module = Module(
            imports=wasi.IMPORTS, functions=functions, memories=(Memory(0), Memory(0), Memory(1, abi.GUEST_PAGES)),
            globals=w.linker.globals(), data=(w.segment(),),
            exports=(
                Export("memory", ExternalKind.MEMORY, HOST),
                *(Export(f.name, ExternalKind.FUNCTION, w.linker.index(f.name)) for f in functions),
            ),
        )  # fmt: skip
        engine = wasmtime.Engine()
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self.store = wasmtime.Store(engine)
        self.store.set_wasi(wasmtime.WasiConfig())
        self.exports = linker.instantiate(self.store, wasmtime.Module(engine, encode(module))).exports(self.store)
        self.call("begin")

    def call(self, name, *numbers):
        return self.exports[name](self.store, *numbers)

    def write(self, data):
        """Put data into the memory, and say where."""
        self.exports["memory"].write(self.store, data, self.end)
        return self.end

    def pages(self):
        return self.exports["memory"].size(self.store)


@pytest.fixture(scope="module")
def functions():
    return Functions()


def test_printable_characters_are_python_s(functions):
    changes = _changes()
    for code in {0, sys.maxunicode, *changes, *(code - 1 for code in changes)}:
        assert functions.call("is_printable", code) == chr(code).isprintable(), hex(code)


def test_characters_are_utf_8(functions):
    def found(octets):
        at = functions.write(octets + b"\x80" * 4)  # beyond the length nothing counts
        result = functions.call("character", at, len(octets))
        return (result >> 24, result & 0xFFFFFF) if result else None

    for code in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF):
        octets = chr(code).encode()
        assert found(octets) == found(octets + b"x") == (len(octets), code)
        for length in range(1, len(octets)):
            assert found(octets[:length]) is None
    for first in range(0x80, 0x100):
        for rest in (b"\x80" * 3, b"\xbf" * 3, b"\xa0\x80\x80", b"\x90\x80\x80", b"\x8f\xbf\xbf", b"\x9f\xbf\x41"):
            octets = bytes([first]) + rest
            expected = None
            for size in range(2, len(octets) + 1):
                try:
                    expected = (size, ord(octets[:size].decode()))
                    break
                except UnicodeDecodeError:
                    pass
            assert found(octets) == expected, octets


def test_digits(functions):
    for octet in range(256):
        is_digit = chr(octet) in "0123456789abcdefABCDEF"
        assert functions.call("digit_value", octet) == (int(chr(octet), 16) if is_digit else 16)


def test_tables_are_searched(functions):
    for table in ((), (5,), (0, 5), (3, 3, 9, 0xFFFFFFFF)):
        at = functions.write(b"".join(word.to_bytes(4, "little") for word in table))
        for value in (0, 1, 3, 4, 5, 8, 9, 10, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            assert functions.call("count_up_to", at, len(table), value) == sum(word <= value for word in table)


def test_texts_have_a_length(functions):
    for text in (b"", b"a", b"x" * 1000):
        assert functions.call("length_of", functions.write(text + b"\0")) == len(text)


def test_memory_grows_as_needed():
    functions = Functions()
    first = functions.call("allocate", 0)
    assert first == functions.end and functions.call("allocate", 1000) == first and functions.pages() == 1
    at = functions.call("allocate", 100_000) % (1 << 32)
    assert at == first + 1000 and functions.pages() == -(-(at + 100_000) // abi.WASM_PAGE)
    with pytest.raises(wasmtime.ExitTrap) as exit:
        functions.call("allocate", 0xFFFFFFFF)
    assert exit.value.code == wasi.BAD_INPUT
