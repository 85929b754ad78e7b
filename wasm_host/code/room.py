"""Room for translations: the most memory that one takes, and how much more this process may take.

In: a program. Out: whether it may be compiled in parallel, or a ResourceError. An allocation that fails inside wasmtime
ends the process and cannot be caught, so limits are looked at before: of address space and data (`ulimit -v`, `-d`) and
of the control groups that the process is in. Memory that the system promised and does not have is not seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from pvm.emit.recompiler import instructions_at_most, weight_of_program
from pvm.errors import ResourceError
from pvm.isa import Spec
from pvm.program import Program
from wasm_host.forks import follow_forks

# Bytes, measured over every instruction and mixes of them (`pvm bench --only weights`), Python's part included: for an
# instruction, for an entry of the jump table, and for each compile thread, which compiles one function at a time and
# keeps what the largest took.
_FIXED, _INSTRUCTION, _ENTRY = 24 << 20, 1800, 80
_THREAD_FIXED, _THREAD_WEIGHT, _THREAD = 2 << 20, 14 << 10, 32 << 20

_MIB = 1 << 20
_STATUS, _GROUPS, _MOUNTED = Path("/proc/self/status"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


class _UnderWay:
    """What the translations that are being made in this process may take, in bytes."""

    def __init__(self) -> None:
        self.was_forked()

    def was_forked(self) -> None:
        """Those of the other process are not made here."""
        self.lock = RLock()  # a signal's handler may make a machine, too
        self.taken = 0


_UNDER_WAY = _UnderWay()
follow_forks(_UNDER_WAY)


@contextmanager
def room_for(program: Program, spec: Spec) -> Iterator[bool]:
    """Within, a program may be translated; yields whether by all compile threads.

    Raises ResourceError where there is not enough memory for one, and instead of MemoryError.
    """
    with _taking("translate the program", lambda threads: most(program, spec, threads)) as in_parallel:
        yield in_parallel


@contextmanager
def room_for_interpreter() -> Iterator[bool]:
    """The same for the interpreter."""
    with _taking("compile the interpreter", lambda threads: _FIXED + threads * _THREAD_FIXED) as in_parallel:
        yield in_parallel


def most(program: Program, spec: Spec, threads: int) -> int:
    """The most bytes that it takes to translate a program on so many compile threads."""
    blob = program.blob
    own = min(_THREAD, _THREAD_FIXED + _THREAD_WEIGHT * weight_of_program(blob, spec))
    return _FIXED + _INSTRUCTION * instructions_at_most(blob) + _ENTRY * len(blob.stored_entries) + threads * own


@contextmanager
def _taking(purpose: str, most: Callable[[int], int]) -> Iterator[bool]:
    """Within, what it takes is not there for others. `most` tells that for a number of compile threads."""
    need = 0
    try:
        with _UNDER_WAY.lock:
            left, limit = room()
            left -= _UNDER_WAY.taken
            most_threads = compile_threads()
            in_parallel = most(most_threads) <= left
            taken = most(most_threads if in_parallel else 1)
            if taken > left:
                raise ResourceError(
                    f"no memory to {purpose}: that takes up to {taken // _MIB + 1} MiB, and {limit} leaves "
                    f"{max(0, left) // _MIB} MiB"
                )
            need = taken
            _UNDER_WAY.taken += need
        yield in_parallel
    except MemoryError:
        raise ResourceError(f"no memory to {purpose}") from None
    finally:
        with _UNDER_WAY.lock:
            _UNDER_WAY.taken -= need


def compile_threads() -> int:
    """How many threads wasmtime compiles with."""
    asked = os.environ.get("RAYON_NUM_THREADS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def room() -> tuple[int, str]:
    """How many bytes more this process may take, `sys.maxsize` if nothing tells, and the limit that says so."""
    found = [(sys.maxsize, "nothing")]
    if sys.platform == "linux":
        found += [*_own_limits(), *_group_limits()]
    return min(found)


def _own_limits() -> Iterator[tuple[int, str]]:
    if sys.platform != "linux":
        return
    import resource

    limits = (
        (resource.RLIMIT_AS, b"VmSize:", "the limit of address space (ulimit -v)"),
        (resource.RLIMIT_DATA, b"VmData:", "the limit of data (ulimit -d)"),
    )
    for number, name, title in limits:
        limit, _ = resource.getrlimit(number)
        if limit != resource.RLIM_INFINITY:
            yield limit - _kibibytes(name), title


def _kibibytes(name: bytes) -> int:
    """A line of the process's status, in bytes; 0 where there is none."""
    try:
        lines = _STATUS.read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


def _group_limits(groups: Path = _GROUPS, mounted: Path = _MOUNTED) -> Iterator[tuple[int, str]]:
    """What the control groups leave that the process is in, and those around them, of both versions."""
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            root, files = mounted, ("memory.max", "memory.current", "inactive_file ")
        elif "memory" in controllers.split(","):
            root, files = mounted / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        else:
            continue
        folder = root / path.lstrip("/")
        for place in (folder, *folder.parents):
            left = _group_room(place, *files)
            if left is not None:
                yield left, "the memory limit of the control group"
            if place == root:
                break


def _group_room(folder: Path, limit: str, usage: str, cached: str) -> int | None:
    """The bytes that a control group leaves; None where it has no limit. What is cached of files makes room."""
    # In UTF-8: another codec would be imported, and the handler of a signal that comes meanwhile could not use it.
    try:
        most = (folder / limit).read_text(encoding="utf-8").strip()
        if not most.isdigit():  # "max"
            return None
        used = int((folder / usage).read_text(encoding="utf-8"))
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        return int(most) - used + next((int(line.split()[1]) for line in lines if line.startswith(cached)), 0)
    except (OSError, ValueError):
        return None
