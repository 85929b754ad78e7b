"""Help: its layout on terminals of any width, `pvm help`, and what is said of a command that does not exist.

In: click's commands. Out: text that is no wider than the terminal and leaves nothing out.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from importlib import import_module

import click

from pvm.errors import InputError
from pvm.suggestions import did_you_mean
from wasm_host.cli.failures import SUCCESS

_WIDEST, _NARROWEST = 100, 30  # columns
_NARROW = 60  # columns, below which names take a third of them at most, and text goes below what it explains
_TERM = re.compile(r"(\s*)(\S+(?: \S+)*)\s{2,}(\S.*)")  # a line of a list: what, two blanks or more, what it is
_PROGRAMS = ("pvm ", "wasmtime ")  # what examples begin with
_RAW = "\b\n"  # click's mark of a paragraph whose lines are kept


class Formatter(click.HelpFormatter):
    """As wide as the terminal, down to 30 columns."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        columns = min(shutil.get_terminal_size().columns, _WIDEST if max_width is None else max_width)
        super().__init__(indent_increment, max(columns - 2, _NARROWEST - 2) if width is None else width, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        if self.width < _NARROW:
            col_max = min(col_max, self.width // 3)
        room = self.width - self.current_indent
        super().write_dl([(_broken(term, room), text) for term, text in rows], col_max, col_spacing)

    def write_text(self, text: str) -> None:
        room = self.width - self.current_indent
        super().write_text("\n\n".join(_folded(paragraph, room) for paragraph in text.split("\n\n")))


def _broken(term: str, room: int) -> str:
    """An option and its choices; where they take more than a line, more of these."""
    if len(term) <= room:
        return term
    lines = [""]
    for part in re.split(r"(?<=[|,]) ?", term):
        if lines[-1] and len(lines[-1]) + len(part) > room:
            lines.append("    ")
        lines[-1] += part
    return "\n  ".join(lines)


def _folded(paragraph: str, room: int) -> str:
    """A paragraph of kept lines with room for each: what does not fit beside its term goes below. Commands stay."""
    before, mark, kept = paragraph.partition(_RAW)
    if not mark:
        return paragraph
    lines: list[str] = []
    for line in kept.split("\n"):
        found = _TERM.fullmatch(line)
        if len(line) <= room or (line.lstrip().startswith(_PROGRAMS) and not found):
            lines.append(line)
        elif found:
            if found.start(3) > room // 3:
                lines += _wrapped(found[2], room, len(found[1])) + _wrapped(found[3], room, len(found[1]) + 4)
            else:
                beside = _wrapped(found[3], room, found.start(3))
                lines += [line[: found.start(3)] + beside[0].lstrip(), *beside[1:]]
        else:  # of the text of a list, or a term whose text is below
            lines += _wrapped(line.strip(), room, 6 if line.startswith(" " * 8) else 2)
    return before + mark + "\n".join(lines)


def _wrapped(text: str, room: int, indent: int) -> list[str]:
    blanks = " " * indent
    return textwrap.wrap(text, room, initial_indent=blanks, subsequent_indent=blanks, break_on_hyphens=False)


class Context(click.Context):
    formatter_class = Formatter


class Unloaded(MutableMapping[str, click.Command]):
    """Commands by name, each imported from its place (file and name in it) in a package when it is first asked for."""

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places: dict[str, str | click.Command] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        found = self._places[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(".")
            command: click.Command = getattr(import_module(f"{self._package}.{module}"), attribute)
            command.context_class = Context
            self._places[name] = found = command
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


class Commands(click.Group):
    """Lists its commands in the order in which they were added, each with all of its first paragraph."""

    context_class = Context

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.context_class = Context
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_paragraph(command)) for name, command in self.commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise InputError(no_such_command(ctx, self, args[0]))
        return super().resolve_command(ctx, args)


def first_paragraph(command: click.Command) -> str:
    """What a command does, on one line."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def no_such_command(context: click.Context, group: click.Group, name: str) -> str:
    """The message, with what may have been meant."""
    hint = did_you_mean(name, group.commands)
    if context.parent is None and name.lower() == "version":
        hint = "`pvm --version` says which this is"
    if not hint and context.parent is None and (":" in name or "." in name or os.path.exists(name)):
        hint = f"`pvm run {name[:40]}` runs a program"
    path = context.command_path
    return f"{path}: no such command {name[:40]!r}; {hint or f'`pvm help{path[3:]}` lists them'}"


@click.command("help")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(context: click.Context, names: tuple[str, ...]) -> int:
    """Show what COMMAND takes, with examples; without one, list all commands.

    \b
    Examples:
      pvm help
      pvm help run
      pvm help web build
    """
    at = context.find_root()
    for name in names:
        group = at.command
        if not isinstance(group, click.Group):
            raise InputError(f"{at.command_path}: it has no commands of its own")
        found = group.commands.get(name)
        if found is None:
            raise InputError(no_such_command(at, group, name))
        at = Context(found, parent=at, info_name=name)
    click.echo(at.get_help())
    return SUCCESS
