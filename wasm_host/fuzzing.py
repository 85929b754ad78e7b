"""Fuzzing the engines of this package: programs on all of them, and what is told of a disagreement.

In: seeds. Out: for each a `Tried`. As a `Task`, so that workers do it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pvm.fuzz import (
    CORNERS,
    Case,
    Disagreement,
    Make,
    compare,
    corner_case,
    memory_case,
    mutated_case,
    random_case,
    shrink,
)
from pvm.gas.metering import BLOCK, PIPELINE
from pvm.machine import GAS_LIMIT, Poll
from pvm.program import Program
from wasm_host.code.modules import wasmtime_engine
from wasm_host.code.translations import Translation, Translations
from wasm_host.engine import HARDWARE, SOFTWARE, Engine
from wasm_host.jobs import Task
from wasm_host.machine.protection import obstacle

FAMILIES: tuple[str, ...] = ("random", "memory", "mutant", *CORNERS)
ALL = "all"
_DEARER = 16  # times as much gas as an instruction
DIED = Disagreement("unknown", 0, "died", "12 exits", "the process that ran it died")


@dataclass(frozen=True)
class Plan:
    """Which families there are, which programs are mutated, and how many tries shrinking may take (0: none).

    `metering` is that of all cases, None where each has its own.
    """

    family: str
    programs: tuple[Program, ...]
    tries: int
    metering: str | None = None


@dataclass(frozen=True)
class Finding:
    """A disagreement, the small case that shows it, and how many octets of program the case had at first."""

    case: Case
    disagreement: Disagreement
    octets: int


@dataclass(frozen=True)
class Tried:
    """A seed, the family of its program, and what was found."""

    seed: int
    family: str
    finding: Finding | None = None


class _SmallRegions(Engine):
    """Two blocks a region, so that small programs cross regions all the time."""

    region_blocks = 2


class _AtOnce(Translations):
    """Whoever has interpreted for however short a time gets the translation at once."""

    def spend(self, program: Program, seconds: float) -> Translation | None:
        return Translation(self.get(program))


class _Switching(Engine):
    """An auto engine that changes over at the first exit."""

    def __init__(self, spec: str, metering: str, cache: bool) -> None:
        super().__init__(spec, "auto", metering, cache=cache)
        self._translations = {mode: _AtOnce(partial(self._translate, mode)) for mode in self._translations}


class _Bare(Engine):
    """Whatever it translates it runs in bare code at once, and again after each answer of the host."""

    calm_slices = 0

    def __init__(self, spec: str, metering: str, region_blocks: int | None = None) -> None:
        super().__init__(spec, "recompiler", metering, cache=False, protection=HARDWARE)
        self.region_blocks = region_blocks or self.region_blocks


def bare_engine(spec: str, metering: str, region_blocks: int | None = None) -> Engine:
    """An engine whose machines run bare code whenever they can, from their first instruction on."""
    return _Bare(spec, metering, region_blocks)


def engines() -> dict[str, Make]:
    """Makers of the engines that are compared with the reference, by name; those that work on this machine."""
    wasmtime_engine()  # without which the hardware protects nothing
    found: dict[str, Make] = {
        "interpreter": lambda case: Engine(case.spec, "interpreter", case.metering, cache=False),
        "recompiler, software": partial(_recompiler, Engine, SOFTWARE),
        "small regions, software": partial(_recompiler, _SmallRegions, SOFTWARE),
        "auto": lambda case: _Switching(case.spec, case.metering, cache=False),
    }
    if obstacle() is None:
        found["recompiler, hardware"] = partial(_recompiler, Engine, HARDWARE)
        found["bare"] = lambda case: bare_engine(case.spec, case.metering)
        found["small regions, bare"] = lambda case: bare_engine(case.spec, case.metering, 2)
        found["small regions, hardware"] = partial(_recompiler, _SmallRegions, HARDWARE)
    return found


def _recompiler(engine: Callable[..., Engine], protection: str, case: Case) -> Engine:
    return engine(case.spec, "recompiler", case.metering, cache=False, protection=protection)


def family_of(family: str, seed: int) -> str:
    """The family of a seed's program, where all take turns."""
    return FAMILIES[seed % len(FAMILIES)] if family == ALL else family


def make_case(family: str, seed: int, programs: Sequence[Program]) -> Case:
    """The case of a seed in a family. Half of those by block are by the pipeline model."""
    if family == "mutant":
        case = mutated_case(seed, programs)
    elif family in CORNERS:
        case = corner_case(family, seed)
    else:
        case = random_case(seed) if family == "random" else memory_case(seed)
    return charged(case, PIPELINE) if case.metering == BLOCK and seed >> 3 & 1 else case


def charged(case: Case, metering: str | None) -> Case:
    """The case by another metering, None for its own; with more gas where that is dearer."""
    if metering is None or metering == case.metering:
        return case
    if metering != PIPELINE:
        return replace(case, metering=metering)
    gas = min(case.gas * _DEARER + case.seed % _DEARER, GAS_LIMIT - 1)
    return replace(case, metering=metering, gas=gas, refill=case.refill * _DEARER)


def task(plan: Plan) -> Task[int, Tried]:
    """The work on seeds."""
    return Task(_Fuzzer, _try, plan, partial(_died, plan))


class _Fuzzer:
    """What a worker has."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.engines = plan, engines()


def _try(fuzzer: _Fuzzer, seed: int) -> Tried:
    plan = fuzzer.plan
    family = family_of(plan.family, seed)
    case = charged(make_case(family, seed, plan.programs), plan.metering)
    return Tried(seed, family, examine(case, fuzzer.engines, plan.tries))


def examine(case: Case, engines: dict[str, Make], tries: int, poll: Poll | None = None) -> Finding | None:
    """What a case finds, made small: the same engine still differs in the same. Raises LimitError when `poll` does."""
    found = compare(case, engines, poll=poll)
    if found is None:
        return None
    engine = {found.engine: engines[found.engine]}

    def shows(candidate: Case) -> bool:
        again = compare(candidate, engine)
        return again is not None and again.what == found.what

    small = shrink(case, shows, tries) if tries else case
    return Finding(small, (compare(small, engine) if tries else None) or found, len(case.program))


def _died(plan: Plan, seed: int) -> Tried:
    """What is told of a seed whose process died each time. Nobody can shrink it, or would die, too."""
    family = family_of(plan.family, seed)
    case = charged(make_case(family, seed, plan.programs), plan.metering)
    return Tried(seed, family, Finding(case, DIED, len(case.program)))
