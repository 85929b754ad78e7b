"""Measuring on a machine that others use too: contestants take turns, and what counts are medians and ratios.

In: subjects, functions that measure themselves once. Out: `Section` values, with samples from several rounds, and the
`Report` that collects them.
"""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Subject = Callable[[], "float | Mapping[str, float]"]
"""Measures once: nanoseconds a unit of work. What yields several figures at a time names them."""

NANOSECONDS, BYTES, COUNT = "ns", "bytes", "count"  # units
_PATIENCE = 60.0  # seconds to wait for threads


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
    versions), `problems` what proved wrong.
    """

    name: str
    title: str
    ratios: list[Ratio] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def measure(self, subjects: Mapping[str, Subject], repeat: int) -> None:
        """Let the subjects take turns, `repeat` times after a round to warm up.

        The figures of a subject that names them are called "subject: name".
        """
        for round_number in range(repeat + 1):
            for name, subject in subjects.items():
                gc.collect()  # machines of earlier rounds: giving back their memory is not this subject's work
                figures = _figures(name, subject())
                if round_number:
                    for figure, sample in figures.items():
                        self.samples.setdefault(figure, []).append(sample)

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

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        targets = self.targets()
        return {
            "title": self.title,
            "figures": {name: {"unit": self.unit(name), **_summary(samples)} for name, samples in self.samples.items()},
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


@contextmanager
def background_ended() -> Iterator[None]:
    """Afterwards wait for the threads that were started meanwhile: else translations would disturb what comes next."""
    before = set(threading.enumerate())
    try:
        yield
    finally:
        end = time.monotonic() + _PATIENCE
        while (left := set(threading.enumerate()) - before) and time.monotonic() < end:
            for thread in left:
                try:
                    thread.join(max(0.0, end - time.monotonic()))
                except RuntimeError:  # another thread is just starting it
                    time.sleep(0.001)


def _figures(name: str, found: float | Mapping[str, float]) -> dict[str, float]:
    return {f"{name}: {part}": one for part, one in found.items()} if isinstance(found, Mapping) else {name: found}


def _summary(samples: Sequence[float]) -> dict[str, float]:
    return {"median": median(samples), "low": min(samples), "high": max(samples), "runs": len(samples)}
