"""Work on a Dask cluster of two processes."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError
from pvm.examples import EXAMPLES, example
from pvm.program import assemble
from wasm_host import Job, run_many
from wasm_host.bench.report.figures import Report
from wasm_host.bench.run import Options, gathered, plan
from wasm_host.bench.run import task as bench_task
from wasm_host.bench.workloads import workload_names
from wasm_host.cli import replay
from wasm_host.cli.batch import sources
from wasm_host.cli.inputs import find_files
from wasm_host.jobs import Task, open_workers, run, workers_of
from wasm_host.jobs.cluster import Cluster

distributed = pytest.importorskip("distributed")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is enough for who is not there."""
    monkeypatch.setattr("wasm_host.jobs.cluster.CONNECT", 1.0)


@pytest.fixture(scope="module")
def cluster(chores: Any) -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as found:
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


def test_recorded_runs_while_one_of_two_workers_is_killed(cluster: Any, shared: Path) -> None:
    """Every trace is replayed, and counts once."""
    client = distributed.Client(cluster.scheduler_address, set_as_default=False)
    client.wait_for_workers(2, timeout=20)
    victim = min(client.run(os.getpid).values())
    files = find_files((str(shared / "traces" / "ecalli"),), (".log",))
    options = replay._Options("interpreter", "0.7.2", "instruction", no_cache=True, protection="auto", timeout=60)
    task = Task(replay._prepare, replay._replay, replay._Shared(options))
    found: list[tuple[int, replay.Replayed]] = []
    with open_workers(cluster=cluster.scheduler_address) as workers:
        for number, one in run(task, sources(files), workers):
            found.append((number, one))
            if len(found) == len(files) // 2:
                os.kill(victim, signal.SIGKILL)
    client.close()
    assert sorted(number for number, _ in found) == list(range(len(files)))
    assert all(one.path == str(files[number]) for number, one in found)
    assert all(one.problem is None and one.replay.difference is None for _, one in found)


def test_compare_on_a_cluster(pvm: Any, cluster: Any) -> None:
    """Its workers are daemons, to which Python allows no children of the kind that contestants run in elsewhere."""
    names = ("reference", "interpreter", "recompiler-software", "auto")
    words = [word for name in names for word in ("--only", name)]
    words += ["--rounds", "1", "--cluster", cluster.scheduler_address, "--json"]
    found = pvm("compare", "example:hello", "example:fibonacci", *words)
    assert (found.status, found.stderr) == (0, "")
    report = json.loads(found.stdout)
    assert [one["input"] for one in report["inputs"]] == ["example:hello", "example:fibonacci"]
    for one in report["inputs"]:
        assert {engine["status"] for name, engine in one["engines"].items() if name != "recorded"} == {"ended"}


def test_nothing_is_left_on_a_cluster(pvm: Any, cluster: Any) -> None:
    """Contestants that stay for the next input go when there is none, as far as they are here."""
    words = ("--only", "wasmtime", "--only", "chromium", "--only", "interpreter", "--rounds", "1")
    found = pvm("compare", "example:hello", *words, "--cluster", cluster.scheduler_address)
    assert found.status == 0, found.stderr
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        end = time.monotonic() + 20
        while any(left := client.run(_children).values()):
            assert time.monotonic() < end, left
            time.sleep(0.2)


def _children() -> list[str]:
    import psutil  # Dask brings it

    children = psutil.Process().children(recursive=True)
    return [str(child) for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_that_stands_still_is_not_waited_for_at_the_end(chores: Any, impatient: None) -> None:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=20)
        pid = next(iter(client.run(os.getpid).values()))
        found = run(Task(chores.prepare, chores.square, None), range(3), Cluster(client))
        assert sorted(next(found) for _ in range(3)) == [(number, number * number) for number in range(3)]
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert list(found) == []
            assert time.monotonic() - began < 10
        finally:
            os.kill(pid, signal.SIGCONT)


def test_what_the_work_lacks_is_no_bad_input(chores: Any, cluster: Any) -> None:
    with open_workers(cluster=cluster.scheduler_address) as workers:
        for items in (1, 4):
            with pytest.raises(AttributeError, match="nothing of this name"):
                list(run(Task(chores.prepare, chores.lack, None), range(items), workers))


def test_items_that_wait_when_the_work_is_ended_are_not_done(chores: Any, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=3, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=20)
        found = run(Task(chores.prepare, chores.leave_a_mark, str(tmp_path), alone=True), count(), Cluster(client))
        next(found)
        found.close()
        before = len(list(tmp_path.iterdir()))
        time.sleep(2)
        assert len(list(tmp_path.iterdir())) <= before + 1, "what was under way, and nothing that waited for it"


def test_bench_on_a_cluster_while_one_of_two_workers_is_killed(cluster: Any, tmp_path: Path) -> None:
    """Every step is in the report once."""
    (tmp_path / "one.log").write_text("program 0x0000010001\nstart pc=0 gas=10\nPANIC=0 pc=0 gas=9\n")
    planned = plan(Options(1, frozenset({"interpreter", "cold"}), quick=True, traces=tmp_path))
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=20)
        victim = min(client.run(os.getpid).values())
    parts: dict[int, Report] = {}
    with open_workers(cluster=cluster.scheduler_address) as workers:
        for number, part in run(bench_task(planned), planned.steps, workers):
            assert number not in parts
            parts[number] = part
            if len(parts) == len(planned.steps) // 2:
                os.kill(victim, signal.SIGKILL)
    report = gathered(planned, {step: parts[number] for number, step in enumerate(planned.steps)})
    assert not report.problems
    assert [section.name for section in report.sections] == [*workload_names(), "cold"]
    cold = report.sections[-1]
    assert len(cold.samples) == 3 * (len(EXAMPLES) + 1) and {len(found) for found in cold.samples.values()} == {1}


def test_an_executor_of_a_client(cluster: Any) -> None:
    program = assemble(example("fibonacci").source)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=20)
        jobs = [Job(bytes([count])) for count in (10, 7, 1)]
        assert workers_of(client.get_executor()).width == 2
        found = run_many(program, jobs, client.get_executor(), tier="recompiler")
    assert [int.from_bytes(outcome.result or b"", "little") for outcome in found] == [55, 13, 1]


def test_handlers_that_a_worker_cannot_load(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so; no worker is lost, and neither scheduler nor workers mind."""
    (tmp_path / "pvm_test_here_only.py").write_text("def handler(machine):\n    return None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    handler = importlib.import_module("pvm_test_here_only").handler
    program = assemble("ecalli 7\ntrap")
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=20)
        before = set(client.nthreads())
        with pytest.raises(InputError, match="cannot load the work: No module named 'pvm_test_here_only'"):
            run_many(program, [Job(gas=100)] * 3, client.get_executor(), host={7: handler})
        assert set(client.nthreads()) == before
        sent = []  # by value, which cloudpickle does for what has no name
        found = run_many(program, [Job(gas=100)] * 3, client.get_executor(), host={7: lambda machine: sent.append(1)})
    assert [outcome.exit.reason.value for outcome in found] == ["panic"] * 3


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", "no scheduler answers there within"),
        ("foo://127.0.0.1:1", "no address of a scheduler"),
        ("nonsense", "no address of a scheduler"),
        ("tcp://127.0.0.1", "no address of a scheduler"),
        ("", "the address is empty"),
    ],
)
def test_a_cluster_that_is_not_there(address: str, message: str, impatient: None) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=message), open_workers(cluster=address):
        pass
    assert time.monotonic() - began < 20


def test_somebody_who_says_nothing(impatient: None) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="no scheduler answers"), open_workers(cluster=address):
            pass
