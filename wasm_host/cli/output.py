"""What the commands show: tables, numbers, bytes and progress for people, JSON for programs, files.

Text for people and JSON go to standard output, progress and messages to standard error.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pvm.errors import InputError
from pvm.printable import as_text, escaped
from pvm.printable import counted as counted  # for the commands
from pvm.report import json_pieces
from wasm_host.cli.tables import fitted

T = TypeVar("T")

_PIPE_WIDTH = 4096  # columns: nothing is cut or wrapped when no terminal has to show it
_SHOWN_BYTES = 32
_PIECES = 4096  # lines, or pieces of them, that are written at once
_UTF = "utf"


class _Console(Console):
    """Leaves a broken pipe to `failures.guarded`."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError

    def print(self, *objects: Any, **options: Any) -> None:
        """Print tables so that they fit; without the blanks that fill lines up where no terminal shows them."""
        objects = tuple(fitted(one, self.width) if isinstance(one, Table) else one for one in objects)
        if self.file.isatty():
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def console(stderr: bool = False) -> Console:
    """Standard output for people, or standard error. Text is shown as it is, without markup."""
    piped = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ
    width = _PIPE_WIDTH if piped else None
    return _Console(markup=False, highlight=False, emoji=False, soft_wrap=False, width=width, stderr=stderr)


def print_json(value: dict[str, Any]) -> None:
    """One object on standard output."""
    pieces = chain(json_pieces(value), "\n")
    while piece := "".join(islice(pieces, _PIECES)):
        click.echo(piece, nl=False)


def new_table(title: str | None = None, header: bool = True) -> Table:
    """A table without a frame, as wide as its contents."""
    return Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", show_header=header,
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip


def facts_table(rows: Sequence[tuple[str, Any]]) -> Table:
    """Names and what they are, in two columns."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table


def fancy() -> bool:
    """Whether standard output can show more than ASCII."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith(_UTF)


def mark(good: bool) -> str:
    """A tick or a cross; words where the terminal has no such signs."""
    signs = ("✗", "✓") if fancy() else ("FAILED", "ok")
    return signs[good]


class Bar:
    """A progress bar on standard error, if that is a terminal. `total` is None where nobody knows how many there are.

    As a context, it is shown, and is gone afterwards. Fewer things than `least` are done without.
    """

    def __init__(self, what: str, total: int | None, least: int = 2, refresh_per_second: float = 10) -> None:
        errors = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(
            *columns, console=errors, transient=True, redirect_stdout=False, redirect_stderr=False,
            disable=not errors.is_terminal or (total is not None and total < least),
            refresh_per_second=refresh_per_second,
        )  # fmt: skip
        self._task = self._progress.add_task(escape(what), total=total)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, done: float, what: str | None = None) -> None:
        """So much is done, and this is worked on."""
        self._progress.update(self._task, completed=done, description=None if what is None else escape(what))


def tracked(items: Iterable[T], bar: Bar) -> Iterator[T]:
    """The items, with the bar while they are worked on."""
    with bar:
        for count, item in enumerate(items, 1):
            yield item
            bar.show(count)


def summary(passed: int, failed: int, skipped: int = 0, malformed: int = 0, left: int = 0) -> str:
    """The last line of commands that check many things; `left` were to be, but the command ended before."""
    others = ((skipped, "skipped"), (malformed, "malformed"), (left, "not run"))
    more = "".join(f", {count} {what}" for count, what in others if count)
    return f"{passed} passed, {failed} failed{more}"


# --- numbers and bytes -------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """A time with three significant digits or so."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs" if fancy() else f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def brief_bytes(data: bytes) -> str:
    """Bytes in a table's cell: as text, as a number, by their beginning, or when there are many by their count."""
    text = as_text(data)
    if not data or (text is not None and len(text) <= _SHOWN_BYTES):
        return f'"{escaped(text or "")}"'
    if len(data) <= 8:
        return f"{int.from_bytes(data, 'little'):,}"
    return f"{data[:8].hex()}…" if len(data) <= _SHOWN_BYTES else counted(len(data), "byte")


# --- files -------------------------------------------------------------------------------------------------------


def write_output(path: str, data: bytes) -> None:
    """Write a file whole or not at all; "-" is standard output. Raises InputError when that is impossible, for
    standard output OSError."""
    _write_pieces(path, (data,))


def write_lines(path: str, lines: Iterable[str]) -> tuple[int, int]:
    """The same with lines of text, of which only some are in memory at a time. Returns how many bytes and lines."""
    size = count = 0

    def counting() -> Iterator[bytes]:
        nonlocal size, count
        rest = iter(lines)
        while some := [*islice(rest, _PIECES)]:
            count += len(some)
            some.append("")
            piece = "\n".join(some).encode("utf-8")
            size += len(piece)
            yield piece

    _write_pieces(path, counting())
    return size, count


def _write_pieces(path: str, pieces: Iterable[bytes]) -> None:
    if path == "-":
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    with _named(path):
        _write_file(path, pieces)


def report_written(path: str, size: int, *facts: str, err: bool = True) -> None:
    """Say that a file was written, how large it is, and more: on standard error, for commands whose result is the file
    on standard output. Nothing is said of what went to standard output itself."""
    if not is_stdout(path):
        click.echo(escaped(f"{path}: {', '.join((counted(size, 'byte'), *facts))}"), err=err)


def check_output(path: str) -> None:
    """Raises InputError when a file cannot be written, before there is anything to write."""
    if path == "-":
        return
    with _named(path):
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_file(path):
            beside = _temporary(Path(os.path.realpath(path)))
            beside.touch(exist_ok=False)
            beside.unlink()


def is_stdout(path: str) -> bool:
    """Whether what is written to a path comes out where the command prints: "-", /dev/stdout, the file that it is."""
    if path == "-":
        return True
    try:
        found = os.stat(path)
        if os.path.samestat(found, os.stat(os.devnull)):
            return False  # where nothing comes out, anything may go
        return os.path.samestat(found, os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        return False


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors of writing become one line about the file."""
    if not path:
        raise InputError("the name of the output file is empty")
    try:
        if path.endswith(os.sep):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot be written: {(reason or str(error)).lower()}") from None


def _write_file(path: str, pieces: Iterable[bytes]) -> None:
    """By a temporary file beside the target, which takes the target's place at the end."""
    if not _is_file(path):
        # A device or a pipe (/dev/null, /dev/stdout) is written to, not replaced. A folder fails here.
        with open(path, "wb") as file:
            file.writelines(pieces)
        return
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode if target.exists() else None
    temporary = _temporary(target)
    try:
        with open(temporary, "xb") as file:
            file.writelines(pieces)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _is_file(path: str) -> bool:
    """Whether this is a file, or may become one."""
    return not os.path.exists(path) or stat.S_ISREG(os.stat(path).st_mode)


def _temporary(target: Path) -> Path:
    return target.with_name(f".pvm-{secrets.token_hex(8)}.tmp")
