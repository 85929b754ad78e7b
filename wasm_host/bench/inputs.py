"""What is measured besides our own workloads: real programs and recorded runs, from the shared folder.

In: folders. Out: programs by name, traces by file name. What is not there is noted in the report as absent.
"""

from __future__ import annotations

import json
from pathlib import Path

from pvm.errors import InputError
from pvm.examples import EXAMPLES
from pvm.isa import Spec
from pvm.program import Program, assemble
from pvm.trace import Trace, parse_trace
from wasm_host.bench.measure import Report

SERVICE = "service"
STATIC = ("doom", "pinky", "prime-sieve")
_STATIC_FOLDER = "programs/static"
_TRACES_FOLDER = "traces/ecalli"
_SERVICE_SIZE = 100_000  # bytes: the largest program of the traces, if it is that large, is worth a figure


def find_shared(name: str) -> Path | None:
    """A folder of ../shared, seen from the working directory or from the source tree."""
    for base in (Path.cwd(), Path(__file__).parents[2]):
        folder = base.parent / "shared" / name
        if folder.is_dir():
            return folder
    return None


def examples(spec: Spec) -> dict[str, Program]:
    """Our own programs."""
    return {example.name: assemble(example.source, spec) for example in EXAMPLES}


def static_programs(report: Report) -> dict[str, Program]:
    """Large programs to translate, not to run. Raises InputError for a malformed file."""
    folder = find_shared(_STATIC_FOLDER)
    found: dict[str, Program] = {}
    for name in STATIC:
        path = folder and folder / f"{name}.json"
        if path is None or not path.is_file():
            report.absent[name] = f"no ../shared/{_STATIC_FOLDER}/{name}.json"
            continue
        try:
            found[name] = Program.parse(bytes(json.loads(path.read_bytes())["program"]))
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise InputError(f"{path}: {error}") from None
    return found


def find_traces(report: Report, folder: Path | None) -> dict[str, Trace]:
    """The traces in `folder` (None: the shared ones) by file name. Raises InputError for a malformed one."""
    folder = folder or find_shared(_TRACES_FOLDER)
    traces = {}
    for path in sorted(folder.glob("*.log")) if folder else ():
        try:
            traces[path.stem] = parse_trace(path.read_bytes())
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    if not traces:
        report.absent["traces"] = f"no *.log in {folder}" if folder else f"no folder ../shared/{_TRACES_FOLDER}"
    return traces


def largest_service(report: Report, traces: dict[str, Trace]) -> dict[str, Program]:
    """The traces' largest program as `SERVICE`, or nothing when it is too small to tell more than the examples."""
    largest = max((trace.program for trace in traces.values()), key=len, default=b"")
    if len(largest) < _SERVICE_SIZE:
        report.absent[SERVICE] = f"no trace of a program of {_SERVICE_SIZE} bytes"
        return {}
    return {SERVICE: Program.parse(largest)}


def first_traces(traces: dict[str, Trace]) -> dict[str, Trace]:
    """The first trace of each program."""
    found: dict[bytes, str] = {}
    for name, trace in traces.items():
        found.setdefault(trace.program, name)
    return {name: traces[name] for name in found.values()}
