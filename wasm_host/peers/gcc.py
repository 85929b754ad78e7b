"""gcc, where there is one, and the examples' algorithms in C: what native code needs for them.

In: arguments as a program gets them. Out: the nanoseconds that the computation took, and its result, so that both
can be compared. The C programs take the same steps as the assembly in `pvm.examples`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pvm.errors import EngineError

LEVELS = ("-O1", "-O2")

# Arguments come in on stdin, the result goes to stdout and the time to stderr. `work` may not be inlined, and what it
# reads and writes is visible outside, so the compiler cannot do its work beforehand or leave it out.
_FRAME = r"""
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint8_t arguments[1 << 24];
static uint8_t result[1 << 20];

__attribute__((noipa)) static size_t work(const uint8_t *in, size_t length, uint8_t *out);

int main(void)
{
    struct timespec from, to;
    size_t length = fread(arguments, 1, sizeof arguments, stdin);
    clock_gettime(CLOCK_MONOTONIC, &from);
    size_t size = work(arguments, length, result);
    clock_gettime(CLOCK_MONOTONIC, &to);
    fprintf(stderr, "%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec));
    return fwrite(result, 1, size, stdout) != size;
}
"""

_FIBONACCI = r"""
static uint64_t fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static size_t work(const uint8_t *in, size_t length, uint8_t *out)
{
    *(uint64_t *)out = fibonacci(length ? in[0] : 20);
    return 8;
}
"""

_SIEVE = r"""
static uint8_t flags[1 << 23];

static size_t work(const uint8_t *in, size_t length, uint8_t *out)
{
    uint64_t limit = length < 4 ? 100000 : *(const uint32_t *)in;
    if (limit > 1 << 24)
        limit = 1 << 24;
    uint64_t primes = limit < 3 ? 0 : 1, used = limit / 2;
    for (uint64_t i = 1, number = 3; i < used; i++, number += 2) {
        if (flags[i])
            continue;
        primes++;
        for (uint64_t multiple = 2 * i * (i + 1); multiple < used; multiple += number)
            flags[multiple] = 1;
    }
    *(uint32_t *)out = primes;
    return 4;
}
"""

_MATRIX = r"""
static uint64_t elements[2 * 128 * 128];

static size_t work(const uint8_t *in, size_t length, uint8_t *out)
{
    uint64_t n = length ? in[0] : 24, state = 1, *product = (uint64_t *)out;
    if (n > 128)
        n = 128;
    for (uint64_t i = 0; i < 2 * n * n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        elements[i] = state;
    }
    for (uint64_t row = 0; row < n; row++)
        for (uint64_t column = 0; column < n; column++) {
            uint64_t sum = 0;
            for (uint64_t k = 0; k < n; k++)
                sum += elements[row * n + k] * elements[n * n + k * n + column];
            product[row * n + column] = sum;
        }
    return n * n * 8;
}
"""

SOURCES: dict[str, str] = {
    name: _FRAME + work for name, work in (("fibonacci", _FIBONACCI), ("sieve", _SIEVE), ("matrix", _MATRIX))
}


class Gcc:
    """gcc, and a folder with what it has compiled; as a context, it cleans up after itself."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._folder = tempfile.TemporaryDirectory(prefix="pvm-bench-")
        self.version = _output([command, "-dumpfullversion"]).strip()

    def __enter__(self) -> Gcc:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def compile(self, name: str, level: str) -> Path:
        """The executable of a source at an optimisation level. Raises EngineError when gcc fails."""
        source = Path(self._folder.name, f"{name}.c")
        source.write_text(SOURCES[name], encoding="ascii")
        executable = source.with_name(f"{name}{level}")
        _output([self._command, level, "-o", str(executable), str(source)])
        return executable

    def compile_files(self, name: str, level: str, texts: Mapping[str, str], source: Path, *flags: str) -> Path:
        """The executable of a source file, which alone is compiled with the flags, and of texts by file name."""
        executable, own = Path(self._folder.name, f"{name}{level}"), Path(self._folder.name, f"{name}.o")
        _output([self._command, level, *flags, "-c", "-o", str(own), str(source)])
        for file, text in texts.items():
            own.with_name(file).write_text(text, encoding="ascii")
        _output([self._command, level, "-o", str(executable), str(own), *(str(own.with_name(file)) for file in texts)])
        return executable


def find_gcc() -> Gcc | None:
    """gcc, where there is one."""
    command = shutil.which("gcc")
    return Gcc(command) if command else None


def run_native(executable: Path, arguments: bytes) -> tuple[float, bytes]:
    """Nanoseconds and result of one run, in a process of its own. Raises EngineError when it fails."""
    done = subprocess.run([executable], input=arguments, capture_output=True, check=False, start_new_session=True)
    if done.returncode:
        raise EngineError(f"{executable.name}: exit status {done.returncode}")
    return float(done.stderr), done.stdout


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{command[0]}: {done.stderr.strip()[:200]}")
    return done.stdout
