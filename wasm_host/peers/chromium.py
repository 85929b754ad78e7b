"""Chromium, driven by playwright: for the benchmark, the comparison and the tests of pages.

In: nothing. Out: a browser without a window, or why there is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pvm.errors import EngineError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",  # which does not start for root, as in containers
    "--disable-gpu",
    "--disable-background-networking",
)


def obstacle() -> str | None:
    """Why there is no Chromium to drive, if so."""
    if find_spec("playwright") is None:
        return "playwright is not installed (pip install playwright)"
    return None if _path() else f"none of {', '.join(_NAMES)} is on the PATH"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Raises EngineError where there is an obstacle."""
    reason = obstacle()
    if reason is not None:
        raise EngineError(f"no Chromium: {reason}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_path(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def _path() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
