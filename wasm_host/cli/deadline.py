"""Giving up: --timeout, for commands that run what may never end.

In: seconds. Out: a `Deadline` for one item, which is a machine's `poll`.
"""

from __future__ import annotations

import time

import click

from pvm.errors import LimitError
from pvm.machine import Machine
from wasm_host.cli.engines import Decorator
from wasm_host.cli.inputs import FiniteRange

TIMEOUT = 60.0  # seconds


def timeout_option(what: str, more: str = "") -> Decorator:
    """--timeout, of `what`."""
    return click.option(
        "--timeout", type=FiniteRange(0, min_open=True), default=TIMEOUT, show_default=True, metavar="SECONDS",
        help=f"Give up {what} that runs longer{more}.",
    )  # fmt: skip


class Deadline:
    """Raises LimitError, when it is over, for the machine that still runs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def __call__(self, machine: Machine) -> None:
        if time.monotonic() >= self._end:
            raise LimitError(
                f"given up after {self.seconds:g} s, at pc {machine.pc} with {machine.gas:,} gas left (--timeout)"
            )
