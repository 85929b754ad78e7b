"""`pvm shape`: what the recompiler makes of a program."""

from __future__ import annotations

from typing import Any

import click

from pvm.emit.recompiler import why_interpreted
from pvm.emit.recompiler.outline import (
    BlockOutline,
    End,
    LoopOutline,
    Onward,
    Outline,
    Point,
    RegionOutline,
    outline_of,
)
from pvm.emit.recompiler.outline_text import outline_lines
from pvm.errors import InputError
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.printable import escaped
from pvm.program import Program, invalid_at
from wasm_host.cli.engines import Decorator, format_option, json_option, metering_option, spec_option
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import Loaded, load_program, number_type
from wasm_host.cli.output import print_json, write_lines
from wasm_host.engine import HARDWARE, SOFTWARE
from wasm_host.translating import costs_to_translate

# No "auto": what is printed is the same on every host.
protection_option: Decorator = click.option(
    "--protection", type=click.Choice((SOFTWARE, HARDWARE)), default=HARDWARE, show_default=True,
    help="How recompiled code checks memory.",
)  # fmt: skip
region_option: Decorator = click.option(
    "--region", type=number_type(32), metavar="N", help="Only this region, which is function region_N of the module."
)


@click.command("shape")
@click.argument("program")
@region_option
@click.option("--summary", is_flag=True, help="Of each region only what it consists of.")
@spec_option
@metering_option
@protection_option
@format_option
@json_option
def command(
    program: str, region: int | None, summary: bool, spec: str, metering: str, protection: str, format_: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Show what the recompiler makes of PROGRAM: regions, loops, blocks, and how each goes on.

    PROGRAM is a file, - for standard input, or example:NAME. A region becomes a function of WebAssembly. In it loops
    that are only entered at their header become loops, which indentation shows; jumps forwards leave a block of
    WebAssembly; all else goes through the region's dispatcher, which leads to its entries. Blocks are called by the
    disassembler's label. Gas is what a block takes; needs is what has to be left where gas is looked at. A checkpoint
    stores registers, so that what comes after it can be run again after a page fault.

    \b
    Examples:
      pvm shape example:sort
      pvm shape service.jam --summary
      pvm shape service.jam --region 3 --protection software
      pvm shape blob.bin --format plain --json
    """
    version = find_spec(spec)
    loaded = load_program(program, format_, version)
    refuse_untaken(loaded, version)
    warn_of_invalid(loaded, version)
    with blamed_on("--region"):
        costs = costs_to_translate(loaded.program, version, metering)
        outline = outline_of(loaded.program.blob, version, metering, protection, region=region, costs=costs)
    if as_json:
        print_json(_outline(outline, loaded.program, summary))
    else:
        write_lines("-", outline_lines(outline, trees=not summary))
    return SUCCESS


def refuse_untaken(loaded: Loaded, spec: Spec) -> None:
    """Raises InputError for a program that is never translated."""
    reason = why_interpreted(loaded.program.blob, spec)
    if reason is not None:
        raise InputError(f"{escaped(loaded.label)}: the recompiler leaves it to the interpreter: {reason}")


def warn_of_invalid(loaded: Loaded, spec: Spec) -> None:
    """Say on standard error when what the recompiler makes of a program never runs."""
    found = invalid_at(loaded.program.blob, spec) if spec.validates else None
    if found is not None:
        click.echo(
            f"pvm: warning: {escaped(loaded.label)}: never used, because in {spec.name} the program panics at once: "
            f"{found}",
            err=True,
        )


# --- as JSON -----------------------------------------------------------------------------------------------------


def _outline(outline: Outline, program: Program, summary: bool) -> dict[str, Any]:
    return {
        "format": program.format, "spec": outline.spec, "metering": outline.metering,
        "protection": outline.protection, "instructions": outline.instructions - 1, "blocks": outline.blocks,
        "region_count": outline.count, "regions": [_region(region, summary) for region in outline.regions],
    }  # fmt: skip


def _region(region: RegionOutline, summary: bool) -> dict[str, Any]:
    facts = {
        "number": region.number, "pc": region.pc, "last_pc": region.last_pc, "first_block": region.first,
        "last_block": region.end - 1, "instructions": region.instructions, "entries": region.entries,
        "crossings": region.crossings, "backwards": region.backwards, "checkpoints": region.points,
        "bytes": region.size, "loops": [_loop(loop) for loop in region.loops],
    }  # fmt: skip
    return facts if summary else {**facts, "blocks": [_block(block) for block in region.blocks]}


def _loop(loop: LoopOutline) -> dict[str, Any]:
    return {
        "header": loop.header, "last": loop.last, "structured": loop.obstacle is None,
        "obstacle": None if loop.obstacle is None else {"block": loop.at, "reason": loop.obstacle.value},
        "checkpoint": None if loop.point is None else _point(loop.point),
    }  # fmt: skip


def _block(block: BlockOutline) -> dict[str, Any]:
    return {
        "number": block.number, "pc": block.pc, "label": block.label, "instructions": block.instructions,
        "follows": block.follows.name.lower(), "gas": block.gas, "needs": block.needs, "entry": block.entry,
        "entered_by": [entrance.value for entrance in block.entrances],
        "checkpoints": [_point(point) for point in block.points], "checks": block.checks, "end": _end(block.end),
    }  # fmt: skip


def _point(point: Point) -> dict[str, Any]:
    return {"pc": point.pc, "registers": list(point.registers)}


def _end(end: End) -> dict[str, Any]:
    return {
        "kind": end.ending.value, "instruction": end.instruction, "jump": _onward(end.jump),
        "falls": _onward(end.falls), "host_call": end.call,
    }  # fmt: skip


def _onward(onward: Onward | None) -> dict[str, Any] | None:
    return None if onward is None else {"block": onward.block, "region": onward.region, "way": onward.way.value}
