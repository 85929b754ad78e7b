"""An executor of `concurrent.futures` that somebody else made. In: the executor. Out: `Workers`.

Nothing tells which of its workers has the parcel: the first pieces carry it, later ones its key, and a worker that does
not know that says so and gets both.
"""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import suppress
from typing import Any

from pvm.errors import ResourceError
from wasm_host.jobs.run import Piece, Session, Workers
from wasm_host.jobs.worker import Parcel, do, forget


def workers_of(executor: Executor) -> Workers:
    """The workers of any executor; of a Dask client's, those of its cluster."""
    client = getattr(executor, "_client", None)
    if client is not None and type(executor).__module__.startswith("distributed."):
        from wasm_host.jobs.cluster import Cluster

        return Cluster(client)
    return Given(executor)


class Given(Workers):
    """An executor's workers. The executor is neither shut down nor renewed."""

    def __init__(self, executor: Executor) -> None:
        self.width: int = getattr(executor, "_max_workers", None) or os.cpu_count() or 1
        self._executor = executor

    def begin(self, parcel: Parcel) -> Session:
        return _Session(self._executor, self.width, parcel)


class _Session(Session):
    losses = (BrokenExecutor, CancelledError)

    def __init__(self, executor: Executor, width: int, parcel: Parcel) -> None:
        self._executor, self._parcel = executor, parcel
        self._uninformed = width
        self._sent: set[Future[list[Any] | None]] = set()

    def submit(self, piece: Piece[Any]) -> Future[list[Any] | None]:
        carries = piece.carries or self._uninformed > 0
        self._uninformed -= 1
        future = self._executor.submit(do, self._parcel if carries else self._parcel.key, piece.items)
        self._sent.add(future)
        future.add_done_callback(self._sent.discard)
        return future

    def renew(self) -> bool:
        raise ResourceError("the executor lost a worker and can do no more work")

    def stop(self) -> None:
        for future in list(self._sent):
            with suppress(RuntimeError):
                future.cancel()
        forget(self._parcel.key)
