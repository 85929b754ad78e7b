"""`pvm fuzz`: random programs on every engine, compared in everything."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path
from typing import Any

import click

from pvm.errors import InputError, LimitError
from pvm.examples import EXAMPLES
from pvm.fuzz import format_case, parse_case
from pvm.gas import METERINGS
from pvm.isa import SPEC_NAMES
from pvm.isa import spec as find_spec
from pvm.printable import escaped
from pvm.program import Program, assemble, disassemble
from pvm.trace import parse_trace
from wasm_host.cli.batch import cluster_option, do_all, workers_option
from wasm_host.cli.deadline import Deadline, timeout_option
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import FAILURE, INTERRUPTED, SUCCESS, blamed_on, os_reason
from wasm_host.cli.inputs import FiniteRange, better_error, find_files, label_of, load_program, read_bytes
from wasm_host.cli.output import Bar, check_output, counted, print_json, summary, write_output
from wasm_host.fuzzing import ALL, FAMILIES, Finding, Plan, Tried, engines, examine, task

_COUNT = 1000  # programs, where neither their number nor a time is given
_FOLDER = "pvm-fuzz"
_TRIES = 600
_TOGETHER = 4  # programs that a worker gets at a time: each takes some 20 ms
_SUFFIXES = (".pvmasm", ".pvm", ".jam", ".log", ".trace")
_TRACES = (".log", ".trace")
_SEED = click.IntRange(0, (1 << 63) - 1)


@click.command("fuzz")
@click.option(
    "--count", type=click.IntRange(1), metavar="N", help="Programs to run.  [default: 1000, with --seconds any number]"
)
@click.option("--seconds", type=FiniteRange(0, min_open=True), help="Begin no program after so long.")
@click.option("--seed", type=_SEED, default=0, show_default=True, metavar="N", help="The first program's seed.")
@click.option(
    "--kind", type=click.Choice((ALL, *FAMILIES)), default=ALL, show_default=True,
    help="Any octets and rows, programs that work on memory, real programs changed a little, bitmasks that disagree "
    "with the code, undefined opcodes, odd targets, odd jump tables; all take turns.",
)  # fmt: skip
@click.option(
    "--metering", type=click.Choice(METERINGS), help="Charge all programs so.  [default: each has its own]"
)
@click.option(
    "--mutate", multiple=True, metavar="PATH",
    help="Programs, traces, or folders of them, to be changed.  [default: the examples]",
)  # fmt: skip
@click.option(
    "--save", metavar="DIR", default=_FOLDER, show_default=True,
    help="Where a disagreement is saved, made when there is one; empty for nowhere.",
)  # fmt: skip
@click.option("--repeat", metavar="FILE", help="Run a case that was saved, and nothing else.")
@timeout_option("a case of --repeat")
@workers_option
@cluster_option
@json_option
def command(
    count: int | None, seconds: float | None, seed: int, kind: str, metering: str | None, mutate: tuple[str, ...],
    save: str, repeat: str | None, timeout: float, workers: int | None, cluster: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Run random programs on every engine and compare every exit, register, gas value and page of memory.

    Between exits faults are repaired, host calls answered, gas refilled, and steps mixed with runs, under either
    version and metering. A seed always means the same program (of kind mutant: for the same programs to change). One
    on which engines disagree is made as small as possible and saved with the command that runs it again. The exit
    status is 1 if engines disagree.

    \b
    Examples:
      pvm fuzz --seconds 60 --workers 4
      pvm fuzz --kind random --seed 102440 --count 1
      pvm fuzz --kind mutant --mutate service.jam --count 10000
      pvm fuzz --repeat pvm-fuzz/memory-17.json
    """
    if repeat is not None:
        return _repeat(repeat, timeout, as_json)
    _check_folder(save)
    again = _Again(mutate, metering)
    plan = Plan(kind, _programs(mutate), _TRIES, metering)
    total = count if count is not None or seconds is not None else _COUNT
    found: list[dict[str, Any]] = []

    def tell(tried: Tried) -> None:
        if tried.finding is not None:
            path = _save(save, tried, tried.finding, again)
            found.append(_as_dict(tried, tried.finding, path))
            if not as_json:
                click.echo(_explain(tried.finding, path, _command(tried, again)))

    began = time.monotonic()
    seeds = _seeds(seed, total, None if seconds is None else began + seconds)
    done = do_all(task(plan), seeds, Bar("Programs", total), workers, cluster, _TOGETHER, tell)
    next_seed = seed + done.next_number
    if as_json:
        print_json({
            "programs": len(done.results), "seed": seed, "disagreements": sorted(one["seed"] for one in found),
            "interrupted": done.is_interrupted, "kind": kind, "next_seed": next_seed,
            "seconds": time.monotonic() - began,
            "found": found,
        })  # fmt: skip
    else:
        if done.is_interrupted:
            click.echo(f"interrupted; the next seed would be {next_seed}")
        click.echo(summary(len(done.results) - len(found), len(found)))
    if done.error is not None:
        raise done.error
    if done.is_interrupted:
        return INTERRUPTED
    return FAILURE if found else SUCCESS


def _seeds(first: int, count: int | None, until: float | None) -> Iterator[int]:
    """Seeds, as many as there is time for."""
    for seed in count_from(first) if count is None else range(first, first + count):
        if until is not None and time.monotonic() >= until:
            return
        yield seed


def _programs(paths: tuple[str, ...]) -> tuple[Program, ...]:
    """The programs that are mutated. Raises InputError for a file that is none."""
    if not paths:
        return tuple(assemble(example.source) for example in EXAMPLES)
    found: dict[Program, None] = {}  # traces often share one
    for path in find_files(paths, _SUFFIXES):
        if path.suffix in _TRACES:
            with blamed_on(str(path)):
                found[Program.parse(parse_trace(read_bytes(str(path))).program)] = None
        else:
            found[load_program(str(path), "auto", find_spec(SPEC_NAMES[0])).program] = None
    return tuple(found)


def _repeat(path: str, timeout: float, as_json: bool) -> int:
    """Run one saved case."""
    data = read_bytes(path)
    with blamed_on(label_of(path)):
        try:
            case = parse_case(data)
        except InputError as error:
            raise better_error(data, error, "case") from None
        try:
            finding = examine(case, engines(), tries=0, poll=Deadline(timeout))
        except LimitError as error:
            given_up = str(error)
            if as_json:
                print_json({"file": path, "agree": None, "given_up": given_up})
            else:
                click.echo(given_up)
            return FAILURE
    if as_json:
        print_json({"file": path, "agree": finding is None, **({} if finding is None else _difference(finding))})
    else:
        click.echo("All engines agree." if finding is None else _explain(finding))
    return SUCCESS if finding is None else FAILURE


@dataclass(frozen=True)
class _Again:
    """Options that decide what a seed means."""

    mutate: tuple[str, ...]
    metering: str | None


def _command(tried: Tried, again: _Again) -> str:
    """The command that finds it again."""
    more = [] if again.metering is None else ["--metering", again.metering]
    if tried.family == "mutant":
        more += [word for path in again.mutate for word in ("--mutate", path)]
    return shlex.join(["pvm", "fuzz", "--kind", tried.family, "--seed", str(tried.seed), "--count", "1", *more])


def _check_folder(folder: str) -> None:
    """Raises InputError when nothing could be saved there, before the search, which makes the folder if it has to."""
    if not folder:
        return
    path = Path(folder)
    place = next(one for one in (path, *path.absolute().parents) if one.exists())
    with blamed_on(f"--save: {folder}"):
        if not place.is_dir():
            raise InputError(f"{place} is no folder")
        check_output(str(place / "case.json"))


def _save(folder: str, tried: Tried, finding: Finding, again: _Again) -> str | None:
    """Write a finding down: the file's name, None when that was not wanted or is impossible."""
    if not folder:
        return None
    path = Path(folder, f"{tried.family}-{tried.seed}.json")
    repeat = shlex.join(["pvm", "fuzz", "--repeat", str(path)])
    text = format_case(finding.case, finding.disagreement, _command(tried, again), repeat)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_output(str(path), text.encode())
    except (OSError, InputError) as error:  # what was found is shown all the same, and the search goes on
        reason = f"{path}: {os_reason(error)}" if isinstance(error, OSError) else str(error)
        click.echo(f"pvm: not saved: {reason}", err=True)
        return None
    return str(path)


def _difference(finding: Finding) -> dict[str, Any]:
    found = finding.disagreement
    return {
        "engine": found.engine, "what": found.what, "exit": found.exit, "expected": found.expected,
        "found": found.found,
    }  # fmt: skip


def _as_dict(tried: Tried, finding: Finding, path: str | None) -> dict[str, Any]:
    return {"seed": tried.seed, "kind": tried.family, "file": path, **_difference(finding)}


def _explain(finding: Finding, path: str | None = None, command: str | None = None) -> str:
    """The case, where engines differ, its program, and the commands that show it again."""
    case, found = finding.case, finding.disagreement
    program = Program.parse(case.program, format="plain")
    lines = [
        f"seed {case.seed}: {escaped(case.kind)}, spec {case.spec}, metering {case.metering}, pc {case.pc}, "
        f"gas {case.gas}, {counted(len(case.pages), 'page')}, {counted(len(program.code), 'octet')} of code",
        f"exit {found.exit}, {found.what}: {found.engine} has {escaped(found.found)}",
        f"{'':>{len(f'exit {found.exit}, {found.what}')}}  the reference {escaped(found.expected)}",
        disassemble(program, find_spec(case.spec)).rstrip(),
    ]
    if command is not None:
        lines.append(f"found by: {escaped(command)}")
    if path is not None:
        lines.append(f"again:    {escaped(shlex.join(['pvm', 'fuzz', '--repeat', path]))}")
    return "\n".join([*lines, ""])
