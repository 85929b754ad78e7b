"""Finding a compiler and calling it.

In: a source file and flags. Out: an object's octets. Raises InputError with the first line of what a compiler says.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pvm.errors import InputError
from pvm.isa import Spec
from pvm.version import __version__
from wasm_host.cc.header import calls_header

RUNTIME = Path(__file__).parent / "runtime"
TEMPLATE = Path(__file__).parent / "template"  # what `pvm new` writes
SUFFIXES = (".c", ".cc", ".cpp", ".cxx", ".C", ".S", ".s", ".zig")
_CPU = "generic_rv64+e+m+a+zbb-c-d-f"
_TARGET = "riscv64-freestanding-none"
_CODE = (
    "-mabi=lp64e", "-fhosted", "-UNDEBUG", "-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer",
    "-fno-stack-protector", "-fno-sanitize=undefined", "-fno-stack-check", "-fno-pic", "-mcmodel=medlow",
    "-fno-asynchronous-unwind-tables",
    "-fno-jump-tables",  # a dynamic jump costs more than some branches: Lua takes a fifth less time, and no more gas
)  # fmt: skip
_FRAMES = ("-fno-omit-frame-pointer",)  # from which backtraces are read
_CXX = ("-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
_NOISE = "zig: warning: argument unused during compilation: '-c' [-Wunused-command-line-argument]\n"
# Without them the compiler makes memcpy of a loop that is memcpy.
_OWN = ("-O2", "-fno-builtin", "-ffreestanding")


@dataclass(frozen=True)
class Compiler:
    """A command to which flags and files are added; `is_zig` is clang as zig calls it."""

    command: tuple[str, ...]
    is_zig: bool

    def compile(self, source: Path, flags: Sequence[str], spec: Spec, include: Path) -> bytes:
        """The object of one source. Raises InputError, which quotes the compiler, whose words go to standard error."""
        with tempfile.TemporaryDirectory(prefix="pvm-cc-") as folder:
            target = Path(folder) / "out.o"
            if source.suffix == ".zig":
                if not self.is_zig:
                    raise InputError(f"{source}: zig is compiled by zig (--compiler zig)")
                mode = [] if any(flag.startswith("-O") for flag in flags) else ["-OReleaseFast"]
                command = [
                    *self.command, "build-obj", str(source.resolve()), "-target", _TARGET, f"-mcpu={_CPU}", *mode,
                    *flags, "-ffunction-sections", "-fdata-sections", f"-femit-bin={target}",
                ]  # fmt: skip
            else:
                machine = (["cc", "-target", _TARGET, f"-mcpu={_CPU}"] if self.is_zig
                           else ["-march=rv64ema_zbb", "--target=riscv64-unknown-elf"] if "clang" in self.command[0]
                           else ["-march=rv64ema_zbb"])  # fmt: skip
                is_cxx = source.suffix in (".cc", ".cpp", ".cxx", ".C")
                optimised = [] if any(flag.startswith("-O") for flag in flags) else ["-O2"]
                command = [
                    *self.command, *machine, *_CODE, *(_FRAMES if "-g" in flags else ()), *(_CXX if is_cxx else ()),
                    *optimised,
                    f"-DPVM_SPEC_{spec.name.replace('.', '')}", "-isystem", str(RUNTIME / "include"),
                    "-isystem", str(include), *flags, "-c", str(source), "-o", str(target),
                ]  # fmt: skip
            _call(command, source, folder)
            return target.read_bytes()


def find_compiler(name: str | None) -> Compiler:
    """zig of the package `ziglang` or of the PATH, or the compiler of that name. Raises InputError."""
    if name in (None, "zig"):
        if importlib.util.find_spec("ziglang") is not None:
            return Compiler((sys.executable, "-m", "ziglang"), True)
        found = shutil.which("zig")
        if found is not None:
            return Compiler((found,), True)
        raise InputError("no compiler: pip install 'pvm-wasm[cc]' brings one (clang, by the package ziglang)")
    found = shutil.which(str(name))
    if found is None:
        raise InputError(f"--compiler: {name} is not on the PATH")
    return Compiler((found,), False)


def _call(command: Sequence[str], source: Path, folder: str) -> None:
    try:
        # zig keeps what it makes where it is called, unless told otherwise.
        environment = {**os.environ, "ZIG_LOCAL_CACHE_DIR": folder}
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        raise InputError(f"{source}: {command[0]} does not start: {error.strerror}") from None
    said = done.stderr.replace(_NOISE, "")
    if done.returncode:
        lines = [line for line in said.splitlines() if "error" in line] or said.splitlines() or ["it failed"]
        sys.stderr.write(said)
        raise InputError(f"{source}: {lines[0].strip()}")
    if said.strip():
        sys.stderr.write(said)


def include_folder(cache: Path, spec: Spec) -> Path:
    """A folder with `pvm_calls.h` of a version, made in the cache if it is not there."""
    text = calls_header(spec)
    folder = cache / f"include-{spec.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not (folder / "pvm_calls.h").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / "pvm_calls.h", text.encode())
    return folder


def runtime_objects(compiler: Compiler, cache: Path, spec: Spec) -> list[tuple[str, bytes]]:
    """The run-time library, and the helpers of the compiler's own for zig: compiled once, then from the cache."""
    include = include_folder(cache, spec)
    digest = hashlib.sha256(f"{__version__} {compiler} {include.name}".encode())
    sources = sorted(RUNTIME.glob("*.[cS]"))
    for path in (*sources, *sorted((RUNTIME / "include").iterdir()), Path(__file__)):
        digest.update(path.read_bytes())
    folder = cache / f"runtime-{digest.hexdigest()[:24]}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for source in sources:
        stored = folder / f"{source.name}.o"
        if not stored.exists():
            flags = (*_OWN, f"-ffile-prefix-map={RUNTIME}=runtime")
            _put(stored, compiler.compile(source, flags, spec, include))
        found.append((source.name, stored.read_bytes()))
    if compiler.is_zig:
        stored = folder / "compiler_rt.o"
        if not stored.exists():
            _put(stored, _compiler_rt(compiler))
        found.append((stored.name, stored.read_bytes()))
    return found


def _compiler_rt(compiler: Compiler) -> bytes:
    source = _library(compiler) / "compiler_rt.zig"
    with tempfile.TemporaryDirectory(prefix="pvm-cc-") as folder:
        target = Path(folder) / "out.o"
        command = [
            *compiler.command, "build-obj", str(source), "-target", _TARGET, f"-mcpu={_CPU}", "-OReleaseFast",
            "-fstrip", "-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer", f"-femit-bin={target}",
        ]  # fmt: skip
        _call(command, source, folder)
        return target.read_bytes()


def _library(compiler: Compiler) -> Path:
    package = importlib.util.find_spec("ziglang")
    if len(compiler.command) > 1 and package is not None and package.origin:
        return Path(package.origin).parent / "lib"
    return Path(os.path.realpath(compiler.command[0])).parent / "lib"


def _put(path: Path, data: bytes) -> None:
    """Write a file whole, also when others write the same one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.replace(file.name, path)
