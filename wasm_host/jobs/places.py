"""Choosing where work is done. In: a number of processes, a cluster's address. Out: workers, or None: here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pvm.errors import InputError
from wasm_host.jobs.run import Workers


@contextmanager
def open_workers(count: int | None = None, cluster: str | None = None) -> Iterator[Workers | None]:
    """Workers for as long as they are needed: of a cluster, or `count` processes; this process without either.

    Raises InputError for both, and for a cluster that is not there.
    """
    # Each is imported where it is needed: processes take 10 ms, Dask half a second.
    if cluster is not None and count is not None:
        raise InputError("--workers: a cluster has the workers that it has")
    if cluster is None:
        if count is None:
            yield None
            return
        from wasm_host.jobs.processes import Processes

        yield Processes(count)
        return
    from wasm_host.jobs.cluster import open_cluster

    with open_cluster(cluster) as workers:
        yield workers
