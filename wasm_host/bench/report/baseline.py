"""Whether figures are better or worse than they were: a report against an earlier one.

In: two reports. Out: a `Comparison` with a verdict for each figure, and for each ratio that has a target.

A figure has moved when the middle halves of its samples, then and now, are further apart than the tolerance. Times are
first divided by the machine's pace, that is by how much longer `measure.yardstick` took than then, before samples of
the same figure.

Measured: of 253 figures of a busy machine, 6 to 8 were judged to have moved at 10 % where nothing had changed, and 206
of those that were made 1.25 times as high. That medians move and middle halves do not overlap finds 213 of these, but
17 to 25 where there is nothing; that all samples are apart finds 150, and at most 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from wasm_host.bench.measure import median, middle_half
from wasm_host.bench.report.figures import BYTES, COUNT, NANOSECONDS, Report, Section

Word = Literal["better", "worse", "same", "new", "gone"]
WORDS: tuple[Word, ...] = ("worse", "better", "same", "new", "gone")
RATIO = "ratio"  # the unit of ratios
_LEAST = {BYTES: 1024.0, COUNT: 0.5}  # less is no difference, such as what is left of one of a thousand machines

_ABOUT = (
    "pvm-wasm", "python", "wasmtime", "system", "processors", "repeat", "quick", "workers", "gcc", "Chromium",
    "anan-as",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Of one figure: medians in its unit, and how many times as high it is now, at the pace of the machine then.

    `pace` says how many times as long as then a fixed piece of work took, None where that was not asked.
    """

    section: str
    figure: str
    unit: str
    word: Word
    before: float | None
    now: float | None
    change: float | None = None
    pace: float | None = None


@dataclass(frozen=True)
class Comparison:
    """`differences` names what else is different about the two reports."""

    verdicts: tuple[Verdict, ...]
    differences: tuple[str, ...]
    tolerance: float

    @property
    def counts(self) -> dict[Word, int]:
        """How many verdicts of each kind there are."""
        found = Counter(verdict.word for verdict in self.verdicts)
        return {word: found[word] for word in WORDS}

    @property
    def worse(self) -> frozenset[tuple[str, str]]:
        """What is, by section and name."""
        return frozenset((one.section, one.figure) for one in self.verdicts if one.word == "worse")

    def worse_twice(self, first: Comparison) -> Comparison:
        """After a second measurement: what is worse now, but was not in the first, is so by chance."""
        verdicts = (
            replace(one, word="same") if one.word == "worse" and (one.section, one.figure) not in first.worse else one
            for one in self.verdicts
        )
        return replace(self, verdicts=tuple(verdicts))

    def of(self, section: str) -> dict[str, Verdict]:
        """The verdicts of a section, by figure."""
        return {verdict.figure: verdict for verdict in self.verdicts if verdict.section == section}

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "verdicts": [asdict(verdict) for verdict in self.verdicts], "counts": self.counts,
            "differences": list(self.differences), "tolerance": self.tolerance,
        }  # fmt: skip


def compare(before: Report, now: Report, tolerance: float) -> Comparison:
    """Judge what is measured now. `tolerance` is the share of a figure that may go up or down."""
    names = dict.fromkeys(section.name for section in (*now.sections, *before.sections))
    verdicts = [verdict for name in names for verdict in _verdicts(name, before.find(name), now.find(name), tolerance)]
    differences = [
        f"{what}: {_told(before.about.get(what))} then, {_told(now.about.get(what))} now"
        for what in _ABOUT
        if before.about.get(what) != now.about.get(what)
    ]
    if before.interrupted:
        differences.append("the baseline was interrupted")
    return Comparison(tuple(verdicts), tuple(differences), tolerance)


def _verdicts(name: str, before: Section | None, now: Section | None, tolerance: float) -> Iterator[Verdict]:
    then_samples, now_samples = _judged(before), _judged(now)
    for figure in dict.fromkeys((*now_samples, *then_samples)):
        unit, samples = now_samples.get(figure, ("", ()))
        then_unit, then = then_samples.get(figure, (unit, ()))
        if not samples or not then or unit != then_unit:
            word: Word = "new" if samples else "gone"
            yield Verdict(name, figure, unit or then_unit, word, _middle(then), _middle(samples))
            continue
        pace = _pace(before, now, figure) if unit == NANOSECONDS else None
        at_pace = [sample / (pace or 1.0) for sample in samples]
        word, change = _word(then, at_pace, unit, tolerance), _change(median(then), median(at_pace))
        yield Verdict(name, figure, unit, word, median(then), median(samples), change, pace)


def _judged(section: Section | None) -> dict[str, tuple[str, Sequence[float]]]:
    """Unit and samples of what is judged: figures, and ratios that have a target, because less of them is better."""
    if section is None:
        return {}
    found: dict[str, tuple[str, Sequence[float]]] = {
        figure: (section.unit(figure), samples) for figure, samples in section.samples.items()
    }
    ratios, targets = section.known_ratios(), section.targets()
    return found | {label: (RATIO, samples) for label, samples in ratios.items() if label in targets}


def _word(before: Sequence[float], now: Sequence[float], unit: str, tolerance: float) -> Word:
    """Less is better, of whatever is measured; less than nothing is nothing, such as what is left of dropped memory."""
    (before_first, before_third), (now_first, now_third) = (
        middle_half([max(0.0, sample) for sample in samples]) for samples in (before, now)
    )
    if abs(median(now) - median(before)) < _LEAST.get(unit, 0.0):
        return "same"
    if now_first > before_third * (1 + tolerance):
        return "worse"
    return "better" if now_third * (1 + tolerance) < before_first else "same"


def _change(before: float, now: float) -> float | None:
    return now / before if before > 0 else None


def _pace(before: Section | None, now: Section | None, figure: str) -> float | None:
    then_pace, now_pace = (section.pace.get(figure) if section else None for section in (before, now))
    return median(now_pace) / median(then_pace) if then_pace and now_pace else None


def _middle(samples: Sequence[float]) -> float | None:
    return median(samples) if samples else None


def _told(value: object) -> object:
    return "none" if value is None else value
