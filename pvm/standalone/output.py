"""Printing: to a buffer in the host memory, from there to standard output or standard error.

In: a `Writer`. Out: functions put_byte, put_text, put_number, put_hex, put_octet, put_short_hex, flush, refused,
begin_error, end_error.
"""

from __future__ import annotations

from pvm.standalone import wasi
from pvm.standalone.writer import ANSWER, OUTPUT, OUTPUT_SIZE, RANGE, Writer, host
from pvm.wasm import I64, Function
from pvm.wasm.values import Draft, Variable, any_, leave, sequence, when, while_

_DIGITS = b"0123456789abcdef"


def file(w: Writer) -> Variable:
    """Where output goes."""
    return w.variable("file", initial=wasi.STANDARD_OUTPUT)


def pending(w: Writer) -> Variable:
    """How many bytes of the buffer are to be written."""
    return w.variable("pending")


def define_output(w: Writer) -> None:
    """Add the functions."""
    w.define(
        _put_byte(w), _put_text(w), _put_number(w), _put_hex(w), _put_octet(w), _put_short_hex(w), _flush(w),
        _refused(w), _begin_error(w), _end_error(w),
    )  # fmt: skip


def _put_byte(w: Writer) -> Function:
    """(byte): print it."""
    draft = Draft("put_byte")
    byte = draft.param("byte")
    count = pending(w)
    return draft.function(
        when(count >= OUTPUT_SIZE, w.call("flush")),
        host.set_byte(count, byte, OUTPUT),
        count.add(1),
    )


def _put_text(w: Writer) -> Function:
    """(address, length): print these bytes of the host memory as they are."""
    draft = Draft("put_text")
    address, length = draft.param("address"), draft.param("length")
    return draft.function(
        while_(length, w.call("put_byte", host.byte(address)), address.add(1), length.set(length - 1))
    )


def _put_number(w: Writer) -> Function:
    """(number): print it in decimal."""
    draft = Draft("put_number")
    number = draft.param("number", I64)
    return draft.function(
        when(number >= 10, w.call("put_number", number // 10)),
        w.call("put_byte", (number % 10).narrow() + ord("0")),
    )


def _put_hex(w: Writer) -> Function:
    """(value, count): print the low `count` hexadecimal digits."""
    draft = Draft("put_hex")
    value, count = draft.param("value"), draft.param("count")
    return draft.function(
        while_(
            count,
            count.set(count - 1),
            w.call("put_byte", host.byte((value >> (count << 2)) & 15, w.constant(_DIGITS))),
        )
    )


def _put_octet(w: Writer) -> Function:
    """(octet): print its two hexadecimal digits, both at once because results are long."""
    draft = Draft("put_octet")
    octet = draft.param("octet")
    count = pending(w)
    pairs = w.constant("".join(f"{octet:02x}" for octet in range(256)).encode())
    return draft.function(
        when(count >= OUTPUT_SIZE - 1, w.call("flush")),
        host.set_half(count, host.half(octet << 1, pairs), OUTPUT),
        count.add(2),
    )


def _put_short_hex(w: Writer) -> Function:
    """(number): print it in hexadecimal."""
    draft = Draft("put_short_hex")
    number = draft.param("number", I64)
    return draft.function(
        when(number >= 16, w.call("put_short_hex", number >> 4)),
        w.call("put_hex", number.narrow(), 1),
    )


def _flush(w: Writer) -> Function:
    """(): write what the buffer holds. Nothing can be done about a closed standard error: it is dropped."""
    draft = Draft("flush")
    at = draft.local("at")
    count = pending(w)
    write = w.call("fd_write", file(w), RANGE, 1, ANSWER)
    return draft.function(
        while_(
            at < count,
            host.set_word(RANGE, at + OUTPUT),
            host.set_word(RANGE, count - at, 4),
            host.set_word(ANSWER, 0),
            when(
                any_(write, ~host.word(ANSWER)),
                when(file(w).equals(wasi.STANDARD_OUTPUT), w.call("refused")),
                count.set(0),
                leave(),
            ),
            at.add(host.word(ANSWER)),
        ),
        count.set(0),
    )


def _refused(w: Writer) -> Function:
    """(): standard output cannot be written to."""
    return Draft("refused").function(w.fail("standard output: it cannot be written to"))


def _begin_error(w: Writer) -> Function:
    """(): forget what is not written yet, and begin the line that says what is wrong."""
    begin = sequence(pending(w).set(0), file(w).set(wasi.STANDARD_ERROR))
    return Draft("begin_error").function(begin, w.put("pvm: error: "))


def _end_error(w: Writer) -> Function:
    """(): end that line, and the run."""
    return Draft("end_error").function(w.put("\n"), w.call("flush"), w.call("proc_exit", wasi.BAD_INPUT))
