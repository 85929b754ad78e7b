"""What `pvm jam refine` and `pvm jam accumulate` share: the world that they run a service in, and its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from pvm.errors import InputError
from pvm.examples.services import service_source
from pvm.gas.metering import choose_metering
from pvm.isa import spec as find_spec
from pvm.jam.testing import Service, World
from pvm.jam.testing.runs import Run
from pvm.jam.testing.state_file import read_world
from pvm.jam.testing.world import assembled
from pvm.machine import AnyEngine
from wasm_host.cli.engines import make_engine
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import EXAMPLE_PREFIX, read_args, read_text
from wasm_host.cli.output import report_written, write_output

TEXT_PREFIX = "text:"
VALUE = "HEX|@FILE|text:TEXT"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

state_option: Decorator = click.option(
    "--state", metavar="FILE", help="The world: services, slot, entropy, privileges, as JSON. SERVICE may be a number."
)
record_option: Decorator = click.option(
    "--record", metavar="FILE", help="Write an ecalli trace, which `pvm replay` verifies; of more runs FILE.1, FILE.2 …"
)


def make_world(
    service: str, state: str | None, spec: str, parameters: str, tier: str, no_cache: bool
) -> tuple[World, Service]:  # fmt: skip
    """The world of a file, or one without anything, and the service in it; a program is deployed as a new one.

    Raises InputError.
    """

    def engine(version: str) -> AnyEngine:
        return make_engine(tier, version, choose_metering(find_spec(version), None), no_cache)

    if state is None:
        world = World(parameters, spec, engine(spec))
    else:
        text = read_text(state)
        with blamed_on(state):
            world = read_world(text, engine, Path(state).parent)
        if service.isascii() and service.isdecimal():
            if int(service) not in world.accounts:
                raise InputError(f"service {service}: there is none in {state}")
            return world, world.service(int(service))
    if service.startswith(EXAMPLE_PREFIX):
        name = service.removeprefix(EXAMPLE_PREFIX)
        code, source = assembled(service_source(name), f"{name}.pvmasm", world.spec)
        return world, world.deploy(code, source=source)
    return world, world.deploy(Path(service))


def read_value(text: str, option: str) -> bytes:
    """Octets: hexadecimal, a file's, or text. Raises InputError."""
    if text.startswith(TEXT_PREFIX):
        return text.removeprefix(TEXT_PREFIX).encode("utf-8", "surrogateescape")
    return read_args(text, option)


def write_records(path: str | None, runs: Iterable[Run]) -> None:
    """Write the runs' traces, where they are asked for."""
    if path is None:
        return
    for number, run in enumerate(runs):
        name = path if number == 0 else f"{path}.{number}"
        data = run.trace.encode()
        write_output(name, data)
        report_written(name, len(data), f"{run.call_count} host calls")


def run_as_dict(run: Run) -> dict[str, Any]:
    """How a run ended, for --json."""
    invoked = run.invoked
    exit = None if invoked is None else invoked.exit
    return {
        "what": run.what, "gas": run.gas, "gas_used": 0 if invoked is None else invoked.gas_used,
        "failed": run.has_failed, "exit": None if exit is None else exit.reason.value,
        "pc": None if exit is None else exit.pc, "host_calls": run.call_count, "logs": list(run.logs),
        "last_calls": list(run.calls),
    }  # fmt: skip
