"""The command line, `pvm`: one file a command.

In: arguments. Out: text for people or JSON for programs, and an exit status. `inputs` reads what users name,
`output` writes what they see, `failures` turns every error into one line and a status.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from pvm.version import __version__
from wasm_host.cli.failures import guarded
from wasm_host.cli.help import Commands, Unloaded

_COMPLETE = "_PVM_COMPLETE"
# Commands, in the order in which help lists them, by the file that has them: one is imported when it is wanted, because
# to import them all takes three times as long as `pvm run` of a small program.
_COMMANDS = {
    "demo": "demo.command", "run": "run.command", "inspect": "inspect.command", "asm": "assembly.asm",
    "disasm": "assembly.disasm", "cc": "cc.command", "link": "link.command", "new": "new.command",
    "vectors": "vectors.command", "replay": "replay.command", "trace": "trace.command", "isa": "isa.command",
    "gas": "gas.command", "shape": "shape.command", "wat": "wat.command", "build": "build.command",
    "bench": "bench.command", "compare": "compare.command", "fuzz": "fuzz.command", "jam": "jam.command",
    "cache": "cache.command", "web": "web.command", "help": "help.command",
}  # fmt: skip


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pvm", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> int:
    """The Polkadot Virtual Machine of JAM on WebAssembly.

    \b
    Examples:
      pvm demo                    see it work: every example program, checked
      pvm run example:hello       run one program
      pvm help COMMAND            what a command takes, with examples

    \b
    Exit status:
      0    success
      1    the guest did not halt, or a check failed
      2    bad input: a line on standard error says what and where
      70   a bug of pvm
      130  interrupted, by Ctrl-C or SIGTERM
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 0


cli.commands = Unloaded(__name__, _COMMANDS)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit. `args` are the process's own unless given."""
    completion = os.environ.get(_COMPLETE)
    if completion:
        sys.exit(shell_complete(cli, {}, "pvm", _COMPLETE, completion))
    with _terminable():
        status = guarded(lambda: _status(list(sys.argv[1:] if args is None else args)))
    sys.exit(status)


@contextmanager
def _terminable() -> Iterator[None]:
    """Whoever ends the process by SIGTERM gets what Ctrl-C gets: it shows what was done and leaves nothing behind."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _status(args: list[str]) -> int:
    """Parse, run, and give the command's exit status, 0 for None; --help and --version leave by click's Exit."""
    try:
        with cli.make_context("pvm", args) as context:
            return cli.invoke(context) or 0
    except click.exceptions.Exit as exit:
        return exit.exit_code
