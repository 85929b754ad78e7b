"""Records the invocations of services that importing blocks makes: an ecalli trace each, which `pvm replay` verifies.

In: a folder. Out: for each invocation the options that write its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from pvm.errors import InputError
from pvm.invocation import Invoked
from pvm.jam.host_calls.answer import Answer
from pvm.jam.invocations import Options
from pvm.jam.recording import RunText
from pvm.machine import Machine


class Recorder:
    """Names files by step, order and service: `00000012-0-service-1729.log`. `step` is set before each block."""

    def __init__(self, folder: Path, version: str = "0.7.2") -> None:
        self._folder, self._version = folder, version
        self._step, self._count = "", 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror}") from None

    def begin_step(self, name: str) -> None:
        """The next invocations are of this step; `name` may have folders."""
        self._step, self._count = name, 0

    def options(self, slot: int, service: int) -> Options:
        """What `pvm.jam.transition.Host.observe` is to be: options that write the invocation's file."""
        path = self._folder / f"{self._step}-{self._count}-service-{service}.log"
        self._count += 1
        file = _File(path, self._version)
        return Options(self._version, listener=file.call, watch=file.begin, ended=file.end)


class _File:
    """One invocation's file, which is there whole or up to where the invocation failed."""

    def __init__(self, path: Path, version: str) -> None:
        self._path = path
        self._out: TextIO | None = None
        self._text = RunText(self._write, version)

    def begin(self, machine: Machine) -> None:
        """The program as it was parsed, its arguments, the start."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}") from None
        self._text.begin(machine)

    def call(self, machine: Machine, number: int, registers: list[int], left: int, answer: Answer) -> None:
        """A call with the state before its effects."""
        self._text.call(machine, number, registers, left, answer)

    def end(self, invoked: Invoked) -> None:
        """How it ended."""
        self._text.end(invoked)
        if self._out is not None:
            self._out.close()

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text)
