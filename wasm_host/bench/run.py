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
from pathlib import Path

from pvm.isa import spec as find_spec
from pvm.trace import Trace
from pvm.version import __version__
from wasm_host.bench.anan_as import find_installed, install
from wasm_host.bench.host_calls import measure_host_calls
from wasm_host.bench.measure import Report
from wasm_host.bench.native import SOURCES, find_gcc
from wasm_host.bench.programs import Contestants, measure_programs
from wasm_host.bench.starts import find_traces, measure_compile, measure_instantiate, measure_replay, read_traces
from wasm_host.bench.workloads import workloads

_PROGRAMS = frozenset({"interpreter", "reference", "gcc", "anan-as"})
_HOST_CALLS = 100_000
_MACHINES = 10  # made in a row


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

    Raises EngineError when a contestant fails to run, InputError for a malformed trace.
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
    only, repeat, spec = options.only, options.repeat, find_spec("0.7.2")
    if "compile" in only:
        yield "compiling the interpreter", lambda: measure_compile(report, repeat)
    if "host-call" in only:
        count = 100 if options.quick else _HOST_CALLS
        yield "host calls", lambda: measure_host_calls(report, spec, count, repeat)
    if only & {"instantiate", "replay"}:
        traces = _traces(options, report)
        if "instantiate" in only:
            count = 1 if options.quick else _MACHINES
            yield "making machines", lambda: measure_instantiate(report, spec, traces, count, repeat)
        if "replay" in only and traces:
            yield "replaying traces", lambda: measure_replay(report, traces, repeat)
    if only & _PROGRAMS:
        with ExitStack() as stack:
            contestants = _contestants(options, report, stack)
            for workload in workloads(spec, options.examples, options.quick):
                yield workload.name, lambda: measure_programs(report, [workload], contestants, repeat)  # noqa: B023


def _contestants(options: Options, report: Report, stack: ExitStack) -> Contestants:
    """Who can take part; who cannot is noted as absent."""
    only = options.only
    found = Contestants(interpreter=bool(only & _PROGRAMS), reference="reference" in only)
    if "gcc" in only:
        gcc = find_gcc()
        if gcc is None:
            report.absent["gcc"] = "not installed"
        else:
            found.gcc = stack.enter_context(gcc)
            report.about["gcc"] = gcc.version
            report.about["written in C"] = sorted(SOURCES)
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


def _traces(options: Options, report: Report) -> list[Trace]:
    folder = options.traces or find_traces()
    traces = read_traces(folder) if folder else []
    if not traces:
        report.absent["traces"] = f"no *.log in {folder}" if folder else "no folder ../shared/traces/ecalli"
    return traces[:2] if options.quick else traces


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
