"""Reading a program file: the formats of `pvm.program.program`, with the same errors.

In: a `Writer`, the format. Out: functions detect, parse_plain, parse_standard, parse_jam and what these need; the
globals that they set. A function that reads something returns 1, or prints what is wrong and returns 0; the line that
is printed to is dropped when another format fits.

Readers work on the part [0, `size`) of the file from `data`; `at` is the offset there. What is read is in range: every
length is compared with what is left before it is used.
"""

from __future__ import annotations

from pvm.program.blob import REACHABLE_ENTRIES
from pvm.program.standard import ADDRESS_SPACE, INPUT_SIZE, PAGE_SIZE, ZONE_SIZE
from pvm.standalone import wasi
from pvm.standalone.files import file_length
from pvm.standalone.options import path
from pvm.standalone.output import file, pending
from pvm.standalone.writer import Writer, host
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import (
    Draft,
    Statement,
    Value,
    Variable,
    both,
    choose,
    either,
    leave,
    sequence,
    value_of,
    when,
    while_,
)

PLAIN, STANDARD, JAM = "plain", "standard", "jam"
FORMATS: tuple[str, ...] = (PLAIN, STANDARD, JAM)  # by the value of the global `format`
INTERPRETED: tuple[str, ...] = ("auto", *FORMATS)  # what the interpreter's module can be told to read
_DETECTED = (STANDARD, JAM, PLAIN)  # in this order


class Parsed:
    """Globals with what was read: addresses in the host memory, and lengths."""

    def __init__(self, w: Writer) -> None:
        self.format = w.variable("format")
        self.read_only, self.read_only_size = w.variable("read_only"), w.variable("read_only_size")
        self.read_write, self.read_write_size = w.variable("read_write"), w.variable("read_write_size")
        self.heap_pages, self.stack_size = w.variable("heap_pages"), w.variable("stack_size")
        self.jump_table, self.jump_count = w.variable("jump_table"), w.variable("jump_count")
        self.jump_size, self.zero_entries = w.variable("jump_size"), w.variable("zero_entries")
        self.code, self.code_length = w.variable("code"), w.variable("code_length")
        self.bitmask = w.variable("bitmask")


class _Cursor:
    """The globals of reading: where, and the `number` or the address of the `part` that was read last."""

    def __init__(self, w: Writer) -> None:
        self.data, self.size, self.at = w.variable("data"), w.variable("size"), w.variable("at")
        self.number, self.part = w.variable("number", I64), w.variable("part")


def blame(w: Writer) -> bytes:
    """Print the program file's name, which its errors begin with."""
    return w.put(w.call("put_label", path(w), w.call("length_of", path(w))), ": ")


def define_program(w: Writer, format: str) -> None:
    """Add the functions. `format` is one of `INTERPRETED`."""
    w.define(
        _take(w), _read_fixed(w), _read_natural(w), _parse_plain(w), _parse_standard(w), _parse_jam(w), _parse_blob(w),
        _parse_program(w, format), _put_count(w),
    )  # fmt: skip


def _named(w: Writer, name: str) -> tuple[int, int]:
    return w.constant(name.encode()), len(name)


def _stop_unless(read: Value) -> bytes:
    """Return 0 when something could not be read."""
    return when(~read, leave(0))


def _take(w: Writer) -> Function:
    """(length: i64, name, name_length) -> whether so many bytes are left; goes past them and sets `part`."""
    draft = Draft("take")
    length, name, name_length = draft.param("length", I64), draft.param("name"), draft.param("name_length")
    c = _Cursor(w)
    missing = w.put(
        w.call("put_text", name, name_length), ": needs ", w.put_counted(length, "byte"), " at offset ",
        w.put_number(c.at), ", but only ", w.put_number(c.size - c.at), " left",
    )  # fmt: skip
    return draft.function(
        when(length > (c.size - c.at).wide(), missing, leave(0)),
        c.part.set(c.data + c.at),
        c.at.add(length.narrow()),
        value_of(1),
        result=I32,
    )


def _read_fixed(w: Writer) -> Function:
    """(octets, name, name_length) -> whether there is a little-endian number of at most 8 octets; sets `number`."""
    draft = Draft("read_fixed")
    octets, name, name_length = draft.param("octets"), draft.param("name"), draft.param("name_length")
    c = _Cursor(w)
    return draft.function(
        _stop_unless(w.call("take", octets.wide(), name, name_length)),
        c.number.set(0),
        while_(
            octets,
            octets.set(octets - 1),
            c.number.set(c.number << 8 | host.byte(c.part + octets).wide()),
        ),
        value_of(1),
        result=I32,
    )


def _read_natural(w: Writer) -> Function:
    """(name, name_length) -> whether there is a number of the paper's E; sets `number`."""
    draft = Draft("read_natural")
    name, name_length = draft.param("name"), draft.param("name_length")
    first, extra = draft.local("first"), draft.local("extra")
    c = _Cursor(w)
    high = (first & (value_of(0xFF) >> (extra + 1))).wide() << (extra << 3).wide()
    shortest = value_of(1, I64) << (extra * 7).wide()
    too_long = w.put(
        w.call("put_text", name, name_length), ": the number ", w.put_number(c.number), " at offset ",
        w.put_number(c.at - extra - 1), " is encoded longer than needed",
    )  # fmt: skip
    return draft.function(
        _stop_unless(w.call("read_fixed", 1, name, name_length)),
        first.set(c.number.narrow()),
        extra.set((first ^ 0xFF).leading_zeros() - 24),
        _stop_unless(w.call("read_fixed", extra, name, name_length)),
        when(extra < 8, c.number.set(high | c.number)),
        when(both(extra, c.number < shortest), too_long, leave(0)),
        value_of(1),
        result=I32,
    )


def _read(w: Writer, what: str, octets: int | None = None) -> bytes:
    """Read a number of so many octets, or a natural one; return 0 from the function if that is impossible."""
    name = _named(w, what)
    return _stop_unless(w.call("read_natural", *name) if octets is None else w.call("read_fixed", octets, *name))


def _take_part(w: Writer, what: str, length: Value) -> bytes:
    return _stop_unless(w.call("take", length, *_named(w, what)))


def _round_up(size: Value, unit: int) -> Value:
    return (size + (unit - 1)) & -unit


def _parse_standard(w: Writer) -> Function:
    """() -> whether a standard program is there from `at` to the end."""
    draft = Draft("parse_standard")
    needed = draft.local("needed", I64)
    c, p = _Cursor(w), Parsed(w)

    def field(variable: Variable, octets: int, what: str) -> bytes:
        return sequence(_read(w, what, octets), variable.set(c.number.narrow()))

    def section(variable: Variable, size: Variable, what: str) -> bytes:
        return sequence(_take_part(w, what, size.wide()), variable.set(c.part))

    read_write = p.read_write_size.wide() + (p.heap_pages.wide() * PAGE_SIZE)
    zones = (p.read_only_size.wide(), read_write, p.stack_size.wide())
    space = value_of(5 * ZONE_SIZE + INPUT_SIZE, I64)
    for zone in zones:
        space = space + _round_up(zone, ZONE_SIZE)
    left_over = w.put(
        "standard program: ", w.put_counted(c.size - c.at, "byte"), " left over after offset ", w.put_number(c.at)
    )
    too_large = w.put("sections: they need ", w.put_number(needed), f" bytes, the address space has {ADDRESS_SPACE}")
    return draft.function(
        field(p.read_only_size, 3, "read-only data length"),
        field(p.read_write_size, 3, "read-write data length"),
        field(p.heap_pages, 2, "heap page count"),
        field(p.stack_size, 3, "stack size"),
        section(p.read_only, p.read_only_size, "read-only data"),
        section(p.read_write, p.read_write_size, "read-write data"),
        _read(w, "program blob length", 4),
        _take_part(w, "program blob", c.number),
        when(c.at.differs(c.size), left_over, leave(0)),
        needed.set(space),
        when(needed > ADDRESS_SPACE, too_large, leave(0)),
        # The blob's offsets count from its own start.
        c.size.set(c.at - (c.part - c.data)),
        c.data.set(c.part),
        c.at.set(0),
        w.call("parse_blob"),
        result=I32,
    )


def _parse_jam(w: Writer) -> Function:
    """() -> whether a service preimage is there."""
    c = _Cursor(w)
    return Draft("parse_jam").function(
        _read(w, "metadata length"),
        _take_part(w, "metadata", c.number),
        w.call("parse_standard"),
        result=I32,
    )


def _parse_plain(w: Writer) -> Function:
    """() -> whether a program blob alone is there."""
    return Draft("parse_plain").function(w.call("parse_blob"), result=I32)


def _parse_blob(w: Writer) -> Function:
    """() -> whether a program blob is there from `at` to the end."""
    draft = Draft("parse_blob")
    count = draft.local("count", I64)
    c, p = _Cursor(w), Parsed(w)
    size = p.jump_size
    table_length = count * size.wide()  # meant where count is at most what is left, so that it fits
    missing_table = w.put(
        "jump table of ", w.put_counted(count, "entry", "entries"), ": needs ", w.call("put_count", count, size),
        either(both(count.equals(1), size.equals(1)), w.put(" byte"), w.put(" bytes")),
        " at offset ", w.put_number(c.at), ", but only ", w.put_number(c.size - c.at), " left",
    )  # fmt: skip
    left = (c.size - c.at).wide()
    left_over = w.put(
        "bitmask: ", w.put_counted(c.size - c.at, "byte"), " left over after offset ", w.put_number(c.at)
    )
    unused = p.code_length & 7
    last = host.byte(p.bitmask + (p.code_length >> 3))
    beyond = w.put("bitmask: bits are set beyond the ", w.put_counted(p.code_length, "byte"), " of code")
    is_missing = both(size, (count > left) | (table_length > left))
    return draft.function(
        _read(w, "jump table length"), count.set(c.number),
        _read(w, "jump table entry size", 1), size.set(c.number.narrow()),
        _read(w, "code length"),
        when(is_missing, missing_table, leave(0)),
        p.jump_table.set(c.data + c.at),
        c.at.add((count * size.wide()).narrow()),
        _take_part(w, "code", c.number), p.code.set(c.part), p.code_length.set(c.number.narrow()),
        _take_part(w, "bitmask", (p.code_length.wide() + 7) >> 3), p.bitmask.set(c.part),
        when(c.at.differs(c.size), left_over, leave(0)),
        when(both(unused, last >> unused), beyond, leave(0)),
        p.jump_count.set(choose(size, count.narrow(), 0)),
        p.zero_entries.set(choose(size, 0, choose(count > REACHABLE_ENTRIES, REACHABLE_ENTRIES, count.narrow()))),
        value_of(1),
        result=I32,
    )  # fmt: skip


def _put_count(w: Writer) -> Function:
    """(count: i64, size): print the product, which may exceed 64 bits, in decimal; size is at most 255."""
    draft = Draft("put_count")
    count, size = draft.param("count", I64), draft.param("size")
    # count * size = 1000 * (count // 1000 * size + carry) + three digits: what is printed first stays below 2^64.
    low = draft.local("low", I64)
    rest = count // 1000 * size.wide() + low // 1000
    digits = [(low // place % 10).narrow() + ord("0") for place in (100, 10, 1)]
    return draft.function(
        low.set(count % 1000 * size.wide()),
        when(rest, w.put_number(rest), *(w.call("put_byte", digit) for digit in digits), leave()),
        w.put_number(low),
    )


def _parse_program(w: Writer, format: str) -> Function:
    """(): read the file that the command line names as a program. Ends the run when it is none."""
    draft = Draft("parse_program")
    start = draft.local("start")
    c, p = _Cursor(w), Parsed(w)
    rewind = sequence(c.data.set(start), c.size.set(file_length(w)), c.at.set(0))
    keep = sequence(pending(w).set(0), file(w).set(wasi.STANDARD_OUTPUT), leave())

    def attempt(name: str) -> bytes:
        fits = w.call(f"parse_{name}")
        return sequence(rewind, p.format.set(FORMATS.index(name)), when(fits, keep))

    attempts: list[Statement] = []
    if format == "auto":
        attempts.append(w.put("no format fits ("))
        for number, name in enumerate(_DETECTED):
            attempts += [w.put(f"{'; ' if number else ''}as {name}: "), attempt(name)]
        attempts.append(w.put(")"))
    else:
        attempts.append(attempt(format))
    return draft.function(
        start.set(w.call("read_file", path(w), w.call("length_of", path(w)))),
        w.call("begin_error"), blame(w),
        when(~file_length(w), w.put("empty: a program has at least 3 bytes"), w.call("end_error")),
        *attempts,
        w.call("end_error"),
    )  # fmt: skip
