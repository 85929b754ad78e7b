"""A report for people: rich tables.

In: a `Report`, and how it compares with an earlier one. Out: what to print. The workloads share one table, every other
section has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from wasm_host.bench.measure import median
from wasm_host.bench.report.amounts import amount, fact, number
from wasm_host.bench.report.baseline import Comparison
from wasm_host.bench.report.figures import MEASURED_ON, Report, Section
from wasm_host.bench.workloads import workload_names

_STYLES = {"worse": "bold red", "better": "green", "new": "cyan"}


def renderables(report: Report, comparison: Comparison | None = None) -> Iterator[RenderableType]:
    """Tables, then verdicts, what went wrong and what is absent."""
    sections = [section for section in report.sections if section.samples]
    programs = [section for section in sections if section.name in workload_names()]
    if programs:
        yield _programs_table(programs)
    for section in sections:
        if section not in programs:
            yield _section_table(section)
    if comparison is not None:
        yield from _verdicts(comparison)
    for problem in report.problems:
        yield Text(problem, style="bold red")
    for what, why in report.absent.items():
        yield Text(f"absent: {what}: {why}", style="yellow")
    if report.interrupted:
        yield Text("interrupted: these are the figures up to there", style="yellow")


def _verdicts(comparison: Comparison) -> Iterator[RenderableType]:
    """What has changed or is new, each figure a row, and how many have not, or are not there any more."""
    changed = [verdict for verdict in comparison.verdicts if verdict.word in _STYLES]
    if changed:
        table = Table(title="Against the baseline", caption="x: how many times as high, at the machine's pace then")
        table.add_column("")
        for title in ("then", "now", "x"):
            table.add_column(title, justify="right")
        table.add_column("")
        for one in changed:
            cells = ("-" if value is None else amount(value, one.unit) for value in (one.before, one.now))
            change = "-" if one.change is None else number(one.change)
            table.add_row(f"{one.section}: {one.figure}", *cells, change, one.word, style=_STYLES.get(one.word))
        yield table
    for difference in comparison.differences:
        yield Text(f"not the same: {difference}", style="yellow")
    counts = ", ".join(f"{count} {word}" for word, count in comparison.counts.items() if count)
    yield Text(f"against the baseline: {counts}", style="bold red" if comparison.worse else "green")


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
    counts = [section.number("instructions") for section in sections]
    table.add_row("million instructions", *(number(count / 1e6) if count else "-" for count in counts), style="dim")
    elsewhere = [str(section.facts.get(MEASURED_ON, "")) for section in sections]
    if any(elsewhere):
        table.add_row(MEASURED_ON, *elsewhere, style="dim")
    return table


def _caption(sections: list[Section]) -> str | None:
    facts = (section.facts.get("anan-as") for section in sections)
    found = [fact for fact in facts if isinstance(fact, dict)]
    builds = sorted({str(fact.get("build")) for fact in found})
    if not found:
        return None
    return f"anan-as {found[0].get('version')}: the fastest of its builds in each run ({', '.join(builds)})"


def _section_table(section: Section) -> Table:
    facts = ", ".join(f"{name}: {fact(value)}" for name, value in section.facts.items())
    table = Table(title=section.title, caption=facts or None)
    table.add_column("")
    for title in ("median", "lowest", "highest"):
        table.add_column(title, justify="right")
    for name, samples in section.samples.items():
        unit = section.unit(name)
        table.add_row(name, *(amount(value, unit) for value in (median(samples), min(samples), max(samples))))
    table.add_section()
    targets, worst = section.targets(), section.worst()
    for label, samples in section.known_ratios().items():
        values, target = (median(samples), min(samples), max(samples)), targets.get(label)
        wanted = "" if target is None else f" (≤ {target:g})"
        remark = ", highest" if label == worst and len(targets) > 1 else ""
        style = "cyan" if target is None or values[0] <= target else "bold red"
        table.add_row(label + wanted + remark, *(number(value) for value in values), style=style)
    return table


def _names(columns: list[dict[str, list[float]]]) -> list[str]:
    """The names in any of the columns, in the order in which they come."""
    return list(dict.fromkeys(name for column in columns for name in column))


def _cell(samples: Sequence[float] | None) -> Text:
    if not samples:
        return Text("-")
    middle = median(samples)
    spread = (max(samples) - min(samples)) / 2 / middle if middle else 0.0
    return Text(number(middle)).append(f"\n±{spread:.0%}", style="dim")

