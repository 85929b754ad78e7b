"""`pvm jam target`: the fuzz protocol's other side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from pvm.errors import InputError
from pvm.jam.constants import PARAMETERS
from pvm.suggestions import unknown
from wasm_host.cli.engines import no_cache_option, tier_option
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.jam.options import make_host, points_option
from wasm_host.code.cache import FOLDER_VARIABLE
from wasm_host.node.target import serve

_SWITCH = "JAM_FUZZ"
_SPEC, _DATA, _SOCKET, _LEVEL = (f"{_SWITCH}_{name}" for name in ("SPEC", "DATA_PATH", "SOCK_PATH", "LOG_LEVEL"))
_TALKS = ("debug", "trace")  # levels at which each message is logged


@dataclass(frozen=True)
class Settings:
    """How a target is run. `data` is its folder for files, None for the user's cache."""

    socket: Path
    parameters: str
    data: Path | None
    is_verbose: bool


@click.command("target")
@click.argument("socket", required=False, type=click.Path(path_type=Path))
@click.option("--parameters", type=click.Choice(tuple(PARAMETERS)), help="Constants of the chain. [default: tiny]")
@points_option
@tier_option
@no_cache_option
@click.option("--sessions", type=click.IntRange(1), metavar="N", help="End after N sessions.")
@click.option("--verbose", is_flag=True, help="Log each message.")
def command(
    socket: Path | None, parameters: str | None, points: Path | None, tier: str, no_cache: bool,
    sessions: int | None, verbose: bool,
) -> int:  # fmt: skip
    """Be the target of conformance tests: the fuzz protocol, version 1, at the Unix socket SOCKET.

    Ancestry and forks are supported. Sessions follow each other until Ctrl-C. Without SOCKET the environment has all
    settings, as in containers: JAM_FUZZ must be set, and JAM_FUZZ_SPEC (tiny or full), JAM_FUZZ_DATA_PATH (a folder for
    compiled code, in which points for ring proofs are looked for) and JAM_FUZZ_SOCK_PATH; JAM_FUZZ_LOG_LEVEL may be
    debug.

    \b
    Examples:
      pvm jam target /tmp/jam_target.sock
      pvm jam target /tmp/jam_target.sock --parameters full --verbose
    """
    settings = from_environment(os.environ) if socket is None else Settings(socket, "tiny", None, False)
    if settings.data is not None:
        os.environ.setdefault(FOLDER_VARIABLE, str(settings.data / "cache"))
    near = (settings.socket.parent,) if settings.data is None else (settings.data,)
    host = make_host(parameters or settings.parameters, points, near, tier, no_cache)
    talks = verbose or settings.is_verbose
    serve(
        settings.socket, host, _log if talks else lambda text: _log(text) if "bug" in text else None,
        sessions=sessions, ready=lambda: _log(f"listening at {settings.socket}, {host.constants.name}"),
    )  # fmt: skip
    return SUCCESS


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that the field's containers are given. Raises InputError where one is missing or unknown."""
    if _SWITCH not in environment:
        raise InputError(f"say SOCKET, or set {_SWITCH} and the settings with it")
    missing = [name for name in (_SPEC, _DATA, _SOCKET) if not environment.get(name)]
    if missing:
        raise InputError(f"{_SWITCH} is set, but not {', '.join(missing)}")
    parameters = environment[_SPEC]
    if parameters not in PARAMETERS:
        raise InputError(unknown(_SPEC, parameters, tuple(PARAMETERS)))
    level = environment.get(_LEVEL, "").lower()
    return Settings(Path(environment[_SOCKET]), parameters, Path(environment[_DATA]), level in _TALKS)


def _log(text: str) -> None:
    click.echo(text, err=True)
