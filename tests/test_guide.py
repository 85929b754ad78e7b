"""The guide has a chapter for each task, and its code has types; that it runs, `test_documents` sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.test_documents import ROOT, blocks

GUIDE = ROOT / "wasm_host" / "GUIDE.md"
TASKS = (
    "Embed", "host calls", "machines in machines", "Save, restore, fork", "asyncio", "traces", "Observe", "Pyodide",
    "pytest and hypothesis",
)  # fmt: skip


def test_there_is_a_chapter_for_each_task() -> None:
    headings = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert [task for task in TASKS if not any(task in line for line in headings)] == []
    assert len(headings) == len(blocks("python", GUIDE)) + len(blocks("pyodide", GUIDE))


def test_types(tmp_path: Path) -> None:
    """By `mypy --strict`, as in a project that uses this one."""
    for number, source in enumerate(blocks("python", GUIDE)):
        (tmp_path / f"snippet_{number}.py").write_text(source, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n", encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    command = [sys.executable, "-m", "mypy", "--config-file", str(tmp_path / "mypy.ini"), *files]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
