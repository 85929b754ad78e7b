"""Values of options: numbers and hexadecimal, as `pvm run` reads them.

In: a `Writer`. Out: functions length_of, digit_value, read_number, refuse_number, read_arguments.
"""

from __future__ import annotations

from pvm.standalone.files import file_length
from pvm.standalone.writer import Writer, host
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import Draft, Value, Variable, both, choose, leave, sequence, when, while_

_SHOWN = 40  # octets of a wrong number
_LONGEST_NUMBER = 80  # characters; longer ones are out of every range
_NO_DIGIT = 16


def arguments_length(w: Writer) -> Variable:
    """The length of the arguments that were read last."""
    return w.variable("arguments_length")


def define_numbers(w: Writer) -> None:
    """Add the functions."""
    w.define(_length_of(), _digit_value(), _read_number(w), _refuse_number(w), _read_arguments(w))


def _length_of() -> Function:
    """(text) -> how many octets come before the zero octet."""
    draft = Draft("length_of")
    text, at = draft.param("text"), draft.local("at")
    return draft.function(at.set(text), while_(host.byte(at), at.add(1)), at - text, result=I32)


def _digit_value() -> Function:
    """(octet) -> the value of a hexadecimal digit, 16 for anything else."""
    draft = Draft("digit_value")
    octet = draft.param("octet")
    letter = (octet | 0x20) - ord("a")
    return draft.function(
        when(octet - ord("0") < 10, leave(octet - ord("0"))),
        choose(letter < 6, letter + 10, _NO_DIGIT),
        result=I32,
    )


def _is_x(address: Value) -> Value:
    return (host.byte(address) | 0x20).equals(ord("x"))


def _read_number(w: Writer) -> Function:
    """(text, bits, option, option_length) -> the number below 2^bits that `text` is. Ends the run if it is none.

    Decimal, or hexadecimal with 0x; `_` may separate digits, but begin no decimal number and end no hexadecimal one.
    """
    draft = Draft("read_number")
    text, bits = draft.param("text"), draft.param("bits")
    option, option_length = draft.param("option"), draft.param("option_length")
    at, base, octet, digit = draft.local("at"), draft.local("base"), draft.local("octet"), draft.local("digit")
    count, is_bad, is_large = draft.local("count"), draft.local("is_bad"), draft.local("is_large")
    number = draft.local("number", I64)
    is_negative = host.byte(text).equals(ord("-"))
    wide_base = base.wide()
    is_hexadecimal = both(both(host.byte(at).equals(ord("0")), _is_x(at + 1)), host.byte(at, 2).differs(0))
    take_digit = sequence(
        digit.set(w.call("digit_value", octet)),
        is_bad.set(is_bad | (digit >= base)),
        is_large.set(is_large | (number > (digit.wide() ^ (1 << 64) - 1) // wide_base)),
        number.set(number * wide_base + digit.wide()),
        count.add(1),
    )
    underscore = ord("_")
    last = host.byte(at - 1)
    return draft.function(
        at.set(text + is_negative),
        base.set(10),
        when(is_hexadecimal, base.set(16), at.add(2)),
        count.set(at - text),
        is_bad.set(~host.byte(at) | (host.byte(at).equals(underscore) & base.equals(10))),
        while_(
            host.byte(at),
            octet.set(host.byte(at)),
            when(octet.differs(underscore), take_digit),
            at.add(1),
        ),
        is_bad.set(is_bad | (last.equals(underscore) & base.equals(16))),
        when(is_bad, w.call("refuse_number", text, 0, option, option_length)),
        is_large.set(is_large | (count > _LONGEST_NUMBER) | (is_negative & number.differs(0))),
        is_large.set(is_large | (bits.equals(32) & (number >> 32).differs(0))),
        when(is_large, w.call("refuse_number", text, bits, option, option_length)),
        number,
        result=I64,
    )


def _refuse_number(w: Writer) -> Function:
    """(text, bits, option, option_length): end the run; `bits` is 0 when the text is no number at all."""
    draft = Draft("refuse_number")
    text, bits = draft.param("text"), draft.param("bits")
    option, option_length = draft.param("option"), draft.param("option_length")
    length = draft.local("length")
    shown = w.call("put_escaped", text, length).code
    return draft.function(
        length.set(w.call("length_of", text)),
        when(length > _SHOWN, length.set(_SHOWN)),
        when(~bits, w.fail(
            w.call("put_text", option, option_length), ": '", shown,
            "' is no number: give decimal digits, or 0x and hexadecimal ones",
        )),
        w.fail(
            w.call("put_text", option, option_length), ": ", shown, " is not from 0 to 2^", w.put_number(bits), " - 1"
        ),
    )  # fmt: skip


def _read_arguments(w: Writer) -> Function:
    """(text) -> the address of the bytes that --args gives: hexadecimal, which is decoded in place, or @ and a file."""
    draft = Draft("read_arguments")
    text = draft.param("text")
    at, length, to = draft.local("at"), draft.local("length"), draft.local("to")
    high, low = draft.local("high"), draft.local("low")
    is_prefixed = both(host.byte(text).equals(ord("0")), _is_x(text + 1))
    name = text + 1
    from_file = sequence(
        to.set(w.call("read_file", name, w.call("length_of", name))),
        arguments_length(w).set(file_length(w)),
        leave(to),
    )
    wrong = w.fail(
        "--args: '", w.call("put_escaped", at, 1), "' at character ", w.put_number(at - text + 1),
        " is no hexadecimal digit (a file is @FILE)",
    )  # fmt: skip
    check = while_(
        host.byte(at), when(w.call("digit_value", host.byte(at)).equals(_NO_DIGIT), wrong), at.add(1)
    )
    odd = w.fail("--args: ", w.put_number(length), " hexadecimal digits, but each byte takes two")
    return draft.function(
        when(host.byte(text).equals(ord("@")), from_file),
        at.set(text + choose(is_prefixed, 2, 0)),
        to.set(at),
        check,
        length.set(at - to),
        when(length & 1, odd),
        arguments_length(w).set(length >> 1),
        at.set(to),
        while_(
            host.byte(at),
            high.set(w.call("digit_value", host.byte(at))),
            low.set(w.call("digit_value", host.byte(at, 1))),
            host.set_byte(to, high << 4 | low),
            at.add(2),
            to.add(1),
        ),
        to - arguments_length(w),
        result=I32,
    )
