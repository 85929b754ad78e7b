"""The command line of a standalone module: options as those of `pvm run`, and in the interpreter alone a program file.

In: a `Writer`, what is baked in. Out: functions read_options, read_word, option_value, has_prefix, put_usage; the
globals that they set.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.machine import DEFAULT_GAS
from pvm.printable import counted
from pvm.standalone.numbers import arguments_length
from pvm.standalone.writer import ANSWER, Writer, host
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import (
    Draft,
    Value,
    Variable,
    any_,
    both,
    drop,
    either,
    leave,
    sequence,
    value_of,
    when,
    while_,
)


@dataclass(frozen=True)
class Defaults:
    """What holds unless the command line says otherwise."""

    args: bytes = b""
    gas: int = DEFAULT_GAS
    pc: int = 0


def gas(w: Writer) -> Variable:
    """Gas to start with."""
    return w.variable("gas", I64)


def pc(w: Writer) -> Variable:
    """Where to start."""
    return w.variable("pc")


def arguments(w: Writer) -> Variable:
    """The address of the arguments."""
    return w.variable("arguments")


def path(w: Writer) -> Variable:
    """The address of the program file's name, 0 for none."""
    return w.variable("path")


def _place(w: Writer) -> Variable:
    """The address of the pointer to the word of the command line that is looked at."""
    return w.variable("place")


def _last(w: Writer) -> Variable:
    """The address of the pointer to the last word."""
    return w.variable("last")


def define_options(w: Writer, defaults: Defaults, takes_program: bool) -> None:
    """Add the functions. `takes_program` is whether a program file is named."""
    w.define(
        _read_options(w, defaults, takes_program), _read_word(w, takes_program), _option_value(w), _has_prefix(),
        _put_usage(w, defaults, takes_program),
    )  # fmt: skip


def _read_options(w: Writer, defaults: Defaults, takes_program: bool) -> Function:
    """(): set gas, pc, arguments and path. Ends the run where the command line is wrong."""
    draft = Draft("read_options")
    count, size, table = draft.local("count"), draft.local("size"), draft.local("table")
    return draft.function(
        gas(w).set(defaults.gas),
        pc(w).set(defaults.pc),
        arguments(w).set(w.constant(defaults.args)),
        arguments_length(w).set(len(defaults.args)),
        drop(w.call("args_sizes_get", ANSWER, ANSWER + 4)),
        count.set(host.word(ANSWER)),
        size.set(host.word(ANSWER, 4)),
        table.set(w.call("allocate", (count + 1) << 2)),
        drop(w.call("args_get", table, w.call("allocate", size + 1))),
        _place(w).set(table + 4),
        _last(w).set(table + (count << 2)),
        while_(_place(w) < _last(w), w.call("read_word", host.word(_place(w))), _place(w).add(4)),
        when(~path(w), w.fail("program: missing")) if takes_program else b"",
    )


def _read_word(w: Writer, takes_program: bool) -> Function:
    """(word): carry out what a word of the command line, and where it is an option its value, asks for."""
    draft = Draft("read_word")
    word, value = draft.param("word"), draft.local("value")

    def take(option: str) -> bytes:
        """Set the local `value` to that of the option if the word is that option, else to 0."""
        return value.set(w.call("option_value", word, w.constant(option.encode()), len(option)))

    def number(option: str, bits: int) -> Value:
        return w.call("read_number", value, bits, w.constant(option.encode()), len(option), type=I64)

    def is_(option: str) -> Value:
        return w.call("has_prefix", word, w.constant(option.encode() + b"\0"), len(option) + 1)

    shown = w.call("put_escaped", word, w.call("length_of", word)).code
    unexpected = w.fail(shown, ": an argument too many")
    is_option = both(host.byte(word).equals(ord("-")), host.byte(word, 1).differs(0))
    read_word = sequence(
        when(any_(is_("--help"), is_("-h")), w.call("put_usage"), w.call("flush"), w.call("proc_exit", 0)),
        take("--gas"), when(value, gas(w).set(number("--gas", 64)), leave()),
        take("--pc"), when(value, pc(w).set(number("--pc", 32).narrow()), leave()),
        take("--args"), when(value, arguments(w).set(w.call("read_arguments", value)), leave()),
        when(is_option, w.fail(shown, ": no such option")),
        either(path(w), unexpected, path(w).set(word)) if takes_program else unexpected,
    )  # fmt: skip
    return draft.function(read_word)


def _option_value(w: Writer) -> Function:
    """(word, option, length) -> the address of the option's value if the word is that option, else 0.

    The value follows in the same word after "=", or is the next word, which is skipped then.
    """
    draft = Draft("option_value")
    word, option, length = draft.param("word"), draft.param("option"), draft.param("length")
    behind = host.byte(word + length)
    return draft.function(
        when(~w.call("has_prefix", word, option, length), leave(0)),
        when(behind.equals(ord("=")), leave(word + length + 1)),
        when(behind, leave(0)),
        _place(w).add(4),
        when(_place(w) >= _last(w), w.fail(w.call("put_text", option, length), ": a value must follow")),
        host.word(_place(w)),
        result=I32,
    )


def _has_prefix() -> Function:
    """(word, prefix, length) -> whether the word, which ends with a zero octet, begins with the prefix."""
    draft = Draft("has_prefix")
    word, prefix, length = draft.param("word"), draft.param("prefix"), draft.param("length")
    return draft.function(
        while_(
            length,
            when(host.byte(word).differs(host.byte(prefix)), leave(0)),
            word.add(1), prefix.add(1), length.set(length - 1),
        ),
        value_of(1),
        result=I32,
    )  # fmt: skip


def _put_usage(w: Writer, defaults: Defaults, takes_program: bool) -> Function:
    """(): print what the command line may hold."""
    arguments = counted(len(defaults.args), "byte") if defaults.args else "none"
    return Draft("put_usage").function(w.put(
        ("PROGRAM " if takes_program else "") + "[--args HEX|@FILE] [--gas N] [--pc N]\n\n"
        "Numbers are decimal, or hexadecimal with 0x.\n\n"
        f"  --args  arguments, for jam and standard programs [default: {arguments}]\n"
        f"  --gas   gas to start with [default: {defaults.gas}]\n"
        f"  --pc    where to start [default: {defaults.pc}]\n"
    ))  # fmt: skip
