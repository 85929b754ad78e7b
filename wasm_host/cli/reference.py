"""The command reference as a document: what `pvm help COMMAND` prints, for all commands.

In: the commands. Out: the text of `COMMANDS.md`, for which the command is
`python -m wasm_host.cli.reference > wasm_host/cli/COMMANDS.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from wasm_host.cli import cli

WIDTH = 100  # columns


def reference() -> str:
    """The document, in Markdown."""
    parts = [f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in _helps("pvm", cli, None)]
    return "# Commands\n\nWhat `pvm help COMMAND` prints.\n\n" + "\n".join(parts)


def _helps(name: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """The command's help and those of the commands within it, each with what is typed to get there."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.context_class(command, parent, info_name=name.rpartition(" ")[2], **settings)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _helps(f"{name} {inner}", found, context)


if __name__ == "__main__":
    sys.stdout.write(reference())
