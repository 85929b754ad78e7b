"""`pvm replay`: recorded runs, verified."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pvm.machine import AnyEngine
from pvm.program import Program
from pvm.trace import Replay, parse_trace, replay
from wasm_host.cli.engines import (
    json_option,
    make_engine,
    metering_option,
    no_cache_option,
    protection_option,
    spec_option,
    tier_option,
)
from wasm_host.cli.failures import FAILURE, SUCCESS, blamed_on
from wasm_host.cli.inputs import find_files, read_bytes
from wasm_host.cli.output import console, counted, duration, mark, print_json, summary, tracked

_SUFFIXES = (".log", ".trace", ".txt")


@dataclass(frozen=True)
class Replayed:
    """A trace and what came of it; reading it does not count into `seconds`."""

    path: Path
    replay: Replay
    seconds: float


@click.command("replay")
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@tier_option
@spec_option
@metering_option
@protection_option
@no_cache_option
@json_option
def command(
    traces: tuple[str, ...], tier: str, spec: str, metering: str, protection: str, no_cache: bool, as_json: bool
) -> int:
    """Replay recorded runs and verify everything that they state.

    TRACE is an ecalli trace (JIP-6), or a folder of them (*.log, *.trace, *.txt). Host calls are answered as recorded;
    pc, gas, all registers and the memory that the host read are compared at each of them and at the end. The last line
    counts the traces. The exit status is 1 if one diverges.

    \b
    Examples:
      pvm replay ../shared/traces/ecalli
      pvm replay trace-001.log --tier reference
      pvm replay *.log --json
    """
    engine = make_engine(tier, spec, metering, no_cache, protection)
    programs: dict[bytes, Program] = {}  # parsed once: traces often share a program
    files = find_files(traces, _SUFFIXES)
    replayed = [_replay(path, engine, programs) for path in tracked(files, "Traces")]
    failed = sum(one.replay.difference is not None for one in replayed)
    if as_json:
        print_json({
            "passed": len(replayed) - failed, "failed": failed, "tier": tier, "spec": spec, "metering": metering,
            "traces": [_as_dict(one) for one in replayed],
        })  # fmt: skip
    else:
        _show(replayed, failed)
    return FAILURE if failed else SUCCESS


def _replay(path: Path, engine: AnyEngine, programs: dict[bytes, Program]) -> Replayed:
    data = read_bytes(str(path))
    with blamed_on(str(path)):
        trace = parse_trace(data)
        program = programs.get(trace.program)
        if program is None:
            with blamed_on("program"):
                program = programs[trace.program] = Program.parse(trace.program)
        began = time.perf_counter()
        found = replay(trace, engine, program)
        return Replayed(path, found, time.perf_counter() - began)


def _as_dict(one: Replayed) -> dict[str, Any]:
    return {
        "file": str(one.path), "passed": one.replay.difference is None, "calls": one.replay.calls,
        "gas_used": one.replay.gas_used, "seconds": one.seconds, "difference": one.replay.difference,
    }  # fmt: skip


def _show(replayed: list[Replayed], failed: int) -> None:
    out = console()
    names = [one.path.name for one in replayed]
    width = max(map(len, names))
    for name, one in zip(names, replayed, strict=True):
        good = one.replay.difference is None
        line = Text(f"{mark(good)} ", "green" if good else "bold red").append(f"{name:<{width}}", "default")
        line.append(
            f"  {counted(one.replay.calls, 'call'):>9}  {one.replay.gas_used:>13,} gas  {duration(one.seconds):>8}",
            "default",
        )
        out.print(line)
        if not good:
            out.print(f"    {one.path}: {one.replay.difference}")
    out.print(Text(summary(len(replayed) - failed, failed), "red" if failed else "green"))
