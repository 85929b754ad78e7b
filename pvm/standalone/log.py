"""Host call 100, `log` (JIP-1), answered as `pvm.log` does: one line on standard error.

In: a `Writer`. Out: functions log, put_level, put_message, is_readable.
"""

from __future__ import annotations

from pvm import abi
from pvm.jam.host_calls.table import LOG_LEVELS, WHAT
from pvm.log import LOG_LINES, LONGEST
from pvm.program.standard import ADDRESS_SPACE, ZONE_SIZE
from pvm.standalone import wasi
from pvm.standalone.output import file
from pvm.standalone.start import register, set_register
from pvm.standalone.writer import Writer, engine, guest, host
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import Draft, Variable, leave, sequence, value_of, when, while_

_LEVEL, _TARGET, _TARGET_LENGTH, _MESSAGE, _MESSAGE_LENGTH = range(7, 12)  # registers


def message(w: Writer) -> Variable:
    """The address of room for the longest message that is shown."""
    return w.variable("message")


def define_log(w: Writer) -> None:
    """Add the functions."""
    w.define(_log(w), _put_level(w), _put_message(w), _is_readable())


def _log(w: Writer) -> Function:
    """(): print the entry that the registers describe, or once that there were too many."""
    lines = w.variable("log_lines")
    target = sequence(w.put(" ["), w.call("put_message", register(_TARGET), register(_TARGET_LENGTH)), w.put("]"))
    entry = sequence(
        w.put("log "), w.call("put_level", register(_LEVEL)),
        when(register(_TARGET_LENGTH).differs(0), target),
        w.put(": "), w.call("put_message", register(_MESSAGE), register(_MESSAGE_LENGTH)),
        w.put("\n"), w.call("flush"),
    )  # fmt: skip
    last = sequence(w.put(f"pvm: {LOG_LINES:,} lines of log shown, the others are not\n"), w.call("flush"))
    return Draft("log").function(
        file(w).set(wasi.STANDARD_ERROR),
        when(lines < LOG_LINES, entry),
        when(lines.equals(LOG_LINES), last),
        when(lines <= LOG_LINES, lines.add(1)),
        file(w).set(wasi.STANDARD_OUTPUT),
        set_register(7, WHAT),
    )


def _put_level(w: Writer) -> Function:
    """(level): print its name, or its number."""
    draft = Draft("put_level")
    level = draft.param("level", I64)
    named = sequence(*(when(level.equals(number), w.put(name), leave()) for number, name in enumerate(LOG_LEVELS)))
    return draft.function(named, w.put("level "), w.put_number(level))


def _put_message(w: Writer) -> Function:
    """(address, length): print the guest's text, or that it may not read there."""
    draft = Draft("put_message")
    address, length = draft.param("address", I64), draft.param("length", I64)
    shown = draft.local("shown")
    refused = sequence(
        w.put("<"), w.put_counted(length, "byte"), w.put(" at 0x"), w.call("put_short_hex", address),
        w.put(", which the guest may not read>"), leave(),
    )  # fmt: skip
    return draft.function(
        when(~length, leave()),
        when(~w.call("is_readable", address, length), refused),
        shown.set(LONGEST),
        when(length < LONGEST, shown.set(length.narrow())),
        host.copy(message(w), guest, address.narrow(), shown),
        w.call("put_escaped", message(w), shown),
        when(length > LONGEST, w.put("… ("), w.put_number(length), w.put(" bytes)")),
    )


def _is_readable() -> Function:
    """(address, length) -> whether the guest may read all of the range, which is not empty."""
    draft = Draft("is_readable")
    address, length = draft.param("address", I64), draft.param("length", I64)
    page, last = draft.local("page"), draft.local("last")
    bits = abi.GUEST_PAGE_BITS
    is_outside = (address < ZONE_SIZE) | (address >= ADDRESS_SPACE) | (length > ADDRESS_SPACE - address)
    return draft.function(
        when(is_outside, leave(0)),
        page.set((address >> bits).narrow()),
        last.set(((address + length - 1) >> bits).narrow()),
        while_(page <= last, when(~engine.byte(page, abi.PAGE_TABLE), leave(0)), page.add(1)),
        value_of(1),
        result=I32,
    )


