"""`pvm wat`: WebAssembly modules as text."""

from __future__ import annotations

import click

from pvm.emit.interpreter import interpreter_bytes
from pvm.errors import InputError
from pvm.wasm.text import to_text
from wasm_host.cli.failures import SUCCESS, blamed_on
from wasm_host.cli.inputs import label_of, read_bytes
from wasm_host.cli.output import write_output

_MAGIC = b"\0asm"


@click.command("wat")
@click.argument("module", required=False)
@click.option("-o", "--output", metavar="OUT", default="-", help="Where to write. [default: standard output]")
def command(module: str | None, output: str) -> int:
    """Write a WebAssembly module as text: the generated interpreter, or the binary MODULE.

    MODULE is a file, or - for standard input.

    \b
    Examples:
      pvm wat | less
      pvm wat module.wasm -o module.wat
    """
    if module is None:
        text = to_text(interpreter_bytes())
    else:
        data = read_bytes(module)
        with blamed_on(label_of(module)):
            if not data.startswith(_MAGIC):
                raise InputError(
                    "no binary WebAssembly module, which begins with \\0asm; without a file, the interpreter is written"
                )
            text = to_text(data)
    write_output(output, text.encode("utf-8"))
    return SUCCESS
