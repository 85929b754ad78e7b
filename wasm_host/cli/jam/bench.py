"""`pvm jam bench`: how long blocks take, beside their signature checks, other targets, and published figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pvm.errors import InputError
from pvm.jam.transition import Host
from wasm_host.cli.engines import json_option, no_cache_option, tier_option
from wasm_host.cli.failures import FAILURE, SUCCESS
from wasm_host.cli.jam.options import make_host, parameters_option, points_option
from wasm_host.cli.output import Bar, console, new_table, print_json, tracked
from wasm_host.node.client import Client
from wasm_host.node.timing import Timed, time_here, time_signatures, time_target
from wasm_host.node.traces import Trace, find_traces, read_traces

_MACHINE = "through the socket, 2 cores of a shared x86-64 server, nearly idle, November 2026"


@dataclass(frozen=True)
class Published:
    """Figures measured elsewhere: milliseconds a block (p50) by trace, and where they come from."""

    name: str
    source: str
    p50: dict[str, float]


PUBLISHED = (
    Published("typeberry 0.11.0", _MACHINE, {
        "fallback": 4.1, "safrole": 16.4, "storage_light": 21.4, "storage": 27.9, "preimages_light": 21.8,
    }),
    Published("PyJAMaz 0.2.1", _MACHINE, {
        "fallback": 6.7, "safrole": 38.3, "storage_light": 18.0, "storage": 27.5, "preimages_light": 17.0,
    }),
)  # fmt: skip


@click.command("bench")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--target", "targets", multiple=True, type=click.Path(path_type=Path), metavar="SOCKET",
              help="Also time the target that listens there; may be repeated.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True, metavar="N",
              help="Import each trace N times. The first counts too.")  # fmt: skip
@parameters_option
@points_option
@tier_option
@no_cache_option
@json_option
def command(
    paths: tuple[str, ...], targets: tuple[Path, ...], rounds: int, parameters: str, points: Path | None, tier: str,
    no_cache: bool, as_json: bool,
) -> int:  # fmt: skip
    """Time the import of traces with genesis, and what the signature checks of their blocks alone take.

    A block's time is from its octets to the root: here in one process, at a target from message to answer. Signature
    checks are timed one after another in one thread. Published figures have their source, and are of other machines or
    days: compare them with nothing but each other. The exit status is 1 if a root is wrong.

    \b
    Examples:
      pvm jam bench ../shared/jam/blocks/fallback.tar.xz
      pvm jam bench ../shared/jam/blocks/storage.tar.xz --target /tmp/jam_target.sock
    """
    host = make_host(parameters, points, tuple(Path(path) for path in paths), tier, no_cache)
    rows: list[dict[str, Any]] = []
    with Bar("Traces", None) as bar:
        for trace in tracked(_traces(paths), bar):
            rows += _rows(trace, host, targets, rounds)
    known = {row["trace"] for row in rows}
    published = [
        {"trace": trace, "who": each.name, "p50": value, "source": each.source}
        for each in PUBLISHED
        for trace, value in each.p50.items()
        if trace in known
    ]
    if as_json:
        print_json({"measured": rows, "published": published, "unit": "milliseconds"})
    else:
        _show(rows, published)
    return FAILURE if any(row["mismatches"] for row in rows) else SUCCESS


def _traces(paths: tuple[str, ...]) -> Iterator[Trace]:
    any_genesis = False
    for path in find_traces(paths):
        for trace in read_traces(path):
            if trace.genesis is not None:
                any_genesis = True
                yield trace
    if not any_genesis:
        raise InputError(f"{paths[0]}: no trace with a genesis.bin")


def _rows(trace: Trace, host: Host, targets: tuple[Path, ...], rounds: int) -> Iterator[dict[str, Any]]:
    signatures = [time_signatures(trace, host) for _ in range(rounds)]
    yield _row(trace.name, "signature checks alone", signatures)
    yield _row(trace.name, "pvm", [time_here(trace, host) for _ in range(rounds)])
    for path in targets:
        with Client(path, host.constants) as client:
            timed = [time_target(trace, client, host) for _ in range(rounds)]
            yield _row(trace.name, f"{client.name} (socket)", timed)


def _row(trace: str, who: str, timed: list[Timed]) -> dict[str, Any]:
    """Milliseconds a block."""
    ordered = sorted(1e3 * seconds for one in timed for seconds in one.seconds)

    def at(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    return {
        "trace": trace, "who": who, "blocks": len(ordered), "p50": at(0.5), "mean": statistics.fmean(ordered),
        "p90": at(0.9), "p99": at(0.99), "max": ordered[-1], "mismatches": sum(one.mismatches for one in timed),
    }  # fmt: skip


def _show(rows: list[dict[str, Any]], published: list[dict[str, Any]]) -> None:
    out = console()
    table = new_table("Measured here, ms a block")
    for title in ("trace", "who"):
        table.add_column(title)
    titles = ("blocks", "p50", "mean", "p90", "p99", "max")
    for title in titles:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(row["trace"], row["who"], str(row["blocks"]), *(f"{row[title]:.2f}" for title in titles[1:]))
    out.print(table)
    if published:
        table = new_table("Published, ms a block (p50)")
        for title in ("trace", "who", "p50", "source"):
            table.add_column(title)
        for row in published:
            table.add_row(row["trace"], row["who"], f"{row['p50']:.1f}", row["source"])
        out.print(table)
    wrong = sum(row["mismatches"] for row in rows)
    out.print(Text(f"{wrong} wrong roots", "red" if wrong else "green"))
