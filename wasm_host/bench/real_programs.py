"""Real programs: C sources of ours with calls and branches as compilers make them, for every engine and the processor.

In: a name of `REAL`. Out: a program by `pvm cc`, an executable by gcc, a module of WebAssembly by zig.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from pvm.errors import EngineError
from pvm.isa import Spec
from pvm.link import Options, link
from pvm.program import Program
from wasm_host.cc.compilers import find_compiler, include_folder, runtime_objects
from wasm_host.code.cache import user_folder
from wasm_host.peers.gcc import Gcc

_FOLDER = Path(__file__).parent / "real"


@dataclass(frozen=True)
class Sizes:
    """The argument for tens of millions of instructions, and for about a hundred thousand."""

    full: bytes
    small: bytes


REAL: dict[str, Sizes] = {
    "compress": Sizes(b"3", b"1"), "emulator": Sizes(b"100", b"1"), "game": Sizes(b"600", b"4"),
    "json": Sizes(b"40", b"1"), "quicksort": Sizes(b"30000", b"200"), "regexp": Sizes(b"300", b"6"),
    "sha2": Sizes(b"4000", b"20"),
}  # fmt: skip

# The argument comes from stdin, the result goes to stdout, the nanoseconds to stderr.
_FRAME = """
#include <stdio.h>
#include <time.h>

int real_main(int argc, char **argv);

int main(void)
{
    static char argument[64];
    char *argv[] = {"program", argument, 0};
    struct timespec from, to;
    if (!fgets(argument, sizeof argument, stdin)) return 1;
    clock_gettime(CLOCK_MONOTONIC, &from);
    real_main(2, argv);
    clock_gettime(CLOCK_MONOTONIC, &to);
    fprintf(stderr, "%lld", (to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec));
    return 0;
}
"""


def compiled_program(name: str, spec: Spec) -> Program:
    """What `pvm cc` makes of it. Raises InputError without a compiler."""
    compiler = find_compiler(None)
    with tempfile.TemporaryDirectory(prefix="pvm-bench-") as folder:
        code = user_folder()
        cache = Path(folder) if code is None else code.with_name(f"{code.name}-cc")  # that of `pvm cc`
        own = compiler.compile(_source(name), (), spec, include_folder(cache, spec))
        objects = [(name, own), *runtime_objects(compiler, cache, spec)]
        return link(objects, Options(spec=spec.name)).program


def native(name: str, gcc: Gcc) -> Path:
    """The executable that gcc -O2 makes of it."""
    return gcc.compile_files(name, "-O2", {"frame.c": _FRAME}, _source(name), "-Dmain=real_main", "-w")


def wasm32_run(name: str, argument: bytes) -> Callable[[], tuple[float, bytes]]:
    """What runs it once as WebAssembly of 32 bits, made by zig's clang, under wasmtime: nanoseconds and its output.

    Raises InputError without zig, EngineError when it fails.
    """
    command = find_compiler("zig").command
    folder = tempfile.TemporaryDirectory(prefix="pvm-bench-")
    at = Path(folder.name)
    (at / "frame.c").write_text(_FRAME, encoding="ascii")
    flags = ("-target", "wasm32-wasi", "-O2", "-w")
    parts: list[str] = []
    for source, more in ((at / "frame.c", ()), (_source(name), ("-Dmain=real_main",))):
        parts.append(str(at / f"{source.stem}.{len(parts)}.o"))
        _run([*command, "cc", *flags, *more, "-c", str(source), "-o", parts[-1]], folder.name)
    _run([*command, "cc", *flags, *parts, "-o", str(at / "program.wasm")], folder.name)
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(at / "program.wasm"))
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    (at / "in").write_bytes(argument)

    def run() -> tuple[float, bytes]:
        store, wasi = wasmtime.Store(engine), wasmtime.WasiConfig()
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = (
            os.path.join(folder.name, name) for name in ("in", "out", "err")
        )  # the folder lives as long as this function
        store.set_wasi(wasi)
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        try:
            start(store)
        except wasmtime.ExitTrap as exit:
            if exit.code:
                raise EngineError(f"{name} as wasm32: exit status {exit.code}") from None
        return float((at / "err").read_text()), (at / "out").read_bytes()

    return run


def _source(name: str) -> Path:
    return _FOLDER / f"{name}.c"


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "ZIG_LOCAL_CACHE_DIR": folder}
    )
    if done.returncode:
        raise EngineError(f"{command[0]}: {done.stderr.strip()[:200]}")
