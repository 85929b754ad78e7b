"""`pvm isa`: the instruction set, from the rows that every engine is made of."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import click

from pvm.errors import InputError
from pvm.isa import BY_NAME, FORMATS, ROWS, SPEC_NAMES, Row
from pvm.isa import spec as find_spec
from pvm.isa.expr import show
from pvm.isa.spec import elsewhere
from pvm.suggestions import did_you_mean
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.output import console, counted, new_table, print_json, report_written, write_output

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,9}|[0-9]{1,9}")
_WIDE = 100  # columns from which on everything is shown


@click.command("isa")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--spec", type=click.Choice(SPEC_NAMES), help="Only what this version of the Gray Paper has.")
@json_option
@click.option("--html", metavar="OUT", help="Write a page with all of it, to search in, and nothing else.")
def command(names: tuple[str, ...], spec: str | None, as_json: bool, html: str | None) -> int:
    """Show the instruction set: opcodes, operands and the meaning of every instruction.

    NAME is an instruction's, and may contain * and ?; or a part of names, an opcode such as 200 or 0xC8, or a format
    of operands such as reg_reg_imm. Without one, all are shown. In the meaning, rA, rB and rD are
    registers, x and y immediates, u32[…] is memory, and ' marks the value after the instruction. Ends says that a
    basic block ends there; jumps lead only to what follows such an instruction, and to 0.

    \b
    Examples:
      pvm isa
      pvm isa add_64 'load_ind_*'
      pvm isa 200 0xc8 branch
      pvm isa --spec 0.8.0 --json
      pvm isa --html isa.html
    """
    if html is not None:
        if names or spec is not None or as_json:
            raise InputError("--html: the page has all of both versions; give neither names nor --spec nor --json")
        from pvm_web.isa_page import isa_page  # only here, because importing Jinja2 would delay every command

        page = isa_page().encode("utf-8")
        write_output(html, page)
        report_written(html, len(page), counted(len(ROWS), "instruction"))
        return SUCCESS
    rows = _chosen(names, SPEC_NAMES if spec is None else (spec,))
    if as_json:
        print_json({"instructions": [_as_dict(row) for row in rows]})
    else:
        _show(rows)
    return SUCCESS


def _chosen(names: tuple[str, ...], versions: tuple[str, ...]) -> list[Row]:
    """The rows of these versions that are meant by a name, all without names.

    Raises InputError for a name that means none.
    """
    rows = [row for row in ROWS if any(row.name in find_spec(version).opcodes for version in versions)]
    wanted = {row.name for name in names for row in _meant(name, rows, versions)}
    return [row for row in rows if not names or row.name in wanted]


def _meant(name: str, rows: list[Row], versions: tuple[str, ...]) -> list[Row]:
    """By opcode, name, format, or part of the name, whichever there is first."""
    if _NUMBER.fullmatch(name):
        return _with_opcode(name, versions)
    plain = name.lower()
    found = (
        [row for row in rows if fnmatchcase(row.name, plain)]
        or [row for row in rows if row.format.name == plain]
        or [row for row in rows if plain and plain in row.name]
    )
    if not found and plain in BY_NAME:
        raise InputError(f"{name}: this version has no such instruction{elsewhere(plain)}")
    if not found:
        hint = did_you_mean(name, [*(row.name for row in rows), *(format.name for format in FORMATS)])
        raise InputError(f"{name}: no such instruction{hint and '; ' + hint}")
    return found


def _with_opcode(text: str, versions: tuple[str, ...]) -> list[Row]:
    """What an opcode means in the versions, which may be two instructions."""
    opcode = int(text, 0) if text[:2].lower() == "0x" else int(text)
    if opcode > 255:
        raise InputError(f"{text}: an opcode is from 0 to 255")
    found = {version: find_spec(version).by_opcode[opcode] for version in SPEC_NAMES}
    rows = [row for version in versions if (row := found[version]) is not None]
    if not rows:
        others = [(version, row) for version, row in found.items() if row is not None]
        hint = "".join(f"; in {version} it is {row.name} (--spec {version})" for version, row in others)
        raise InputError(f"{text}: no instruction of {' or '.join(versions)} has this opcode{hint}")
    return rows


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
