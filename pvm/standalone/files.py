"""Reading files whole, into the host memory.

In: a `Writer`. Out: functions allocate, no_memory, put_label, read_file, read_stream, open_file, open_in, put_error.
Paths that can be read are in the folders that the module was given (`wasmtime run --dir`). Errors end the run with one
line.
"""

from __future__ import annotations

from pvm import abi
from pvm.standalone import wasi
from pvm.standalone.writer import ANSWER, FOLDER, RANGE, Writer, host
from pvm.wasm import I32, I64, Function
from pvm.wasm.values import (
    UNREACHABLE,
    Draft,
    Value,
    Variable,
    any_,
    both,
    drop,
    leave,
    sequence,
    value_of,
    when,
    while_,
)

MAX_FILE = 1 << 28  # bytes
_LEAST, _MOST = 1 << 16, 1 << 24  # bytes that are read at once; wasmtime refuses more than it can copy
_BAD_DESCRIPTOR = 8


def top(w: Writer) -> Variable:
    """The end of what is in use of the host memory."""
    return w.variable("top")


def file_length(w: Writer) -> Variable:
    """The length of the file that was read last."""
    return w.variable("file_length")


def define_files(w: Writer) -> None:
    """Add the functions."""
    w.define(_allocate(w), _no_memory(w), _put_label(w))
    w.define(_read_file(w), _read_stream(w), _open_file(w), _open_in(w), _put_error(w))


def _allocate(w: Writer) -> Function:
    """(size) -> the address of so many bytes more."""
    draft = Draft("allocate")
    size = draft.param("size")
    found, needed = draft.local("found"), draft.local("needed", I64)
    pages = ((needed + (abi.WASM_PAGE - 1)) // abi.WASM_PAGE).narrow()
    missing = pages - host.pages()
    return draft.function(
        found.set(top(w)),
        needed.set(found.wide() + size.wide()),
        when(needed >= 1 << 32, w.call("no_memory")),
        when(both(pages > host.pages(), host.grow(missing).equals(0xFFFFFFFF)), w.call("no_memory")),
        top(w).set(needed.narrow()),
        found,
        result=I32,
    )


def _no_memory(w: Writer) -> Function:
    """(): there is no room."""
    return Draft("no_memory").function(w.fail("memory: there is no room for the program and its arguments"))


def _put_label(w: Writer) -> Function:
    """(path, length): print what to call a file in messages."""
    draft = Draft("put_label")
    path, length = draft.param("path"), draft.param("length")
    return draft.function(
        when(is_dash(path, length), w.put("standard input"), leave()),
        when(~length, w.put("''"), leave()),
        w.call("put_escaped", path, length),
    )


def is_dash(path: Value, length: Value) -> Value:
    """Whether a file's name stands for standard input."""
    return both(length.equals(1), host.byte(path).equals(ord("-")))


def _read_file(w: Writer) -> Function:
    """(path, length) -> the address of the file's bytes; "-" is standard input."""
    draft = Draft("read_file")
    path, length = draft.param("path"), draft.param("length")
    return draft.function(
        when(is_dash(path, length), leave(w.call("read_stream", wasi.STANDARD_INPUT, path, length))),
        w.call("read_stream", w.call("open_file", path, length), path, length),
        result=I32,
    )


def _read_stream(w: Writer) -> Function:
    """(file, path, length) -> the address of all that can be read of an open file."""
    draft = Draft("read_stream")
    file, path, length = draft.param("file"), draft.param("path"), draft.param("length")
    start, count, error = draft.local("start"), draft.local("count"), draft.local("error")
    room = draft.local("room")
    read = w.call("fd_read", file, RANGE, 1, ANSWER)
    too_long = w.fail(
        w.call("put_label", path, length).code, f": longer than {MAX_FILE >> 20} MiB, more than is read"
    )
    # Each time as much as there is already, within limits; what was read stays together at the top.
    return draft.function(
        start.set(top(w)),
        host.set_word(ANSWER, 1),
        while_(
            host.word(ANSWER),
            room.set(count + _LEAST),
            when(room > _MOST, room.set(_MOST)),
            drop(w.call("allocate", room)),
            host.set_word(RANGE, start + count),
            host.set_word(RANGE, room, 4),
            host.set_word(ANSWER, 0),
            error.set(read),
            when(error, w.call("begin_error"), w.call("put_label", path, length), w.put(": cannot be read: "),
                 w.call("put_error", error), w.call("end_error"), UNREACHABLE),
            count.add(host.word(ANSWER)),
            when(count > MAX_FILE, too_long),
            top(w).set(start + count),
        ),
        file_length(w).set(count),
        start,
        result=I32,
    )  # fmt: skip


def _open_file(w: Writer) -> Function:
    """(path, length) -> the open file, from the first folder in which it can be opened."""
    draft = Draft("open_file")
    path, length = draft.param("path"), draft.param("length")
    folder, error, last = draft.local("folder"), draft.local("error"), draft.local("last")
    none = w.fail(
        w.call("put_label", path, length).code,
        ": cannot be read: no folder with it was given to the module (wasmtime run --dir FOLDER)",
    )
    refused = w.fail(
        w.call("put_label", path, length).code, ": cannot be read: ", w.call("put_error", last).code
    )
    return draft.function(
        folder.set(wasi.FIRST_FOLDER),
        while_(
            ~w.call("fd_prestat_get", folder, FOLDER),
            error.set(w.call("open_in", folder, path, length)),
            when(~error, leave(host.word(ANSWER))),
            when(error.differs(_BAD_DESCRIPTOR), last.set(error)),
            folder.add(1),
        ),
        when(last, refused),
        none,
        result=I32,
    )


def _open_in(w: Writer) -> Function:
    """(folder, path, length) -> 0 with the file in ANSWER, or the error; bad descriptor where the path is not within.

    A folder's name is a prefix of the paths in it; relative paths are in the folder ".".
    """
    draft = Draft("open_in")
    folder, path, length = draft.param("folder"), draft.param("path"), draft.param("length")
    name, size, at = draft.local("name"), draft.local("size"), draft.local("at")
    old_top = draft.local("old_top")
    elsewhere = leave(_BAD_DESCRIPTOR)
    is_here = both(size.equals(1), host.byte(name).equals(ord(".")))
    is_relative = both(length.differs(0), host.byte(path).differs(ord("/")))
    compare = while_(
        at < size, when(host.byte(name + at).differs(host.byte(path + at)), elsewhere), at.add(1)
    )
    # "/" and "." apart, what follows the folder's name is a slash.
    skip_slash = when(
        host.byte(name + size - 1).differs(ord("/")),
        when(host.byte(path + at).differs(ord("/")), elsewhere), at.add(1),
    )  # fmt: skip
    opened = w.call(
        "path_open", folder, wasi.FOLLOW_LINKS, path + at, length - at, 0,
        value_of(wasi.RIGHTS_TO_READ, I64), value_of(0, I64), 0, ANSWER,
    )  # fmt: skip
    return draft.function(
        size.set(host.word(FOLDER, 4)),
        old_top.set(top(w)),
        name.set(w.call("allocate", size + 1)),
        top(w).set(old_top),
        when(any_(~size, w.call("fd_prestat_dir_name", folder, name, size)), elsewhere),
        when(
            ~both(is_here, is_relative),
            when(length <= size, elsewhere),
            compare,
            skip_slash,
        ),
        opened,
        result=I32,
    )


def _put_error(w: Writer) -> Function:
    """(error): print what an error number means."""
    draft = Draft("put_error")
    error = draft.param("error")
    known = sequence(*(when(error.equals(number), w.put(text), leave()) for number, text in wasi.ERRORS.items()))
    return draft.function(known, w.put("error "), w.put_number(error))
