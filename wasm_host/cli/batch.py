"""Commands that work on many things: where they do so, on which files, and what was done when it ended.

In: options, files, a task. Out: results in order, also after Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from pvm.errors import InputError, ResourceError
from wasm_host.cli.failures import FAILURE, INTERRUPTED, SUCCESS
from wasm_host.cli.inputs import read_bytes
from wasm_host.cli.output import Bar, counted, tracked
from wasm_host.jobs import Task, open_workers, run

T = TypeVar("T")
R = TypeVar("R")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

workers_option: Decorator = click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Work on N other processes of this machine."
)
cluster_option: Decorator = click.option(
    "--cluster", metavar="URL", help="Work on the Dask cluster whose scheduler is there (tcp://HOST:PORT)."
)


@dataclass(frozen=True)
class Source:
    """A file's bytes, or why it cannot be read."""

    path: str
    data: bytes
    problem: str | None = None


@dataclass(frozen=True)
class Done(Generic[R]):
    """Results in order; why there are not more, when not all was done: Ctrl-C, or workers that were lost."""

    results: list[R]
    numbers: list[int]
    is_interrupted: bool = False
    error: ResourceError | None = None

    @property
    def next_number(self) -> int:
        """The first item that was not done."""
        return next((place for place, number in enumerate(self.numbers) if place != number), len(self.numbers))


def sources(paths: Iterable[Path]) -> Iterator[Source]:
    """The files, each read when it is its turn."""
    for path in paths:
        try:
            yield Source(str(path), read_bytes(str(path)))
        except InputError as error:
            yield Source(str(path), b"", str(error))


def do_all(
    task: Task[T, R] | Callable[[], Task[T, R]], items: Iterable[T], bar: Bar, workers: int | None, cluster: str | None,
    together: int = 1, tell: Callable[[R], object] = lambda result: None,
) -> Done[R]:  # fmt: skip
    """Have the items done, with progress; `tell` gets each result as it comes.

    What takes time to make the task is a function that makes it when the workers are there.

    Raises ResourceError when workers were lost before anything was done.
    """
    found: dict[int, R] = {}
    interrupted, problem = False, None
    try:
        with open_workers(workers, cluster) as place, closing(
            run(task if isinstance(task, Task) else task(), items, place, together)
        ) as results:
            for number, result in tracked(results, bar):
                found[number] = result
                tell(result)
    except KeyboardInterrupt:
        interrupted = True
    except ResourceError as error:
        if not found:
            raise
        problem = error
    numbers = sorted(found)
    return Done([found[number] for number in numbers], numbers, interrupted, problem)


def finish(done: Done[Any], failed: int, malformed: Sequence[str] = ()) -> int:
    """The status of a command that has shown its results. Raises what keeps it from being one of them."""
    if done.is_interrupted:
        return INTERRUPTED
    if done.error is not None:
        raise done.error
    refuse(malformed)
    return FAILURE if failed else SUCCESS


def refuse(malformed: Sequence[str]) -> None:
    """Raises InputError for files that could not be used, of which the first is named."""
    if malformed:
        more = f" (and {counted(len(malformed) - 1, 'more file')})" if len(malformed) > 1 else ""
        raise InputError(malformed[0] + more)
