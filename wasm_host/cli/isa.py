"""`pvm isa`: the instruction set, from the rows that every engine is made of."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import click

from pvm.errors import InputError
from pvm.isa import BY_NAME, ROWS, SPEC_NAMES, Row
from pvm.isa import spec as find_spec
from pvm.isa.expr import show
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.output import console, counted, new_table, print_json, write_output

_WIDE = 100  # columns from which on everything is shown


@click.command("isa")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--spec", type=click.Choice(SPEC_NAMES), help="Only what this version of the Gray Paper has.")
@json_option
@click.option("--html", metavar="OUT", help="Write a page with all of it, to search in, and nothing else.")
def command(names: tuple[str, ...], spec: str | None, as_json: bool, html: str | None) -> int:
    """Show the instruction set: opcodes, operands and the meaning of every instruction.

    NAME is an instruction's, and may contain * and ?. Without one, all are shown. In the meaning, rA, rB and rD are
    registers, x and y immediates, u32[…] is memory, and ' marks the value after the instruction. Ends says that a
    basic block ends there; jumps lead only to what follows such an instruction, and to 0.

    \b
    Examples:
      pvm isa
      pvm isa add_64 'load_ind_*'
      pvm isa --spec 0.8.0 --json
      pvm isa --html isa.html
    """
    if html is not None:
        if names or spec is not None or as_json:
            raise InputError("--html: the page has all of both versions; give neither names nor --spec nor --json")
        from web.isa_page import isa_page  # only here, because importing Jinja2 would delay every command

        write_output(html, isa_page().encode("utf-8"))
        return SUCCESS
    rows = _chosen(names, ROWS if spec is None else find_spec(spec).rows)
    if as_json:
        print_json({"instructions": [_as_dict(row) for row in rows]})
    else:
        _show(rows)
    return SUCCESS


def _chosen(names: tuple[str, ...], rows: tuple[Row, ...]) -> list[Row]:
    """The rows that a name matches, all without names. Raises InputError for a name that matches none."""
    for name in names:
        if not any(fnmatchcase(row.name, name) for row in rows):
            if name in BY_NAME:
                raise InputError(f"{name}: this version has no such instruction")
            close = get_close_matches(name, [row.name for row in rows], 3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise InputError(f"{name}: no such instruction{hint}")
    return [row for row in rows if not names or any(fnmatchcase(row.name, name) for name in names)]


def _meaning(row: Row) -> str:
    return "; ".join(show(effect) for effect in row.effects)


def _as_dict(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "opcode_072": row.opcode_072, "opcode_080": row.opcode_080, "format": row.format.name,
        "ends_block": row.ends_block, "reads": list(row.reads), "writes": list(row.writes), "meaning": _meaning(row),
    }  # fmt: skip


def _show(rows: list[Row]) -> None:
    out, table = console(), new_table()
    for column in ("0.7.2", "0.8.0"):
        table.add_column(column, justify="right", no_wrap=True)
    # The meaning tells what is read and written; a narrow terminal has no room to say it twice.
    middle = ("Name", "Operands", "Ends", "Reads", "Writes") if out.width >= _WIDE else ("Name", "Ends")
    for column in middle:
        table.add_column(column, no_wrap=True)
    table.add_column("Meaning", overflow="fold")
    for row in rows:
        cells = {
            "Name": row.name, "Operands": row.format.name, "Ends": "yes" if row.ends_block else "",
            "Reads": " ".join(row.reads), "Writes": " ".join(row.writes),
        }  # fmt: skip
        table.add_row(
            _opcode(row.opcode_072), _opcode(row.opcode_080), *(cells[column] for column in middle), _meaning(row)
        )
    out.print(table)
    if len(rows) == len(ROWS):
        out.print(f"\n{counted(len(rows), 'instruction')}")


def _opcode(opcode: int | None) -> str:
    return "-" if opcode is None else str(opcode)
