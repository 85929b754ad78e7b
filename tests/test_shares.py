"""Tests are shared out between processes as `shares.py` says, whatever pytest and pytest-xdist are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shares import APART, TOGETHER, check_groups, rank, share

ROOT = Path(__file__).parent.parent
CONFTEST = """
from tests import shares
from tests.shares import Shares, rank

shares.TOGETHER = {"group": ("test_a", "test_b")}
shares.APART = ("test_d.py",)

def pytest_xdist_make_scheduler(config, log):
    return Shares(config, log)

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: rank(item.nodeid))
"""
TESTS = """
import time
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(6))
def test_one(number, worker_id):
    time.sleep(0.02)
    with Path("ran").open("a") as file:
        file.write(f"{Path(__file__).stem} {worker_id}\\n")
"""


def test_every_row_names_files_that_are_there() -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    for beginning in (*APART, *(one for beginnings in TOGETHER.values() for one in beginnings)):
        assert any(path.startswith(beginning) for path in paths), f"{beginning}: no file of tests begins so"


def test_what_uses_chromium_is_together() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT).as_posix()
        if "chromium.obstacle() is not None" in path.read_text(encoding="utf-8") and path != Path(__file__):
            assert share(f"{name}::test") == "browser", f"{name} starts Chromium: name it in TOGETHER"

    class Item:
        nodeid = "tests/pvm/test_new.py::test_one"
        fixturenames = ("browser",)

    with pytest.raises(ValueError, match="name its file in TOGETHER"):
        check_groups([Item()])


def test_shares_and_ranks() -> None:
    together, apart = "tests/web/test_page_use.py::test[a::b]", f"{APART[0]}::test"
    plain = "tests/pvm/test_log.py::test"
    assert [share(one) for one in (together, apart, plain)] == ["browser", apart, "tests/pvm/test_log.py"]
    assert [rank(one) for one in (together, apart, plain)] == [0, 1, 2]


def test_processes_get_whole_shares(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in "abcd":
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, "--import-mode=importlib", "-c", "/dev/null", tmp_path],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "ran").read_text().split("\n")[:-1]
    ran: dict[str, set[str]] = {}
    for line in lines:
        name, worker = line.split()
        ran.setdefault(name, set()).add(worker)
    assert len(lines) == 24 and ran["test_a"] == ran["test_b"] and len(ran["test_a"]) == len(ran["test_c"]) == 1
