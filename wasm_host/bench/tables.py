"""A report for people: rich tables.

In: a `Report`. Out: what to print. The workloads share one table, every other section has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from wasm_host.bench.measure import BYTES, COUNT, NANOSECONDS, Report, Section, median
from wasm_host.bench.workloads import workload_names

_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def renderables(report: Report) -> Iterator[RenderableType]:
    """Tables, then what went wrong and what is absent."""
    sections = [section for section in report.sections if section.samples]
    programs = [section for section in sections if section.name in workload_names()]
    if programs:
        yield _programs_table(programs)
    for section in sections:
        if section not in programs:
            yield _section_table(section)
    for section in report.sections:
        for problem in section.problems:
            yield Text(f"{section.name}: {problem}", style="bold red")
    for what, why in report.absent.items():
        yield Text(f"absent: {what}: {why}", style="yellow")
    if report.interrupted:
        yield Text("interrupted: these are the figures up to there", style="yellow")


def _programs_table(sections: list[Section]) -> Table:
    """Figures and ratios down, workloads across."""
    table = Table(
        title="Nanoseconds a PVM instruction: medians, below them half of what lies between lowest and highest",
        caption=_caption(sections), box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1),
    )  # fmt: skip
    table.add_column("", no_wrap=True)
    for section in sections:
        table.add_column(section.name, justify="right", no_wrap=True)
    figures = [section.samples for section in sections]
    ratios = [section.known_ratios() for section in sections]
    for name in _names(figures):
        table.add_row(name, *(_cell(samples.get(name)) for samples in figures))
    table.add_section()
    for name in _names(ratios):
        table.add_row(name, *(_cell(samples.get(name)) for samples in ratios), style="cyan")
    table.add_section()
    counts = (section.facts["instructions"] / 1e6 for section in sections)
    table.add_row("million instructions", *(_number(count) for count in counts), style="dim")
    return table


def _caption(sections: list[Section]) -> str | None:
    found = next((section.facts["anan-as"] for section in sections if "anan-as" in section.facts), None)
    builds = sorted({section.facts["anan-as"]["build"] for section in sections if "anan-as" in section.facts})
    return found and f"anan-as {found['version']}: the fastest of its builds in each run ({', '.join(builds)})"


def _section_table(section: Section) -> Table:
    facts = ", ".join(f"{name}: {_fact(value)}" for name, value in section.facts.items())
    table = Table(title=section.title, caption=facts or None)
    table.add_column("")
    for title in ("median", "lowest", "highest"):
        table.add_column(title, justify="right")
    for name, samples in section.samples.items():
        unit = _FORMATS[section.unit(name)]
        table.add_row(escape(name), *(unit(value) for value in (median(samples), min(samples), max(samples))))
    table.add_section()
    targets, worst = section.targets(), section.worst()
    for label, samples in section.known_ratios().items():
        values, target = (median(samples), min(samples), max(samples)), targets.get(label)
        wanted = "" if target is None else f" (≤ {target:g})"
        remark = ", highest" if label == worst and len(targets) > 1 else ""
        style = "cyan" if target is None or values[0] <= target else "bold red"
        table.add_row(escape(label) + wanted + remark, *(_number(value) for value in values), style=style)
    return table


def _names(columns: list[dict[str, list[float]]]) -> list[str]:
    """The names in any of the columns, in the order in which they come."""
    return list(dict.fromkeys(name for column in columns for name in column))


def _cell(samples: Sequence[float] | None) -> str:
    if not samples:
        return "-"
    middle = median(samples)
    spread = (max(samples) - min(samples)) / 2 / middle if middle else 0.0
    return f"{_number(middle)}\n[dim]±{spread:.0%}[/dim]"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    """In the unit in which it is a small number; the units go from large to small."""
    size, unit = next((one for one in units if abs(value) >= one[0]), units[-1])
    return f"{_number(value / size)} {unit}"


_FORMATS: dict[str, Callable[[float], str]] = {
    NANOSECONDS: lambda value: _scaled(value, _TIMES),
    BYTES: lambda value: _scaled(value, _SIZES),
    COUNT: lambda value: _number(value),
}


def _fact(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
