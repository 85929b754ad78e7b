"""The benchmark as steps, each of which a worker can carry out.

In: `Options`. Out: a `Plan`, the `Task` whose results are reports of single steps, and the report of them all.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from pvm.errors import EngineError, ResourceError
from pvm.examples import example
from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.version import __version__
from wasm_host.bench.inputs import Inputs, Material, examples, find_static, find_traces
from wasm_host.bench.real_programs import REAL
from wasm_host.bench.report.figures import MEASURED_ON, Report
from wasm_host.bench.sections.browser import measure_page, served_page
from wasm_host.bench.sections.cold import measure_cold_example, measure_cold_trace
from wasm_host.bench.sections.host_calls import measure_host_calls
from wasm_host.bench.sections.hostile import KINDS
from wasm_host.bench.sections.hostile_rows import MIXES, ROWS
from wasm_host.bench.sections.hostile_runs import measure_hostile, note_worst
from wasm_host.bench.sections.memory import measure_memory
from wasm_host.bench.sections.programs import Contestants, measure_program
from wasm_host.bench.sections.real import measure_real
from wasm_host.bench.sections.replays import measure_replay
from wasm_host.bench.sections.standalone import measure_standalone
from wasm_host.bench.sections.starts import measure_instantiate, measure_process
from wasm_host.bench.sections.translating import measure_translating
from wasm_host.bench.sections.warm import measure_warm
from wasm_host.bench.sections.weights import measure_weights
from wasm_host.bench.workloads import workloads
from wasm_host.jobs import Task
from wasm_host.peers.anan_as import find_installed, install
from wasm_host.peers.chromium import obstacle
from wasm_host.peers.gcc import SOURCES, find_gcc

PROGRAMS = frozenset({"interpreter", "recompiler", "auto", "reference", "gcc", "anan-as", "browser"})
_WITH_TRACES = frozenset({"instantiate", "compile", "cold", "warm", "replay", "memory"})
_TOGETHER = ("process", "host-call", "instantiate", "compile", "warm", "replay", "standalone")
_SPEC = "0.7.2"
_HOST_CALLS = 100_000
_PAGES = 3  # openings of the page, some 20 s each
_MACHINES = 10  # made in a row
_FEW, _MANY = 20, 1000  # machines alive at a time
_QUICK_TRACES, _QUICK_KINDS = 2, 2

Tell = Callable[["Step", float], None]
"""Gets the share of a step that is done."""


@dataclass(frozen=True)
class Options:
    """What the command was asked for. `only` names what to measure, `examples` the programs (none: all)."""

    repeat: int
    only: frozenset[str]
    examples: tuple[str, ...] = ()
    quick: bool = False
    anan_as: Path | None = None
    install_anan_as: bool = False
    traces: Path | None = None


@dataclass(frozen=True)
class Step:
    """What is measured in one go, since its figures are compared with each other. `subject` is what of the kind."""

    kind: str
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.kind}, {self.subject}" if self.subject else self.kind


@dataclass(frozen=True)
class Plan:
    """What there is to do. `begun` is the report so far: what it is about, and what is known to be absent."""

    options: Options
    inputs: Inputs
    steps: tuple[Step, ...]
    begun: Report


def plan(options: Options) -> Plan:
    """Read the inputs and choose the steps. Raises InputError for a malformed input, EngineError if npm fails."""
    report = Report(about=_about(options))
    if options.install_anan_as:
        install()
    inputs = Inputs()
    if options.only & _WITH_TRACES:
        traces = find_traces(report, options.traces)
        if options.quick:
            inputs = Inputs(dict(islice(traces.items(), _QUICK_TRACES)), service=False)
        else:
            inputs = Inputs(traces, find_static(report) if "compile" in options.only else {})
    material = Material(inputs)
    if inputs.traces and inputs.service and not material.service:
        report.absent["service"] = "no trace has a program that is large enough"
    return Plan(options, inputs, tuple(_steps(options, material)), report)


def task(plan: Plan, tell: Tell | None = None) -> Task[Step, Report]:
    """The work on the plan's steps. `tell` can only be told in this process."""
    return Task(_State, _measure, (plan.options, plan.inputs, tell), _lost, alone=True)


def again(plan: Plan, parts: Mapping[Step, Report], figures: Container[tuple[str, str]]) -> Plan:
    """The steps of the plan whose parts have one of these figures or ratios, named by section and label."""

    def has_one(part: Report) -> bool:
        return any((one.name, name) in figures for one in part.sections for name in (*one.samples, *one.known_ratios()))

    return replace(plan, steps=tuple(step for step in plan.steps if step in parts and has_one(parts[step])))


def with_seconds(parts: Mapping[Step, Report], seconds: Mapping[Step, Report]) -> dict[Step, Report]:
    """The parts, and what was measured a second time in the place of the first, if nothing was wrong with it."""
    found = dict(parts)
    for step, second in seconds.items():
        if second.interrupted or second.problems:
            found[step] = replace(parts[step], failed=[*parts[step].failed, *second.problems])
        else:
            found[step] = second
    return found


def gathered(plan: Plan, parts: Mapping[Step, Report]) -> Report:
    """The report of all steps that were measured, in their order."""
    report, here = Report(dict(plan.begun.about), absent=dict(plan.begun.absent)), _machine()
    machines: dict[str, set[str]] = {}
    for part in (parts[step] for step in plan.steps if step in parts):
        machine = str(part.about.get(MEASURED_ON, here))
        for section in part.sections:
            machines.setdefault(section.name, set()).add(machine)
        report.add(part)
    report.about.pop(MEASURED_ON, None)
    for section in report.sections:
        if machines[section.name] != {here}:
            section.facts[MEASURED_ON] = "; ".join(sorted(machines[section.name]))
    note_worst(report)
    return report


def _steps(options: Options, material: Material) -> Iterator[Step]:
    """What most people want to know comes first."""
    only = options.only
    if only & PROGRAMS:
        yield from (Step("program", one.name) for one in workloads(find_spec(_SPEC), options.examples, options.quick))
    yield from (Step(kind) for kind in _TOGETHER if kind in only and (kind != "replay" or material.traces))
    if "cold" in only:
        yield from (Step("cold", name) for name in examples(find_spec(_SPEC)))
        yield from (Step("cold trace", name) for name in material.first_traces())
    if "real" in only:
        yield from (Step("real", name) for name in REAL)
    if "memory" in only:
        yield from (Step("memory", name) for name in _memory_programs(material))
    if "hostile" in only:
        yield from (Step("hostile", kind.name) for kind in (KINDS[:_QUICK_KINDS] if options.quick else KINDS))
    if "weights" in only:
        subjects = (ROWS[0], MIXES[0]) if options.quick else (*ROWS, *MIXES)
        yield from (Step("weights", subject.name) for subject in subjects)
    if "browser" in only and not options.examples:
        yield Step("page")


# --- where the work is done ------------------------------------------------------------------------------------------


class _State:
    """What a worker has, once."""

    def __init__(self, shared: tuple[Options, Inputs, Tell | None]) -> None:
        self.options, inputs, self.tell = shared
        self.material = Material(inputs)
        self.spec: Spec = find_spec(_SPEC)


def _measure(state: _State, step: Step) -> Report:
    """The report of one step, also when Ctrl-C ends it early, or when somebody who takes part breaks down."""
    report = Report({MEASURED_ON: _machine()})
    if state.tell is not None:
        tell = state.tell
        report.tell = lambda share: tell(step, share)
    try:
        _KINDS[step.kind](state, report, step.subject)
    except KeyboardInterrupt:
        report.interrupted = True
    except (EngineError, ResourceError) as error:
        report.failed.append(f"{step}: {error}")
    return report.at_rest()


def _lost(step: Step) -> Report:
    """Of a step that cost its worker its life each time."""
    return Report(failed=[f"{step}: the process that measured it died each time"])


def _process(state: _State, report: Report, subject: str) -> None:
    measure_process(report, state.options.repeat)


def _host_call(state: _State, report: Report, subject: str) -> None:
    measure_host_calls(report, state.spec, 100 if state.options.quick else _HOST_CALLS, state.options.repeat)


def _instantiate(state: _State, report: Report, subject: str) -> None:
    programs = examples(state.spec) | state.material.service
    measure_instantiate(report, programs, 1 if state.options.quick else _MACHINES, state.options.repeat)


def _compile(state: _State, report: Report, subject: str) -> None:
    large = state.material.static | state.material.service
    subjects = {"examples": tuple(examples(state.spec).values())} | {name: (one,) for name, one in large.items()}
    measure_translating(report, state.spec, subjects, state.options.repeat)


def _warm(state: _State, report: Report, subject: str) -> None:
    measure_warm(report, examples(state.spec) | state.material.service, state.options.repeat)


def _replay(state: _State, report: Report, subject: str) -> None:
    measure_replay(report, state.material.traces, state.options.repeat)


def _standalone(state: _State, report: Report, subject: str) -> None:
    options = state.options
    measure_standalone(report, state.spec, workloads(state.spec, options.examples, options.quick), options.repeat)


def _cold(state: _State, report: Report, subject: str) -> None:
    measure_cold_example(report, state.spec, example(subject), state.options.repeat)


def _cold_trace(state: _State, report: Report, subject: str) -> None:
    measure_cold_trace(report, subject, state.material.traces[subject], state.options.repeat)


def _memory(state: _State, report: Report, subject: str) -> None:
    program = (examples(state.spec) | state.material.service)[subject]
    few, many = (2, 4) if state.options.quick else (_FEW, _MANY)
    measure_memory(report, {subject: program}, few, many, state.options.repeat)


def _hostile(state: _State, report: Report, subject: str) -> None:
    measure_hostile(report, next(kind for kind in KINDS if kind.name == subject), state.options.quick)


def _weights(state: _State, report: Report, subject: str) -> None:
    measure_weights(report, next(one for one in (*ROWS, *MIXES) if one.name == subject), state.options.quick)


def _real(state: _State, report: Report, subject: str) -> None:
    options, gcc = state.options, find_gcc()
    if gcc is None:
        report.absent["gcc"] = "not installed"
        measure_real(report, state.spec, subject, None, options.repeat, options.quick)
        return
    with gcc:
        measure_real(report, state.spec, subject, gcc, options.repeat, options.quick)


def _page(state: _State, report: Report, subject: str) -> None:
    if _has_browser(report):
        with served_page(report, has_python=True) as page:
            measure_page(report, page, 1 if state.options.quick else min(state.options.repeat, _PAGES))


def _program(state: _State, report: Report, subject: str) -> None:
    options = state.options
    with ExitStack() as stack:
        contestants = _contestants(options, report, stack)
        [workload] = workloads(state.spec, (subject,), options.quick)
        measure_program(report, workload, contestants, options.repeat)


_KINDS: dict[str, Callable[[_State, Report, str], None]] = {
    "process": _process, "host-call": _host_call, "instantiate": _instantiate, "compile": _compile, "warm": _warm,
    "replay": _replay, "standalone": _standalone, "cold": _cold, "cold trace": _cold_trace, "memory": _memory,
    "hostile": _hostile, "real": _real, "weights": _weights, "page": _page, "program": _program,
}  # fmt: skip


def _contestants(options: Options, report: Report, stack: ExitStack) -> Contestants:
    """Who can take part; who cannot is noted as absent."""
    only = options.only
    engines = only & {"interpreter", "recompiler"} or {"interpreter", "recompiler"}  # others need one to compare with
    found = Contestants("interpreter" in engines, "recompiler" in engines, "auto" in only, "reference" in only)
    if "gcc" in only:
        gcc = find_gcc()
        if gcc is None:
            report.absent["gcc"] = "not installed"
        else:
            found.gcc = stack.enter_context(gcc)
            report.about["gcc"] = gcc.version
            report.about["written in C"] = sorted(SOURCES)
    if "browser" in only and _has_browser(report):
        found.browser = stack.enter_context(served_page(report, has_python=False))
        report.about["Chromium"] = found.browser.version
    if "anan-as" in only:
        installed = find_installed(options.anan_as)
        if isinstance(installed, str):
            report.absent["anan-as"] = installed
        else:
            found.anan_as = installed
            report.about["anan-as"] = installed.version
    return found


def _has_browser(report: Report) -> bool:
    reason = obstacle()
    if reason is not None:
        report.absent["browser"] = reason
    return reason is None


def _memory_programs(material: Material) -> Iterator[str]:
    """The smallest example, and the service."""
    ours = examples(find_spec(_SPEC))
    yield min(ours, key=lambda name: len(ours[name].code))
    yield from material.service


def _machine() -> str:
    """What figures depend on, of this process's machine."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"wasmtime {version('wasmtime')}"
    )


def _about(options: Options) -> dict[str, object]:
    return {
        "pvm-wasm": __version__,
        "python": platform.python_version(),
        "wasmtime": version("wasmtime"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "repeat": options.repeat,
        "quick": options.quick,
    }
