"""One run of the benchmark.

In: `Options`. Out: a `Report`, also when Ctrl-C ends it early.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from pvm.isa import Spec
from pvm.isa import spec as find_spec
from pvm.version import __version__
from wasm_host.bench.anan_as import find_installed, install
from wasm_host.bench.browser import measure_page, served_page
from wasm_host.bench.chromium import obstacle
from wasm_host.bench.cold import measure_cold
from wasm_host.bench.host_calls import measure_host_calls
from wasm_host.bench.hostile_runs import hostile_steps
from wasm_host.bench.inputs import examples, find_traces, largest_service, static_programs
from wasm_host.bench.measure import Report
from wasm_host.bench.memory import measure_memory
from wasm_host.bench.native import SOURCES, find_gcc
from wasm_host.bench.programs import Contestants, measure_programs
from wasm_host.bench.replays import measure_replay
from wasm_host.bench.standalone import measure_standalone
from wasm_host.bench.starts import measure_instantiate, measure_process
from wasm_host.bench.translating import measure_translating
from wasm_host.bench.warm import measure_warm
from wasm_host.bench.workloads import workloads

_PROGRAMS = frozenset({"interpreter", "recompiler", "reference", "gcc", "anan-as"})
_HOST_CALLS = 100_000
_PAGES = 3  # openings of the page, some 20 s each
_MACHINES = 10  # made in a row
_FEW, _MANY = 20, 1000  # machines alive at a time


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


def run(options: Options, progress: Callable[[str], None]) -> Report:
    """Measure. `progress` is told what comes next.

    Raises EngineError when a contestant fails to run, InputError for a malformed trace or program.
    """
    report = Report(about=_about(options))
    try:
        for what, measure in _steps(options, report):
            progress(what)
            measure()
    except KeyboardInterrupt:
        report.interrupted = True
    return report


def _steps(options: Options, report: Report) -> Iterator[tuple[str, Callable[[], None]]]:
    only, repeat, quick, spec = options.only, options.repeat, options.quick, find_spec("0.7.2")
    if "process" in only:
        yield "making the interpreter", lambda: measure_process(report, repeat)
    if "host-call" in only:
        yield "host calls", lambda: measure_host_calls(report, spec, 100 if quick else _HOST_CALLS, repeat)
    if only & {"instantiate", "compile", "cold", "warm", "replay", "memory"}:
        yield from _start_steps(options, report, spec)
    if "hostile" in only:
        yield from hostile_steps(report, quick)
    if "standalone" in only:
        chosen = workloads(spec, options.examples, quick)
        yield "standalone modules", lambda: measure_standalone(report, spec, chosen, repeat)
    if only & (_PROGRAMS | {"browser"}):
        with ExitStack() as stack:
            contestants = _contestants(options, report, stack)
            if contestants.browser and not options.examples:
                page = contestants.browser
                yield "the page", lambda: measure_page(report, page, 1 if quick else min(repeat, _PAGES))
            for workload in workloads(spec, options.examples, quick):
                yield workload.name, lambda: measure_programs(report, [workload], contestants, repeat)  # noqa: B023


def _start_steps(options: Options, report: Report, spec: Spec) -> Iterator[tuple[str, Callable[[], None]]]:
    """What makes a difference to short runs. Quick runs do without large programs."""
    only, repeat, quick = options.only, options.repeat, options.quick
    traces = find_traces(report, options.traces)
    if quick:
        traces = dict(islice(traces.items(), 2))
    ours = examples(spec)
    service = {} if quick else largest_service(report, traces)
    smallest = min(ours, key=lambda name: len(ours[name].code))
    if "instantiate" in only:
        yield "making machines", lambda: measure_instantiate(report, ours | service, 1 if quick else _MACHINES, repeat)
    if "compile" in only:
        large = {} if quick else static_programs(report) | service
        yield "translating", lambda: measure_translating(report, spec, large or ours, repeat)
    if "cold" in only:
        yield "programs never seen", lambda: measure_cold(report, spec, traces, repeat)
    if "warm" in only:
        yield "programs seen before", lambda: measure_warm(report, service or ours, repeat)
    if "replay" in only and traces:
        yield "replaying traces", lambda: measure_replay(report, traces, repeat)
    if "memory" in only:
        programs = {smallest: ours[smallest]} | service
        few, many = (2, 4) if quick else (_FEW, _MANY)
        yield "memory", lambda: measure_memory(report, programs, few, many, repeat)


def _contestants(options: Options, report: Report, stack: ExitStack) -> Contestants:
    """Who can take part; who cannot is noted as absent."""
    only = options.only
    engines = only & {"interpreter", "recompiler"} or {"interpreter", "recompiler"}  # others need one to compare with
    found = Contestants("interpreter" in engines, "recompiler" in engines, "reference" in only)
    if "gcc" in only:
        gcc = find_gcc()
        if gcc is None:
            report.absent["gcc"] = "not installed"
        else:
            found.gcc = stack.enter_context(gcc)
            report.about["gcc"] = gcc.version
            report.about["written in C"] = sorted(SOURCES)
    if "browser" in only:
        reason = obstacle()
        if reason is not None:
            report.absent["browser"] = reason
        else:
            found.browser = stack.enter_context(served_page(report))
            report.about["Chromium"] = found.browser.version
    if "anan-as" in only:
        if options.install_anan_as:
            install()
        installed = find_installed(options.anan_as)
        if isinstance(installed, str):
            report.absent["anan-as"] = installed
        else:
            found.anan_as = installed
            report.about["anan-as"] = installed.version
    return found


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
