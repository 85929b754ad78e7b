"""Who takes part: one value an engine, in the order of the table.

In: a task. Out: an `Outcome`. `opened` makes what a contestant needs for its runs, in the process where they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from pvm.errors import InputError
from pvm.machine import AnyEngine
from pvm.reference import ReferenceEngine
from pvm.suggestions import did_you_mean
from wasm_host.compare.commands import run_ahead, run_module, wasmtime_folder
from wasm_host.compare.guests import Page, chromium_pages, run_in_chromium, run_in_node
from wasm_host.compare.measure import measure, recorded_outcome
from wasm_host.compare.outcome import TRACE, Outcome, Task
from wasm_host.compare.peer_task import run_anan_as, unsuitable
from wasm_host.engine import HARDWARE, SOFTWARE, Engine
from wasm_host.peers import anan_as, chromium
from wasm_host.peers.nodejs import OLDEST, find_node
from wasm_host.peers.wasmtime_command import find_wasmtime

RECORDED = "recorded"  # not an engine: what a trace states
REFERENCE = "reference"


class Contestant(ABC):
    """An engine. Those of one `place` share a process; without one each run has a new process.

    `is_slow`: it runs nothing that is known to take more instructions than the limit.
    """

    name: str
    place: str | None = None
    is_slow = False

    def why_absent(self) -> str | None:
        """Why it cannot take part here, if so."""
        return None

    def why_not(self, task: Task) -> str | None:
        """Why it cannot run this task, if so."""
        return None

    def opened(self) -> AbstractContextManager[Any]:
        """What `run` needs, for as long as runs may come."""
        return nullcontext()

    @abstractmethod
    def run(self, opened: Any, task: Task) -> Outcome:
        """Run a task. Raises ResourceError where this system cannot, and any other error when the engine fails."""


@dataclass(frozen=True)
class Recorded(Contestant):
    """What a trace states."""

    name: str = RECORDED

    def why_not(self, task: Task) -> str | None:
        return None if task.format == TRACE else "nothing is recorded"

    def run(self, opened: Any, task: Task) -> Outcome:
        return recorded_outcome(task)


@dataclass(frozen=True)
class Reference(Contestant):
    """The reference engine in Python."""

    name: str = REFERENCE
    is_slow = True

    def run(self, opened: Any, task: Task) -> Outcome:
        return measure(task, partial(ReferenceEngine, task.spec, task.metering), compiles=False)


@dataclass(frozen=True)
class Ours(Contestant):
    """A tier of ours on wasmtime, without compiled code on disk."""

    name: str
    tier: str
    protection: str = "auto"

    def run(self, opened: Any, task: Task) -> Outcome:
        def make() -> AnyEngine:
            return Engine(task.spec, self.tier, task.metering, cache=False, protection=self.protection)

        return measure(task, make, translates_later=self.tier == "auto")


@dataclass(frozen=True)
class Command(Contestant):
    """The module of `pvm build` under the command line of wasmtime, compiled on the fly or ahead of time."""

    name: str
    is_ahead: bool
    place = "wasmtime"

    def why_absent(self) -> str | None:
        found = find_wasmtime()
        return found if isinstance(found, str) else None

    def why_not(self, task: Task) -> str | None:
        return "a command has nobody to answer recorded host calls" if task.format == TRACE else None

    def opened(self) -> AbstractContextManager[Any]:
        return wasmtime_folder()

    def run(self, opened: Any, task: Task) -> Outcome:
        return (run_ahead if self.is_ahead else run_module)(opened, task)


@dataclass(frozen=True)
class Node(Contestant):
    """The page's machine on node's V8."""

    name: str
    tier: str

    def why_absent(self) -> str | None:
        found = find_node(OLDEST)
        return found if isinstance(found, str) else None

    def run(self, opened: Any, task: Task) -> Outcome:
        return run_in_node(task, self.tier)


@dataclass(frozen=True)
class Chromium(Contestant):
    """The page's guest worker in Chromium."""

    name: str
    tier: str
    place = "chromium"

    def why_absent(self) -> str | None:
        return chromium.obstacle()

    @contextmanager
    def opened(self) -> Iterator[Page]:
        with chromium_pages() as page:
            yield page

    def run(self, opened: Page, task: Task) -> Outcome:
        return run_in_chromium(opened, task, self.tier)


@dataclass(frozen=True)
class AnanAs(Contestant):
    """anan-as under node, as its package loads it."""

    name: str = "anan-as"

    def why_absent(self) -> str | None:
        found = anan_as.find_installed(anan_as.cache_folder())
        if not isinstance(found, str):
            return None
        hint = "" if isinstance(anan_as.node(), str) else " (`pvm bench --install-anan-as` installs it)"
        return found + hint

    def why_not(self, task: Task) -> str | None:
        return unsuitable(task)

    def run(self, opened: Any, task: Task) -> Outcome:
        return run_anan_as(task)


ALL: tuple[Contestant, ...] = (
    Recorded(),
    Reference(),
    Ours("interpreter", "interpreter"),
    Ours("recompiler-software", "recompiler", SOFTWARE),
    Ours("recompiler-hardware", "recompiler", HARDWARE),
    Ours("auto", "auto"),
    Command("wasmtime-run", False),
    Command("wasmtime-compiled", True),
    Node("node-interpreter", "interpreter"),
    Node("node-recompiler", "recompiler"),
    Chromium("chromium-interpreter", "interpreter"),
    Chromium("chromium-recompiler", "recompiler"),
    AnanAs(),
)


def choose(only: tuple[str, ...], skip: tuple[str, ...]) -> list[Contestant]:
    """The contestants that are meant by names, or by what names begin with ("node"). What is recorded always is one.

    Raises InputError for a name that means nobody, and when nobody is left.
    """
    wanted = {name for text in only for name in _meant("--only", text)} or {one.name for one in ALL}
    wanted -= {name for text in skip for name in _meant("--skip", text)}
    if not wanted - {RECORDED}:
        raise InputError("--skip: no engine is left")
    return [one for one in ALL if one.name in wanted | {RECORDED}]


def _meant(option: str, text: str) -> list[str]:
    names = [one.name for one in ALL if one.name != RECORDED]
    found = [name for name in names if name == text or name.startswith(f"{text}-")]
    if not found:
        hint = did_you_mean(text, names)
        raise InputError(f"{option}: no engine is called {text!r}: {hint and hint + ' '}choose of {', '.join(names)}")
    return found
