"""`pvm jam`: the chain's blocks, states and services, a file a command of the group.

In: the group's commands. Out: the group.
"""

from __future__ import annotations

import click

from wasm_host.cli.help import Commands
from wasm_host.cli.jam import bench, devnet, import_, show, target

_COMMANDS = (import_.command, bench.command, show.command, target.command, devnet.command)


@click.group("jam", cls=Commands)
def command() -> None:
    """Import JAM blocks, look at them, and be the target of conformance tests.

    Parameters are "tiny" or "full", the Gray Paper is 0.7.2.
    """


for _command in _COMMANDS:
    command.add_command(_command)
