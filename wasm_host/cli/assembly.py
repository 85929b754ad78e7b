"""`pvm asm` and `pvm disasm`: assembly to programs and back."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.program import decode, disassemble_lines, jumps_to_no_block
from pvm.program.decode import instruction_pcs
from wasm_host.cli.engines import format_option, spec_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.inputs import ASM, EXAMPLE_PREFIX, STDIN, label_of, load_program
from wasm_host.cli.output import counted, report_written, write_lines, write_output
from wasm_host.cli.sources import MAP_SUFFIX, map_beside, with_source

PROGRAM_SUFFIX = ".pvm"
_STDOUT = "-"


@click.command()
@click.argument("source")
@click.option("-o", "--output", metavar="OUT", help="Where to write; - is standard output. [default: SOURCE as .pvm]")
@spec_option
def asm(source: str, output: str | None, spec: str) -> int:
    """Assemble SOURCE to a program.

    SOURCE is a UTF-8 file, - for standard input (which goes to standard output unless -o is given), or example:NAME.
    OUT is written whole or not at all.

    \b
    Examples:
      pvm asm sum.pvmasm
      pvm asm sum.pvmasm -o sum.bin --spec 0.8.0
      pvm asm example:sieve -o - | pvm run -
    """
    version = find_spec(spec)
    program = load_program(source, ASM, version).program
    data = program.encode()
    for instruction, to in jumps_to_no_block(program.blob, version, decode(program.blob, version)):
        click.echo(
            f"pvm: warning: {label_of(source)}: {instruction.row.name} at pc {instruction.pc} panics when it jumps: "
            f"no block starts at pc {to} (put fallthrough before that label)",
            err=True,
        )
    target = _default_output(source) if output is None else output
    _refuse_same(source, target)
    write_output(target, data)
    instructions = counted(sum(1 for _ in instruction_pcs(program.blob)), "instruction")
    report_written(target, len(data), program.format, instructions, f"opcodes of {spec}", err=False)
    return SUCCESS


@click.command()
@click.argument("program")
@click.option("-o", "--output", metavar="OUT", default=_STDOUT, help="Where to write. [default: standard output]")
@click.option("--source", "with_source_", is_flag=True, help="Show functions and source lines, from PROGRAM.map.")
@spec_option
@format_option
def disasm(program: str, output: str, with_source_: bool, spec: str, format_: str) -> int:
    """Write PROGRAM as assembly, from which `pvm asm` makes the same bytes again.

    PROGRAM is a file, - for standard input, or example:NAME. Empty lines separate basic blocks, and each instruction's
    pc stands in a comment. With --source, comments before the instructions say which line of C they came from.

    \b
    Examples:
      pvm disasm example:hello
      pvm disasm service.jam -o service.pvmasm
      pvm disasm blob.bin --format plain --spec 0.8.0 | less
    """
    version = find_spec(spec)
    loaded = load_program(program, format_, version)
    _refuse_same(program, output)
    lines = disassemble_lines(loaded.program, version)
    if with_source_:
        found = map_beside(program, loaded.program)
        if found is None:
            path = f"{program}{MAP_SUFFIX}"
            raise InputError(f"--source: {path} is not there, or of another program (`pvm cc -g` makes it)")
        lines = with_source(lines, found)
    size, _ = write_lines(output, lines)
    report_written(output, size, f"assembly of {loaded.label}", f"opcodes of {spec}")
    return SUCCESS


def _default_output(source: str) -> str:
    if source == STDIN:
        return _STDOUT
    if source.startswith(EXAMPLE_PREFIX):
        return source.removeprefix(EXAMPLE_PREFIX) + PROGRAM_SUFFIX
    return str(Path(source).with_suffix(PROGRAM_SUFFIX))


def _refuse_same(source: str, target: str) -> None:
    """Raises InputError when the output would replace the input."""
    if _STDOUT in (source, target) or not os.path.exists(source):
        return
    if os.path.realpath(source) == os.path.realpath(target):
        raise InputError(f"--output: {target} is the input itself")
