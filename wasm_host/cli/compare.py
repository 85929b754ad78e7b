"""`pvm compare`: the same run on every engine there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.text import Text

from pvm.errors import AddressError, InputError
from pvm.examples import EXAMPLES
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.machine import DEFAULT_GAS, start_of
from pvm.printable import escaped
from pvm.program import Program
from pvm.trace import parse_trace, start_of_trace
from wasm_host.cli.batch import cluster_option, do_all, finish, refuse, workers_option
from wasm_host.cli.engines import format_option, json_option, metering_option, spec_option
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import (
    EXAMPLE_PREFIX,
    STDIN,
    FiniteRange,
    find_files,
    load_program,
    number_type,
    read_args,
    read_bytes,
)
from wasm_host.cli.output import Bar, console, print_json
from wasm_host.compare.outcome import TRACE, Task

ALL_EXAMPLES = f"{EXAMPLE_PREFIX}all"
_SUFFIXES = (".log", ".trace", ".txt")
_LIMIT = 1_000_000  # instructions; about 4 seconds of the reference engine


@dataclass(frozen=True)
class _Given:
    """The options that say what is run."""

    args: str | None
    gas: int | None
    pc: int
    format: str
    spec: Spec
    metering: str
    rounds: int


@click.command("compare")
@click.argument("inputs", nargs=-1, required=True, metavar="PROGRAM|TRACE...")
@click.option("--only", multiple=True, metavar="ENGINE", help="Run just this one; may be repeated.")
@click.option("--skip", multiple=True, metavar="ENGINE", help="Leave this one out; may be repeated.")
@click.option("--args", metavar="HEX|@FILE", help="Arguments of the programs. [default: an example's own, or none]")
@click.option(
    "--gas", type=number_type(64), metavar="N", help=f"Gas of the programs. [default: an example's, or {DEFAULT_GAS:,}]"
)
@click.option("--pc", type=number_type(32), metavar="N", default="0", help="Where the programs start. [default: 0]")
@click.option(
    "--limit", type=number_type(64), metavar="N", default=str(_LIMIT),
    help=f"The most instructions that the reference engine is given. [default: {_LIMIT:,}]",
)  # fmt: skip
@click.option(
    "--seconds", type=FiniteRange(0.1, 86400), default=30.0, show_default=True, metavar="S",
    help="How long each engine may take for each input, all rounds together.",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=5, show_default=True,
    help="Warm runs, while they take 2 s at most.",
)  # fmt: skip
@click.option("--markdown", "as_markdown", is_flag=True, help="Print one table of ratios, in Markdown.")
@workers_option
@cluster_option
@spec_option
@metering_option
@format_option
@json_option
def command(
    inputs: tuple[str, ...], only: tuple[str, ...], skip: tuple[str, ...], args: str | None, gas: int | None, pc: int,
    limit: int, seconds: float, rounds: int, as_markdown: bool, workers: int | None, cluster: str | None, spec: str,
    metering: str, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Run programs and recorded runs on every engine there is, and compare how they end and how long they take.

    PROGRAM is a file, - for standard input, example:NAME or example:all; TRACE an ecalli trace (*.log, *.trace, *.txt),
    or a folder of them. Compared are exit, pc, gas, registers, the page of a fault, the result, and all pages that are
    mapped, with their rights, as a hash; of traces also the state at each host call, and what was recorded. What an
    engine's host does not see is "not seen". Engines that are missing here are named, as absent.

    \b
    Engines:
      reference                   in Python, within --limit
      interpreter, recompiler-software, recompiler-hardware, auto
                                  ours on wasmtime, without code kept on disk
      wasmtime-run, wasmtime-compiled
                                  the module of `pvm build` under the command wasmtime,
                                  compiled on the fly and ahead of time
      node-…, chromium-…          -interpreter and -recompiler: the page's machine on V8
      anan-as                     as `pvm bench --install-anan-as` installs it

    --only and --skip take the beginning of several, such as node, too.

    Cold is from the program's bytes to the exit, in a new process or tab that has no compiled code: parsing,
    translating, compiling the interpreter or the translation. Starting processes and loading an engine's own code is
    not counted. Warm is the run alone, in a new machine, when everything is compiled: the fastest of --rounds, or of
    more while they take less than 0.2 s together (1 s on V8, which optimises what runs for some time). Of the wasmtime
    commands cold is building, compiling and running, warm the command again; its process's start counts.

    --workers and --cluster compare several inputs at a time, each of them wholly on one worker: what is absent there is
    absent. On one machine they disturb each other, so times mean less.

    What takes longer than --seconds is stopped. A run that has no end on two engines is not given to the others.

    The exit status is 1 when engines disagree or fail, or none comes to an end, 2 when an input cannot be used.

    \b
    Examples:
      pvm compare example:sieve
      pvm compare program.pvmasm --gas 1000000 --json
      pvm compare ../shared/traces/ecalli/trace-001.log --skip chromium
      pvm compare example:all --markdown --limit 10000000
      pvm compare ../shared/traces/ecalli --workers 2 --only interpreter --only recompiler
    """
    # Other commands do without these, and start sooner.
    from wasm_host.compare.contestants import choose
    from wasm_host.compare.isolation import Isolation
    from wasm_host.compare.run import Compared, Rules, task
    from wasm_host.compare.table import as_dict, complaints, markdown, renderables, summary

    contestants = choose(only, skip)
    if STDIN in inputs and args == f"@{STDIN}":
        raise InputError("--args: standard input is the program already")
    given = _Given(args, gas, pc, format_, find_spec(spec), metering, rounds)
    tasks: list[Task] = []
    problems: list[str] = []
    for found in _tasks(inputs, given):
        if isinstance(found, Task):
            tasks.append(replace(found, patience=min(found.patience, seconds / 4)))
        else:
            problems.append(found)
    if not tasks:
        refuse(problems)
    bar = Bar("comparing", len(tasks), least=1)
    places = {id(one): place for place, one in enumerate(tasks)}

    def tell(task: Task, share: float) -> None:
        bar.show(places[id(task)] + share, f"comparing: {task.name}")

    def stop(part: Compared) -> None:
        if part.is_interrupted:  # in this process, in the middle of an input
            raise KeyboardInterrupt

    rules, is_here = Rules(tuple(contestants), limit, seconds), workers is None and cluster is None
    with Isolation(seconds) as isolation:
        work = task(rules, isolation, tell) if is_here else task(rules)
        done = do_all(work, tasks, bar, workers, cluster, tell=stop)
    compared, interrupted = [one for one in done.results if one.results], done.is_interrupted
    is_good = all(one.verdict.is_good for one in compared)
    if as_json:
        inputs_done = [as_dict(one) for one in compared]
        print_json({
            "agrees": is_good, "spec": spec, "metering": metering, "inputs": inputs_done, "unusable": problems,
            "interrupted": interrupted,
        })  # fmt: skip
    elif as_markdown:
        click.echo(markdown(compared))
        for line in complaints(compared):
            click.echo(line, err=True)
    else:
        out = console()
        for one in compared:
            for renderable in renderables(one):
                out.print(renderable)
            out.print()
        for problem in problems:
            out.print(Text(f"unusable: {escaped(problem)}", "bold red"))
        if interrupted:
            out.print(Text("interrupted: this is what was measured until then", "yellow"))
        out.print(Text(summary(compared), "green" if is_good else "bold red"))
    return finish(done, not is_good, problems)


def _tasks(inputs: tuple[str, ...], given: _Given) -> Iterator[Task | str]:
    """Tasks, and for inputs that cannot be used why."""
    arguments = None if given.args is None else read_args(given.args)
    for source in inputs:
        try:
            if source == ALL_EXAMPLES:
                for one in EXAMPLES:
                    yield _program(f"{EXAMPLE_PREFIX}{one.name}", arguments, given)
            elif os.path.isdir(source):
                yield from _traces(find_files([source], _SUFFIXES), given)
            elif source.endswith(_SUFFIXES):
                yield from _traces([Path(source)], given)
            else:
                yield _program(source, arguments, given)
        except InputError as error:
            yield str(error)


def _program(source: str, arguments: bytes | None, given: _Given) -> Task:
    loaded = load_program(source, given.format, given.spec)
    example = loaded.example
    args = arguments if arguments is not None else example.args if example else b""
    gas = given.gas if given.gas is not None else example.gas if example else DEFAULT_GAS
    with blamed_on(loaded.label):
        start_of(loaded.program, args, gas, given.pc, None)
    data, format = loaded.program.encode(), loaded.program.format
    return Task(loaded.label, data, format, args, gas, given.pc, given.spec.name, given.metering, given.rounds)


def _traces(paths: list[Path], given: _Given) -> Iterator[Task | str]:
    for path in paths:
        try:
            data = read_bytes(str(path))
            with blamed_on(str(path)):
                trace = parse_trace(data)
                start_of_trace(trace, Program.parse(trace.program))
            yield Task(str(path), data, TRACE, spec=given.spec.name, metering=given.metering, rounds=given.rounds)
        except (InputError, AddressError) as error:
            yield str(error)
