"""A report as a page that needs no other file: charts that are tables at the same time, verdicts, what is absent.

In: a `Report`, and how it compares with an earlier one. Out: HTML text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvm.version import __version__
from pvm_web.render import render
from wasm_host.bench.measure import median
from wasm_host.bench.report.amounts import amount, between, fact, number
from wasm_host.bench.report.baseline import RATIO, Comparison, Verdict
from wasm_host.bench.report.charts import Axis, Line, Part, Strip, axis, line, mean, stack, strip
from wasm_host.bench.report.figures import BYTES, COUNT, MEASURED_ON, NANOSECONDS, Report, Section
from wasm_host.bench.sections.programs import BY_HARDWARE, BY_SOFTWARE, INTERPRETER
from wasm_host.bench.sections.replays import PHASES, TOTAL
from wasm_host.bench.sections.translating import COMPILE, IN_ALL, RECOMPILE
from wasm_host.bench.workloads import workload_names
from wasm_host.engine import HARDWARE, SOFTWARE

_LONG = 24  # letters of a label
_TIMES, _MINUS = " \N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"
_SLOW = 500.0  # times the fastest, which the axis of the programs' charts leaves out
_MEASURES = {NANOSECONDS: "time", BYTES: "memory", COUNT: "numbers"}
_MOST = 4.0  # times, in the chart of changes
_CHANGES = axis((1 / _MOST, 1.0, _MOST), RATIO, is_wide=False, is_log=True)
# What a figure is of decides its colour: the first of these that its name has in it.
_TONES = (
    ("Chromium", "browser"), ("anan-as", "other"), ("default build", "other"), ("gcc", "native"), ("naive", "other"),
    ("reference", "reference"), ("hardware", "hardware"), ("software", "software"), ("auto", "auto"),
    ("recompiler", "hardware"), ("interpreter", "interpreter"),
)  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """A figure: its line in the chart, and its numbers as text."""

    label: str
    tone: str
    line: Line
    value: str
    spread: str
    hint: str
    change: str = ""
    word: str = ""


@dataclass(frozen=True)
class _Panel:
    """Figures with one axis."""

    title: str
    note: str
    axis: Axis
    rows: tuple[_Row, ...]

    @property
    def is_long(self) -> bool:
        """Whether a label needs more than a line."""
        return max(len(row.label) for row in self.rows) > _LONG


@dataclass(frozen=True)
class _Bar:
    """A bar made of parts."""

    label: str
    parts: tuple[Part, ...]
    value: str


@dataclass(frozen=True)
class _Stacks:
    """Bars with one axis, and what their parts are called."""

    axis: Axis
    parts: tuple[str, ...]
    bars: tuple[_Bar, ...]


@dataclass(frozen=True)
class _StripRow:
    """A contestant's figures in all programs."""

    label: str
    tone: str
    strip: Strip
    value: str


@dataclass(frozen=True)
class _Overview:
    """All contestants."""

    axis: Axis
    rows: tuple[_StripRow, ...]


@dataclass(frozen=True)
class _RatioRow:
    """A ratio, and whether it is as low as is wanted (None: nothing is)."""

    label: str
    value: str
    spread: str
    target: str
    is_met: bool | None


@dataclass(frozen=True)
class _Chapter:
    """A section of the page."""

    anchor: str
    title: str
    stacks: _Stacks | None
    panels: tuple[_Panel, ...]
    ratios: tuple[_RatioRow, ...]
    facts: str


@dataclass(frozen=True)
class _Tile:
    """One number that says much."""

    value: str
    title: str
    note: str


def report_page(report: Report, comparison: Comparison | None = None) -> str:
    """The page."""
    measured = [section for section in report.sections if section.samples]
    programs = [section for section in measured if section.name in workload_names()]
    others = [section for section in measured if section not in programs]
    return render(
        "wasm_host.bench.report", "report.html.j2",
        version=__version__, about=_about(report), report=report, comparison=comparison,
        tiles=list(_tiles(report, programs)), overview=_overview(programs), programs=_programs(programs, comparison),
        program_ratios=_program_ratios(programs), chapters=[_chapter(section, comparison) for section in others],
        verdicts=[] if comparison is None else [_verdict(one) for one in comparison.verdicts],
        pace=_pace(comparison), changes=_CHANGES,
    )  # fmt: skip


def _about(report: Report) -> str:
    about = report.about
    words = [
        f"pvm-wasm {about.get('pvm-wasm', '?')}", f"wasmtime {about.get('wasmtime', '?')}",
        f"Python {about.get('python', '?')}", str(about.get("system", "")),
        f"{about.get('processors', '?')} processors", f"{about.get('repeat', '?')} rounds",
    ]  # fmt: skip
    words += [f"{name} {about[name]}" for name in ("gcc", "Chromium", "anan-as") if name in about]
    words += [f"workers: {about['workers']}"] if "workers" in about else []
    return " · ".join(words)


# --- the programs ----------------------------------------------------------------------------------------------------


def _overview(programs: Sequence[Section]) -> _Overview | None:
    """Each contestant a row, each program a mark, on one axis; the fastest first."""
    found: dict[str, list[tuple[str, float]]] = {}
    for section in programs:
        for name, samples in section.samples.items():
            found.setdefault(name, []).append((section.name, median(samples)))
    if not found:
        return None
    on = axis((value for values in found.values() for _, value in values), NANOSECONDS, is_wide=True)
    rows = [(mean([value for _, value in values]), name, values) for name, values in found.items()]
    return _Overview(
        on,
        tuple(
            _StripRow(name, _tone(name), strip(on, values, NANOSECONDS), amount(middle, NANOSECONDS))
            for middle, name, values in sorted(rows)
        ),
    )


def _programs(programs: Sequence[Section], comparison: Comparison | None) -> tuple[_Panel, ...]:
    """A panel each, all with the same axis, which does not go as far as the slowest; the fastest first."""
    samples = [samples for one in programs for samples in one.samples.values()]
    fastest = min((min(found) for found in samples), default=1.0)
    on = axis(
        (sample for found in samples for sample in found if median(found) < fastest * _SLOW), NANOSECONDS, is_wide=False
    )
    return tuple(
        _panel(
            section.name, _note(section), on,
            sorted(section.samples.items(), key=lambda item: median(item[1])), NANOSECONDS, _of(comparison, section),
        )
        for section in programs
    )  # fmt: skip


def _note(section: Section) -> str:
    count, machine = section.number("instructions"), section.facts.get(MEASURED_ON)
    words = [f"{number(count / 1e6)} million instructions"] if count else []
    return ", ".join(words + ([f"{MEASURED_ON} {machine}"] if machine else []))


def _program_ratios(programs: Sequence[Section]) -> tuple[tuple[str, ...], list[tuple[str, list[str]]]]:
    """Ratios by programs: the programs' names, and rows of medians."""
    known = [{label: median(samples) for label, samples in one.known_ratios().items()} for one in programs]
    labels = dict.fromkeys(label for ratios in known for label in ratios)
    rows = [(label, [number(ratios[label]) if label in ratios else "" for ratios in known]) for label in labels]
    return tuple(one.name for one in programs), rows


# --- other sections --------------------------------------------------------------------------------------------------


def _chapter(section: Section, comparison: Comparison | None) -> _Chapter:
    verdicts, targets = _of(comparison, section), section.targets()
    ratios = tuple(
        _RatioRow(
            label, number(median(samples)), f"{number(min(samples))} to {number(max(samples))}",
            f"at most {targets[label]:g}" if label in targets else "",
            median(samples) <= targets[label] if label in targets else None,
        )
        for label, samples in section.known_ratios().items()
    )  # fmt: skip
    facts = " · ".join(f"{name}: {fact(value)}" for name, value in section.facts.items())
    panels = tuple(_panels(section, verdicts))
    return _Chapter(f"section-{section.name}", section.title, _stacks(section), panels, ratios, facts)


def _panels(section: Section, verdicts: Mapping[str, Verdict]) -> Iterator[_Panel]:
    """The figures by unit and by what stands before a colon; those of one unit have the same axis."""
    units = dict.fromkeys(map(section.unit, section.samples))
    for unit in units:
        figures = {name: samples for name, samples in section.samples.items() if section.unit(name) == unit}
        groups: dict[str, list[tuple[str, Sequence[float]]]] = {}
        for name, samples in figures.items():
            groups.setdefault(name.rpartition(": ")[0], []).append((name, samples))
        if len(groups) == len(figures):  # groups of one are none
            groups = {"": list(figures.items())}
        values = (sample for samples in figures.values() for sample in samples)
        on = axis(values, unit, is_wide=len(groups) == 1)
        for title, members in groups.items():
            yield _panel(title, _MEASURES[unit] if len(units) > 1 else "", on, members, unit, verdicts)


def _panel(
    title: str, note: str, on: Axis, figures: Iterable[tuple[str, Sequence[float]]], unit: str,
    verdicts: Mapping[str, Verdict],
) -> _Panel:  # fmt: skip
    rows = []
    for name, samples in figures:
        label = name.removeprefix(f"{title}: ")
        rows.append(_row(label, _tone(label), on, samples, unit, verdicts.get(name)))
    return _Panel(title, note, on, tuple(rows))


def _row(label: str, tone: str, on: Axis, samples: Sequence[float], unit: str, verdict: Verdict | None) -> _Row:
    low, middle, high = min(samples), median(samples), max(samples)
    spread = between(low, high, unit)
    hint = f"{label}: {amount(middle, unit)}, of {len(samples)}: {spread}"
    if verdict is None:
        return _Row(label, tone, line(on, samples), amount(middle, unit), spread, hint)
    if verdict.before is not None:
        hint += f"; before: {amount(verdict.before, unit)}"
    return _Row(
        label, tone, line(on, samples, verdict.before), amount(middle, unit), spread, hint, _change(verdict),
        verdict.word,
    )  # fmt: skip


def _stacks(section: Section) -> _Stacks | None:
    """What the time of a section goes into, where that is known."""
    split = _SPLITS.get(section.name)
    return None if split is None else split(section)


def _replay_stacks(section: Section) -> _Stacks | None:
    tiers = dict.fromkeys(name.partition(": ")[0] for name in section.samples)
    parts = {tier: [(phase, f"{tier}: {phase}") for phase in PHASES] for tier in tiers}
    return _stacked(parts, {tier: f"{tier}: {TOTAL}" for tier in tiers}, section)


def _compile_stacks(section: Section) -> _Stacks | None:
    bars, totals = {}, {}
    for subject in dict.fromkeys(name.partition(": ")[0] for name in section.samples):
        for protection in (SOFTWARE, HARDWARE):
            bars[f"{subject}, {protection}"] = [
                (title, f"{subject}: {figure.format(protection)}")
                for title, figure in (("Python: decode and emit", RECOMPILE), ("wasmtime: compile", COMPILE))
            ]
            totals[f"{subject}, {protection}"] = f"{subject}: {IN_ALL.format(protection)}"
    return _stacked(bars, totals, section)


_SPLITS: dict[str, Callable[[Section], _Stacks | None]] = {"replay": _replay_stacks, "compile": _compile_stacks}


def _stacked(
    bars: Mapping[str, Sequence[tuple[str, str]]], wholes: Mapping[str, str], section: Section
) -> _Stacks | None:
    """Bars by label, each of parts, (title, figure), and the figures of the wholes.

    Medians of parts do not quite add up to the median of the whole: that is the number beside the bar.
    """
    known = {
        label: [(title, median(section.samples[figure])) for title, figure in parts]
        for label, parts in bars.items()
        if all(figure in section.samples for _, figure in parts)
    }
    if not known:
        return None
    totals = {label: sum(value for _, value in parts) for label, parts in known.items()}
    on = axis(totals.values(), NANOSECONDS, is_wide=True, is_log=False)
    titles = tuple(dict.fromkeys(title for parts in known.values() for title, _ in parts))
    return _Stacks(
        on, titles,
        tuple(
            _Bar(label, stack(on, parts, NANOSECONDS), _whole(section, wholes[label], totals[label]))
            for label, parts in known.items()
        ),
    )  # fmt: skip


def _whole(section: Section, figure: str, total: float) -> str:
    return amount(median(section.samples[figure]) if figure in section.samples else total, NANOSECONDS)


# --- numbers that say much -------------------------------------------------------------------------------------------


def _tiles(report: Report, programs: Sequence[Section]) -> Iterator[_Tile]:
    for title, names in (
        ("recompiled, an instruction", (BY_HARDWARE, BY_SOFTWARE)),
        ("interpreted, an instruction", (INTERPRETER,)),
    ):
        values = [
            min(median(one.samples[name]) for name in names if name in one.samples)
            for one in programs
            if any(name in one.samples for name in names)
        ]
        if values:
            note = f"{between(min(values), max(values), NANOSECONDS)}, programs: {len(values)}"
            yield _Tile(amount(mean(values), NANOSECONDS), title, note)
    native = []
    for one in programs:
        ratios = one.known_ratios()
        labels = {f"{name} / gcc -O1" for name in (BY_HARDWARE, BY_SOFTWARE)} & set(ratios)
        native += [min(median(ratios[label]) for label in labels)] if labels else []
    if native:
        note = f"{number(min(native))} to {number(max(native))}, programs: {len(native)}"
        yield _Tile(f"{number(mean(native))}{_TIMES}", "as long as gcc -O1, recompiled", note)
    for section, figure, title in (
        ("host-call", "host call", "a host call in Python"),
        ("instantiate", "hello", "to make a machine, hello"),
        ("warm", "service: recompiler, from disk", "from disk to a linked service"),
        ("memory", "hello, recompiler: resident, of 1,000", "of memory, one more machine"),
    ):
        found = report.find(section)
        if found is not None and figure in found.samples:
            samples, unit = found.samples[figure], found.unit(figure)
            yield _Tile(amount(median(samples), unit), title, between(min(samples), max(samples), unit))


# --- against a baseline ----------------------------------------------------------------------------------------------


def _of(comparison: Comparison | None, section: Section) -> Mapping[str, Verdict]:
    return {} if comparison is None else comparison.of(section.name)


def _change(verdict: Verdict) -> str:
    """In percent, for people; nothing where there is none."""
    if verdict.change is None:
        return verdict.word
    if verdict.word == "same":
        return ""
    percent = (verdict.change - 1) * 100
    return f"{number(verdict.change)}{_TIMES}" if percent >= 100 else f"{percent:+.0f} %".replace("-", _MINUS)


def _verdict(one: Verdict) -> dict[str, Any]:
    texts = ["" if value is None else amount(value, one.unit) for value in (one.before, one.now)]
    kind = "ratio" if one.unit == RATIO else ""
    middle, end = _CHANGES.at(1.0), _CHANGES.at(1.0 if one.change is None else one.change)
    return {
        "section": one.section, "figure": one.figure, "kind": kind, "word": one.word, "before": texts[0],
        "now": texts[1], "change": "" if one.change is None else f"{one.change:.3g}",
        "at": min(middle, end), "width": round(abs(end - middle), 2),
    }  # fmt: skip


def _pace(comparison: Comparison | None) -> str:
    """How fast the machine was, over all figures."""
    values = [one.pace for one in comparison.verdicts if one.pace is not None] if comparison else []
    return f"{number(min(values))} to {number(max(values))}, in the middle {number(median(values))}" if values else ""


def _tone(label: str) -> str:
    return next((tone for word, tone in _TONES if word in label), "plain")
