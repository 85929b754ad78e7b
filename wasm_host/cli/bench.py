"""`pvm bench`: measures the engines on this machine, or on several."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvm.errors import InputError
from wasm_host.cli.batch import cluster_option, do_all, workers_option
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import FAILURE, INTERRUPTED, SUCCESS, blamed_on
from wasm_host.cli.inputs import STDIN, FiniteRange, label_of, read_bytes
from wasm_host.cli.output import Bar, check_output, console, is_stdout, print_json, report_written, write_output

# Not to import what measures before it is needed keeps the other commands' start short.
if TYPE_CHECKING:
    from wasm_host.bench.report.baseline import Comparison
    from wasm_host.bench.report.figures import Report
    from wasm_host.bench.run import Options, Plan, Step

_NAMES = (
    "interpreter", "recompiler", "auto", "reference", "gcc", "anan-as",
    "host-call", "process", "instantiate", "compile", "cold", "warm", "replay", "memory",
)  # fmt: skip
# A quarter of an hour; hours; a Chromium and playwright; the command wasmtime; zig.
_ON_REQUEST = ("hostile", "weights", "browser", "standalone", "real")
_ROUNDS, _QUICK_ROUNDS = 7, 2
_SHOWING = ("saved", "baseline", "tolerance", "html", "as_json")  # options that measure nothing
_EXAMPLES = ("fibonacci", "sieve", "blake2b", "sort", "matrix", "life", "mandelbrot")


@click.command("bench")
@click.option(
    "--repeat", type=click.IntRange(1, 1000), metavar="N",
    help=f"Rounds to measure.  [default: {_ROUNDS}, with --quick {_QUICK_ROUNDS}]",
)
@click.option(
    "--only", multiple=True, type=click.Choice((*_NAMES, *_ON_REQUEST)), help="Measure just this; may be repeated."
)
@click.option("--example", multiple=True, type=click.Choice(_EXAMPLES), help="Run just this one; may be repeated.")
@click.option("--quick", is_flag=True, help="Tiny sizes, to try the command: the figures mean little.")
@click.option(
    "--anan-as", "anan_as", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="A folder with node_modules in which npm installed @fluffylabs/anan-as.",
)
@click.option("--install-anan-as", is_flag=True, help="Have npm install it into the user's cache folder first.")
@click.option(
    "--traces", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Folder of ecalli traces.  [default: ../shared/traces/ecalli]",
)
@click.option("--input", "saved", metavar="FILE", help="Show what --json has saved in FILE, and measure nothing.")
@click.option("--baseline", metavar="FILE", help="Judge every figure against those that --json has saved in FILE.")
@click.option(
    "--tolerance", type=FiniteRange(0, 1000), default=10.0, show_default=True, metavar="PERCENT",
    help="Smaller differences from the baseline are none.",
)  # fmt: skip
@click.option("--html", metavar="FILE", help="Write a page with charts that needs no other file.")
@workers_option
@cluster_option
@json_option
@click.pass_context
def command(
    context: click.Context, repeat: int | None, only: tuple[str, ...], example: tuple[str, ...], quick: bool,
    anan_as: Path | None, install_anan_as: bool, traces: Path | None, saved: str | None, baseline: str | None,
    tolerance: float, html: str | None, workers: int | None, cluster: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Measure the engines: time an instruction, a host call, a start.

    Contestants take turns in several rounds, and ratios compare samples of the same round, so they hold on a busy
    machine too. gcc and anan-as (which needs node) take part where they are found; what is absent is named. Ctrl-C
    ends the measuring and shows what there is.

    The first six of --only run the examples. The others: host-call, process (the interpreter, once a process),
    instantiate (a machine), compile (what translating costs an instruction), cold (a program never seen), warm (one
    whose translation is on disk), replay (recorded runs, and where the time goes), memory (what a machine takes).
    Only when asked for: hostile (time and memory of programs that are made to cost much; once, in some minutes),
    weights (the same of every instruction and of twenty mixes, on 1, 2 and 8 compile threads; once, in some hours),
    browser (the same programs in the page's worker in Chromium, and how soon the page is there; needs playwright),
    standalone (what `pvm build` makes of them, under the command line of wasmtime), real (programs in C, made by
    `pvm cc`, beside gcc -O2 and the same sources as wasm32, with counts of what recompiled code does in them).

    --baseline calls a figure better or worse when the middle halves of its samples, then and now, are further apart
    than the tolerance. Times are first divided by how much slower or faster the machine was, which a fixed piece of
    work tells before every sample. What is worse is measured once more, and then that counts. The exit status is 1 if a
    figure is worse.

    --workers and --cluster measure several things at a time, one in each process. Figures of the same table are still
    measured in turns by one of them; but on one machine they disturb each other, and Ctrl-C loses what is under way.

    \b
    Examples:
      pvm bench
      pvm bench --only recompiler --only gcc --example sieve --example fibonacci
      pvm bench --only compile --only cold --repeat 3
      pvm bench --only browser --repeat 5
      pvm bench --install-anan-as --json > before.json
      pvm bench --baseline before.json --html report.html
      pvm bench --input before.json --html before.html
    """
    from wasm_host.bench.report.baseline import compare
    from wasm_host.bench.report.page import report_page
    from wasm_host.bench.report.tables import renderables
    from wasm_host.bench.run import Options

    if saved is not None:
        _refuse_to_measure(context)
        if saved == baseline == STDIN:
            raise InputError("--baseline: standard input is the report already")
    before = None if baseline is None else _read(baseline)
    page_only = html is not None and is_stdout(html)
    if html is not None:
        if page_only and as_json:
            raise InputError("--html: standard output has the JSON already")
        check_output(html)  # before minutes of measuring
    if saved is not None:
        report = _read(saved)
        comparison = None if before is None else compare(before, report, tolerance / 100)
    else:
        repeat = repeat or (_QUICK_ROUNDS if quick else _ROUNDS)
        options = Options(repeat, frozenset(only or _NAMES), example, quick, anan_as, install_anan_as, traces)
        report, comparison = _measured(options, workers, cluster, before, tolerance / 100)
    if as_json:
        print_json(report.as_json() | ({} if comparison is None else {"baseline": comparison.as_json()}))
    elif not page_only:
        out = console()
        for renderable in renderables(report, comparison):
            out.print(renderable)
    if html is not None:  # last: if the disk is full now, the figures have been shown
        page = report_page(report, comparison).encode(errors="replace")
        write_output("-" if page_only else html, page)
        if not as_json:
            report_written(html, len(page), "the report as a page")
    if report.interrupted and saved is None:
        return INTERRUPTED
    return FAILURE if report.problems or (comparison is not None and comparison.worse) else SUCCESS


def _refuse_to_measure(context: click.Context) -> None:
    """Raises InputError for an option that says what is measured, where nothing is."""
    for parameter in context.command.params:
        is_given = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if is_given and parameter.name not in _SHOWING:
            raise InputError(f"{parameter.opts[0]}: nothing is measured with --input")


def _measured(
    options: Options, workers: int | None, cluster: str | None, before: Report | None, tolerance: float
) -> tuple[Report, Comparison | None]:
    """Measure, and compare with what was before; what is worse once more.

    Raises InputError for a malformed trace or program.
    """
    from wasm_host.bench.report.baseline import compare
    from wasm_host.bench.run import again, gathered, plan, with_seconds

    planned = plan(options)
    planned.begun.about["date"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if workers is not None or cluster is not None:
        planned.begun.about["workers"] = "a Dask cluster" if workers is None else workers
    report, parts = _done(planned, workers, cluster)
    if before is None:
        return report, None
    first = compare(before, report, tolerance)
    if not first.worse or report.interrupted:
        return report, first
    second, seconds = _done(again(planned, parts, first.worse), workers, cluster)
    report = gathered(planned, with_seconds(parts, seconds))
    report.interrupted = second.interrupted
    return report, compare(before, report, tolerance).worse_twice(first)


def _done(planned: Plan, workers: int | None, cluster: str | None) -> tuple[Report, dict[Step, Report]]:
    """Measure, with progress: the report, and its part of each step that was done."""
    from wasm_host.bench.run import gathered, task

    # Once a second, because whatever else runs disturbs what is measured.
    bar = Bar("measuring", len(planned.steps), least=1, refresh_per_second=1)
    places = {step: place for place, step in enumerate(planned.steps)}

    def tell(step: Step, share: float) -> None:
        bar.show(places[step] + share, f"measuring: {step}")

    def stop(part: Report) -> None:
        if part.interrupted:  # in the middle of a step
            raise KeyboardInterrupt

    work = task(planned, tell if workers is None and cluster is None else None)
    done = do_all(work, planned.steps, bar, workers, cluster, tell=stop)
    parts = {planned.steps[number]: part for number, part in zip(done.numbers, done.results, strict=True)}
    report = gathered(planned, parts)
    report.interrupted |= done.is_interrupted
    if done.error is not None:
        report.failed.append(str(done.error))
    return report, parts


def _read(path: str) -> Report:
    """A report from a file. Raises InputError when it is none."""
    import json

    from wasm_host.bench.report.saved import report_from_json

    octets = read_bytes(path)
    with blamed_on(label_of(path)):
        try:
            data = json.loads(octets)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not JSON: {error}") from None
        return report_from_json(data)

