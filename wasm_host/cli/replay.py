"""`pvm replay`: recorded runs, verified."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pvm.errors import AddressError, InputError
from pvm.machine import AnyEngine
from pvm.printable import escaped
from pvm.program import Program
from pvm.reference import ReferenceEngine
from pvm.trace import Replay, parse_trace, replay
from wasm_host.cli.batch import Source, cluster_option, do_all, finish, refuse, sources, workers_option
from wasm_host.cli.deadline import Deadline, timeout_option
from wasm_host.cli.engines import (
    json_option,
    make_engine,
    metering_option,
    no_cache_option,
    protection_option,
    spec_option,
    tier_option,
)
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import better_error, find_files
from wasm_host.cli.output import Bar, console, counted, duration, mark, print_json, summary
from wasm_host.code.portable import PortableCode
from wasm_host.engine import Engine
from wasm_host.jobs import Task

_SUFFIXES = (".log", ".trace", ".txt")
_TRANSLATING = "recompiler"  # the tier that translates every program
_NOTHING = Replay(0, 0, None)


@dataclass(frozen=True)
class Replayed:
    """A trace and what came of it; reading it does not count into `seconds`. `problem`: it could not be used."""

    path: str
    replay: Replay
    seconds: float = 0.0
    problem: str | None = None


@dataclass(frozen=True)
class _Options:
    tier: str
    spec: str
    metering: str
    no_cache: bool
    protection: str
    timeout: float

    def engine(self) -> Engine | ReferenceEngine:
        return make_engine(self.tier, self.spec, self.metering, self.no_cache, self.protection)


@dataclass(frozen=True)
class _Shared:
    """What all traces share: how they are replayed, and programs with their translations, each once."""

    options: _Options
    translated: tuple[tuple[bytes, PortableCode], ...] = ()


@dataclass(frozen=True)
class _Replayer:
    """What a worker has: an engine, and programs that were parsed once, because traces often share one."""

    engine: AnyEngine
    timeout: float
    programs: dict[bytes, Program] = field(default_factory=dict)


@click.command("replay")
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@tier_option
@spec_option
@metering_option
@protection_option
@no_cache_option
@timeout_option("a trace", " (it counts as failed)")
@workers_option
@cluster_option
@json_option
def command(
    traces: tuple[str, ...], tier: str, spec: str, metering: str, protection: str, no_cache: bool,
    timeout: float, workers: int | None, cluster: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Replay recorded runs and verify everything that they state.

    TRACE is an ecalli trace (JIP-6), or a folder of them (*.log, *.trace, *.txt). Host calls are answered as recorded;
    pc, gas, all registers and the memory that the host read are compared at each of them and at the end. The last line
    counts the traces. The exit status is 1 if one diverges, 2 if one is malformed.

    \b
    Examples:
      pvm replay ../shared/traces/ecalli
      pvm replay trace-001.log --tier reference
      pvm replay *.log --json --workers 4
    """
    files = find_files(traces, _SUFFIXES)
    options = _Options(tier, spec, metering, no_cache, protection, timeout)
    is_elsewhere = (workers is not None or cluster is not None) and len(files) > 1

    def task() -> Task[Source, Replayed]:
        return Task(_prepare, _replay, _Shared(options, tuple(_translated(files, options)) if is_elsewhere else ()))

    done = do_all(task, sources(files), Bar("Traces", len(files)), workers, cluster)
    replayed = [one for one in done.results if one.problem is None]
    malformed = [one for one in done.results if one.problem is not None]
    problems = [str(one.problem) for one in malformed]
    if not replayed and not done.is_interrupted:
        refuse(problems)
    failed = sum(one.replay.difference is not None for one in replayed)
    if as_json:
        print_json({
            "passed": len(replayed) - failed, "failed": failed, "tier": tier, "spec": spec, "metering": metering,
            "traces": [_as_dict(one) for one in replayed],
            "malformed": [{"file": one.path, "error": one.problem} for one in malformed],
            "interrupted": done.is_interrupted,
        })  # fmt: skip
    else:
        _show(done.results, failed, len(malformed), len(files) - len(done.results))
    return finish(done, failed, problems)


def _translated(files: list[Path], options: _Options) -> Iterator[tuple[bytes, PortableCode]]:
    """The traces' programs with their translations, where each worker would have to make them.

    What is wrong with a trace or its program is told when it is its turn.
    """
    engine = options.engine()
    if not isinstance(engine, Engine) or engine.tier != _TRANSLATING:
        return
    seen: set[bytes] = set()
    for source in sources(files):
        with suppress(InputError, AddressError):
            data = parse_trace(source.data).program
            if data not in seen:
                seen.add(data)
                carried = engine.carry(Program.parse(data))
                if carried is not None:
                    yield data, carried


def _prepare(shared: _Shared) -> _Replayer:
    replayer = _Replayer(shared.options.engine(), shared.options.timeout)
    for data, carried in shared.translated:
        assert isinstance(replayer.engine, Engine)
        replayer.programs[data] = Program.parse(data)
        replayer.engine.adopt(replayer.programs[data], carried)
    return replayer


def _replay(replayer: _Replayer, source: Source) -> Replayed:
    if source.problem is not None:
        return Replayed(source.path, _NOTHING, problem=source.problem)
    try:
        trace = parse_trace(source.data)
        program = replayer.programs.get(trace.program)
        if program is None:
            with blamed_on("program"):
                program = replayer.programs[trace.program] = Program.parse(trace.program)
        began = time.perf_counter()
        found = replay(trace, replayer.engine, program, Deadline(replayer.timeout))
        return Replayed(source.path, found, time.perf_counter() - began)
    except InputError as error:
        return Replayed(source.path, _NOTHING, problem=f"{source.path}: {better_error(source.data, error, 'trace')}")
    except AddressError as error:
        return Replayed(source.path, _NOTHING, problem=f"{source.path}: {error}")


def _as_dict(one: Replayed) -> dict[str, Any]:
    return {
        "file": one.path, "passed": one.replay.difference is None, "calls": one.replay.calls,
        "gas_used": one.replay.gas_used, "seconds": one.seconds, "difference": one.replay.difference,
    }  # fmt: skip


def _show(replayed: list[Replayed], failed: int, malformed: int, left: int) -> None:
    out = console()
    names = [escaped(Path(one.path).name) for one in replayed]
    width = max(map(len, names), default=0)
    for name, one in zip(names, replayed, strict=True):
        problem = one.problem or one.replay.difference
        line = Text(f"{mark(problem is None)} ", "green" if problem is None else "bold red")
        line.append(f"{name:<{width}}", "default")
        if one.problem is None:
            line.append(
                f"  {counted(one.replay.calls, 'call'):>9}  {one.replay.gas_used:>13,} gas  {duration(one.seconds):>8}",
                "default",
            )
        out.print(line)
        if problem is not None:
            out.print(f"    {escaped(problem if one.problem else f'{one.path}: {problem}')}")
    last = summary(len(replayed) - failed - malformed, failed, malformed=malformed, left=left)
    out.print(Text(last, "red" if failed or malformed else "yellow" if left else "green"))
