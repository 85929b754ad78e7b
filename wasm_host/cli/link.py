"""`pvm link`: objects and archives of RISC-V to a program. Its options are also those of `pvm cc`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from pvm.errors import InputError
from pvm.isa import SPEC_NAMES
from pvm.link import Linked, Options, link
from pvm.link.link import DEFAULT_HEAP, DEFAULT_STACK, FORMATS
from pvm.program.decode import instruction_pcs
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.inputs import STDIN, label_of, number_type, read_bytes
from wasm_host.cli.output import counted, print_json, report_written, write_output
from wasm_host.cli.sources import MAP_SUFFIX
from wasm_host.cli.streams import refuse_same

_ENTRY_PCS = {"refine": 0, "accumulate": 1, "is_authorized": 0, "0": 0, "5": 1}


def linking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands."""
    for option in reversed((
        click.option("-o", "--output", metavar="OUT", required=True, help="Where to write; - is standard output."),
        click.option("--entry", "entries", metavar="[PLACE=]SYMBOL", multiple=True,
                     help="A function that is called from outside; PLACE is refine (pc 0), accumulate (pc 5), 0 or 5. "
                          "[default: refine and accumulate, is_authorized, _start, main: what there is]"),
        click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True,
                     help="What to write; auto is jam for a service, else standard."),
        click.option("--metadata", metavar="TEXT|@FILE", help="Metadata of a service. [default: none]"),
        click.option("--stack", type=number_type(24), metavar="N", default=str(DEFAULT_STACK),
                     help=f"Octets of stack. [default: {DEFAULT_STACK:,}]"),
        click.option("--heap", type=number_type(28), metavar="N", default=str(DEFAULT_HEAP),
                     help=f"Octets of heap that are there from the start. [default: {DEFAULT_HEAP:,}]"),
        click.option("--spec", type=click.Choice(SPEC_NAMES), default="0.7.2", show_default=True,
                     help="Gray Paper version whose opcodes and host calls are meant."),
        click.option("--map", "with_map", is_flag=True,
                     help="Write OUT.map, too: functions and source lines, which `pvm run` and `pvm disasm` show."),
        json_option,
    )):  # fmt: skip
        command = option(command)
    return command


@click.command("link")
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@linking_options
def command(
    inputs: tuple[str, ...], output: str, entries: tuple[str, ...], format_: str, metadata: str | None, stack: int,
    heap: int, spec: str, with_map: bool, as_json: bool,
) -> int:  # fmt: skip
    """Link RISC-V objects to a program.

    IN are ELF objects, archives, or an executable whose relocations were kept (--emit-relocs), compiled for RV64E with
    M, A, Zbb and, if need be, C, Zba, Zbs, Zicond: -march=rv64ema_zbb -mabi=lp64e. What no entry point leads to is left
    out. Objects made for polkatool say themselves what is called from outside, and which host calls they make.

    \b
    Examples:
      pvm link service.o -o service.jam
      pvm link main.o libhelp.a -o prog.pvm --entry main --stack 0x20000
      pvm link refiner.o --entry refine=run -o refiner.pvm --json
    """
    refuse_same({"--output": output}, {label_of(name): name for name in inputs if name != STDIN})
    options = read_options(entries, format_, metadata, stack, heap, spec, with_map)
    linked = link([(label_of(name), read_bytes(name)) for name in inputs], options)
    write_linked(linked, output, spec, with_map, as_json)
    return SUCCESS


def read_options(
    entries: Sequence[str], format: str, metadata: str | None, stack: int, heap: int, spec: str, keep_frames: bool
) -> Options:
    """What the options ask for. Raises InputError."""
    places: dict[int, str] = {}
    for entry in entries:
        place, mark, symbol = entry.rpartition("=")
        if mark and place not in _ENTRY_PCS:
            raise InputError(f"--entry: {place} is no place: refine, accumulate, is_authorized, 0 or 5")
        number = _ENTRY_PCS[place] if mark else len(places)
        if number in places:
            raise InputError(f"--entry: {places[number]} and {symbol} are for the same place")
        places[number] = symbol
    if places and sorted(places) != list(range(len(places))):
        raise InputError("--entry: there is one for pc 5, but none for pc 0")
    octets = b"" if metadata is None else read_bytes(metadata[1:]) if metadata[:1] == "@" else metadata.encode()
    return Options(tuple(places[number] for number in sorted(places)), format, stack, heap, octets, spec, keep_frames)


def write_linked(linked: Linked, output: str, spec: str, with_map: bool, as_json: bool) -> None:
    """Write the program, and its map if asked for, and say what came out."""
    if with_map and output == "-":
        raise InputError("--map: it lies beside the program, which goes to standard output")
    program = linked.program
    data = program.encode()
    write_output(output, data)
    if with_map:
        write_output(output + MAP_SUFFIX, linked.source_map().to_text().encode())
    instructions = sum(1 for _ in instruction_pcs(program.blob))
    sections = program.sections
    if as_json and output != "-":
        print_json({
            "output": output, "bytes": len(data), "format": program.format, "spec": spec,
            "entries": [{"name": name, "pc": pc} for name, pc in linked.entries],
            **_imports(linked),
            "instructions": instructions, "code_bytes": len(program.code), "functions": len(linked.functions),
            "jump_table_entries": len(program.jump_table),
            "read_only_bytes": sections.read_only_size if sections else 0,
            "read_write_bytes": len(sections.read_write) if sections else 0,
        })  # fmt: skip
        return
    places = " and ".join(f"{name} at pc {pc}" for name, pc in linked.entries)
    report_written(
        output, len(data), program.format, counted(instructions, "instruction"), places, f"opcodes of {spec}", err=False
    )  # fmt: skip


def _imports(linked: Linked) -> dict[str, Any]:
    """Keys of --json."""
    listed = [{"name": one.symbol, "host_call": one.number} for one in linked.imports]
    return {"imports": listed} if listed else {}
