"""What was measured: sections of figures, and the report that collects them.

In: samples. Out: `Report`, also as plain data. Reports of parts, measured by different workers, add up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from wasm_host.bench.measure import Subject, median, take_turns

NANOSECONDS, BYTES, COUNT = "ns", "bytes", "count"  # units
UNITS = (NANOSECONDS, BYTES, COUNT)
MEASURED_ON = "measured on"  # a fact of sections that were not measured by the command's own process


def _tell_nobody(share: float) -> None:
    return None


@dataclass(frozen=True)
class Ratio:
    """One figure over another, or over the sum of several. `target` is the most that is wanted, if that is settled."""

    label: str
    top: str
    bottom: tuple[str, ...]
    target: float | None = None


@dataclass
class Section:
    """Figures that belong together. Samples are nanoseconds, a unit of work each: `title` says of what.

    `units` names the figures that are something else, `facts` are what the figures stand for (sizes, counts,
    versions), `problems` what proved wrong. `pace` has, by figure, what `measure.yardstick` took before each sample.
    """

    name: str
    title: str
    ratios: list[Ratio] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    pace: dict[str, list[float]] = field(default_factory=dict)
    tell: Callable[[float], None] = field(default=_tell_nobody, repr=False, compare=False)

    def measure(self, subjects: Mapping[str, Subject], repeat: int) -> None:
        """Let the subjects take turns, `repeat` times after a round to warm up."""
        for figure, sample, pace in take_turns(subjects, repeat, self.tell):
            self.samples.setdefault(figure, []).append(sample)
            self.pace.setdefault(figure, []).append(pace)

    def ratio_samples(self, ratio: Ratio) -> list[float]:
        """The ratio in each round, from samples taken moments apart; empty when one of its figures is missing."""
        tops = self.samples.get(ratio.top, [])
        bottoms = [self.samples.get(name, []) for name in ratio.bottom]
        return [top / sum(parts) for top, *parts in zip(tops, *bottoms, strict=False)]

    def known_ratios(self) -> dict[str, list[float]]:
        """The ratios that could be measured, by label."""
        found = {ratio.label: self.ratio_samples(ratio) for ratio in self.ratios}
        return {label: samples for label, samples in found.items() if samples}

    def targets(self) -> dict[str, float]:
        """The most that is wanted of ratios, by label."""
        return {ratio.label: ratio.target for ratio in self.ratios if ratio.target is not None}

    def worst(self) -> str | None:
        """The label of the highest of the ratios that have a target."""
        found = {label: samples for label, samples in self.known_ratios().items() if label in self.targets()}
        return max(found, key=lambda label: median(found[label]), default=None)

    def unit(self, figure: str) -> str:
        """What a figure is measured in."""
        return self.units.get(figure, NANOSECONDS)

    def number(self, fact: str) -> float | None:
        """A fact that is a positive number, as all counts are; in a report that was saved it may be anything."""
        found = self.facts.get(fact)
        is_number = isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 1 << 64
        return found if is_number else None

    def add(self, other: Section) -> None:
        """Take in another part of the same section, of other figures."""
        self.ratios += [ratio for ratio in other.ratios if ratio not in self.ratios]
        self.samples |= other.samples
        self.units |= other.units
        self.facts |= other.facts
        self.problems += other.problems
        self.pace |= other.pace

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        targets = self.targets()
        return {
            "title": self.title,
            "figures": {
                name: {
                    "unit": self.unit(name), **_summary(samples),
                    "pace": median(self.pace[name]) if name in self.pace else None,
                }
                for name, samples in self.samples.items()
            },
            "ratios": {
                label: _summary(samples) | ({"target": targets[label]} if label in targets else {})
                for label, samples in self.known_ratios().items()
            },
            "worst ratio": self.worst(),
            "facts": self.facts,
            "problems": self.problems,
        }


@dataclass
class Report:
    """What was measured so far. `absent` maps what is missing to the reason, `failed` tells what broke down."""

    about: dict[str, Any] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    failed: list[str] = field(default_factory=list)
    tell: Callable[[float], None] = field(default=_tell_nobody, repr=False, compare=False)

    @property
    def problems(self) -> list[str]:
        """All that proved wrong, a line each."""
        return [*self.failed, *(f"{one.name}: {problem}" for one in self.sections for problem in one.problems)]

    def section(self, name: str, title: str) -> Section:
        """A new section, in the report from now on: an interrupted one stays there with what it has."""
        section = Section(name, title, tell=self.tell)
        self.sections.append(section)
        return section

    def find(self, name: str) -> Section | None:
        """The section of a name."""
        return next((section for section in self.sections if section.name == name), None)

    def at_rest(self) -> Report:
        """This report, which tells nobody any more, and so can travel."""
        self.tell = _tell_nobody
        for section in self.sections:
            section.tell = _tell_nobody
        return self

    def add(self, part: Report) -> None:
        """Take in what was measured of another part of the same benchmark."""
        self.about = part.about | self.about
        self.absent |= part.absent
        self.interrupted |= part.interrupted
        self.failed += part.failed
        for section in part.sections:
            known = self.find(section.name)
            if known is None:
                self.sections.append(deepcopy(section))  # others are added to it
            else:
                known.add(section)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "about": self.about,
            "sections": {one.name: one.as_json() for one in self.sections if one.samples or one.problems},
            "absent": self.absent,
            "failed": self.failed,
            "interrupted": self.interrupted,
        }


def _summary(samples: Sequence[float]) -> dict[str, Any]:
    return {
        "median": median(samples), "low": min(samples), "high": max(samples), "runs": len(samples),
        "samples": list(samples),
    }  # fmt: skip
