"""The instruction set as one self-contained HTML page.

In: the rows. Out: HTML text with no link to anything outside it.
"""

from __future__ import annotations

from typing import Any

from pvm.isa import ROWS, Row
from pvm.isa.expr import show
from pvm.version import __version__
from pvm_web.render import render


def isa_page() -> str:
    """The page: every instruction with its numbers, operands and meaning, and a field to search in them."""
    return render("pvm_web", "isa.html.j2", version=__version__, groups=_groups())


def _groups() -> list[dict[str, Any]]:
    """The rows by operand format, in the Gray Paper's order."""
    groups: list[dict[str, Any]] = []
    for row in ROWS:
        if not groups or groups[-1]["title"] != row.format.title:
            groups.append({"title": row.format.title, "rows": []})
        groups[-1]["rows"].append(_row(row))
    return groups


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "opcodes": ["" if number is None else number for number in (row.opcode_072, row.opcode_080)],
        "ends_block": row.ends_block,
        "meaning": [show(effect) for effect in row.effects],
    }
