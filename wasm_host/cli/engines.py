"""Choosing an engine: the options that do so, and the engine that they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pvm import ReferenceEngine
from pvm.gas.metering import METERINGS, choose_metering
from pvm.isa import SPEC_NAMES
from pvm.isa import spec as find_spec
from wasm_host.cli.inputs import FORMATS
from wasm_host.engine import PROTECTIONS, Engine
from wasm_host.engine import TIERS as WASM_TIERS

TIERS: tuple[str, ...] = (*WASM_TIERS, "reference")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

tier_option: Decorator = click.option(
    "--tier", type=click.Choice(TIERS), default=TIERS[0], show_default=True,
    help="Interpreted or recompiled WebAssembly, or the slow reference in Python.",
)  # fmt: skip
spec_option: Decorator = click.option(
    "--spec", type=click.Choice(SPEC_NAMES), default=SPEC_NAMES[0], show_default=True, is_eager=True,
    help="Version of the Gray Paper.",
)  # fmt: skip


def _own_metering(context: click.Context, _: click.Parameter, value: str | None) -> str:
    """The metering of the version, which is eager and so known, unless one is given."""
    return choose_metering(find_spec(context.params.get("spec", SPEC_NAMES[0])), value)


metering_option: Decorator = click.option(
    "--metering", type=click.Choice(METERINGS), callback=_own_metering,
    show_default="instruction for 0.7.2, pipeline for 0.8.0",
    help="Charge gas for each instruction; or for a basic block when entered, by instructions or by 0.8.0's model.",
)  # fmt: skip
format_option: Decorator = click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True,
    help="What PROGRAM is. auto: assembly if it ends in .pvmasm, else the binary format or hexadecimal text that fits.",
)  # fmt: skip
protection_option: Decorator = click.option(
    "--protection", type=click.Choice(PROTECTIONS), default=PROTECTIONS[0], show_default=True,
    help="How recompiled code checks memory.",
)  # fmt: skip
no_cache_option: Decorator = click.option(
    "--no-cache", is_flag=True, help="Neither read nor write compiled code on disk (see `pvm cache`)."
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def make_engine(
    tier: str, spec: str, metering: str, no_cache: bool = False, protection: str = PROTECTIONS[0]
) -> Engine | ReferenceEngine:
    """The engine of a tier. Raises InputError for unknown names."""
    if tier == "reference":
        return ReferenceEngine(spec, metering)
    return Engine(spec, tier, metering, cache=not no_cache, protection=protection)
