"""Times of blocks: here, through a socket, and of their signature checks alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.jam.constants import TINY
from tests.pvm.jam.archives import DATA
from tests.pvm.jam.traces import host
from wasm_host.node.client import Client
from wasm_host.node.target import serve
from wasm_host.node.timing import time_here, time_signatures, time_target
from wasm_host.node.traces import Trace, read_traces


def trace(count: int = 14) -> Trace:
    path = DATA / "blocks" / "safrole.tar.xz"
    if not path.exists():
        pytest.skip(f"no public JAM data at {path}")
    [found] = read_traces(path)
    return replace(found, steps=found.steps[:count])


def test_a_block_has_a_time_everywhere(tmp_path: Path) -> None:
    path, is_ready = tmp_path / "socket", threading.Event()
    thread = threading.Thread(target=lambda: serve(path, host(), print, sessions=1, ready=is_ready.set), daemon=True)
    thread.start()
    assert is_ready.wait(30)
    with Client(path, TINY) as client:
        assert client.name.startswith("pvm-wasm ")
        rows = (time_here(trace(), host()), time_target(trace(), client, host()), time_signatures(trace(), host()))
        assert client.import_block(b"nonsense")[0] is None
    thread.join(30)
    for row in rows:
        assert len(row.seconds) == 14
        assert row.mismatches == 0
        assert min(row.seconds) > 0


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no target there"):
        Client(tmp_path / "socket", TINY)
