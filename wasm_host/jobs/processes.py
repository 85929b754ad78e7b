"""Processes of this machine. In: how many. Out: `Workers`; after one of them died all are started anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from wasm_host.jobs.run import Piece, Session, Workers
from wasm_host.jobs.worker import Parcel, do, expect

# Not to fork this process, whose threads (wasmtime's among them) would be missing in the copy. Where there is a server
# that was started for it, copies of that are made, with the first work's modules loaded already.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_GRACE = 3.0  # seconds in which work that nobody waits for may remove its temporary files and end its processes


class Processes(Workers):
    """So many processes for each run. They end with it, with this process, and when the run is closed."""

    def __init__(self, count: int) -> None:
        self.width = count

    def begin(self, parcel: Parcel) -> Session:
        """Processes start when there is something to do."""
        return _Session(self.width, parcel)


class _Session(Session):
    losses = (BrokenExecutor,)

    def __init__(self, count: int, parcel: Parcel) -> None:
        self._count, self._parcel = count, parcel
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context(_METHOD)
        if _METHOD == "forkserver":
            context.set_forkserver_preload([__name__, *_modules(self._parcel)])
        self._lifeline, self._hold = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(self._count, context, _begin, (self._lifeline, self._parcel))

    def submit(self, piece: Piece[Any]) -> Future[list[Any] | None]:
        return self._executor.submit(_do, self._parcel.key, piece.items)

    def renew(self) -> bool:
        self.stop()
        self._start()
        return True

    def stop(self) -> None:
        # The processes end soon, also in the middle of work: nobody waits for it any more.
        self._hold.close()
        self._executor.shutdown(cancel_futures=True)
        self._lifeline.close()


def _modules(parcel: Parcel) -> set[str]:
    """Where the work's functions are. The program that was started is no module to load."""
    return {function.__module__ for function in (parcel.prepare, parcel.work)} - {"__main__"}


class _Life:
    """Of this process, where it is a worker: `working` is held and `is_working` set while its main thread works."""

    def __init__(self) -> None:
        self.working = threading.Lock()
        self.is_working = False
        self.ending = threading.Event()  # nobody waits for this process any more


_LIFE = _Life()


def _begin(lifeline: Connection, parcel: Parcel) -> None:
    """Make this process ready. It ends when nobody holds the lifeline's other end, and leaves Ctrl-C to who does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _give_up)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True, name="pvm lifeline").start()
    expect(parcel)


def _do(key: str, items: Sequence[Any]) -> list[Any] | None:
    with _LIFE.working:
        _LIFE.is_working = True
        try:
            if _LIFE.ending.is_set():  # also if the signal came just before
                os._exit(0)
            return do(key, items)
        finally:
            _LIFE.is_working = False


def _give_up(number: int, frame: FrameType | None) -> None:
    """SIGTERM: from `_end_with` it interrupts the work, from elsewhere it ends the process, as without a handler."""
    if not _LIFE.ending.is_set():
        os._exit(128 + number)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the executor sends it, too, when another of its processes has ended
    if _LIFE.is_working:
        raise KeyboardInterrupt


def _end_with(lifeline: Connection) -> None:
    """End this process with the lifeline; work under way is interrupted, and has some time for its `finally`s."""
    lifeline.poll(None)
    _LIFE.ending.set()
    sys.unraisablehook = lambda raised: None  # if what is interrupted is a `__del__`, that is nobody's concern
    main = threading.main_thread().ident
    if not _LIFE.working.acquire(blocking=False) and main is not None:
        signal.pthread_kill(main, signal.SIGTERM)
        _LIFE.working.acquire(timeout=_GRACE)
    os._exit(0)
