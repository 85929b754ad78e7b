"""The plugin for pytest: the fixture, and what a failed test tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pvm.reference import ReferenceEngine
from pvm.trace.ecalli import parse_trace
from pvm.trace.replay import replay

ROOT = Path(__file__).parent.parent.parent
TESTS = '''
from pvm.examples.services import service_source

def test_good(jam_world):
    store = jam_world().deploy(service_source("key_value"))
    assert store.refine(b"\\x01\\0\\0x").is_ok

def test_bad(jam_world):
    world = jam_world(spec="0.7.2")
    store = world.deploy(service_source("key_value"))
    assert store.refine(b"\\x05\\0\\0x").is_ok

def test_expected(jam_world):
    store = jam_world().deploy(service_source("key_value"))
    assert not store.refine(b"\\x05\\0\\0x").is_ok
'''


def test_a_failed_test_tells_of_failed_runs(tmp_path: Path) -> None:
    (tmp_path / "test_store.py").write_text(TESTS)
    words = ["-p", "wasm_host.pytest_plugin", "-p", "no:cacheprovider", "--jam-traces", "traces", "test_store.py"]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main())",
         *words], cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 1 and "1 failed, 2 passed" in found.stdout, found.stdout + found.stderr
    assert found.stdout.count("Failed run of a service") == 1
    for line in ("service 65536: refine: panic", "assembly:59: trap", "last of 1 host calls:"):
        assert line in found.stdout
    [trace] = (tmp_path / "traces").iterdir()
    assert f"trace: {Path('traces') / trace.name}" in found.stdout
    assert replay(parse_trace(trace.read_text()), ReferenceEngine()).difference is None
