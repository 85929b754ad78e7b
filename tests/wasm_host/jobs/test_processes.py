"""Work on processes and on given executors: every number once, whatever happens to workers."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError, ResourceError
from wasm_host.jobs import Session, Task, Workers, open_workers, run
from wasm_host.jobs.executor import Given
from wasm_host.jobs.processes import Processes
from wasm_host.jobs.run import Piece
from wasm_host.jobs.worker import Parcel

SQUARES = [(number, number * number) for number in range(20)]


def executors() -> list[Any]:
    return [
        lambda: ThreadPoolExecutor(2),
        lambda: ProcessPoolExecutor(2, get_context("fork")),
        lambda: ProcessPoolExecutor(2, get_context("forkserver")),
    ]


def test_here_results_come_in_order(chores: Any) -> None:
    assert list(run(Task(chores.prepare, chores.square, None), range(20))) == SQUARES


@pytest.mark.parametrize("together", [1, 3, 100])
def test_processes(chores: Any, together: int, tmp_path: Path) -> None:
    found = run(Task(chores.prepare, chores.square, str(tmp_path)), range(20), Processes(2), together)
    assert sorted(found) == SQUARES
    prepared = (tmp_path / "prepared").read_text().split()
    assert len(prepared) == len(set(prepared)) <= 2  # once a worker


@pytest.mark.parametrize("make", executors(), ids=["threads", "fork", "forkserver"])
def test_given_executors(chores: Any, make: Any, tmp_path: Path) -> None:
    executor: Executor
    with make() as executor:
        for _ in range(2):
            found = run(Task(chores.prepare, chores.square, str(tmp_path)), range(20), Given(executor))
            assert sorted(found) == SQUARES
        assert executor.submit(int).result() == 0  # it is still there
    prepared = (tmp_path / "prepared").read_text().split()
    assert all(prepared.count(pid) <= 2 for pid in prepared)  # once a run and worker


class Untold(Workers):
    """An executor none of whose workers gets the parcel unless it asks for it."""

    width = 1

    def __init__(self, executor: Executor) -> None:
        self._given = Given(executor)
        self._given.width = 0

    def begin(self, parcel: Parcel) -> Session:
        return self._given.begin(parcel)


def test_nothing_is_kept_of_work_that_threads_did(chores: Any) -> None:
    class Shared:
        def __bool__(self) -> bool:
            return False

    shared = Shared()
    gone = weakref.ref(shared)
    with ThreadPoolExecutor(2) as executor:
        assert sorted(run(Task(chores.prepare, chores.square, shared), range(20), Given(executor))) == SQUARES
    del shared
    gc.collect()
    assert gone() is None


def test_a_worker_that_does_not_know_the_parcel_gets_it(chores: Any) -> None:
    with ProcessPoolExecutor(2, get_context("forkserver")) as executor:
        assert sorted(run(Task(chores.prepare, chores.square, None), range(20), Untold(executor))) == SQUARES


def test_items_are_taken_as_they_are_needed(chores: Any) -> None:
    found = run(Task(chores.prepare, chores.square, None), count(), Processes(2))
    assert sorted(next(found)[0] for _ in range(10)) == pytest.approx(range(10), abs=4)
    found.close()


def test_what_the_work_raises_comes_here(chores: Any) -> None:
    with pytest.raises(ValueError, match="three"):
        list(run(Task(chores.prepare, chores.fail, None), range(10), Processes(2)))


def test_what_preparing_raises_comes_here(chores: Any) -> None:
    with pytest.raises(OSError, match="nowhere"):
        list(run(Task(chores.prepare, chores.square, "/nowhere"), range(10), Processes(2)))


def test_a_lost_worker_s_items_are_done_again(chores: Any, tmp_path: Path) -> None:
    for item in (4, 17):
        (tmp_path / f"kill-{item}").touch()
    found = list(run(Task(chores.prepare, chores.die_once, str(tmp_path)), range(30), Processes(2), 2))
    assert sorted(number for number, _ in found) == list(range(30))
    assert all(number == item for number, (item, _) in found)


def test_an_item_that_kills_is_given_up_and_no_other(chores: Any) -> None:
    found = dict(run(Task(chores.prepare, chores.die, None, chores.lost), range(9), Processes(2), 2))
    assert found == {**{number: number for number in range(9)}, 3: "lost"}
    with pytest.raises(ResourceError, match="item 3: its worker was lost each time"):
        list(run(Task(chores.prepare, chores.die, None), range(9), Processes(2), 2))


def test_a_given_executor_that_breaks_is_not_renewed(chores: Any) -> None:
    with ProcessPoolExecutor(2, get_context("forkserver")) as executor, pytest.raises(ResourceError, match="executor"):
        list(run(Task(chores.prepare, chores.die, None, chores.lost), range(9), Given(executor)))


def test_closing_waits_for_nobody(chores: Any) -> None:
    began = time.monotonic()
    found = run(Task(chores.prepare, chores.slow, None), [0, 60, 60], Processes(2))
    assert next(found) == (0, 0)
    found.close()
    assert time.monotonic() - began < 30


def test_workers_end_with_whoever_started_them(chores: Any) -> None:
    code = """
import sys
import pvm_test_chores as chores
from wasm_host.jobs import Task, run
from wasm_host.jobs.processes import Processes
from wasm_host.jobs.run import Piece
if __name__ == "__main__":
    found = run(Task(chores.prepare, chores.pid, None), range(1000), Processes(2))
    print(*{next(found)[1] for _ in range(20)}, flush=True)
    for one in found: pass
"""
    folder = str(Path(chores.__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": folder}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert pids
    until = time.monotonic() + 10
    while any(map(_is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(_is_alive, pids))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_choosing_workers() -> None:
    with open_workers() as workers:
        assert workers is None
    for number in (1, 3):
        with open_workers(number) as workers:
            assert workers is not None and workers.width == number
    with pytest.raises(InputError, match="--workers"), open_workers(2, "tcp://127.0.0.1:1"):
        pass


@pytest.mark.parametrize("width", [1, 2])
def test_work_that_nobody_waits_for_may_tidy_and_begins_nothing_more(chores: Any, tmp_path: Path, width: int) -> None:
    session = Processes(width).begin(Parcel("key", chores.prepare, chores.clean_up, str(tmp_path)))
    for number in range(9):
        session.submit(Piece(number, (number,)))
    end = time.monotonic() + 20
    while len(list(tmp_path.glob("*-begun"))) < width:
        assert time.monotonic() < end
        time.sleep(0.05)
    session.stop()
    begun = {path.name.removesuffix("-begun") for path in tmp_path.glob("*-begun")}
    assert {path.name.removesuffix("-tidied") for path in tmp_path.glob("*-tidied")} == begun and len(begun) == width


def test_a_worker_that_somebody_ends_is_lost_and_its_work_done_again(chores: Any) -> None:
    """SIGTERM to one of the processes is not Ctrl-C."""
    found = {}
    for number, pid in run(Task(chores.prepare, chores.pid, None), range(40), Processes(2)):
        found[number] = pid
        if len(found) == 10:
            os.kill(pid, signal.SIGTERM)
    assert sorted(found) == list(range(40))
