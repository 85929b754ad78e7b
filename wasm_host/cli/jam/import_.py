"""`pvm jam import`: the blocks of traces, with every root."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pvm.errors import InputError
from pvm.jam.transition import Host
from pvm.printable import escaped
from wasm_host.cli.batch import Done, do_all, finish, workers_option
from wasm_host.cli.engines import json_option, no_cache_option, tier_option
from wasm_host.cli.jam.options import make_host, parameters_option, points_option
from wasm_host.cli.output import Bar, console, counted, duration, mark, new_table, print_json, summary
from wasm_host.jobs import Task
from wasm_host.node.importing import StepResult, import_trace
from wasm_host.node.recording import Recorder
from wasm_host.node.traces import Trace, find_traces, read_traces

_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


@dataclass(frozen=True)
class _Options:
    parameters: str
    points: Path | None
    near: tuple[Path, ...]
    tier: str
    no_cache: bool
    record: Path | None


@dataclass(frozen=True)
class _Imported:
    """A trace's results, and why they are not all if it is malformed."""

    name: str
    steps: tuple[StepResult, ...]
    problem: str | None = None


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@parameters_option
@points_option
@tier_option
@no_cache_option
@click.option("--record", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write an ecalli trace of each service's run, which `pvm replay` verifies.")  # fmt: skip
@workers_option
@json_option
def command(
    paths: tuple[str, ...], parameters: str, points: Path | None, tier: str, no_cache: bool, record: Path | None,
    workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Import the blocks of traces, and compare the state's root after each.

    PATH is an archive of steps (*.tar.xz), a folder of steps (*.bin), or a folder of such folders and archives. A block
    that leaves the state of its step as it was must be refused. The last line counts steps; the exit status is 1 if one
    fails, and then what its state differs in is shown, decoded. A block's time is from its octets to the root.

    \b
    Examples:
      pvm jam import ../shared/jam/blocks/fallback.tar.xz
      pvm jam import ../shared/jam/reports --workers 2
      pvm jam import ../shared/jam/blocks/storage.tar.xz --record runs
    """
    found = find_traces(paths)
    options = _Options(parameters, points, tuple(found[:1]), tier, no_cache, record)
    make_host(parameters, points, options.near, tier, no_cache)  # what is missing is said before any work
    done = do_all(Task(_prepare, _import, options), _traces(found), Bar("Traces", None), workers, None)
    steps = [step for trace in done.results for step in trace.steps]
    failed = [step for step in steps if step.problem is not None]
    malformed = [trace.problem for trace in done.results if trace.problem is not None]
    if as_json:
        print_json(_as_dict(done, steps, failed, malformed))
    else:
        _show(steps, failed, malformed)
    return finish(done, len(failed), malformed)


def _traces(paths: Sequence[Path]) -> Iterator[Trace]:
    for path in paths:
        yield from read_traces(path)


def _prepare(options: _Options) -> tuple[Host, Recorder | None]:
    host = make_host(options.parameters, options.points, options.near, options.tier, options.no_cache)
    if options.record is None:
        return host, None
    recorder = Recorder(options.record)
    return replace(host, observe=recorder.options), recorder


def _import(prepared: tuple[Host, Recorder | None], trace: Trace) -> _Imported:
    host, recorder = prepared
    steps: list[StepResult] = []
    try:
        steps.extend(import_trace(trace, host, (lambda name: None) if recorder is None else recorder.begin_step))
    except InputError as error:
        return _Imported(trace.name, tuple(steps), str(error))
    return _Imported(trace.name, tuple(steps))


def _times(steps: Sequence[StepResult]) -> dict[str, float]:
    """Seconds a block."""
    ordered = sorted(step.seconds for step in steps)
    if not ordered:
        return {}
    times = {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in _QUANTILES}
    return {"p50": times["p50"], "mean": statistics.fmean(ordered), "p90": times["p90"], "p99": times["p99"],
            "max": ordered[-1]}  # fmt: skip


def _by_trace(steps: Sequence[StepResult]) -> dict[str, list[StepResult]]:
    traces: dict[str, list[StepResult]] = {}
    for step in steps:
        traces.setdefault(step.trace, []).append(step)
    return traces


def _as_dict(
    done: Done[_Imported], steps: Sequence[StepResult], failed: Sequence[StepResult], malformed: Sequence[str]
) -> dict[str, Any]:
    return {
        "passed": len(steps) - len(failed), "failed": len(failed), "seconds": _times(steps),
        "refused": dict(Counter(step.code for step in steps if step.code is not None)),
        "traces": [
            {"name": name, "blocks": len(some), "seconds": _times(some)} for name, some in _by_trace(steps).items()
        ],
        "steps": [
            {"trace": step.trace, "step": step.step, "seconds": step.seconds, "refused": step.error} for step in steps
        ],
        "failures": [
            {
                "trace": step.trace, "step": step.step, "problem": step.problem,
                "differences": [vars(each) for each in step.differences],
            }
            for step in failed
        ],
        "malformed": list(malformed), "interrupted": done.is_interrupted,
    }  # fmt: skip


def _show(steps: Sequence[StepResult], failed: Sequence[StepResult], malformed: Sequence[str]) -> None:
    out = console()
    for step in failed:
        out.print(Text(f"{mark(False)} {escaped(step.trace)}/{escaped(step.step)}: {step.problem}", "bold red"))
        if step.differences:
            table = new_table()
            for title in ("field", "expected", "got"):
                table.add_column(title)
            for each in step.differences:
                table.add_row(each.where, _brief(each.expected), _brief(each.got))
            out.print(table)
    for problem in malformed:
        out.print(Text(f"{mark(False)} {escaped(problem)}", "bold red"))
    refused = Counter(step.code for step in steps if step.code is not None)
    if refused:
        listed = ", ".join(f"{code} {count}" for code, count in refused.most_common())
        out.print(f"{counted(sum(refused.values()), 'block')} refused: {listed}")
    traces = _by_trace(steps)
    if steps:
        table = new_table()
        table.add_column("trace")
        for title in ("blocks", *_times(steps)):
            table.add_column(title, justify="right")
        rows = list(traces.items()) if len(traces) <= 12 else []
        for name, some in [*rows, *([("all", list(steps))] if len(traces) > 1 else [])]:
            table.add_row(name, str(len(some)), *(duration(each) for each in _times(some).values()))
        out.print(table)
    last = summary(len(steps) - len(failed), len(failed), malformed=len(malformed))
    out.print(Text(last, "red" if failed or malformed else "green"))


def _brief(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
