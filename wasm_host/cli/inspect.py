"""`pvm inspect`: what a program consists of."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click
from rich.table import Table

from pvm.analysis import summary
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.printable import escaped
from pvm.program import (
    Instruction,
    Program,
    format_instruction,
)
from pvm.program.facts import call_symbol, metadata_text, shown_name
from wasm_host.cli.container import (
    SHOWN_EXPORTS,
    container_rows,
    functions_table,
    gather_container,
    imports_table,
)
from wasm_host.cli.engines import format_option, json_option, spec_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.inputs import load_program
from wasm_host.cli.outcome import NO_INSTRUCTION
from wasm_host.cli.output import console, counted, facts_table, new_table, print_json

_SHOWN_MIX, _SHOWN_METADATA, _SHOWN_PCS = 20, 64, 8
_SHOWN_CALLS = 40
_INVALID, _UNMARKED = "(invalid opcode)", "(not marked)"


@click.command("inspect")
@click.argument("program")
@spec_option
@format_option
@json_option
def command(program: str, spec: str, format_: str, as_json: bool) -> int:
    """Show a program's memory, entry points, blocks and instructions.

    Also its jump table, metadata and host calls, of a PolkaVM blob the sections, imports, exports and functions.
    PROGRAM is a file, - for standard input, hex:… (its octets), or example:NAME. Opcodes are read as --spec numbers
    them.

    \b
    Examples:
      pvm inspect example:life
      pvm inspect service.jam --json
      pvm inspect blob.bin --format plain --spec 0.8.0
    """
    loaded = load_program(program, format_, find_spec(spec))
    facts = gather(loaded.program, find_spec(spec))
    if as_json:
        print_json(facts)
    else:
        _show(loaded.label, facts)
    return SUCCESS


# --- gathering ---------------------------------------------------------------------------------------------------


def gather(program: Program, spec: Spec) -> dict[str, Any]:
    """Everything that the command shows, as its JSON object."""
    found = summary(program, spec)
    calls = {number: found.calls[number] for number in sorted(found.calls)}
    return {
        "format": found.format, "spec": found.spec, "size": found.size,
        "metadata": _metadata(program.metadata), **_memory(program),
        "entry_points": [
            {"pc": one.pc, "purpose": one.purpose, "instruction": one.instruction and _text(one.instruction)}
            for one in found.entries
        ],
        "code_bytes": found.code_bytes, "instructions": found.instructions, "basic_blocks": found.blocks,
        "jump_table": {
            "entries": found.jump_entries, "entry_size": found.jump_entry_size, "no_block_starts": [*found.bad_targets],
        },
        "instruction_mix": dict(found.mix), "invalid_opcodes": [*found.invalid], "unmarked": [*found.unmarked],
        "host_calls": {str(number): count for number, count in calls.items()},
        "host_call_names": {str(number): call_symbol(program, number, spec) for number in calls},
        "polkavm": gather_container(program, found.calls),
        "valid_080": found.invalid_080 is None, "invalid_080": found.invalid_080,
    }  # fmt: skip


def _metadata(metadata: bytes | None) -> dict[str, Any] | None:
    if metadata is None:
        return None
    return {"hex": metadata.hex(), "text": metadata_text(metadata)}


def _memory(program: Program) -> dict[str, Any]:
    sections = program.sections
    if sections is None:
        return {"sections": None, "segments": [], "heap": None}
    return {
        "sections": {
            "read_only": sections.read_only_size, "read_write": len(sections.read_write),
            "heap_pages": sections.heap_pages, "stack": sections.stack_size,
        },
        "segments": [
            {"name": s.name, "address": s.address, "length": s.length, "access": s.access, "data": len(s.data)}
            for s in sections.segments()
        ],
        "heap": {"start": sections.heap_end, "limit": sections.heap_limit},
    }  # fmt: skip


def _text(instruction: Instruction) -> str:
    return " ".join(format_instruction(instruction).split())


# --- showing -----------------------------------------------------------------------------------------------------


def _show(label: str, facts: dict[str, Any]) -> None:
    out = console()
    out.print(escaped(label), style="bold")
    out.print(facts_table(_overview(facts)))
    container = facts["polkavm"]
    calls = _host_calls_table(facts) if container is None else imports_table(container)
    functions = None if container is None else functions_table(container)
    tables = (_segments_table(facts), _entry_table(facts), calls, functions, _mix_table(facts))
    for table in tables:
        if table is not None:
            out.print()
            out.print(table)


def _overview(facts: dict[str, Any]) -> list[tuple[str, str]]:
    jumps, sections = facts["jump_table"], facts["sections"]
    rows = [("Format", f"{facts['format']}, {counted(facts['size'], 'byte')}")]
    rows += container_rows(facts["polkavm"])
    if facts["metadata"] is not None:
        raw, text = facts["metadata"]["hex"], facts["metadata"]["text"]
        if text:
            rows.append(("Metadata", escaped(text)))
        cut = raw[:_SHOWN_METADATA] + "…" * (len(raw) > _SHOWN_METADATA)
        rows.append(("Metadata, raw" if text else "Metadata", cut))
    if sections is not None:
        rows.append((
            "Sections",
            f"read-only {counted(sections['read_only'], 'byte')}, "
            f"read-write {counted(sections['read_write'], 'byte')}, "
            f"heap {counted(sections['heap_pages'], 'page')}, stack {counted(sections['stack'], 'byte')}",
        ))  # fmt: skip
    rows += [
        ("Code", f"{counted(facts['code_bytes'], 'byte')}, {counted(facts['instructions'], 'instruction')}, "
                 f"{counted(facts['basic_blocks'], 'basic block')}"),
        ("Jump table", _jump_text(jumps)),
        ("Invalid opcodes", _pcs_text(facts["invalid_opcodes"], "none")),
        *([("Not marked", f"{_pcs_text(facts['unmarked'], '')}, where execution gets to and panics")]
          if facts["unmarked"] else []),
        ("Valid in 0.8.0", "yes" if facts["valid_080"] else f"no, it panics at once: {facts['invalid_080']}"),
    ]  # fmt: skip
    return rows


def _jump_text(jumps: dict[str, Any]) -> str:
    if not jumps["entries"]:
        return "empty"
    count, wrong = jumps["entries"], jumps["no_block_starts"]
    text = f"{counted(count, 'entry', 'entries')} of {counted(jumps['entry_size'], 'byte')}"
    return text + (f", no block starts: {_pcs_text(wrong, '')}" if wrong else ", all of them block starts")


def _pcs_text(pcs: list[int], none: str) -> str:
    if not pcs:
        return none
    shown = ", ".join(map(str, pcs[:_SHOWN_PCS]))
    return f"{len(pcs):,}, at pc {shown}" + ("…" if len(pcs) > _SHOWN_PCS else "")


def _segments_table(facts: dict[str, Any]) -> Table | None:
    if facts["heap"] is None:
        return None
    table = new_table("Memory at the start")
    table.add_column("Segment")
    for column in ("Address", "End", "Length", "Data"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Access")
    for segment in facts["segments"]:
        address, length = segment["address"], segment["length"]
        table.add_row(
            segment["name"], f"{address:#010x}", f"{address + length:#010x}", f"{length:,}", f"{segment['data']:,}",
            segment["access"],
        )  # fmt: skip
    heap = facts["heap"]
    room = max(0, heap["limit"] - heap["start"])
    table.add_row("(heap may grow)", f"{heap['start']:#010x}", f"{heap['limit']:#010x}", f"{room:,}", "", "")
    return table


def _entry_table(facts: dict[str, Any]) -> Table:
    entries, is_container = facts["entry_points"], facts["polkavm"] is not None
    shown = entries[:SHOWN_EXPORTS]
    table = new_table(
        ("Exports" if is_container else "Entry points")
        + (f" ({len(shown)} of {len(entries):,})" if len(shown) < len(entries) else "")
    )
    table.add_column("pc", justify="right")
    table.add_column("Name" if is_container else "Purpose")
    table.add_column("Instruction")
    for entry in shown:
        table.add_row(str(entry["pc"]), shown_name(entry["purpose"]), entry["instruction"] or NO_INSTRUCTION)
    return table


def _host_calls_table(facts: dict[str, Any]) -> Table | None:
    if not facts["host_calls"]:
        return None
    calls = facts["host_calls"]
    table = new_table(_title("Host calls", min(len(calls), _SHOWN_CALLS), len(calls)))
    table.add_column("Number", justify="right")
    table.add_column("Name")
    table.add_column("Times in the code", justify="right")
    for number, count in islice(calls.items(), _SHOWN_CALLS):
        table.add_row(number, facts["host_call_names"][number] or "(unknown)", f"{count:,}")
    return table


def _mix_table(facts: dict[str, Any]) -> Table:
    mix, total = facts["instruction_mix"], facts["instructions"]
    shown = list(mix.items())[:_SHOWN_MIX]
    table = new_table(_title("Instructions", len(shown), len(mix)))
    table.add_column("Name")
    table.add_column("Count", justify="right")
    table.add_column("Share", justify="right")
    for name, count in shown:
        table.add_row(name, f"{count:,}", f"{100 * count / total:.1f} %")
    return table


def _title(what: str, shown: int, count: int) -> str:
    """A table's title, which says when some of its rows are left out."""
    return what if shown == count else f"{what} ({shown} of {count:,}; --json has all)"
