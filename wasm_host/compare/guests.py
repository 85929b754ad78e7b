"""The page's machine on V8: in Chromium's guest worker, and under node without a page.

In: a task, a tier. Out: an `Outcome`. Python parses and translates, as it does in the page; here it is no Pyodide.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pvm_web
from pvm import abi
from pvm.emit.interpreter import interpreter_bytes
from pvm.errors import EngineError, ResourceError
from pvm.machine import Exit, Machine
from pvm_web.bridge import Bridge
from pvm_web.bridge.values import to_json
from pvm_web.build import build
from pvm_web.serve import serving
from wasm_host.compare.measure import Timed, measure
from wasm_host.compare.outcome import Outcome, Task
from wasm_host.peers.chromium import chromium
from wasm_host.peers.guest_engine import EMPTY, GuestEngine, Request
from wasm_host.peers.nodejs import OLDEST, find_node

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

_LEAST = 1.0  # seconds of warm runs: V8 optimises what has run for some time
_DRIVER = Path(__file__).with_name("nodejs.mjs")
_PAGE = Path(pvm_web.__file__).parent / "page"

Page = Callable[[], Any]
"""Makes a tab of the served page that has stored nothing."""


class _TabEngine(GuestEngine):
    """Counts the seconds of its runs in `spent`; what the host does at host calls is not among them."""

    spent = 0.0

    def ask(self, requests: list[Request]) -> list[Any]:
        results = super().ask(requests)
        if requests[-1][0] == "run":
            self.spent += self.milliseconds / 1000
        return results


class _NodeEngine(_TabEngine):
    """The same requests to a process of node."""

    def __init__(self, process: subprocess.Popen[str], task: Task, tier: str) -> None:
        self.spec, self.metering, self.tier, self._process = task.spec, task.metering, tier, process
        self._bridge = Bridge()

    def _send(self, requests: str) -> str:
        return _ask(self._process, requests)


def run_in_chromium(page: Page, task: Task, tier: str) -> Outcome:
    """In a new tab."""
    tab: Tab = page()
    made: list[_TabEngine] = []

    def make() -> _TabEngine:
        made.append(_TabEngine(tab, tier, task.spec, task.metering))
        return made[-1]

    try:
        return measure(task, make, _timed(made), least=_LEAST)
    finally:
        tab.context.close()


@contextmanager
def chromium_pages() -> Iterator[Page]:
    """Chromium, with the page built and served. Raises EngineError where there is none to drive."""
    with TemporaryDirectory(prefix="pvm-compare-") as name, chromium() as browser:
        folder = Path(name) / "page"
        build(folder, cdn=True)  # without Pyodide, which nothing here needs
        with serving(folder) as url:

            def page() -> Tab:
                tab = browser.new_context(base_url=url).new_page()
                tab.set_default_timeout(0)
                tab.goto(EMPTY)
                return tab

            yield page


def run_in_node(task: Task, tier: str) -> Outcome:
    """In a new process."""
    node = find_node(OLDEST)
    if isinstance(node, str):
        raise ResourceError(node)
    process = subprocess.Popen(
        [node, str(_DRIVER), str(_PAGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, encoding="utf-8",
    )  # fmt: skip
    made: list[_TabEngine] = []
    begin = to_json({"abi": abi.as_dict(), "interpreter": interpreter_bytes()})

    def make() -> _TabEngine:
        _ask(process, begin)
        made.append(_NodeEngine(process, task, tier))
        return made[-1]

    try:
        _ask(process, "null")  # it is there
        return measure(task, make, _timed(made), least=_LEAST)
    finally:
        process.kill()
        process.communicate()


def _timed(made: list[_TabEngine]) -> Timed:
    """Runs timed by the engine that was made."""

    def run(machine: Machine) -> tuple[Exit, float]:
        before = made[-1].spent
        exit = machine.run()
        return exit, made[-1].spent - before

    return run


def _ask(process: subprocess.Popen[str], line: str) -> str:
    """The answer to one line. Raises EngineError for what the driver could not do."""
    assert process.stdin and process.stdout
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except OSError as error:
        raise EngineError(f"node has ended ({type(error).__name__})") from error
    if not answer:
        raise EngineError("node has ended")
    if answer.startswith('{"error"'):
        raise EngineError(f"node: {json.loads(answer)['error'][:200]}")
    return answer
