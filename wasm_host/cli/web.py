"""`pvm web`: the page that runs programs in a browser."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import click

from pvm.errors import InputError
from pvm.printable import escaped
from wasm_host.cli.failures import INTERRUPTED, SUCCESS
from wasm_host.cli.help import Commands
from wasm_host.cli.inputs import number_type
from wasm_host.cli.output import counted

_cdn_option = click.option("--cdn", is_flag=True, help="Let the page load Pyodide from the network; it stays small.")
_pyodide_option = click.option(
    "--pyodide", metavar="DIR|TGZ", type=click.Path(path_type=Path),
    help="Pyodide's npm package, as a folder or archive. [default: fetched by npm, once]",
)  # fmt: skip


@click.group("web", cls=Commands, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> int:
    """Build or serve the page that runs, debugs and compares programs in a browser.

    The page is a static folder. Programs run in it on the same generated WebAssembly, and `pvm` itself runs in it by
    Pyodide, which is Python compiled to WebAssembly.

    \b
    Examples:
      pvm web serve
      pvm web build --out site
      pvm web build --out site --cdn
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return SUCCESS


@command.command("build")
@click.option("--out", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@_cdn_option
@_pyodide_option
def build_command(out: Path, cdn: bool, pyodide: Path | None) -> int:
    """Build the page into a folder, which any web server can serve.

    An earlier page in DIR is replaced; a folder with anything else in it is left alone.

    \b
    Examples:
      pvm web build --out site
      pvm web build --out site --pyodide pyodide-314.0.7.tgz
    """
    _check(cdn, pyodide)
    from pvm_web.build import build  # only here, because importing Jinja2 would delay every command

    built = build(out, cdn, pyodide)
    size = sum(built.sizes.values())
    click.echo(f"{escaped(str(out))}: {counted(len(built.sizes), 'file')}, {counted(size, 'byte')}")
    return SUCCESS


@command.command("serve")
@click.option("--port", metavar="N", type=number_type(16), help="0 is any. [default: 8000, or the next that is free]")
@click.option("--dir", "folder", metavar="DIR", type=click.Path(path_type=Path),
              help="A page that was built before. [default: one is built, and removed at the end]")  # fmt: skip
@_cdn_option
@_pyodide_option
def serve_command(port: int | None, folder: Path | None, cdn: bool, pyodide: Path | None) -> int:
    """Serve the page to this machine, until Ctrl-C.

    \b
    Examples:
      pvm web serve
      pvm web serve --dir site --port 8080
    """
    _check(cdn, pyodide)
    if folder is not None:
        if cdn or pyodide is not None:
            raise InputError("--dir: the page is built already; give neither --cdn nor --pyodide")
        return _serve(folder, port)
    from pvm_web.build import build

    with tempfile.TemporaryDirectory(prefix="pvm-web-") as temporary:
        return _serve(build(Path(temporary) / "page", cdn, pyodide).folder, port)


def _check(cdn: bool, pyodide: Path | None) -> None:
    if cdn and pyodide is not None:
        raise InputError("--cdn: the page then has no Pyodide of its own; give no --pyodide")


def _serve(folder: Path, port: int | None) -> int:
    from pvm_web.serve import server

    with server(folder, port) as running:
        click.echo(f"{running.url} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            running.serve_forever()
    return INTERRUPTED
