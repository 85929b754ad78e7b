"""`pvm cache`: the compiled code that is kept on disk."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from pvm.errors import InputError
from pvm.printable import escaped
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS, os_reason
from wasm_host.cli.output import console, counted, facts_table, new_table, print_json
from wasm_host.code.cache import FOLDER_VARIABLE, CodeCache, Entry, key_of, open_cache

_SHOWN = 20  # entries, the last ones used; --json has all
_SHOWN_NAME = 16  # characters; names are hashes
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove all compiled code.")
@json_option
def command(clear: bool, as_json: bool) -> int:
    """Show or clear the compiled code that is kept on disk for the next start.

    It lies in the user's cache folder, or in the one that PVM_CACHE_DIR names; when that is empty, nothing is kept.
    What was used longest ago is removed when there is too much. `pvm run --no-cache` neither reads nor writes it.

    \b
    Examples:
      pvm cache
      pvm cache --json
      pvm cache --clear
    """
    code = open_cache(True)
    if clear:
        _clear(code, as_json)
    elif as_json:
        print_json(_as_dict(code))
    else:
        _show(code)
    return SUCCESS


def _clear(code: CodeCache | None, as_json: bool) -> None:
    try:
        count, size = (0, 0) if code is None else code.clear()
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be removed: {os_reason(error)}") from None
    if as_json:
        print_json({"folder": _folder(code), "removed": count, "removed_bytes": size})
    else:
        place = "" if code is None else f" from {escaped(str(code.folder))}"
        click.echo(f"{counted(count, 'entry', 'entries')} ({counted(size, 'byte')}) removed{place}")


def _as_dict(code: CodeCache | None) -> dict[str, Any]:
    found = _found(code)
    return {
        "folder": _folder(code), "problem": _problem(code), "entries": len(found),
        "bytes": sum(entry.size for entry in found), "limit": 0 if code is None else code.limit,
        "files": [{"name": entry.name, "bytes": entry.size, "used": entry.used / 1e9} for entry in found],
    }  # fmt: skip


def _show(code: CodeCache | None) -> None:
    out, found, problem = console(), _found(code), _problem(code)
    rows: list[tuple[str, Any]] = []
    if code is not None:
        rows += [
            ("Folder", escaped(str(code.folder))), ("Entries", f"{len(found):,}"),
            ("Bytes", f"{sum(entry.size for entry in found):,} of at most {code.limit:,}"),
        ]  # fmt: skip
    if problem is not None:
        rows.append(("Not used", problem))
    out.print(facts_table(rows))
    if not found:
        return
    out.print()
    table, now = new_table(), time.time()
    table.add_column("Entry", no_wrap=True)
    table.add_column("Bytes", justify="right", no_wrap=True)
    table.add_column("Last used", justify="right", no_wrap=True)
    shown = found[:_SHOWN]
    for entry in shown:
        table.add_row(entry.name[:_SHOWN_NAME], f"{entry.size:,}", _age(now - entry.used / 1e9))
    out.print(table)
    if len(shown) < len(found):
        out.print(f"and {counted(len(found) - len(shown), 'older entry', 'older entries')}: --json has them")


def _found(code: CodeCache | None) -> list[Entry]:
    return [] if code is None else code.entries()


def _folder(code: CodeCache | None) -> str | None:
    return None if code is None else str(code.folder)


def _problem(code: CodeCache | None) -> str | None:
    """Why compiled code is not kept, or None."""
    if code is not None:
        unkeyed = "files of this package are newer than this process, or cannot be looked at"
        return code.problem() or code.write_problem() or (unkeyed if key_of() is None else None)
    return f"{FOLDER_VARIABLE} is empty" if FOLDER_VARIABLE in os.environ else "no home folder is known"


def _age(seconds: float) -> str:
    """How long ago, in the largest unit of which it is at least one."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{counted(int(seconds // size), unit)} ago"
    return "now"
