"""`pvm vectors`: the public test vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pvm.machine import METERINGS, AnyEngine
from pvm.vectors import Vector, parse_vector, run_vector
from wasm_host.cli.engines import json_option, make_engine, no_cache_option, protection_option, tier_option
from wasm_host.cli.failures import FAILURE, SUCCESS, blamed_on
from wasm_host.cli.inputs import find_files, read_bytes
from wasm_host.cli.output import console, counted, mark, print_json, summary, tracked

# How the files of each kind are to be run: the version, and the metering that their gas was recorded with.
_SPECS = {"pvm-0.7.2": "0.7.2", "gas-0.8.0": "gas-vectors"}
_AUTO_METERING = "block"


@dataclass(frozen=True)
class Checked:
    """A vector file that was run, or skipped for the reason in `skipped`."""

    path: Path
    vector: Vector
    differences: tuple[str, ...] = ()
    skipped: str | None = None


@click.command("vectors")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@tier_option
@click.option(
    "--metering", type=click.Choice(("auto", *METERINGS)), default="auto", show_default=True,
    help="How gas is charged. auto: a block when it is entered, as the public files expect.",
)  # fmt: skip
@protection_option
@no_cache_option
@json_option
def command(paths: tuple[str, ...], tier: str, metering: str, protection: str, no_cache: bool, as_json: bool) -> int:
    """Run the public test vectors in files or folders (*.json) and report every difference.

    Two formats are known: the PVM instruction vectors (0.7.2) and the vectors of the 0.8.0 gas model. Where a file's
    gas is not checked, that is reported, and if it expects to run out of gas it is skipped. The last line counts the
    files. The exit status is 1 if one fails.

    \b
    Examples:
      pvm vectors ../shared/vectors
      pvm vectors inst_add_64.json --tier reference
      pvm vectors ../shared/vectors/pvm-0.7.2 --json
    """
    files = find_files(paths, (".json",))
    make = partial(make_engine, tier, no_cache=no_cache, protection=protection)
    checked = [_check(path, make, metering) for path in tracked(files, "Vectors")]
    failures = [one for one in checked if one.differences]
    if as_json:
        print_json(_as_dict(checked, failures, tier, metering))
    else:
        _show(checked, failures)
    return FAILURE if failures else SUCCESS


def _check(path: Path, make: Callable[[str, str], AnyEngine], metering: str) -> Checked:
    data = read_bytes(str(path))
    with blamed_on(str(path)):
        vector = parse_vector(data)
        if vector.skips and vector.ends_out_of_gas:
            return Checked(path, vector, skipped=f"it expects to run out of gas, and its {vector.skips} is not checked")
        engine = make(_SPECS[vector.kind], _AUTO_METERING if metering == "auto" else metering)
        return Checked(path, vector, tuple(run_vector(vector, engine)))


def _counts(checked: list[Checked], failures: list[Checked]) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    skipped = sum(one.skipped is not None for one in checked)
    return len(checked) - len(failures) - skipped, len(failures), skipped


def _as_dict(checked: list[Checked], failures: list[Checked], tier: str, metering: str) -> dict[str, Any]:
    passed, failed, skipped = _counts(checked, failures)
    return {
        "passed": passed, "failed": failed, "skipped": skipped, "tier": tier, "metering": metering,
        "gas_checks_skipped": _partly_checked(checked),
        "failures": [
            {"file": str(one.path), "name": one.vector.name, "differences": list(one.differences)} for one in failures
        ],
        "skips": [{"file": str(one.path), "reason": one.skipped} for one in checked if one.skipped],
    }  # fmt: skip


def _partly_checked(checked: list[Checked]) -> int:
    return sum(one.vector.skips is not None and one.skipped is None for one in checked)


def _show(checked: list[Checked], failures: list[Checked]) -> None:
    out = console()
    for one in failures:
        out.print(Text(f"{mark(False)} {one.path}", "bold red"))
        for difference in one.differences:
            out.print(f"    {difference}")
    passed, failed, skipped = _counts(checked, failures)
    partly = _partly_checked(checked)
    if partly:
        out.print(f"Gas not checked in {counted(partly, 'file')}: it follows a model that is not metered.")
    if skipped:
        out.print(f"{counted(skipped, 'file')} skipped: running out of such gas is all that is expected.")
    out.print(Text(summary(passed, failed, skipped), "red" if failed else "green"))
