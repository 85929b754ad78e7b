"""What users name: files, standard input, examples, numbers, hexadecimal.

In: text from the command line. Out: bytes, programs, numbers. Raises InputError that names the file or option.
"""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from pvm.errors import InputError, ProgramError
from pvm.examples import EXAMPLES, Example, example
from pvm.isa import Spec
from pvm.link import Options, is_linkable, link
from pvm.program import FORMAT_NAMES, Program, assemble, from_hex
from pvm.program.facts import check_numbering, identify
from pvm.suggestions import did_you_mean
from wasm_host.cli.failures import blamed_on, os_reason

STDIN = "-"
EXAMPLE_PREFIX = "example:"
HEX_PREFIX = "hex:"
ASSEMBLY_SUFFIX = ".pvmasm"
ASM, HEX = "asm", "hex"
FORMATS: tuple[str, ...] = (*FORMAT_NAMES, ASM, HEX)
MAX_FILE = 1 << 28  # bytes that are read of one file; far above any program or trace
_SHOWN_HEX = 16  # digits in a label
# What error messages that are better than "this is JSON" or "this is text" are about.
_UNSPECIFIC = frozenset(("json", "text"))


@dataclass(frozen=True)
class Loaded:
    """A program, what to call it in messages, and the example that it is, if it is one."""

    label: str
    program: Program
    example: Example | None = None


def label_of(source: str) -> str:
    """What to call a file argument in messages."""
    if source.startswith(HEX_PREFIX) and len(source) > len(HEX_PREFIX) + _SHOWN_HEX:
        return source[: len(HEX_PREFIX) + _SHOWN_HEX] + "…"
    return "standard input" if source == STDIN else source or "''"


def read_bytes(source: str) -> bytes:
    """The bytes of a file, of standard input for "-", or those that hex:… spells."""
    label = label_of(source)
    if source.startswith(HEX_PREFIX):
        with blamed_on(label):
            return _spelt(source.removeprefix(HEX_PREFIX))
    try:
        if source == STDIN:
            if sys.stdin is None:
                raise InputError(f"{label}: it is closed")
            return _read_all(sys.stdin.buffer, label)
        with open(source, "rb") as file:
            return _read_all(file, label)
    except OSError as error:
        raise unreadable(source, error) from None


def unreadable(path: str, error: OSError) -> InputError:
    """The error for a file that the system refuses; where there is none, with what may have been meant."""
    missing = isinstance(error, FileNotFoundError)
    hint = _close_file(path) if missing else ""
    return InputError(f"{label_of(path)}: cannot be read: {os_reason(error)}{hint}")


def _close_file(path: str) -> str:
    """For a message: a file or folder beside one that does not exist, whose name is close."""
    name = os.path.basename(path)
    if not name:
        return ""
    try:
        with os.scandir(os.path.dirname(path) or os.curdir) as entries:
            hint = did_you_mean(name, (entry.name for entry in entries if entry.name != name), 1)
    except OSError:
        return ""
    if path in {known.name for known in EXAMPLES}:
        hint = f"`{EXAMPLE_PREFIX}{path}` is the example"
    return f"; {hint}" if hint else ""


def _read_all(file: BinaryIO, label: str) -> bytes:
    data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise InputError(f"{label}: longer than {MAX_FILE >> 20} MiB, more than is read")
    return data


def read_text(source: str) -> str:
    """The text of a UTF-8 file, or of standard input for "-"."""
    data = read_bytes(source)
    with blamed_on(label_of(source)):
        return _decoded(data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start}") from None


def load_program(source: str, format: str, spec: Spec) -> Loaded:
    """The program in a file, on standard input, of an example, or as hex:…; assembly is assembled.

    Raises InputError that says what else it is where that can be told, and for a program of another version's opcodes
    where it says so itself.
    """
    if source.startswith(EXAMPLE_PREFIX):
        if format not in ("auto", ASM):
            raise InputError(f"--format: {source} is assembly, not {format}")
        found = _find_example(source)
        with blamed_on(source):
            return Loaded(source, assemble(found.source, spec), found)
    if format == "auto" and source.endswith(ASSEMBLY_SUFFIX):
        format = ASM
    return parse_program(label_of(source), read_bytes(source), format, spec)


def parse_program(label: str, data: bytes, format: str, spec: Spec) -> Loaded:
    """The same of bytes that have been read. Octets that are a program come before hexadecimal text that spells one."""
    with blamed_on(label):
        if format == ASM:
            return Loaded(label, _assembled(data, spec))
        program = _parsed(data, format, spec)
        with blamed_on("--spec"):
            check_numbering(program, spec)
    return Loaded(label, program)


def _parsed(data: bytes, format: str, spec: Spec) -> Program:
    if format == "auto" and is_linkable(data):
        return link([("the object", data)], Options(spec=spec.name)).program
    if format == HEX:
        octets = from_hex(data)
        if octets is None:
            raise InputError("not hexadecimal: two digits a byte, 0x before them or not, white space anywhere")
        return Program.parse(octets)
    try:
        return Program.parse(data, format)
    except ProgramError:
        octets = from_hex(data) if format == "auto" else None
        if octets is None:
            raise
        with blamed_on("as hexadecimal text"):
            return Program.parse(octets)


def _assembled(data: bytes, spec: Spec) -> Program:
    try:
        return assemble(_decoded(data), spec)
    except InputError as error:
        raise better_error(data, error, ASM) from None


def better_error(data: bytes, error: InputError, kind: str) -> InputError:
    """`error`, or what the data is if it is clearly of another kind than `kind` (`pvm.program.recognise`)."""
    found = identify(data)
    return error if found is None or found.kind in _UNSPECIFIC | {kind} else InputError(str(found))


def _find_example(source: str) -> Example:
    with blamed_on(source):
        return example(source.removeprefix(EXAMPLE_PREFIX))


def find_files(paths: Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    """The files named, and those with one of the suffixes in the folders named, each once.

    Raises InputError for a path that does not exist and for a folder without such files.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in suffixes and p.is_file())
            if not inside:
                raise InputError(f"{path}: no {' or '.join('*' + s for s in suffixes)} file in this folder")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise unreadable(str(path), FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    return list(found)


# --- values of options -------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F_]*[0-9a-fA-F]|[0-9][0-9_]*)")
_PREFIX = re.compile(r"^\s*(0[xX])?")
_LONGEST_NUMBER = 80  # characters; longer ones are out of every range, and Python would refuse to convert them


def number_type(bits: int) -> Callable[[str], int]:
    """For an option: an integer below 2^`bits`, decimal or hexadecimal with 0x; `_` may separate digits."""

    def convert(text: str) -> int:
        if not _NUMBER.fullmatch(text):
            raise click.BadParameter(f"{text[:40]!r} is no number: give decimal digits, or 0x and hexadecimal ones")
        digits = text.replace("_", "")
        number = int(digits, 16 if "x" in digits.lower() else 10) if len(digits) <= _LONGEST_NUMBER else -1
        if not 0 <= number < 1 << bits:
            raise click.BadParameter(f"{text[:40]} is not from 0 to 2^{bits} - 1")
        return number

    return convert


class FiniteRange(click.FloatRange):
    """For an option: a finite number in a range, other than with click."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


def read_args(text: str, option: str = "--args") -> bytes:
    """The value of an option such as --args: hexadecimal, or @ and a file (@- is standard input)."""
    if text.startswith("@"):
        with blamed_on(option):
            return read_bytes(text[1:])
    with blamed_on(option):
        return _spelt(text, " (a file is @FILE)")


def _spelt(text: str, hint: str = "") -> bytes:
    """The octets that hexadecimal digits spell, two each: 0x before them or not, white space anywhere."""
    digits = _PREFIX.sub("", text, count=1)
    wrong = re.search(r"[^0-9a-fA-F\s]", digits)
    if wrong:
        offset = len(text) - len(digits) + wrong.start()
        raise InputError(f"{wrong[0]!r} at character {offset + 1} is no hexadecimal digit{hint}")
    digits = "".join(digits.split())
    if len(digits) % 2:
        raise InputError(f"{len(digits)} hexadecimal digits, but each byte takes two")
    return bytes.fromhex(digits)
