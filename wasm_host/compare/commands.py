"""The module of `pvm build` under the command line of wasmtime.

In: a task that is a program. Out: an `Outcome`. Seconds are those of the command, its process's start included.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pvm.errors import EngineError
from pvm.isa import spec as find_spec_named
from pvm.machine import Reason
from pvm.program import Program
from pvm.standalone import STATUSES, Defaults, program_command
from wasm_host.compare.measure import fastest
from wasm_host.compare.outcome import Ending, Outcome, Task, digest
from wasm_host.peers.wasmtime_command import wasmtime_command
from wasm_host.translating import costs_to_translate

_UNCACHED = ("-C", "cache=n")  # wasmtime keeps what it compiled, otherwise


@dataclass(frozen=True)
class Wasmtime:
    """The command, and a folder for modules."""

    command: Path
    folder: Path


@contextmanager
def wasmtime_folder() -> Iterator[Wasmtime]:
    """The command, and a folder of its own. Raises ResourceError where there is none."""
    with wasmtime_command() as command, TemporaryDirectory(prefix="pvm-compare-") as name:
        yield Wasmtime(command, Path(name))


def run_module(wasmtime: Wasmtime, task: Task) -> Outcome:
    """Compiled on the fly. Cold is to build the module and to run it, warm to run it again."""
    began = time.perf_counter()
    _build(wasmtime, task)
    command = ("run", *_UNCACHED, "program.wasm")
    ending, used = _run(wasmtime, command)
    return Outcome(ending, used, time.perf_counter() - began, fastest(task, lambda: _seconds(wasmtime, command)))


def run_ahead(wasmtime: Wasmtime, task: Task) -> Outcome:
    """Compiled ahead of time. Cold is to build the module, to compile it and to run it, warm to run it again."""
    began = time.perf_counter()
    _build(wasmtime, task)
    _call(wasmtime, ("compile", *_UNCACHED, "program.wasm", "-o", "program.cwasm"), (0,))
    command = ("run", *_UNCACHED, "--allow-precompiled", "program.cwasm")
    ending, used = _run(wasmtime, command)
    return Outcome(ending, used, time.perf_counter() - began, fastest(task, lambda: _seconds(wasmtime, command)))


def _build(wasmtime: Wasmtime, task: Task) -> None:
    program = Program.parse(task.data, task.format)
    defaults = Defaults(task.args, task.gas, task.pc)
    spec = find_spec_named(task.spec)
    costs = costs_to_translate(program, spec, task.metering)
    module = program_command(program, spec, task.metering, defaults, costs=costs)
    (wasmtime.folder / "program.wasm").write_bytes(module)


def _seconds(wasmtime: Wasmtime, command: tuple[str, ...]) -> float:
    began = time.perf_counter()
    _run(wasmtime, command)
    return time.perf_counter() - began


def _run(wasmtime: Wasmtime, command: tuple[str, ...]) -> tuple[Ending, int]:
    found = json.loads(_call(wasmtime, command, tuple(STATUSES.values())))
    ending = Ending(
        Reason(found["status"]).value, found["pc"], found["gas"], tuple(found["registers"]),
        found["page_fault_address"], found["host_call"], digest(bytes.fromhex(found["result"])),
    )  # fmt: skip
    return ending, found["gas_used"]


def _call(wasmtime: Wasmtime, words: tuple[str, ...], statuses: tuple[int, ...]) -> str:
    """What the command prints. Raises EngineError when its status is none of these."""
    done = subprocess.run(
        [wasmtime.command, *words], cwd=wasmtime.folder, capture_output=True, text=True, encoding="utf-8",
        errors="replace", stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode not in statuses:
        first = next(iter(done.stderr.strip().splitlines()), "")
        raise EngineError(f"wasmtime {words[0]}: status {done.returncode}: {first[:200]}")
    return done.stdout
