"""The page in Chromium: how fast its guest worker runs programs, how soon it is there, how long it does not answer.

In: a report. Out: figures of the programs beside those of wasmtime, and a `Section` on the page. The page is built and
served for the time of the measuring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pvm.errors import InputError
from pvm.examples import example
from pvm_web.build import build
from pvm_web.serve import serving
from wasm_host.bench.measure import Subject
from wasm_host.bench.report.figures import Report
from wasm_host.bench.workloads import GAS, Workload
from wasm_host.peers.chromium import chromium
from wasm_host.peers.guest_engine import EMPTY, GuestEngine

if TYPE_CHECKING:
    from playwright.sync_api import Browser as PlaywrightBrowser
    from playwright.sync_api import Page

INTERPRETER = "interpreter, Chromium"
RECOMPILER = "recompiler, Chromium"

_MILLISECOND = 1e6  # in nanoseconds
_PATIENCE = 120_000.0  # milliseconds to wait for anything in the page
_READY = "#state:text-is('Ready')"
_PYTHON = "#python.ready"
_ENDED = "#state:text-is('Halted')"
# The longest time in which the main thread did nothing else than one thing.
_GAPS = """() => {
  let last = performance.now();
  globalThis.longest = 0;
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    setTimeout(() => port1.postMessage(null), 1);
  };
  port1.postMessage(null);
}"""
_WATCHED, _SETTLED = 1500, 500  # milliseconds
_PANELS = ("memory", "calls", "pixels")


@dataclass(frozen=True)
class Browser:
    """A Chromium and where the page is served. `has_python` tells whether Pyodide is part of the page."""

    chromium: PlaywrightBrowser
    url: str
    has_python: bool

    @property
    def version(self) -> str:
        return str(self.chromium.version)

    def engines(self) -> dict[str, GuestEngine]:
        """Engines in one tab each, by the names of their figures."""
        return {name: self._engine(tier) for name, tier in ((INTERPRETER, "interpreter"), (RECOMPILER, "recompiler"))}

    def _engine(self, tier: str) -> GuestEngine:
        page = self.chromium.new_page(base_url=self.url)
        page.goto(EMPTY)
        return GuestEngine(page, tier)


@contextmanager
def served_page(report: Report, has_python: bool) -> Iterator[Browser]:
    """The page, open to a Chromium. Raises EngineError where there is none to drive."""
    with TemporaryDirectory(prefix="pvm-bench-") as name, chromium() as browser:
        folder = Path(name) / "page"
        try:
            build(folder, cdn=not has_python)
        except InputError as error:
            report.absent["Python in the page"] = str(error)
            has_python = False
            build(folder, cdn=True)
        with serving(folder) as url:
            yield Browser(browser, url, has_python)


def program_subjects(engines: dict[str, GuestEngine], workload: Workload, count: int) -> dict[str, Subject]:
    """Runs of the full size: nanoseconds that each of `count` instructions takes, as the page sees it."""

    def run(engine: GuestEngine) -> float:
        engine.instantiate(workload.program, args=workload.full, gas=GAS).run()
        return engine.milliseconds * _MILLISECOND / count

    return {name: partial(run, engine) for name, engine in engines.items()}


def measure_page(report: Report, browser: Browser, repeat: int) -> None:
    """Add the section on the page itself."""
    section = report.section("page", "The page in Chromium, from localhost, nothing stored yet")
    section.facts["Chromium"] = browser.version
    subjects: dict[str, Subject] = {"opening": partial(_opening, browser)}
    subjects["longest time without an answer"] = partial(_longest, browser)
    section.measure(subjects, repeat)


def _opening(browser: Browser) -> Mapping[str, float]:
    """From the request of the page to a program that can be run, to its result, and to Python."""
    with _fresh(browser) as page:
        page.goto("")
        found = {"ready to run": _when(page, _READY)}
        page.click("#run")
        found["first result"] = _when(page, _ENDED)
        if browser.has_python:
            found["Python ready"] = _when(page, _PYTHON)
        return {name: milliseconds * _MILLISECOND for name, milliseconds in found.items()}


def _when(page: Page, selector: str) -> float:
    """Wait for it; milliseconds since the page was asked for."""
    page.locator(selector).wait_for(timeout=_PATIENCE)
    return float(page.evaluate("performance.now()"))


def _longest(browser: Browser) -> Mapping[str, float]:
    """The longest time in which the main thread answered nothing: while the page loads, and while a program runs."""
    with _fresh(browser) as page:
        page.add_init_script(f"({_GAPS})()")
        page.goto("#example=life")
        _when(page, _READY)
        if not browser.has_python:
            return {"loading": _gap(page) * _MILLISECOND}
        _when(page, _PYTHON)
        found = {"loading": _gap(page)}
        page.wait_for_timeout(_WATCHED)
        found["idle"] = _gap(page)  # what others on this machine take
        args = example("life").args
        endless = args[:4] + (1 << 30).to_bytes(4, "little") + args[8:]
        for name, text in (("gas", str(GAS)), ("args", endless.hex())):
            page.fill(f"#{name}", text)
            page.keyboard.press("Tab")
            page.wait_for_timeout(_SETTLED)
        for tier in ("interpreter", "recompiler"):
            page.select_option("#tier", tier)
            page.click("#reset")
            page.wait_for_timeout(_SETTLED)
            _when(page, _READY)
            for panel in _PANELS:
                page.click(f'[role=tab][data-panel="{panel}"]')
                _gap(page)
                page.click("#run")
                page.locator("#stop:enabled").wait_for(timeout=_PATIENCE)
                page.wait_for_timeout(_WATCHED)
                page.click("#stop")
                found[f"{tier}, {panel}"] = _gap(page)
        return {name: milliseconds * _MILLISECOND for name, milliseconds in found.items()}


def _gap(page: Page) -> float:
    """The longest gap since the last call, in milliseconds."""
    return float(page.evaluate("() => { const found = longest; longest = 0; return found; }"))


@contextmanager
def _fresh(browser: Browser) -> Iterator[Page]:
    """A tab that has stored nothing."""
    context = browser.chromium.new_context(base_url=browser.url)
    try:
        yield context.new_page()
    finally:
        context.close()

