"""A Dask cluster (the extra `cluster`). In: its scheduler's address. Out: `Workers`.

The parcel is the result of a task that the others depend on: Dask brings it to each worker once, and makes it again
when all workers that had it are lost. Dask itself has another worker do what a lost one had, some times.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pickle import loads
from typing import Any

from pvm.errors import InputError, ResourceError
from pvm.version import __version__
from wasm_host.jobs.run import Piece, Session, Workers
from wasm_host.jobs.worker import Parcel, do, forget, version

CONNECT = 3.0  # seconds to find the scheduler
ALONE = 20.0  # seconds without any worker, after which nothing is hoped for
_LOGGERS = ("distributed", "distributed.client")  # those that Dask gives a level of their own


@contextmanager
def open_cluster(address: str) -> Iterator[Workers]:
    """The workers of a cluster. Raises InputError when nobody is there, ResourceError when they cannot do our work."""
    try:
        import distributed
    except ImportError:
        raise InputError("--cluster: Dask is not installed (the extra `cluster` brings it)") from None
    with _quiet():
        client = _connected(distributed, address)
        try:
            yield Cluster(client, f"--cluster: {address}")
        finally:
            client.close(timeout=CONNECT)


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is told in one line, not by Dask's log or warnings."""
    levels = {logger: logger.level for logger in map(logging.getLogger, _LOGGERS)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _connected(distributed: Any, address: str) -> Any:
    if not address:
        raise InputError("--cluster: the address is empty")
    try:
        # A client that finds nobody is in the way until the end of the process: one is made when somebody is there.
        asyncio.run(_greet(distributed, address))
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (ValueError, TypeError, ImportError) as error:
        raise InputError(f"--cluster: {address}: no address of a scheduler: {error}") from None
    except Exception:  # of many kinds, where nobody is there or somebody who speaks otherwise
        raise InputError(f"--cluster: {address}: no scheduler answers there within {CONNECT:.0f} s") from None


async def _greet(distributed: Any, address: str) -> None:
    """Raises one error or another where no scheduler says who it is, for which Dask itself would wait for ever."""
    comm = await asyncio.wait_for(distributed.comm.connect(address, timeout=CONNECT), CONNECT)
    await comm.close()


class Cluster(Workers):
    """The workers that a client reaches; others may join and leave. Raises ResourceError when none can do our work.

    `name` is what to call it in messages.
    """

    def __init__(self, client: Any, name: str = "the cluster") -> None:
        self._client, self._name = client, name
        try:
            client.wait_for_workers(1, timeout=CONNECT)
            found = set(client.run(version).values())
        except (OSError, TimeoutError):
            raise ResourceError(f"{name}: it has no worker") from None
        except Exception as error:  # what a worker says that lacks our package, or runs another Python
            raise ResourceError(f"{name}: its workers cannot do this work: {error}") from None
        if found - {__version__}:
            raise ResourceError(f"{name}: workers have pvm-wasm {min(found)}, this is {__version__}")
        self.width: int = max(1, sum(client.nthreads().values()))

    def begin(self, parcel: Parcel) -> Session:
        """The parcel goes to the scheduler at once, to workers when they need it."""
        return _Session(self._client, self._name, parcel)


class _Session(Session):
    weight = 2  # Dask has tried several workers by the time that it gives up

    def __init__(self, client: Any, name: str, parcel: Parcel) -> None:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        self._client, self._name = client, name
        self.losses = (KilledWorker, FutureCancelledError, CancelledError)
        self._executor = client.get_executor(pure=False)
        self._key = parcel.key
        # As octets, which the scheduler need not understand, and which cost no worker its life that cannot.
        self._parcel = client.submit(_kept, _packed(parcel), key=f"pvm-parcel-{parcel.key}")
        self._alone_since: float | None = None

    def submit(self, piece: Piece[Any]) -> Future[list[Any] | None]:
        future: Future[list[Any] | None] = self._executor.submit(_do, self._key, self._parcel, _packed(piece.items))
        return future

    def renew(self) -> bool:
        self.look()
        return False

    def look(self) -> None:
        if self._client.status != "running":
            raise ResourceError(f"{self._name}: the connection was lost")
        if self._client.nthreads():
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > ALONE:
            raise ResourceError(f"{self._name}: no worker is left")

    def _have_it_forgotten(self) -> None:
        """Workers let go of what they have of this run; one that does not answer is not waited for."""

        def tell() -> None:
            with suppress(Exception):  # the connection is closed while it waits
                self._client.run(forget, self._key, on_error="ignore")

        telling = threading.Thread(target=tell, daemon=True, name="pvm forget")
        telling.start()
        telling.join(CONNECT)

    def stop(self) -> None:
        with suppress(Exception):  # where the connection is lost, there is nothing to cancel
            self._executor.shutdown(wait=False)
            self._client.cancel([self._parcel])
            if self._client.status == "running":
                self._have_it_forgotten()


def _packed(value: Any) -> bytes:
    """What pickle cannot, cloudpickle does, which Dask brings."""
    from distributed.protocol import pickle

    return bytes(pickle.dumps(value))  # type: ignore[no-untyped-call]


def _kept(parcel: bytes) -> bytes:
    return parcel


def _do(key: str, parcel: bytes, items: bytes) -> list[Any] | None:
    """`worker.do`, with what travels as octets. Raises InputError for what cannot be loaded here."""
    found = _loaded(items)
    results = do(key, found)
    return do(_loaded(parcel), found) if results is None else results


def _loaded(octets: bytes) -> Any:
    try:
        return loads(octets)
    except (ImportError, AttributeError) as error:
        raise InputError(f"a worker of the cluster cannot load the work: {error}") from None
