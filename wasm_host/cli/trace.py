"""`pvm trace`: what `pvm run --trace` and --record write, and other engines' traces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.text import Text

from pvm.errors import InputError
from pvm.printable import escaped
from pvm.trace import Comparison, Difference, Side, compare_traces
from pvm.trace.differ import CONTEXT
from pvm.trace.lines import LONGEST_LINE
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import FAILURE, SUCCESS
from wasm_host.cli.help import Commands
from wasm_host.cli.inputs import STDIN, label_of, unreadable
from wasm_host.cli.output import console, counted, facts_table, print_json

_SIDES = ("A", "B")
_SHOWN = 400  # characters of a line
_MANY_FIELDS = 20


@click.group("trace", cls=Commands, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> int:
    """Compare traces of runs, of this engine and of others.

    \b
    Examples:
      pvm trace diff ours.txt theirs.txt
      pvm trace diff --help
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return SUCCESS


@command.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--ignore", "ignored", multiple=True, metavar="FIELD", help="Do not compare a field: gas, operands, r7 …")
@click.option(
    "--context", type=click.IntRange(0, 1000), default=CONTEXT, show_default=True, metavar="N",
    help="How many lines before the difference are shown.",
)  # fmt: skip
@click.option(
    "--before", type=click.Choice(_SIDES), multiple=True,
    help="The trace whose lines have gas and registers before the instruction.",
)  # fmt: skip
@json_option
def diff(
    first: str, second: str, ignored: tuple[str, ...], context: int, before: tuple[str, ...], as_json: bool
) -> int:
    """Find the first difference of two traces.

    A and B are traces of instructions (`pvm run --trace`, or what other engines print: lines with pc, instruction, gas
    and registers), of host calls (ecalli traces), or one of each, which are compared by their host calls. Compared are
    the fields that both have; gas and registers are those after an instruction, unless --before says otherwise. One of
    them may be -, standard input.

    The exit status is 0 if they agree, 1 if they differ, 2 if one is no trace. --json has `same`, `compared`,
    `left_out`, `fields` and `difference`: null, or an object with `field`, `first` and `second` (each with `line`,
    `value` and `text`), `others`, `instruction` and `context`.

    \b
    Examples:
      pvm trace diff ours.txt theirs.txt
      pvm trace diff ours.txt theirs.txt --ignore gas --context 10
      pvm trace diff ours.txt theirs.txt --before B
      pvm trace diff ours.txt service.log --json
      pvm run service.jam --pc 5 --answers service.log --trace - | pvm trace diff - theirs.txt
    """
    if first == second == STDIN:
        raise InputError("B: standard input is A already")
    if first != STDIN and first == second:
        raise InputError("B: it is the same file as A")
    sides, names = [_SIDES.index(side) for side in before], (label_of(first), label_of(second))
    found = compare_traces(_lines(first), _lines(second), ignored, context, sides, names)
    if as_json:
        print_json({"same": found.difference is None, **asdict(found)})
    else:
        _show(found, first, second)
    return SUCCESS if found.difference is None else FAILURE


def _lines(path: str) -> Iterator[str]:
    """The lines of a file, one at a time. Raises InputError, also for one that is too long to be a trace's."""
    label = label_of(path)
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise InputError(f"{label}: it is closed")
            yield from _decoded(sys.stdin.buffer, label)
        else:
            with open(path, "rb") as file:
                yield from _decoded(file, label)
    except OSError as error:
        raise unreadable(path, error) from None


def _decoded(file: BinaryIO, label: str) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InputError(f"{label}: line {number} is longer than {LONGEST_LINE >> 20} MiB, so this is no trace")
        yield line.decode("utf-8", "backslashreplace")


def _show(found: Comparison, first: str, second: str) -> None:
    out = console()
    compared = ", ".join(counted(count, kind) for kind, count in found.compared.items() if kind not in ("start", "end"))
    rest = f"; {' and '.join(found.left_out)} in one of them only" if found.left_out else ""
    if found.difference is None:
        out.print(Text("same", "bold green").append(f": {compared or 'start and end'}{rest}", "default"))
        out.print(f"compared: {_some(found.fields)}")
        return
    _show_difference(out, found.difference, first, second)
    out.print(f"\nbefore it: {compared or 'nothing'}{rest}")


def _show_difference(out: Console, difference: Difference, first: str, second: str) -> None:
    out.print(Text(_title(difference), "bold red"))
    if difference.instruction is not None:
        out.print(f"at {escaped(difference.instruction)}")
    out.print()
    labels = (label_of(first), label_of(second))
    sides = (difference.first, difference.second)
    rows = [(escaped(label), f"{_place(side)}: {_value(side)}") for label, side in zip(labels, sides, strict=True)]
    out.print(facts_table(rows))
    if difference.others:
        out.print(f"also different: {_some(difference.others)}")
    out.print()
    for line in difference.context:
        out.print(f"  {_short(line)}")
    for sign, side in zip("-+", sides, strict=True):
        if side.line:
            out.print(Text(f"{sign} {_short(side.text)}", "red" if sign == "-" else "green"))


def _title(difference: Difference) -> str:
    if difference.field == "end":
        ended = "A" if not difference.first.line else "B"
        return f"{ended} ends where {'B' if ended == 'A' else 'A'} goes on: so far they are the same"
    if difference.field == "record":
        return f"{difference.first.value} in A, {difference.second.value} in B"
    return f"{difference.field} differs"


def _place(side: Side) -> str:
    return f"line {side.line}" if side.line else "at its end"


def _value(side: Side) -> str:
    value: Any = side.value
    return f"{value:#x} ({value})" if isinstance(value, int) and value > 9 else escaped(str(value))


def _short(line: str) -> str:
    text = escaped(line)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MANY_FIELDS])
    return f"{escaped(shown)}{' …' if len(names) > _MANY_FIELDS else ''}"
