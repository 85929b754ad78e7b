"""`pvm new`: a folder with a service in C to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pvm.errors import InputError
from wasm_host.cc.compilers import TEMPLATE
from wasm_host.cli.failures import SUCCESS, os_reason

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@click.command("new")
@click.argument("name")
def command(name: str) -> int:
    """Write a JAM service in C and its test.

    NAME is a folder that does not exist yet. In it are service.c, a store of keys and values, and test_service.py.

    \b
    Examples:
      pvm new counter
    """
    folder = Path(name)
    if not _NAME.fullmatch(folder.name):
        raise InputError(f"{name}: a name has letters, digits, . _ and -, at most 64")
    try:
        folder.mkdir()
        for source in sorted(TEMPLATE.iterdir()):
            if source.suffix in (".c", ".py"):
                text = source.read_text(encoding="utf-8").replace("NAME", folder.name)
                (folder / source.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{name}: cannot be written: {os_reason(error)}") from None
    click.echo(f"{name}: a service in service.c, and test_service.py. Build and run it:")
    click.echo(f"  cd {name} && pvm cc service.c -o service.jam -g --metadata {folder.name}")
    click.echo("  pvm jam accumulate service.jam --payload 03020068656c6f6b")
    return SUCCESS
