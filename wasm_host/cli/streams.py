"""Files that are written while a program runs: traces.

In: a path. Out: a function that writes text there. Lines are written as they come; what is there stays when the run is
interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pvm.errors import InputError
from wasm_host.cli.failures import os_reason
from wasm_host.cli.output import check_output

_BUFFER = 1 << 20  # bytes


@contextmanager
def stream(path: str | None) -> Iterator[Callable[[str], object] | None]:
    """Open a file for lines of text; "-" is standard output, None no file.

    Raises InputError when it cannot be written.
    """
    if path is None:
        yield None
    elif path == "-":
        yield sys.stdout.write
        sys.stdout.flush()
    else:
        check_output(path)
        try:
            file = open(path, "w", encoding="utf-8", newline="\n", buffering=_BUFFER)  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {os_reason(error)}") from None

        def write(text: str) -> None:
            try:
                file.write(text)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise InputError(f"{path}: cannot be written: {os_reason(error)}") from None

        try:
            yield write
        finally:
            try:
                file.close()
            except OSError as error:
                raise InputError(f"{path}: cannot be written: {os_reason(error)}") from None


def refuse_same(paths: dict[str, str | None], inputs: dict[str, str | None]) -> None:
    """Raises InputError when two outputs are one file, or an output is an input. Both go by option."""
    taken = {os.path.realpath(path): name for name, path in inputs.items() if path and path != "-"}
    for option, path in paths.items():
        if path is None:
            continue
        place = path if path == "-" else os.path.realpath(path)
        if place in taken:
            raise InputError(f"{option}: {path} is {taken[place]} already")
        if os.path.exists(place) and not os.path.isfile(place):
            continue  # a device or a pipe takes any number of writers
        taken[place] = option
