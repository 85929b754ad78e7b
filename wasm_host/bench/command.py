"""`pvm bench`: measures the engines on this machine.

In: options. Out: tables, or one JSON object with --json.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

# Not to import what measures before it is needed keeps the other commands' start short.
_NAMES = (
    "interpreter", "recompiler", "reference", "gcc", "anan-as",
    "host-call", "process", "instantiate", "compile", "cold", "warm", "replay", "memory",
)  # fmt: skip
# A quarter of an hour; a Chromium and playwright; the command wasmtime.
_ON_REQUEST = ("hostile", "browser", "standalone")
_EXAMPLES = ("fibonacci", "sieve", "blake2b", "sort", "matrix", "life", "mandelbrot")
_INTERRUPTED = 130  # exit status after Ctrl-C, by custom 128 + SIGINT


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=7, show_default=True, help="Rounds to measure.")
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
@click.pass_context
def bench(
    context: click.Context, as_json: bool, repeat: int, only: tuple[str, ...], example: tuple[str, ...], quick: bool,
    anan_as: Path | None, install_anan_as: bool, traces: Path | None,
) -> None:
    """Measure the engines: time an instruction, a host call, a start.

    Contestants take turns in several rounds, and ratios compare samples of the same round, so they hold on a busy
    machine too. gcc and anan-as (which needs node) take part where they are found; what is absent is named. Ctrl-C
    ends the measuring and prints what there is.

    The first five of --only run the examples. The others: host-call, process (the interpreter, once a process),
    instantiate (a machine), compile (what translating costs an instruction), cold (a program never seen), warm (one
    whose translation is on disk), replay (recorded runs, and where the time goes), memory (what a machine takes).
    Only when asked for: hostile (time and memory of programs that are made to cost much; once, in some minutes),
    browser (the same programs in the page's worker in Chromium, and how soon the page is there; needs playwright),
    standalone (what `pvm build` makes of them, under the command line of wasmtime).

    \b
    Examples:
      pvm bench
      pvm bench --only recompiler --only gcc --example sieve --example fibonacci
      pvm bench --only compile --only cold --repeat 3
      pvm bench --only browser --repeat 5
      pvm bench --install-anan-as --json
    """
    from rich.console import Console

    from wasm_host.bench.run import Options, run
    from wasm_host.bench.tables import renderables

    options = Options(
        repeat, frozenset(only or _NAMES), example, quick, anan_as, install_anan_as, traces
    )
    # Once a second, because whatever else runs disturbs what is measured.
    with Console(stderr=True).status("measuring", refresh_per_second=1) as status:
        report = run(options, lambda what: status.update(f"measuring: {what}"))
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        console = Console()
        for renderable in renderables(report):
            console.print(renderable)
    if report.interrupted:
        context.exit(_INTERRUPTED)
    if any(section.problems for section in report.sections):
        context.exit(1)
