"""What tests of the page share: the page, built once and served, and a Chromium to open it in."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from pvm.errors import InputError
from pvm_web.build import build
from pvm_web.pyodide import pyodide_files
from pvm_web.serve import serving
from wasm_host.peers.chromium import chromium, obstacle

_TIMEOUT = 30_000.0  # milliseconds that anything in a page may take: tests share the processor with others
expect.set_options(timeout=_TIMEOUT)


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The page with all that it loads, built once even where several processes run tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "page"
    with (shared / "page.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            try:
                pyodide_files()
            except InputError as error:
                pytest.skip(f"no Pyodide for the page: {error}")
            build(folder)
    return folder


@pytest.fixture(scope="session")
def page_server(page_folder: Path) -> Iterator[str]:
    """The URL under which the page is served; it ends in a slash."""
    with serving(page_folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. It ends with the module: while Playwright lives, its thread runs an event loop, which others need."""
    reason = obstacle()
    if reason is not None:
        pytest.skip(f"no Chromium: {reason}")
    with chromium() as browser:
        yield browser


@pytest.fixture
def tolerated() -> list[str]:
    """A test that provokes problems puts a part of each one's text here."""
    return []


@contextmanager
def tab(browser: Browser, url: str, tolerated: list[str], **options: Any) -> Iterator[Page]:
    """A tab that has stored nothing yet. Errors in it and requests to other places fail in the end."""
    problems: list[str] = []
    options.setdefault("service_workers", "block")  # which would answer what tests answer otherwise

    def requested(request: Request) -> None:
        if not request.url.startswith((url, "blob:", "data:")):
            problems.append(f"a request to {request.url}")

    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(_TIMEOUT)
    context.on("request", requested)
    context.on("weberror", lambda error: problems.append(f"an uncaught error: {error.error}"))
    context.on(
        "console",
        lambda message: message.type in ("error", "warning") and problems.append(f"{message.type}: {message.text}"),
    )
    yield context.new_page()
    context.close()
    expected = (*tolerated, "Service Worker registration blocked")  # by the option above
    left = [problem for problem in problems if not any(part in problem for part in expected)]
    assert not left, left


@pytest.fixture
def page(browser: Browser, page_server: str, tolerated: list[str]) -> Iterator[Page]:
    """A tab. Errors in it and requests to other places fail the test in the end."""
    with tab(browser, page_server, tolerated) as page:
        yield page


@pytest.fixture
def phone(browser: Browser, page_server: str, tolerated: list[str]) -> Iterator[Page]:
    """The same with the window of a small phone."""
    with tab(browser, page_server, tolerated, viewport={"width": 360, "height": 640}, has_touch=True) as page:
        yield page


@pytest.fixture(scope="module")
def python_page(browser: Browser, page_server: str) -> Iterator[Page]:
    """The page with Python loaded, for all tests of a module: each opens what it needs."""
    with tab(browser, page_server, []) as page:
        page.goto("")
        expect(page.locator("#python")).to_have_class(re.compile("ready"), timeout=10 * _TIMEOUT)
        yield page
