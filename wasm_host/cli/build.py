"""`pvm build`: WebAssembly modules that run without us."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from pvm.emit.recompiler import why_interpreted
from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, start_of
from pvm.printable import escaped
from pvm.program import invalid_at
from pvm.standalone import INTERPRETED, Defaults, interpreter_command, program_command
from wasm_host.cli.engines import format_option, metering_option, spec_option
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import EXAMPLE_PREFIX, load_program, number_type, read_args
from wasm_host.cli.output import is_stdout, report_written, write_output
from wasm_host.translating import costs_to_translate


@click.command("build")
@click.argument("program", required=False)
@click.option("-o", "--output", metavar="OUT", help="Where to write; - is standard output.")
@click.option("--interpreter", is_flag=True, help="The interpreter alone, which runs the program files it is given.")
@click.option("--args", metavar="HEX|@FILE", help="Arguments of runs that give none. [default: none]")
@click.option("--gas", type=number_type(64), metavar="N", help=f"Gas of such runs. [default: {DEFAULT_GAS:,}]")
@click.option("--pc", type=number_type(32), metavar="N", default="0", help="Where such runs start. [default: 0]")
@spec_option
@metering_option
@format_option
def command(
    program: str | None, output: str | None, interpreter: bool, args: str | None, gas: int | None, pc: int, spec: str,
    metering: str, format_: str,
) -> int:  # fmt: skip
    """Make a WebAssembly module of PROGRAM that wasmtime, or any runtime with WASI, runs as a command.

    PROGRAM is a file, - for standard input, or example:NAME, whose own arguments and gas are then the module's. The
    module has the program translated, its memory, and the interpreter for what is rare. It takes --args, --gas and
    --pc, prints what `pvm run --json` prints, and answers host call 100 (log) on standard error; any other ends the
    run. With --interpreter it takes a program file too, plain, standard or jam, from a folder that it is given.

    The exit status of modules is 0 after a halt, 2 for bad input, 3 after a panic, 4 out of gas, 5 after a page fault
    and 6 for a host call. They need multiple memories, tail calls and bulk memory operations, which wasmtime has on.

    \b
    Examples:
      pvm build example:sieve -o sieve.wasm
      pvm build service.jam -o service.wasm --metering block
      pvm build --interpreter -o core.wasm
      wasmtime run sieve.wasm --gas 1000000 --args 0xe8030000
      wasmtime run --dir . core.wasm program.pvm --pc 5
      wasmtime compile sieve.wasm && wasmtime run --allow-precompiled sieve.cwasm
    """
    version = find_spec(spec)
    if interpreter and program is not None:
        raise InputError("program: --interpreter makes a module that takes any")
    target = _named_output(program, output, interpreter)
    if program is None:
        if format_ not in INTERPRETED:
            raise InputError(f"--format: the module does not read {format_}; choose one of {', '.join(INTERPRETED)}")
        defaults = Defaults(b"" if args is None else read_args(args), DEFAULT_GAS if gas is None else gas, pc)
        module, content = interpreter_command(version, metering, format_, defaults), "the interpreter"
    else:
        loaded = load_program(program, format_, version)
        given = loaded.example
        arguments = read_args(args) if args is not None else given.args if given else b""
        defaults = Defaults(arguments, gas if gas is not None else given.gas if given else DEFAULT_GAS, pc)
        found = invalid_at(loaded.program.blob, version) if version.validates else None
        if found is not None:
            click.echo(f"pvm: warning: {escaped(loaded.label)}: in {spec} it panics at once: {found}", err=True)
        with blamed_on(loaded.label):
            start_of(loaded.program, defaults.args, defaults.gas, defaults.pc, None)
            costs = costs_to_translate(loaded.program, version, metering)
            module = program_command(loaded.program, version, metering, defaults, costs=costs)
        why = found or why_interpreted(loaded.program.blob, version)
        content = f"{loaded.label} translated" if why is None else f"{loaded.label}, interpreted ({why})"
    write_output(target, module)
    report_written(target, len(module), content, f"spec {spec}", f"gas by {metering}", err=False)
    if not is_stdout(target):
        words = ["wasmtime", "run", target] if program is not None else ["wasmtime", "run", "--dir", ".", target]
        more = "PROGRAM " if program is None else ""
        click.echo(escaped(f"run it: {shlex.join(words)} {more}[--args HEX] [--gas N] [--pc N]"))
    return SUCCESS


def _named_output(program: str | None, output: str | None, interpreter: bool) -> str:
    """Where to write. Raises InputError that says all that is missing, the program first."""
    missing = []
    if program is None and not interpreter:
        takes = "a file, - for standard input, or example:NAME; --interpreter makes a module that takes any"
        missing.append(f"program: missing ({takes})")
    if output is None:
        name = "core" if interpreter else Path((program or "").removeprefix(EXAMPLE_PREFIX)).stem.strip("-") or "out"
        missing.append(f"--output: missing (where to write, such as -o {shlex.quote(name)}.wasm; - is standard output)")
    if output is None or missing:
        raise InputError("; ".join(missing))
    return output
