"""`pvm gas`: what blocks cost by the pipeline model of 0.8.0, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import click

from pvm.errors import InputError
from pvm.gas.pipeline import Timeline, block_timeline, blocks
from pvm.gas.timeline_text import deciding, timeline_lines
from pvm.isa import SPEC_NAMES, Spec
from pvm.isa import spec as find_spec
from pvm.program import Blob, Instruction, format_instruction
from wasm_host.cli.engines import format_option, json_option
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import load_program, number_type
from wasm_host.cli.output import console, new_table, print_json, write_output
from wasm_host.cli.shape import warn_of_invalid

_SHOWN = 50  # blocks


@dataclass(frozen=True)
class _Priced:
    """A block and its simulation."""

    instructions: list[Instruction]
    timeline: Timeline

    @property
    def pc(self) -> int:
        return self.instructions[0].pc


@click.command("gas")
@click.argument("program")
@click.option("--block", type=number_type(32), metavar="PC", help="Draw the simulation of the block that begins there.")
@click.option("--hot", is_flag=True, help="The dearest blocks first.")
@click.option("--limit", type=number_type(32), metavar="N", help=f"Show N blocks. [default: {_SHOWN}; with --json all]")
@click.option(
    "--spec", type=click.Choice(SPEC_NAMES), default="0.8.0", show_default=True,
    help="Version of the Gray Paper that numbers the opcodes.",
)  # fmt: skip
@format_option
@json_option
def command(
    program: str, block: int | None, hot: bool, limit: int | None, spec: str, format_: str, as_json: bool
) -> int:
    """Show what the blocks of PROGRAM cost by 0.8.0's pipeline model of gas, and why.

    PROGRAM is a file, - for standard input, or example:NAME. A block costs the cycles that a simulated processor takes
    for it, less 3, and at least 1 (A.9). With --block each of its instructions is a row and each cycle a column.

    \b
    Examples:
      pvm gas example:blake2b --hot
      pvm gas example:blake2b --block 0
      pvm gas service.jam --spec 0.7.2 --json
    """
    version = find_spec(spec)
    loaded = load_program(program, format_, version)
    warn_of_invalid(loaded, version)
    blob = loaded.program.blob
    if block is not None:
        with blamed_on("--block"):
            _draw(_price(_find(blob, version, block), blob, version), as_json)
        return SUCCESS
    priced: Iterator[_Priced] = (_price(found, blob, version) for found in blocks(blob, version))
    if hot:
        priced = iter(sorted(priced, key=lambda found: -found.timeline.cost))
    count = limit if limit is not None else None if as_json else _SHOWN
    shown = list(islice(priced, count))
    is_more = next(priced, None) is not None
    if as_json:
        print_json({"spec": spec, "model": "pipeline", "blocks": [_facts(found) for found in shown]})
    else:
        _list(shown, is_more)
    return SUCCESS


def _price(found: list[Instruction], blob: Blob, spec: Spec) -> _Priced:
    return _Priced(found, block_timeline(found, blob, spec))


def _find(blob: Blob, spec: Spec, pc: int) -> list[Instruction]:
    """The block that begins at a pc. Raises InputError, which names the block around it."""
    for found in blocks(blob, spec):
        if found[0].pc == pc:
            return found
        if found[0].pc <= pc < found[-1].next_pc:
            raise InputError(f"no block begins at pc {pc}: it lies in the one of pc {found[0].pc}")
    raise InputError(f"no block begins at pc {pc}: the code ends at pc {len(blob.code)}")


def _text(instruction: Instruction) -> str:
    return " ".join(format_instruction(instruction).split())


def _facts(found: _Priced) -> dict[str, int]:
    timeline = found.timeline
    return {
        "pc": found.pc, "instructions": len(found.instructions), "cost": timeline.cost, "cycles": timeline.cycles,
        "decided_by": deciding(timeline).pc,
    }  # fmt: skip


def _draw(found: _Priced, as_json: bool) -> None:
    texts = {instruction.pc: _text(instruction) for instruction in found.instructions}
    if not as_json:
        write_output("-", "".join(f"{line}\n" for line in timeline_lines(found.timeline, texts)).encode())
        return
    rows = [
        {
            "pc": span.pc, "instruction": texts[span.pc], "decoded": span.decoded, "started": span.started,
            "done": span.done, "retired": span.retired,
        }
        for span in found.timeline.spans
    ]  # fmt: skip
    print_json({**_facts(found), "timeline": rows})


def _list(shown: list[_Priced], is_more: bool) -> None:
    table = new_table()
    table.add_column("Block", justify="right")
    table.add_column("Gas", justify="right")
    table.add_column("Instructions", justify="right")
    table.add_column("Decided by")
    for found in shown:
        decided = deciding(found.timeline).pc
        text = next(_text(instruction) for instruction in found.instructions if instruction.pc == decided)
        table.add_row(
            str(found.pc), f"{found.timeline.cost:,}", f"{len(found.instructions):,}", f"{text} (pc {decided})"
        )
    out = console()
    out.print(table)
    if is_more:
        out.print(f"There are more blocks than these {len(shown)} (--limit N shows more).")
