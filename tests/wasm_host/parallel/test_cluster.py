"""Work on a Dask cluster of two processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError
from wasm_host.parallel import Task, open_workers, run

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.xdist_group("cluster")  # it is started once


@pytest.fixture(scope="module")
def cluster(chores: Any) -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def test_results_come_once_each_and_the_parcel_travels_once(chores: Any, cluster: Any, tmp_path: Path) -> None:
    with open_workers(cluster=cluster.scheduler_address) as workers:
        found = run(Task(chores.prepare, chores.square, str(tmp_path)), range(30), workers, 2)
        assert sorted(found) == [(number, number * number) for number in range(30)]
    prepared = (tmp_path / "prepared").read_text().split()
    assert len(prepared) == len(set(prepared)) == 2


def test_what_the_work_raises_comes_here(chores: Any, cluster: Any) -> None:
    with open_workers(cluster=cluster.scheduler_address) as workers, pytest.raises(ValueError, match="three"):
        list(run(Task(chores.prepare, chores.fail, None), range(10), workers))


def test_one_of_two_workers_is_killed(chores: Any, cluster: Any) -> None:
    with open_workers(cluster=cluster.scheduler_address) as workers:
        found = []
        for number, pid in run(Task(chores.prepare, chores.pid, None), range(40), workers):
            found.append(number)
            if len(found) == 15:
                os.kill(pid, signal.SIGKILL)
    assert sorted(found) == list(range(40))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", "no scheduler answers there within"),
        ("foo://127.0.0.1:1", "no address of a scheduler"),
        ("nonsense", "no address of a scheduler"),
        ("", "the address is empty"),
    ],
)
def test_a_cluster_that_is_not_there(address: str, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=message), open_workers(cluster=address):
        pass
    assert time.monotonic() - began < 20
