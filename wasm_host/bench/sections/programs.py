"""Instructions: our engines, gcc and anan-as on the same programs, taking turns.

In: a workload and which contestants there are. Out: a `Section`, in nanoseconds a PVM instruction. How many
instructions a program runs is the gas that it uses under instruction metering. Making machines is never timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pvm.errors import PvmError
from pvm.machine import AnyEngine, Machine
from pvm.program import PAGE_SIZE
from pvm.reference import ReferenceEngine
from wasm_host.bench.measure import Subject, background_ended, elapsed
from wasm_host.bench.report.figures import Ratio, Report, Section
from wasm_host.bench.sections import browser
from wasm_host.bench.sections.browser import Browser
from wasm_host.bench.workloads import GAS, Workload
from wasm_host.engine import HARDWARE, SOFTWARE, Engine
from wasm_host.peers.anan_as import DEFAULT_BUILD, WARM_UP, AnanAs, Installed, Outcome
from wasm_host.peers.gcc import LEVELS, SOURCES, Gcc, run_native
from wasm_host.peers.guest_engine import GuestEngine

INTERPRETER = "interpreter"
BLOCK = "interpreter, block gas"
BY_SOFTWARE = f"recompiler, {SOFTWARE}"  # who checks memory: generated code, or the processor
BY_HARDWARE = f"recompiler, {HARDWARE}"
AUTO = "auto, first run"
REFERENCE = "reference"
SHORT = "interpreter, short run"  # the same run as that of anan-as
ANAN_AS = "anan-as, short run"
ANAN_AS_DEFAULT = "anan-as, default build"

# The most that Chromium may take longer than wasmtime.
_BROWSER_INTERPRETER_TARGET, _BROWSER_RECOMPILER_TARGET = 2.0, 1.5

_SPARE_PAGES = 64  # beyond those that the program starts with


@dataclass
class Contestants:
    """Who takes part."""

    interpreter: bool = True
    recompiler: bool = True
    auto: bool = True
    reference: bool = True
    gcc: Gcc | None = None
    anan_as: Installed | None = None
    browser: Browser | None = None


def measure_program(report: Report, workload: Workload, contestants: Contestants, repeat: int) -> None:
    """Add the section of a workload."""
    section = report.section(workload.name, f"{workload.name}: a PVM instruction")
    programs = _Programs(section, workload)
    subjects: dict[str, Subject] = {}
    if contestants.interpreter:
        subjects |= programs.interpreter()
    if contestants.recompiler:
        subjects |= programs.recompiler(report)
    if contestants.auto:
        subjects |= programs.auto()
    if contestants.gcc and workload.name in SOURCES:
        subjects |= programs.native(contestants.gcc)
    if contestants.reference:
        subjects |= programs.reference()
    if contestants.browser:
        subjects |= programs.browser(contestants.browser.engines())
    if contestants.anan_as is None:
        section.measure(subjects, repeat)
        return
    with AnanAs(contestants.anan_as) as other:
        section.measure(subjects | programs.anan_as(other), repeat)


class _Programs:
    """The subjects of one workload. Making them finds out what the runs have to yield."""

    def __init__(self, section: Section, workload: Workload) -> None:
        self._section, self._workload = section, workload
        machine = _machine(Engine(tier="interpreter", cache=False), workload, workload.full)
        self._count = GAS - machine.run().gas
        self._result = machine.result()
        section.facts["instructions"] = self._count

    def interpreter(self) -> dict[str, Subject]:
        """Both meterings."""
        self._section.ratios.append(Ratio("block gas / interpreter", BLOCK, (INTERPRETER,)))
        return {
            INTERPRETER: self._full(Engine(tier="interpreter", cache=False)),
            BLOCK: self._full(Engine(tier="interpreter", metering="block", cache=False)),
        }

    def recompiler(self, report: Report) -> dict[str, Subject]:
        """Both protections, or the one that this system has."""
        subjects: dict[str, Subject] = {}
        for name, protection in ((BY_SOFTWARE, SOFTWARE), (BY_HARDWARE, HARDWARE)):
            try:
                engine = Engine(tier="recompiler", cache=False, protection=protection)
                engine.instantiate(self._workload.program)
            except PvmError as error:
                report.absent[name] = str(error)
                continue
            subjects[name] = self._full(engine)
            self._section.ratios.append(Ratio(f"interpreter / {name}", INTERPRETER, (name,)))
        self._section.ratios.append(Ratio(f"{HARDWARE} / {SOFTWARE}", BY_HARDWARE, (BY_SOFTWARE,)))
        return subjects

    def auto(self) -> dict[str, Subject]:
        """A run of a program that the engine has not seen: interpreted until its translation is there."""

        def run() -> float:
            machine = _machine(Engine(tier="auto", cache=False), self._workload, self._workload.full)
            with background_ended():
                return elapsed(machine.run, self._count)

        self._section.ratios.append(Ratio(f"{AUTO} / interpreter", AUTO, (INTERPRETER,)))
        return {AUTO: run}

    def _full(self, engine: Engine) -> Subject:
        """A run of the full size."""
        return partial(_timed, partial(_machine, engine, self._workload, self._workload.full), self._count)

    def reference(self) -> dict[str, Subject]:
        """The reference engine, on a small size of the same program."""
        make = partial(_machine, ReferenceEngine(), self._workload, self._workload.tiny)
        count = GAS - make().run().gas
        self._section.facts["instructions of the reference's run"] = count
        self._section.ratios.append(Ratio("reference / interpreter", REFERENCE, (INTERPRETER,)))
        return {REFERENCE: partial(_timed, make, count)}

    def native(self, gcc: Gcc) -> dict[str, Subject]:
        """The C program at each optimisation level, once its result is seen to be ours."""
        subjects: dict[str, Subject] = {}
        for level in LEVELS:
            run = partial(run_native, gcc.compile(self._workload.name, level), self._workload.full)
            if run()[1] != self._result:
                self._section.problems.append(f"gcc {level}: another result than the interpreter's")
            subjects[f"gcc {level}"] = partial(_self_timed, run, self._count)
            for tier in (INTERPRETER, BY_SOFTWARE, BY_HARDWARE):
                self._section.ratios.append(Ratio(f"{tier} / gcc {level}", tier, (f"gcc {level}",)))
        return subjects

    def browser(self, engines: dict[str, GuestEngine]) -> dict[str, Subject]:
        """The same runs in the guest worker of the page."""
        self._section.ratios += [
            Ratio("Chromium / interpreter", browser.INTERPRETER, (INTERPRETER,), _BROWSER_INTERPRETER_TARGET),
            *(
                Ratio(f"Chromium / {name}", browser.RECOMPILER, (name,), target)
                for name, target in ((BY_SOFTWARE, _BROWSER_RECOMPILER_TARGET), (BY_HARDWARE, None))
            ),
        ]
        return browser.program_subjects(engines, self._workload, self._count)

    def anan_as(self, other: AnanAs) -> dict[str, Subject]:
        """anan-as's fastest build and its default one, and ours on the same run, once their outcomes agree."""
        workload, section = self._workload, self._section
        make = partial(_machine, Engine(tier="interpreter", cache=False), workload, workload.short)
        machine = make()
        exit = machine.run()
        ours, count = Outcome(exit.reason, exit.pc, exit.gas, tuple(machine.registers)), GAS - exit.gas
        section.facts["instructions of the short run"] = count
        sections = workload.program.sections
        segments = sections.segments(workload.short) if sections else ()
        pages = sum(segment.length for segment in segments) // PAGE_SIZE + _SPARE_PAGES
        program = workload.program.encode()
        runs = {
            build: partial(other.run, build, program, workload.short, GAS, pages) for build in other.installed.names()
        }
        for build, run in runs.items():
            problem = _difference(ours, run()[1])
            if problem:
                section.problems.append(f"anan-as, {build}: {problem}")
        fastest = min(runs, key=lambda build: min(runs[build]()[0] for _ in range(WARM_UP)))
        section.facts["anan-as"] = {
            "version": other.installed.version, "build": fastest, "agrees": not section.problems
        }  # fmt: skip
        subjects: dict[str, Subject] = {
            SHORT: partial(_timed, make, count),
            ANAN_AS: partial(_self_timed, runs[fastest], count),
        }
        section.ratios.append(Ratio("anan-as / interpreter", ANAN_AS, (SHORT,)))
        if DEFAULT_BUILD in runs and fastest != DEFAULT_BUILD:
            subjects[ANAN_AS_DEFAULT] = partial(_self_timed, runs[DEFAULT_BUILD], count)
            section.ratios.append(Ratio("default / interpreter", ANAN_AS_DEFAULT, (SHORT,)))
        return subjects


def _machine(engine: AnyEngine, workload: Workload, args: bytes) -> Machine:
    return engine.instantiate(workload.program, args=args, gas=GAS)


def _timed(make: Callable[[], Machine], count: int) -> float:
    """Nanoseconds that a new machine takes for each of its `count` instructions."""
    return elapsed(make().run, count)


def _self_timed(run: Callable[[], tuple[float, object]], count: int) -> float:
    """The same for runs that time themselves."""
    return run()[0] / count


def _difference(ours: Outcome, theirs: Outcome) -> str:
    """The first thing in which outcomes differ, or nothing."""
    for name in ("reason", "gas", "registers", "pc"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other:
            return f"{name} {other} where the interpreter has {mine}"
    return ""
