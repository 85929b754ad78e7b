"""Many items of one kind of work, in this process or on workers.

In: a `Task`, items, and workers or None for this process. Out: (number, result) as they come, each number once: what a
lost worker had is done again, and whichever of its results comes first counts.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic, TypeVar

from pvm.errors import ResourceError
from wasm_host.jobs.worker import Parcel

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2  # pieces for each that is worked on, so that no worker waits for its next one
# Whatever else was under way when a worker was lost may be at fault: from this many losses on an item is done alone,
# and if its worker is lost then, too, it is given up.
SUSPECT = 2
PATIENCE = 2.0  # seconds without any result, after which the workers are looked at


@dataclass(frozen=True)
class Task(Generic[T, R]):
    """A kind of work. `prepare` makes of `shared`, once a worker, what `work` takes beside each item.

    Other processes find both functions by name, so they stand in modules; `shared`, items and results travel by pickle.
    `lost` makes the result of an item that costs a worker its life each time; without it, that is an error. With
    `alone` a process works on one item at a time, however many threads it has: what measures time wants that.
    """

    prepare: Callable[[Any], Any]
    work: Callable[[Any, T], R]
    shared: Any
    lost: Callable[[T], R] | None = None
    alone: bool = False


@dataclass
class Piece(Generic[T]):
    """Items that travel together, the number of the first, and how often their worker was lost.

    With `carries` the parcel goes with them.
    """

    number: int
    items: tuple[T, ...]
    losses: int = 0
    carries: bool = False


class Session(ABC):
    """Workers that know one parcel, until `stop`. `losses` are the errors of a piece whose worker was lost."""

    losses: tuple[type[BaseException], ...] = ()
    weight = 1  # how many losses one error tells of

    @abstractmethod
    def submit(self, piece: Piece[Any]) -> Future[list[Any] | None]:
        """Have a piece done (`worker.do`)."""

    @abstractmethod
    def renew(self) -> bool:
        """Go on after a loss; whether nothing that was under way will come. Raises ResourceError if it cannot."""

    @abstractmethod
    def stop(self) -> None:
        """Let go of all that is under way."""

    def look(self) -> None:
        """Raises ResourceError if no more results will come."""
        return None


class Workers(ABC):
    """Where work is done. `width` pieces go on at a time."""

    width: int

    @abstractmethod
    def begin(self, parcel: Parcel) -> Session:
        """Make ready for work."""


def run(
    task: Task[T, R], items: Iterable[T], workers: Workers | None = None, together: int = 1
) -> Generator[tuple[int, R], None, None]:
    """The numbers and results of all items, in order in this process, as they are done on workers.

    Items are taken as they are needed, so there may be any number; `together` of them travel at a time. Raises what the
    work raises, and ResourceError when there are no workers left, or when an item was given up. To close this iterator
    early ends the work.
    """
    if workers is None:
        state = task.prepare(task.shared)
        for number, item in enumerate(items):
            yield number, task.work(state, item)
        return
    session = workers.begin(Parcel(secrets.token_hex(16), task.prepare, task.work, task.shared, task.alone))
    try:
        yield from _Run(task, session, workers.width * AHEAD, _pieces(items, together)).results()
    finally:
        session.stop()


def _pieces(items: Iterable[T], together: int) -> Iterator[Piece[T]]:
    source, number = iter(items), 0
    while taken := tuple(islice(source, together)):
        yield Piece(number, taken)
        number += len(taken)


class _Run(Generic[T, R]):
    """One run: pieces that are to be done again, those that are to be done alone, and those that are under way."""

    def __init__(self, task: Task[T, R], session: Session, most: int, pieces: Iterator[Piece[T]]) -> None:
        self._task, self._session, self._most, self._pieces = task, session, most, pieces
        self._again: deque[Piece[T]] = deque()
        self._suspects: deque[Piece[T]] = deque()
        self._under_way: dict[Future[list[R] | None], Piece[T]] = {}
        self._is_alone = False  # whether what is under way is a suspect

    def results(self) -> Iterator[tuple[int, R]]:
        while self._fill():
            done, _ = wait(self._under_way, PATIENCE, FIRST_COMPLETED)
            if not done:
                self._session.look()
            is_lost = False
            for future in done:
                results, was_lost = self._settle(future)
                is_lost |= was_lost
                yield from results
            if is_lost and self._session.renew():
                for future in list(self._under_way):
                    yield from self._settle(future)[0]

    def _fill(self) -> bool:
        """Have as much under way as there may be; whether anything is."""
        if self._is_alone and self._under_way:
            return True
        self._is_alone = False
        while len(self._under_way) < self._most:
            piece = self._again.popleft() if self._again else next(self._pieces, None)
            if piece is None:
                break
            self._submit(piece)
        if not self._under_way and self._suspects:
            self._is_alone = True
            self._submit(self._suspects.popleft())
        return bool(self._under_way)

    def _submit(self, piece: Piece[T]) -> None:
        try:
            future = self._session.submit(piece)
        except self._session.losses as error:  # noticed before it was sent
            future = Future()
            future.set_exception(error)
        self._under_way[future] = piece

    def _settle(self, future: Future[list[R] | None]) -> tuple[list[tuple[int, R]], bool]:
        """Numbers and results of what was under way, and whether its worker was lost.

        What is not done yet is lost, too: that is asked only when no more will come.
        """
        piece = self._under_way.pop(future)
        if not future.done():
            return self._lose(piece, "it had no end")
        try:
            results = future.result()
        except self._session.losses as error:
            return self._lose(piece, type(error).__name__)
        if results is None:
            self._again.appendleft(replace(piece, carries=True))
            return [], False
        return list(enumerate(results, piece.number)), False

    def _lose(self, piece: Piece[T], why: str) -> tuple[list[tuple[int, R]], bool]:
        """Have a piece done again, item by item; one that cost a worker its life alone is given up."""
        if self._is_alone:
            if self._task.lost is None:
                raise ResourceError(f"item {piece.number}: its worker was lost each time ({why})")
            return [(piece.number, self._task.lost(piece.items[0]))], True
        losses = piece.losses + self._session.weight
        places = self._suspects if losses >= SUSPECT else self._again
        for place, item in enumerate(piece.items):
            places.append(Piece(piece.number + place, (item,), losses, piece.carries))
        return [], True
