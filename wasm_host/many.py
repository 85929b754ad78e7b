"""One program run many times, with other arguments: here, or on any executor.

In: a program and jobs. Out: an `Outcome` for each, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from pvm.errors import AddressError, InputError
from pvm.machine import DEFAULT_GAS, Exit, Handler, Reason, start_of
from pvm.program import Program
from wasm_host.code.cache import CacheChoice
from wasm_host.code.portable import PortableCode
from wasm_host.engine import Engine
from wasm_host.jobs import Task, run, workers_of


@dataclass(frozen=True)
class Job:
    """One run of the program: its arguments, gas, and where it starts."""

    args: bytes = b""
    gas: int = DEFAULT_GAS
    pc: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the exit, the registers, and what the program returned if it halted."""

    exit: Exit
    registers: tuple[int, ...]
    result: bytes | None


@dataclass(frozen=True)
class _Shared:
    """What every worker gets once. A translation that was made here need not be made there."""

    program: Program
    options: Mapping[str, Any]
    host: Mapping[int, Handler]
    translation: PortableCode | None


def run_many(
    program: Program,
    jobs: Iterable[Job],
    executor: Executor | None = None,
    *,
    spec: str = "0.7.2",
    tier: str = "auto",
    metering: str | None = None,
    cache: CacheChoice = True,
    protection: str = "auto",
    host: Mapping[int, Handler] | None = None,
    gas: str | None = None,
) -> list[Outcome]:
    """Run the program once for each job, on the executor's workers or, without one, one after another in this thread.

    Any executor of `concurrent.futures` will do: threads, processes, a Dask client's (`client.get_executor()`). The
    program, its translation and the handlers travel to each worker once. Where workers are other processes, handlers
    are found by name, so they are functions of a module that can be imported there; what they change besides the
    machine stays there, and lambdas cannot travel. A run ends at the first exit: host calls without a handler end it.

    The options are those of `Engine`. Raises InputError or AddressError for the first job that cannot start, what a
    handler raises, ResourceError when the executor lost a worker, and TypeError for what is no executor.
    """
    options: dict[str, Any] = {
        "spec": spec, "tier": tier, "metering": metering, "cache": cache, "protection": protection, "gas": gas
    }  # fmt: skip
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor: an executor of concurrent.futures is needed, not {type(executor).__name__}")
    engine, handlers = Engine(**options), dict(host or {})
    start_of(program, b"", 0, None, handlers)
    translation = None
    if executor is not None:
        _check_handlers(handlers, executor)
        translation = engine.carry(program)
    task = Task(_prepare, _run_job, _Shared(program, options, handlers, translation))
    workers = None if executor is None else workers_of(executor)
    outcomes = dict(run(task, _checked(program, jobs, handlers), workers))
    return [outcomes[number] for number in range(len(outcomes))]


def _check_handlers(handlers: Mapping[int, Handler], executor: Executor) -> None:
    """Raises InputError for handlers that cannot travel to another process. Dask can send more than pickle can."""
    # Imported here because they take 10 ms, and only for those who use them anyway.
    import pickle
    from concurrent.futures import ProcessPoolExecutor

    if not isinstance(executor, ProcessPoolExecutor):
        return
    for number, handler in handlers.items():
        try:
            pickle.dumps(handler)
        except Exception as error:
            raise InputError(f"host: {number}: {handler!r} cannot travel to other processes: {error}") from None


def _checked(program: Program, jobs: Iterable[Job], handlers: Mapping[int, Handler]) -> Iterable[Job]:
    """The jobs, each looked at before it is run: an error says which one it is."""
    for number, job in enumerate(jobs):
        if not isinstance(job, Job):
            raise InputError(f"job {number}: a Job is needed, not {type(job).__name__}")
        try:
            start_of(program, job.args, job.gas, job.pc, handlers)
        except (InputError, AddressError) as error:
            raise type(error)(f"job {number}: {error}") from None
        yield job


def _prepare(shared: _Shared) -> tuple[Engine, _Shared]:
    engine = Engine(**shared.options)
    if shared.translation is not None:
        engine.adopt(shared.program, shared.translation)
    return engine, shared


def _run_job(state: tuple[Engine, _Shared], job: Job) -> Outcome:
    engine, shared = state
    machine = engine.instantiate(shared.program, job.args, job.gas, job.pc, shared.host)
    exit = machine.run()
    return Outcome(exit, tuple(machine.registers), machine.result() if exit.reason is Reason.HALT else None)
