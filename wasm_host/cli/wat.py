"""`pvm wat`: WebAssembly modules as text."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pvm.emit.interpreter import interpreter_bytes
from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.region_text import region_text
from pvm.errors import InputError
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.wasm.text import text_lines
from wasm_host.cli.engines import format_option, metering_option, spec_option
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import EXAMPLE_PREFIX, STDIN, Loaded, label_of, load_program, parse_program, read_bytes
from wasm_host.cli.output import counted, report_written, write_lines
from wasm_host.cli.shape import protection_option, refuse_untaken, region_option, warn_of_invalid
from wasm_host.translating import costs_to_translate

_MAGIC = b"\0asm"


@click.command("wat")
@click.argument("source", required=False)
@click.option("-o", "--output", metavar="OUT", default="-", help="Where to write. [default: standard output]")
@region_option
@spec_option
@metering_option
@protection_option
@format_option
def command(
    source: str | None, output: str, region: int | None, spec: str, metering: str, protection: str, format_: str
) -> int:
    """Write WebAssembly as text: the generated interpreter, what the recompiler makes of SOURCE, or a binary module.

    SOURCE is a PVM program or a binary WebAssembly module, which begins with \\0asm: a file, - for standard input, or
    example:NAME. Without it, the interpreter is written. The options from --region on are for programs; `pvm shape`
    shows what each region has in it.

    \b
    Examples:
      pvm wat | less
      pvm wat example:hello --region 0
      pvm wat service.jam --protection software -o service.wat
      pvm wat module.wasm -o module.wat
    """
    found = None if source is None else _load(source, format_, find_spec(spec))
    if isinstance(found, Loaded):
        refuse_untaken(found, find_spec(spec))
        warn_of_invalid(found, find_spec(spec))
        options = (found.program.blob, find_spec(spec), metering, protection)
        costs = costs_to_translate(found.program, find_spec(spec), metering)
        if region is None:
            lines = text_lines(recompile(*options, costs=costs).module)
        else:
            with blamed_on("--region"):
                lines = iter(region_text(*options, region, costs).removesuffix("\n").split("\n"))
    elif region is not None:
        raise InputError("--region: only what the recompiler makes of a program has regions")
    else:
        with blamed_on(label_of(source or "")):
            lines = _checked(interpreter_bytes() if found is None else found)
    size, count = write_lines(output, lines)
    report_written(output, size, counted(count, "line"))
    return SUCCESS


def _checked(module: bytes) -> Iterator[str]:
    """The lines of a module that was read to its end before the first is written. Raises WasmError."""
    for _ in text_lines(module):
        pass
    return text_lines(module)


def _load(source: str, format: str, spec: Spec) -> Loaded | bytes:
    """A program, or the bytes of a WebAssembly module."""
    data = b"" if source.startswith(EXAMPLE_PREFIX) else read_bytes(source)
    if data.startswith(_MAGIC) and format == "auto":
        return data
    if source != STDIN:
        return load_program(source, format, spec)
    return parse_program(label_of(source), data, format, spec)  # standard input can be read once
