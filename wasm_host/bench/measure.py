"""Measuring on a machine that others use too: contestants take turns, and what counts are medians and ratios.

In: subjects, functions that measure themselves once. Out: `Section` values, with samples from several rounds, and the
`Report` that collects them.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Subject = Callable[[], float]
"""Measures once: nanoseconds a unit of work."""


@dataclass(frozen=True)
class Ratio:
    """One figure over another, or over the sum of several."""

    label: str
    top: str
    bottom: tuple[str, ...]


@dataclass
class Section:
    """Figures that belong together. All samples are nanoseconds, a unit of work each: `title` says of what.

    `facts` are what the figures stand for (sizes, counts, versions), `problems` what proved wrong.
    """

    name: str
    title: str
    ratios: list[Ratio] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def measure(self, subjects: dict[str, Subject], repeat: int) -> None:
        """Let the subjects take turns, `repeat` times after a round to warm up."""
        for round_number in range(repeat + 1):
            for name, subject in subjects.items():
                gc.collect()  # machines of earlier rounds: giving back their memory is not this subject's work
                sample = subject()
                if round_number:
                    self.samples.setdefault(name, []).append(sample)

    def ratio_samples(self, ratio: Ratio) -> list[float]:
        """The ratio in each round, from samples taken moments apart; empty when one of its figures is missing."""
        tops = self.samples.get(ratio.top, [])
        bottoms = [self.samples.get(name, []) for name in ratio.bottom]
        return [top / sum(parts) for top, *parts in zip(tops, *bottoms, strict=False)]

    def known_ratios(self) -> dict[str, list[float]]:
        """The ratios that could be measured, by label."""
        found = {ratio.label: self.ratio_samples(ratio) for ratio in self.ratios}
        return {label: samples for label, samples in found.items() if samples}

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "title": self.title,
            "unit": "ns",
            "figures": {name: _summary(samples) for name, samples in self.samples.items()},
            "ratios": {label: _summary(samples) for label, samples in self.known_ratios().items()},
            "facts": self.facts,
            "problems": self.problems,
        }


@dataclass
class Report:
    """What was measured so far. `absent` maps what is missing to the reason."""

    about: dict[str, Any] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    def section(self, name: str, title: str) -> Section:
        """A new section, in the report from now on: an interrupted one stays there with what it has."""
        section = Section(name, title)
        self.sections.append(section)
        return section

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "about": self.about,
            "sections": {section.name: section.as_json() for section in self.sections if section.samples},
            "absent": self.absent,
            "interrupted": self.interrupted,
        }


def elapsed(work: Callable[[], object], count: int = 1) -> float:
    """Nanoseconds that one of `count` units in `work` takes."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / count


def median(samples: Sequence[float]) -> float:
    """The middle sample."""
    return statistics.median(samples)


def _summary(samples: Sequence[float]) -> dict[str, float]:
    return {"median": median(samples), "low": min(samples), "high": max(samples), "runs": len(samples)}
