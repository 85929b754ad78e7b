"""Rust without its standard library: rustc for RV64E, with `core` and `alloc` made once from their sources.

In: a source file and flags. Out: the octets of an archive. Raises InputError.

rustc is `$RUSTC`, or the one on the PATH, with its library's sources: rustup's component rust-src, or Debian's packages
rustc-web and rust-web-src. A custom target is not stable, so that rustc is told to be a nightly one (RUSTC_BOOTSTRAP).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvm.errors import InputError

SUFFIX = ".rs"
_NEEDED = "rustc and the sources of its library are needed: rustup component add rust-src, or Debian's rust-web-src"
_TARGET: dict[str, Any] = {
    "arch": "riscv64", "cpu": "generic-rv64", "data-layout": "e-m:e-p:64:64-i64:64-i128:128-n32:64-S64",
    "features": "+e,+m,+a,+zbb", "llvm-abiname": "lp64e", "llvm-target": "riscv64", "max-atomic-width": 64,
    "panic-strategy": "abort", "relocation-model": "static", "code-model": "medium", "target-pointer-width": 64,
    "singlethread": True, "linker": "rust-lld", "linker-flavor": "ld.lld", "crt-objects-fallback": "false",
    "eh-frame-header": False, "emit-debug-gdb-scripts": False,
}  # fmt: skip
# The run-time library has what this crate of Rust's has.
_STUB = "#![feature(compiler_builtins)]\n#![allow(internal_features)]\n#![compiler_builtins]\n#![no_std]\n"


@dataclass(frozen=True)
class Rust:
    """A rustc and the folder of its library's sources; `minor` is the second number of its version."""

    command: str
    version: str
    minor: int
    library: Path

    def compile(self, source: Path, flags: Sequence[str], cache: Path) -> bytes:
        """The archive of one source with the libraries. Raises InputError, which quotes the compiler."""
        folder = self._libraries(cache)
        mode = [] if any(flag.startswith(("-O", "-Copt-level")) for flag in flags) else ["-O"]
        with tempfile.TemporaryDirectory(prefix="pvm-cc-") as out:
            target = Path(out) / "out.a"  # with what rustc adds to a whole program, such as its allocator
            self._call(
                [str(source), "--crate-type", "staticlib", "--edition", "2021", *mode, *flags, "-o", str(target)],
                folder, source,
            )  # fmt: skip
            return target.read_bytes()

    def _libraries(self, cache: Path) -> Path:
        """The folder with `core` and `alloc`, made if it is not there, which takes a minute."""
        digest = hashlib.sha256(f"{self.version}{self.library}{_TARGET}{_STUB}".encode()).hexdigest()[:24]
        folder = cache / f"rust-{digest}"
        if folder.is_dir():
            return folder
        sys.stderr.write(f"pvm: making Rust's core and alloc in {folder}, once\n")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="rust-", dir=cache) as made:
            at = Path(made) / "rust"
            at.mkdir()
            width = 64 if self.minor >= 91 else "64"
            (at / "target.json").write_text(json.dumps({**_TARGET, "target-pointer-width": width}))
            (at / "stub.rs").write_text(_STUB)
            edition = "2024" if self.minor >= 86 else "2021"
            for name, source in (
                ("core", self.library / "core/src/lib.rs"), ("compiler_builtins", at / "stub.rs"),
                ("alloc", self.library / "alloc/src/lib.rs"),
            ):  # fmt: skip
                self._call(
                    [str(source), "--crate-name", name, "--crate-type", "rlib", "--edition", edition, "-O",
                     "--cap-lints", "allow", "--out-dir", str(at)], at, source,
                )  # fmt: skip
            try:
                at.rename(folder)
            except OSError:  # another one was quicker
                if not folder.is_dir():
                    raise
        return folder

    def _call(self, arguments: Sequence[str], libraries: Path, source: Path) -> None:
        command = [self.command, "-Zunstable-options", "--target", str(libraries / "target.json"), "-Cpanic=abort",
                   "-L", str(libraries), *arguments]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=_environment())
        sys.stderr.write(done.stderr)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("error")] or ["rustc failed"]
            raise InputError(f"{source}: {lines[0].strip()}")


def find_rust() -> Rust:
    """The rustc to use. Raises InputError where there is none, or its library has no sources."""
    command = shutil.which(os.environ.get("RUSTC") or "rustc")
    if command is None:
        raise InputError(_NEEDED)
    try:
        said = subprocess.run([command, "-vV"], capture_output=True, text=True, check=True, env=_environment()).stdout
        root = subprocess.run(
            [command, "--print", "sysroot"], capture_output=True, text=True, check=True, env=_environment()
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise InputError(f"{command} does not say its version: {_NEEDED}") from None
    release = re.search(r"^release: (\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    if release is None:
        raise InputError(f"{command} does not say its version: {_NEEDED}")
    sysroot = Path(root.strip())
    places = "lib/rustlib/src/rust/library", f"src/rustc-{'.'.join(release.groups())}/library"
    for library in (sysroot / place for place in places):
        if (library / "core/src/lib.rs").is_file():
            return Rust(command, said, int(release[2]), library)
    raise InputError(_NEEDED)


def _environment() -> dict[str, str]:
    return {**os.environ, "RUSTC_BOOTSTRAP": "1"}
