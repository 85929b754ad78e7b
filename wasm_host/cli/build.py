"""`pvm build`: WebAssembly modules that run without us."""

from __future__ import annotations

import click

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, start_of
from pvm.printable import escaped
from pvm.program import invalid_at
from pvm.standalone import Defaults, interpreter_command, program_command
from wasm_host.cli.engines import format_option, metering_option, spec_option
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import load_program, number_type, read_args
from wasm_host.cli.output import write_output


@click.command("build")
@click.argument("program", required=False)
@click.option("-o", "--output", metavar="OUT", required=True, help="Where to write; - is standard output.")
@click.option("--interpreter", is_flag=True, help="The interpreter alone, which runs the program files it is given.")
@click.option("--args", metavar="HEX|@FILE", help="Arguments of runs that give none. [default: none]")
@click.option("--gas", type=number_type(64), metavar="N", help=f"Gas of such runs. [default: {DEFAULT_GAS:,}]")
@click.option("--pc", type=number_type(32), metavar="N", default="0", help="Where such runs start. [default: 0]")
@spec_option
@metering_option
@format_option
def command(
    program: str | None, output: str, interpreter: bool, args: str | None, gas: int | None, pc: int, spec: str,
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
    if interpreter:
        if program is not None:
            raise InputError("program: --interpreter makes a module that takes any")
        if format_ == "asm":
            raise InputError("--format: the module assembles nothing; choose auto, jam, standard or plain")
        defaults = Defaults(b"" if args is None else read_args(args), DEFAULT_GAS if gas is None else gas, pc)
        module = interpreter_command(version, metering, format_, defaults)
    else:
        if program is None:
            raise InputError("program: missing (--interpreter makes a module that takes any)")
        loaded = load_program(program, format_, version)
        given = loaded.example
        arguments = read_args(args) if args is not None else given.args if given else b""
        defaults = Defaults(arguments, gas if gas is not None else given.gas if given else DEFAULT_GAS, pc)
        found = invalid_at(loaded.program.blob, version) if version.validates else None
        if found is not None:
            click.echo(f"pvm: warning: {escaped(loaded.label)}: in {spec} it panics at once: {found}", err=True)
        with blamed_on(loaded.label):
            start_of(loaded.program, defaults.args, defaults.gas, defaults.pc, None)
            module = program_command(loaded.program, version, metering, defaults)
    write_output(output, module)
    return SUCCESS
