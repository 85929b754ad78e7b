"""`pvm jam`: the chain's blocks, states and services, a file a command of the group.

In: the group's commands. Out: the group.
"""

from __future__ import annotations

import click

from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.help import Commands
from wasm_host.cli.jam import accumulate, bench, devnet, import_, refine, show, target

_COMMANDS = (
    import_.command, bench.command, show.command, target.command, devnet.command, refine.command, accumulate.command,
)  # fmt: skip


@click.group("jam", cls=Commands, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> int:
    """Import JAM blocks, look at them, be the target of conformance tests; run services without a chain.

    Parameters are "tiny" or "full", the Gray Paper is 0.7.2.

    \b
    Examples:
      pvm jam import traces/
      pvm jam show 00000042.bin
      pvm jam target /tmp/jam_target.sock
      pvm jam refine service.jam --payload 0x00
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return SUCCESS


for _command in _COMMANDS:
    command.add_command(_command)
