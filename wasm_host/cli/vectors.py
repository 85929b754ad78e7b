"""`pvm vectors`: the public test vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from pvm.errors import AddressError, InputError, LimitError
from pvm.gas.metering import BLOCK, METERINGS, PIPELINE
from pvm.printable import escaped
from pvm.vectors import parse_vector, run_vector
from wasm_host.cli.batch import Done, Source, cluster_option, do_all, finish, refuse, sources, workers_option
from wasm_host.cli.deadline import Deadline, timeout_option
from wasm_host.cli.engines import json_option, make_engine, no_cache_option, protection_option, tier_option
from wasm_host.cli.inputs import better_error, find_files
from wasm_host.cli.output import Bar, console, counted, mark, print_json, summary
from wasm_host.jobs import Task

# How the files of each kind are to be run: the version, and the metering that their gas was recorded with.
_SPECS = {"pvm-0.7.2": ("0.7.2", BLOCK), "gas-0.8.0": ("gas-vectors", PIPELINE)}
_TOGETHER = 8  # files that a worker gets at a time: each takes a millisecond or so


@dataclass(frozen=True)
class _Options:
    tier: str
    metering: str
    protection: str
    no_cache: bool
    timeout: float


@dataclass(frozen=True)
class Checked:
    """A vector file that was run, or skipped for the reason in `skipped`, or could not be used (`problem`)."""

    path: str
    name: str = ""
    differences: tuple[str, ...] = ()
    skipped: str | None = None
    is_partly: bool = False  # whether something of it was not checked
    problem: str | None = None


@click.command("vectors")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@tier_option
@click.option(
    "--metering", type=click.Choice(("auto", *METERINGS)), default="auto", show_default=True,
    help="How gas is charged. auto: a block when it is entered, by the model that the file was made for.",
)  # fmt: skip
@protection_option
@no_cache_option
@timeout_option("a file", " (it counts as failed)")
@workers_option
@cluster_option
@json_option
def command(
    paths: tuple[str, ...], tier: str, metering: str, protection: str, no_cache: bool, timeout: float,
    workers: int | None, cluster: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Run the public test vectors in files or folders (*.json) and report every difference.

    Two formats are known: the PVM instruction vectors (0.7.2) and the vectors of the 0.8.0 gas model, in which the cost
    of every block is checked, too. The last line counts the files. The exit status is 1 if one fails, 2 if one is
    malformed. With --metering instruction or block, the gas of the latter is not checked; that is reported, and those
    that expect to run out of gas are skipped.

    \b
    Examples:
      pvm vectors ../shared/vectors
      pvm vectors inst_add_64.json --tier reference
      pvm vectors ../shared/vectors/pvm-0.7.2 --json --workers 4
    """
    files = find_files(paths, (".json",))
    task = Task(_as_they_are, _check, _Options(tier, metering, protection, no_cache, timeout))
    done = do_all(task, sources(files), Bar("Vectors", len(files)), workers, cluster, _TOGETHER)
    checked = [one for one in done.results if one.problem is None]
    malformed = [one for one in done.results if one.problem is not None]
    problems = [str(one.problem) for one in malformed]
    if not checked and not done.is_interrupted:
        refuse(problems)
    failures = [one for one in checked if one.differences]
    if as_json:
        print_json(_as_dict(done, checked, failures, malformed, tier, metering))
    else:
        _show(checked, failures, malformed, len(files) - len(done.results))
    return finish(done, len(failures), problems)


def _as_they_are(options: _Options) -> _Options:
    return options


def _check(options: _Options, source: Source) -> Checked:
    if source.problem is not None:
        return Checked(source.path, problem=source.problem)
    try:
        vector = parse_vector(source.data)
        spec, own = _SPECS[vector.kind]
        metering = own if options.metering == "auto" else options.metering
        if own == PIPELINE != metering:
            vector = vector.without_gas()
        if vector.skips and vector.ends_out_of_gas:
            reason = f"it expects to run out of gas, and its {vector.skips} is not checked"
            return Checked(source.path, vector.name, skipped=reason)
        engine = make_engine(options.tier, spec, metering, options.no_cache, options.protection)
        try:
            differences = tuple(run_vector(vector, engine, Deadline(options.timeout)))
        except LimitError as error:
            differences = (str(error),)
        return Checked(source.path, vector.name, differences, is_partly=vector.skips is not None)
    except InputError as error:
        return Checked(source.path, problem=f"{source.path}: {better_error(source.data, error, 'vector')}")
    except AddressError as error:
        return Checked(source.path, problem=f"{source.path}: {error}")


def _counts(checked: list[Checked], failures: list[Checked]) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    skipped = sum(one.skipped is not None for one in checked)
    return len(checked) - len(failures) - skipped, len(failures), skipped


def _as_dict(
    done: Done[Checked], checked: list[Checked], failures: list[Checked], malformed: list[Checked], tier: str,
    metering: str,
) -> dict[str, Any]:  # fmt: skip
    passed, failed, skipped = _counts(checked, failures)
    return {
        "passed": passed, "failed": failed, "skipped": skipped, "tier": tier, "metering": metering,
        "gas_checks_skipped": sum(one.is_partly for one in checked),
        "failures": [
            {"file": one.path, "name": one.name, "differences": list(one.differences)} for one in failures
        ],
        "skips": [{"file": one.path, "reason": one.skipped} for one in checked if one.skipped],
        "malformed": [{"file": one.path, "error": one.problem} for one in malformed],
        "interrupted": done.is_interrupted,
    }  # fmt: skip


def _show(checked: list[Checked], failures: list[Checked], malformed: list[Checked], left: int) -> None:
    out = console()
    for one in (*failures, *malformed):
        out.print(Text(f"{mark(False)} {escaped(one.path)}", "bold red"))
        for difference in one.differences or (one.problem or "",):
            out.print(f"    {escaped(difference)}")
    passed, failed, skipped = _counts(checked, failures)
    partly = sum(one.is_partly for one in checked)
    if partly:
        out.print(f"Gas not checked in {counted(partly, 'file')}: it follows a model that is not metered.")
    if skipped:
        out.print(f"{counted(skipped, 'file')} skipped: running out of such gas is all that is expected.")
    last = summary(passed, failed, skipped, len(malformed), left)
    out.print(Text(last, "red" if failed or malformed else "yellow" if left else "green"))
