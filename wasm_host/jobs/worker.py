"""What happens where the work is done: what all items share is made ready once, then items are worked on.

In: a `Parcel`, or the key of one that came before, and items. Out: their results, or None when the parcel has not come.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pvm.errors import EngineError
from pvm.version import __version__
from wasm_host.forks import follow_forks

KEPT = 4  # kinds of work that a worker keeps ready at a time
_REMEMBERED = 1000  # kinds of work that were ended, of which items may still be on their way


@dataclass(frozen=True)
class Parcel:
    """What travels to a worker once: the kind of work, and what its items share."""

    key: str
    prepare: Callable[[Any], Any]
    work: Callable[[Any, Any], Any]
    shared: Any
    alone: bool = False


class _Bench:
    """What is ready in this process, for whichever of its threads comes, and parcels that are not yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parcels: dict[str, Parcel] = {}
        self._ready: dict[str, Callable[[Any], Any]] = {}
        self._ended: dict[str, None] = {}
        self.alone = threading.Lock()
        follow_forks(self)

    def was_forked(self) -> None:
        """Go on in the copy of a process, with what is ready."""
        self._lock, self.alone = threading.Lock(), threading.Lock()

    def put(self, parcel: Parcel) -> None:
        """Take a parcel in, to be made ready for its first item."""
        with self._lock:
            self._parcels[parcel.key] = parcel

    def drop(self, key: str) -> None:
        """Let go of a parcel and what was made of it, for good."""
        with self._lock:
            self._ended[key] = None
            while len(self._ended) > _REMEMBERED:
                del self._ended[next(iter(self._ended))]
            self._parcels.pop(key, None)
            self._ready.pop(key, None)

    def has_ended(self, key: str) -> bool:
        """Whether a parcel was let go of."""
        with self._lock:
            return key in self._ended

    def find(self, parcel: Parcel | str) -> Callable[[Any], Any] | None:
        """What works on one item of the parcel; None when there is but a key, and its parcel has not come."""
        key = parcel if isinstance(parcel, str) else parcel.key
        with self._lock:
            if key in self._ended:
                raise EngineError(_ENDED)
            found = self._ready.pop(key, None)
            if found is None:
                known = self._parcels.get(parcel) if isinstance(parcel, str) else parcel
                if known is None:
                    return None
                found = _ready(known)
            self._ready[key] = found
            while len(self._ready) > KEPT:
                del self._ready[next(iter(self._ready))]
            return found


def _ready(parcel: Parcel) -> Callable[[Any], Any]:
    state, work = parcel.prepare(parcel.shared), parcel.work

    def one_at_a_time(item: Any) -> Any:
        with _BENCH.alone:
            if _BENCH.has_ended(parcel.key):  # while it waited
                raise EngineError(_ENDED)
            return work(state, item)

    return one_at_a_time if parcel.alone else lambda item: work(state, item)


_ENDED = "nobody waits for this work any more"
_BENCH = _Bench()


def expect(parcel: Parcel) -> None:
    """Have a parcel at hand from now on, for a process that serves one run alone."""
    _BENCH.put(parcel)


def forget(key: str) -> None:
    """Let go of what is ready in this process. Items that come later are refused."""
    _BENCH.drop(key)


def do(parcel: Parcel | str, items: Sequence[Any]) -> list[Any] | None:
    """The items' results; None when the parcel has to come first. Raises what the work raises."""
    try:
        work = _BENCH.find(parcel)
        return None if work is None else [work(item) for item in items]
    except Exception as error:
        if _travels(error):
            raise
        # Such as wasmtime's, which hold a pointer.
        raise EngineError(f"{type(error).__name__}: {error}") from None


def _travels(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False


def version() -> str:
    """Ours, for those who want to know whether they and the worker go together."""
    return __version__
