"""What a PolkaVM blob has besides a program, for `pvm inspect`: its sections, imports, exports, names of functions.

In: a program. Out: a JSON object of it, and tables and rows made of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from pvm.program import Program
from pvm.program.facts import shown_name
from wasm_host.cli.output import counted, new_table

_SHOWN_IMPORTS, _SHOWN_FUNCTIONS, SHOWN_EXPORTS = 60, 20, 40


def gather_container(program: Program, calls: Mapping[int, int]) -> dict[str, Any] | None:
    """None for other programs. `calls` says how often the code calls each number."""
    found = program.polkavm
    if found is None:
        return None
    return {
        "instruction_set": found.instruction_set.name, "spec": found.spec, "foreign": dict(found.foreign),
        "sections": [{"number": p.number, "name": p.name, "offset": p.offset, "size": p.size} for p in found.parts],
        "imports": [
            {"number": number, "symbol": symbol, "calls": calls.get(number, 0)}
            for number, symbol in enumerate(found.imports)
        ],
        "exports": [{"name": export.name, "pc": export.pc} for export in found.exports],
        "functions": [{"pc": f.pc, "end": f.end, "name": f.name} for f in found.functions],
    }  # fmt: skip


def container_rows(facts: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What the overview says of it."""
    if facts is None:
        return []
    foreign = ", ".join(f"{counted(count, name)}" for name, count in facts["foreign"].items())
    lacks = f"; {foreign}, which {facts['spec']} has no opcode for: traps" if foreign else ""
    parts = ", ".join(f"{part['name']} {part['size']:,}" for part in facts["sections"])
    return [
        ("Instruction set", f"{facts['instruction_set']}, opcodes of {facts['spec']}{lacks}"),
        ("Container", f"bytes of {parts}"),
    ]


def imports_table(facts: Mapping[str, Any]) -> Table | None:
    """Symbols by the number with which `ecalli` calls them."""
    named = [one for one in facts["imports"] if one["symbol"]]
    if not named:
        return None
    table = new_table(_title("Imports", named, _SHOWN_IMPORTS))
    table.add_column("Number", justify="right")
    table.add_column("Symbol")
    table.add_column("Times in the code", justify="right")
    for one in named[:_SHOWN_IMPORTS]:
        table.add_row(str(one["number"]), shown_name(one["symbol"]), f"{one['calls']:,}")
    return table


def functions_table(facts: Mapping[str, Any]) -> Table | None:
    """Those with the most code; the parts of one function count together."""
    sizes: dict[str, list[int]] = {}
    for one in facts["functions"]:
        sizes.setdefault(one["name"], [one["pc"], 0])[1] += one["end"] - one["pc"]
    if not sizes:
        return None
    largest = sorted(sizes.items(), key=lambda item: -item[1][1])
    table = new_table(_title("Functions by size", largest, _SHOWN_FUNCTIONS))
    table.add_column("Name")
    table.add_column("First pc", justify="right")
    table.add_column("Bytes", justify="right")
    for name, (pc, size) in largest[:_SHOWN_FUNCTIONS]:
        table.add_row(shown_name(name), str(pc), f"{size:,}")
    return table


def _title(text: str, rows: list[Any], shown: int) -> str:
    return text if len(rows) <= shown else f"{text} ({shown} of {len(rows):,})"
