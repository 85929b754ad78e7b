"""What is measured besides our own workloads: real programs and recorded runs, from the shared folder.

In: folders. Out: `Inputs`, octets as they travel to workers, and `Material`, what is made of them there. What is not
there is noted in the report as absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pvm.errors import InputError
from pvm.examples import EXAMPLES
from pvm.isa import Spec
from pvm.program import Program, assemble
from pvm.trace import Trace, parse_trace
from wasm_host.bench.report.figures import Report

SERVICE = "service"
STATIC = ("doom", "pinky", "prime-sieve")
_STATIC_FOLDER = "programs/static"
_TRACES_FOLDER = "traces/ecalli"
_SERVICE_SIZE = 100_000  # bytes: the largest program of the traces, if it is that large, is worth a figure


@dataclass(frozen=True)
class Inputs:
    """Octets by name: files of traces, and large programs to translate, not to run; whether a service is wanted."""

    traces: Mapping[str, bytes] = field(default_factory=dict)
    static: Mapping[str, bytes] = field(default_factory=dict)
    service: bool = True


class Material:
    """What is made of inputs. `service` is the traces' largest program, when it is worth a figure."""

    def __init__(self, inputs: Inputs) -> None:
        self.traces: dict[str, Trace] = {name: _trace(name, data) for name, data in inputs.traces.items()}
        self.static: dict[str, Program] = {name: _program(name, data) for name, data in inputs.static.items()}
        largest = max((trace.program for trace in self.traces.values()), key=len, default=b"")
        self.service: dict[str, Program] = {}
        if inputs.service and len(largest) >= _SERVICE_SIZE:
            self.service[SERVICE] = Program.parse(largest)

    def first_traces(self) -> dict[str, Trace]:
        """The first trace of each program."""
        found: dict[bytes, str] = {}
        for name, trace in self.traces.items():
            found.setdefault(trace.program, name)
        return {name: self.traces[name] for name in found.values()}


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


def find_static(report: Report) -> dict[str, bytes]:
    """The large programs. Raises InputError for a malformed file."""
    folder = find_shared(_STATIC_FOLDER)
    found: dict[str, bytes] = {}
    for name in STATIC:
        path = folder and folder / f"{name}.json"
        if path is None or not path.is_file():
            report.absent[name] = f"no ../shared/{_STATIC_FOLDER}/{name}.json"
            continue
        try:
            found[name] = bytes(json.loads(path.read_bytes())["program"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: {error}") from None
    return found


def find_traces(report: Report, folder: Path | None) -> dict[str, bytes]:
    """The traces in `folder` (None: the shared ones) by file name."""
    folder = folder or find_shared(_TRACES_FOLDER)
    traces = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.log"))} if folder else {}
    if not traces:
        report.absent["traces"] = f"no *.log in {folder}" if folder else f"no folder ../shared/{_TRACES_FOLDER}"
    return traces


def _trace(name: str, data: bytes) -> Trace:
    try:
        return parse_trace(data)
    except InputError as error:
        raise InputError(f"{name}.log: {error}") from None


def _program(name: str, data: bytes) -> Program:
    try:
        return Program.parse(data)
    except InputError as error:
        raise InputError(f"{name}.json: {error}") from None
