"""Recorded runs of services while blocks are imported: each is as the reference engine replays it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.reference import ReferenceEngine
from pvm.trace.ecalli import parse_trace
from pvm.trace.replay import replay
from tests.pvm.jam.archives import DATA
from tests.pvm.jam.traces import host
from wasm_host.engine import Engine
from wasm_host.node.importing import import_trace
from wasm_host.node.recording import Recorder
from wasm_host.node.traces import read_traces


def test_runs_are_recorded(tmp_path: Path) -> None:
    path = DATA / "blocks" / "storage.tar.xz"
    if not path.exists():
        pytest.skip(f"no public JAM data at {path}")
    [trace] = read_traces(path)
    recorder = Recorder(tmp_path / "runs")
    some = replace(trace, steps=trace.steps[:24])
    results = list(import_trace(some, replace(host(), observe=recorder.options), recorder.begin_step))
    assert all(result.problem is None for result in results)
    files = sorted((tmp_path / "runs").rglob("*.log"))
    assert len(files) > 3
    for number, file in enumerate(files):
        recorded = parse_trace(file.read_text())
        engine = ReferenceEngine() if number == 0 else Engine()
        assert replay(recorded, engine).difference is None, file.name
        assert file.name.split("-")[2] == "service"


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        Recorder(tmp_path / "file" / "runs")
