"""Running commands as a user does, in this process or in one of their own."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from wasm_host.cli import main
from wasm_host.code.modules import Compiled
from wasm_host.code.translations import Translation

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def last_line(self) -> str:
        return self.text.splitlines()[-1]


@pytest.fixture
def pvm(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`pvm(*args, stdin=b"", columns=None)` runs `main` with streams of its own, on a terminal of so many columns."""

    def call(*args: object, stdin: bytes = b"", columns: int | None = None) -> Result:
        streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
        with monkeypatch.context() as patch:
            patch.delenv("COLUMNS", raising=False)
            if columns is not None:
                patch.setenv("COLUMNS", str(columns))
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            with pytest.raises(SystemExit) as exit:
                main([str(arg) for arg in args])
            for stream in streams[1:]:
                stream.flush()
        out, err = (stream.buffer.getvalue() for stream in streams[1:])  # type: ignore[attr-defined]
        return Result(exit.value.code, out, err.decode())

    return call


@pytest.fixture
def arrives() -> Callable[[Translation], Compiled]:
    """What a translation becomes that is made in the background."""

    def wait(translation: Translation) -> Compiled:
        end = time.monotonic() + 20
        while translation.compiled is None:
            assert time.monotonic() < end, "no translation"
            time.sleep(0.001)
        return translation.compiled

    return wait


@pytest.fixture
def pvm_process() -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command in a process of its own, with pipes."""

    def start(*args: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "from wasm_host.cli import main; main()", *map(str, args)]
        return subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1)

    return start


def assert_bad_input(result: Result, *parts: str) -> None:
    """One line on standard error that has all the parts, nothing on standard output, status 2."""
    assert result.status == 2, result.stderr
    assert result.stdout == b""
    assert result.stderr.startswith("pvm: error: ") and result.stderr.count("\n") == 1
    assert all(part in result.stderr for part in parts), result.stderr


@pytest.fixture
def bad_input(pvm: Callable[..., Result]) -> Callable[..., None]:
    """`bad_input(args, *parts, stdin=b"")` runs a command and asserts that it refuses its input as it should."""

    def check(args: tuple[object, ...], *parts: str, stdin: bytes = b"") -> None:
        assert_bad_input(pvm(*args, stdin=stdin), *parts)

    return check
