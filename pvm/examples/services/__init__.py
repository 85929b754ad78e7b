"""Services of our own, in assembly: to show, to test with, to begin from.

In: a name. Out: its source. `pvm.jam.testing` deploys them.
"""

from __future__ import annotations

from pathlib import Path

from pvm.errors import InputError
from pvm.suggestions import unknown

SERVICES: tuple[str, ...] = ("key_value", "runner")


def service_source(name: str) -> str:
    """A service's assembly, for `pvm.program.assemble`. Raises InputError for an unknown name."""
    if name not in SERVICES:
        raise InputError(unknown("service", name, list(SERVICES)))
    return Path(__file__).with_name(f"{name}.pvmasm").read_text(encoding="utf-8")
