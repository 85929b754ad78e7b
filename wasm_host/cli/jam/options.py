"""Options that the commands of `pvm jam` share, and the host that they describe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from pvm.jam.constants import PARAMETERS
from pvm.jam.transition import Host
from wasm_host.cli.engines import make_engine
from wasm_host.node.crypto import NativeCrypto
from wasm_host.node.points import VARIABLE, ring_points
from wasm_host.node.ready import warm_up

# Seconds. A thread that is to check a signature gets the interpreter this soon, and leaves it at once again.
_SWITCH_INTERVAL = 5e-5

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

parameters_option: Decorator = click.option(
    "--parameters", type=click.Choice(tuple(PARAMETERS)), default="tiny", show_default=True,
    help="Constants of the chain.",
)  # fmt: skip
points_option: Decorator = click.option(
    "--points", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help=f"Points for ring proofs. [default: ${VARIABLE}, or zcash-srs-2-11-uncompressed.bin beside the data]",
)  # fmt: skip


def make_host(
    parameters: str, points: Path | None, near: Iterable[Path] = (), tier: str = "auto", no_cache: bool = False
) -> Host:
    """The host with these parameters and compiled cryptography. Raises InputError without the points."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    crypto = NativeCrypto(ring_points(points, near))
    engine = make_engine(tier, "0.7.2", "instruction", no_cache, "auto")
    warm_up(engine)
    return Host(PARAMETERS[parameters], crypto, engine)
