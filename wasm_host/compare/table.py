"""What was compared, for people: a table an input, or one of ratios in Markdown; and as plain data.

In: `Compared` values. Out: what to print.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pvm.printable import counted, escaped
from wasm_host.compare.outcome import UNSEEN, Missing, Outcome, Result, registers_hash
from wasm_host.compare.run import Compared

_SHOWN = 8  # digits of hashes
_FEWEST = 10_000  # instructions, below which a speed says nothing
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_COLUMNS = ("pc", "Gas left", "Registers", "Memory", "Agrees", "Cold", "Warm", "M instr/s", "Ratio")


def renderables(compared: Compared) -> Iterator[RenderableType]:
    """The table of one input, and below it why rows are missing and what differs."""
    verdict, used, fastest = compared.verdict, compared.used, compared.fastest()
    length = "" if used is None else f": {used:,} gas used"
    table = Table(
        title=escaped(compared.task.name) + length, title_justify="left", title_style="bold", header_style="bold",
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("Engine", no_wrap=True)
    table.add_column("Exit", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, no_wrap=True, justify="left" if name in ("Registers", "Memory", "Agrees") else "right")
    for name, result in compared.results.items():
        if isinstance(result, Outcome):
            is_wrong = name in verdict.differences
            table.add_row(name, *_cells(result, is_wrong, fastest), style="bold red" if is_wrong else None)
    if table.row_count:
        yield table
    if not verdict.ran:
        yield Text(f"{escaped(compared.task.name)}: no engine came to an end", "bold red")
    for name, result in compared.results.items():
        if isinstance(result, Missing):
            style = "bold red" if result.kind == "failed" else "yellow" if result.kind == "no end" else "dim"
            yield Text(f"{result.kind}: {name}: {escaped(result.text)}", style)
    for name, differences in verdict.differences.items():
        for difference in differences:
            yield Text(f"differs: {name}: {difference}", "bold red")


def summary(compared: Sequence[Compared]) -> str:
    """The last line."""
    bad = sum(not one.verdict.is_good for one in compared)
    inputs = counted(len(compared), "input")
    return f"{inputs}: all that ran agree" if not bad else f"{bad} of {inputs}: not all agree and came to an end"


def markdown(compared: Sequence[Compared]) -> str:
    """Engines by inputs: how many times as long as the fastest a warm run takes, and who agrees."""
    names = list(dict.fromkeys(name for one in compared for name, result in one.results.items() if _warm(result)))
    titles = [escaped(one.task.name.removeprefix("example:")) for one in compared]
    lines = [["", *titles, "agrees"]]
    for name in names:
        results = [one.results.get(name) for one in compared]
        agrees = all(name not in one.verdict.differences for one in compared)
        cells = [_ratio(_warm(result), one.fastest()) for result, one in zip(results, compared, strict=True)]
        seen = sum(isinstance(result, Outcome) for result in results)
        lines.append([name, *cells, "no" if not agrees else "yes" if seen == len(compared) else f"yes, {seen}"])
    lines.append(["gas used", *(f"{one.used:,}" if one.used is not None else "-" for one in compared), ""])
    lines.append(["the fastest", *(duration(one.fastest()) for one in compared), ""])
    rows = [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines]
    return "\n".join([rows[0], "|" + "---|" * (len(titles) + 2), *rows[1:]])


def complaints(compared: Sequence[Compared]) -> Iterator[str]:
    """What the Markdown leaves out: who has no outcome, and what differs."""
    for one in compared:
        for name, result in one.results.items():
            if isinstance(result, Missing):
                yield f"{escaped(one.task.name)}: {result.kind}: {name}: {escaped(result.text)}"
        for name, differences in one.verdict.differences.items():
            yield from (f"{escaped(one.task.name)}: differs: {name}: {difference}" for difference in differences)


def as_dict(compared: Compared) -> dict[str, Any]:
    """One input as plain data."""
    verdict, fastest, task = compared.verdict, compared.fastest(), compared.task
    return {
        "input": task.name, "format": task.format, "agrees": verdict.is_good, "gas_used": compared.used,
        "engines": {
            name: _result_dict(result, verdict.differences.get(name, ()), fastest)
            for name, result in compared.results.items()
        },
    }  # fmt: skip


def duration(seconds: float | None) -> str:
    """A time with three digits."""
    if seconds is None:
        return "-"
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{_number(seconds / size)} {unit}"


def _cells(outcome: Outcome, is_wrong: bool, fastest: float | None) -> list[str]:
    ending, used, warm = outcome.ending, outcome.used, outcome.warm
    detail = ""
    if isinstance(ending.call, int):
        detail = f" {ending.call}"
    elif isinstance(ending.address, int):
        detail = f" {ending.address:#x}"
    speed = f"{_number(used / warm / 1e6)}" if warm and used >= _FEWEST else "-"
    memory = ending.memory if ending.memory == UNSEEN else ending.memory[:_SHOWN]
    return [
        ending.reason + detail, str(ending.pc), f"{ending.gas:,}", registers_hash(ending.registers)[:_SHOWN], memory,
        "no" if is_wrong else "yes", duration(outcome.cold), duration(warm), speed, _ratio(warm, fastest),
    ]  # fmt: skip


def _result_dict(result: Result, differences: Sequence[str], fastest: float | None) -> dict[str, Any]:
    if isinstance(result, Missing):
        return {"status": result.kind, "reason": result.text}
    ending = {name: None if value == UNSEEN else value for name, value in asdict(result.ending).items()}
    ratio = result.warm / fastest if result.warm and fastest else None
    speed = result.used / result.warm if result.warm else None
    return {
        "status": "ended", "exit": ending.pop("reason"), **ending, "gas_used": result.used,
        "not_seen": [name for name, value in asdict(result.ending).items() if value == UNSEEN],
        "cold_seconds": result.cold, "warm_seconds": result.warm, "instructions_per_second": speed, "ratio": ratio,
        "differences": list(differences),
    }  # fmt: skip


def _warm(result: Result | None) -> float | None:
    return result.warm if isinstance(result, Outcome) else None


def _ratio(seconds: float | None, fastest: float | None) -> str:
    if not seconds or not fastest:
        return "-"
    ratio = seconds / fastest
    return f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:#.3g}"
