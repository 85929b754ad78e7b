"""`pvm jam show`: what is in a file of the chain's data."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from pvm.errors import InputError
from pvm.jam.constants import PARAMETERS
from pvm.jam.view import KINDS, select, view
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.inputs import read_bytes
from wasm_host.cli.jam.options import parameters_option
from wasm_host.cli.output import console, print_json

_LONGEST = 100  # characters of a value in text
_MOST_LINES = 10_000


@click.command("show")
@click.argument("file")
@click.argument("path", required=False, default="")
@click.option("--as", "kind", type=click.Choice(tuple(KINDS)), help="What FILE is. [default: whatever it can be]")
@parameters_option
@json_option
def command(file: str, path: str, kind: str | None, parameters: str, as_json: bool) -> int:
    """Show a step of a trace, a genesis, block, header, report, package or state.

    FILE may lie in an archive: ARCHIVE.tar.xz/NAME. PATH leads to a part of it, such as after.rho[0].report or
    block.header. States have components by the Gray Paper's letters, services and their items. Long octets are cut;
    with --json they are whole.

    \b
    Examples:
      pvm jam show ../shared/jam/blocks/safrole.tar.xz/00000012.bin block.header
      pvm jam show ../shared/jam/blocks/safrole.tar.xz/genesis.bin state.gamma --json
    """
    found, value = view(_read(file), PARAMETERS[parameters], kind)
    value = select(value, path)
    if as_json:
        print_json({"kind": found, "path": path, "value": value})
        return SUCCESS
    out = console()
    lines = _lines(value, 0)
    for line in islice(lines, _MOST_LINES):
        out.print(line, soft_wrap=True)
    if next(lines, None) is not None:
        out.print("…")
    return SUCCESS


def _read(text: str) -> bytes:
    """A file's octets, or those of a member of an archive. Raises InputError."""
    for parent in Path(text).parents:
        if parent.is_file():
            return _member(parent, text[len(str(parent)) + 1 :])
    return read_bytes(text)


def _member(archive: Path, name: str) -> bytes:
    try:
        with tarfile.open(archive, "r|*") as files:
            for entry in files:
                if entry.isfile() and (entry.name == name or entry.name.endswith("/" + name)):
                    content = files.extractfile(entry)
                    return b"" if content is None else content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{archive}: {error}") from None
    raise InputError(f"{archive} has no {name}")


def _lines(value: Any, depth: int) -> Iterator[str]:
    """Names with their values, what is within indented."""
    blanks = "  " * depth
    if not isinstance(value, (dict, list)):
        yield blanks + _text(value)
        return
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, (dict, list)) and each:
            yield f"{blanks}{name}:"
            yield from _lines(each, depth + 1)
        else:
            yield f"{blanks}{name}: {_text(each)}"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if value in ([], {}):
        return "empty"
    text = str(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 30]}… ({(len(text) - 2) // 2} octets)"
