"""How the tests are shared out between processes of pytest-xdist: a file's tests stay together, but for these rows.

By the path of a test alone: the mark `xdist_group` does nothing under pytest 9.2, and the scheduler that honours it
takes time that grows with the square of the number of tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling

# Files that one process runs, one after the other, by how their paths begin: they share what is slow to start or make.
TOGETHER = {
    "browser": (  # one Chromium at a time
        "tests/web/test_page_", "tests/web/test_python_worker", "tests/web/test_browser_",
        "tests/wasm_host/cli/test_cli_chromium", "tests/wasm_host/bench/report/test_page_in_chromium",
    ),
    "cc": ("tests/wasm_host/cc/",),  # the compiled run-time library
}  # fmt: skip
# Files of which each test is a share of its own: those that take longest.
APART = (
    "tests/test_agreement.py", "tests/test_every_gas.py", "tests/test_structure.py", "tests/test_documents.py",
    "tests/wasm_host/machine/test_hostile.py",
)  # fmt: skip


def share(nodeid: str) -> str:
    """What share a test belongs to: the name of a group, its file, or itself."""
    path = nodeid.partition("::")[0]
    for name, beginnings in TOGETHER.items():
        if path.startswith(beginnings):
            return name
    return nodeid if path in APART else path


def rank(nodeid: str) -> int:
    """Those that take long begin early, else one process ends long before the other."""
    name = share(nodeid)
    return 0 if name in TOGETHER else 1 if name == nodeid else 2


def check_groups(items: Iterable[Any]) -> None:
    """Every test that uses Chromium is in its group (ValueError)."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and share(item.nodeid) != "browser":
            raise ValueError(f"{item.nodeid} uses Chromium: name its file in TOGETHER, in tests/shares.py")


class Shares(LoadScopeScheduling):
    """Shares in the order in which pytest collected them."""

    def __init__(self, config: Any, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)
