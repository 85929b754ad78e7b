"""Text of strangers on the terminal, as `pvm.printable.escaped` makes it safe.

In: a `Writer`. Out: functions put_escaped, put_character, character, is_printable, count_up_to.
"""

from __future__ import annotations

import sys
from array import array
from functools import cache

from pvm.standalone.writer import Writer, host
from pvm.wasm import Function
from pvm.wasm.values import Draft, any_, either, leave, sequence, value_of, when, while_

_SIZE_SHIFT = 24  # of what `character` returns: octets << 24 | code point


def define_escape(w: Writer) -> None:
    """Add the functions."""
    w.define(_put_escaped(w), _put_character(w), _character(), _is_printable(w), _count_up_to())


@cache
def _changes() -> tuple[int, ...]:
    """The code points where being printable begins or ends, after an unprintable start."""
    known = [False, *(chr(code).isprintable() for code in range(sys.maxunicode + 1))]
    return tuple(code for code in range(sys.maxunicode + 1) if known[code] != known[code + 1])


def _put_escaped(w: Writer) -> Function:
    """(address, length): print these octets of the host memory as UTF-8 on one line; escape what is none."""
    draft = Draft("put_escaped")
    address, length = draft.param("address"), draft.param("length")
    found, size = draft.local("found"), draft.local("size")
    return draft.function(
        while_(
            length,
            found.set(w.call("character", address, length)),
            size.set(found >> _SIZE_SHIFT),
            either(
                size,
                w.call("put_character", address, size, found & (1 << _SIZE_SHIFT) - 1),
                sequence(size.set(1), w.put("\\x"), w.call("put_hex", host.byte(address), 2)),
            ),
            address.add(size),
            length.set(length - size),
        )
    )


def _put_character(w: Writer) -> Function:
    """(address, size, code): print a character, whose octets are there, or its escape as Python writes it."""
    draft = Draft("put_character")
    address, size, code = draft.param("address"), draft.param("size"), draft.param("code")
    named = sequence(*(when(code.equals(ord(c)), w.put(repr(c)[1:-1]), leave()) for c in "\t\n\r"))
    return draft.function(
        when(w.call("is_printable", code), w.call("put_text", address, size), leave()),
        named,
        when(code < 1 << 8, w.put("\\x"), w.call("put_hex", code, 2), leave()),
        when(code < 1 << 16, w.put("\\u"), w.call("put_hex", code, 4), leave()),
        w.put("\\U"), w.call("put_hex", code, 8),
    )  # fmt: skip


def _character() -> Function:
    """(address, length) -> its octets << 24 | the code point that begins there, 0 where no UTF-8 does."""
    draft = Draft("character")
    address, length = draft.param("address"), draft.param("length")
    code, size, at = draft.local("code"), draft.local("size"), draft.local("at")
    following = host.byte(address + at)
    wrong = [
        size.equals(2) & (code < 0x80),
        size.equals(3) & ((code < 0x800) | (code & 0xFFFFF800).equals(0xD800)),
        size.equals(4) & ((code < 0x10000) | (code > sys.maxunicode)),
    ]
    return draft.function(
        code.set(host.byte(address)),
        when(code < 0x80, leave(code | 1 << _SIZE_SHIFT)),
        # The leading ones of the first octet are the size.
        size.set((code ^ 0xFF).leading_zeros() - 24),
        when(any_((size - 2) > 2, size > length), leave(0)),
        code.set(code & value_of(0x7F) >> size),
        at.set(1),
        while_(
            at < size,
            when((following & 0xC0).differs(0x80), leave(0)),
            code.set(code << 6 | following & 0x3F),
            at.add(1),
        ),
        when(wrong[0] | wrong[1] | wrong[2], leave(0)),
        code | size << _SIZE_SHIFT,
        result=code.type,
    )


def _is_printable(w: Writer) -> Function:
    """(code) -> whether Python calls the code point printable: whether it comes after an odd number of changes."""
    draft = Draft("is_printable")
    code = draft.param("code")
    table = array("I", _changes())
    count = w.call("count_up_to", w.constant(table.tobytes()), len(table), code)
    return draft.function(count & 1, result=code.type)


def _count_up_to() -> Function:
    """(table, count, value) -> how many of the words in increasing order at `table` are not above `value`."""
    draft = Draft("count_up_to")
    table, count, value = draft.param("table"), draft.param("count"), draft.param("value")
    first, middle = draft.local("first"), draft.local("middle")
    return draft.function(
        while_(
            first < count,
            middle.set((first + count) >> 1),
            either(host.word(table + (middle << 2)) > value, count.set(middle), first.set(middle + 1)),
        ),
        first,
        result=table.type,
    )
