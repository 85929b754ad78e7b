"""The page as a static folder, to be served from anywhere.

In: a folder's name. Out: the folder: the rendered page, its modules, our wheel, Pyodide, and data which the page shows
before Python is there: the machine's constants, the interpreter, the examples. The data comes from the same functions
that the page asks later (`pvm_web.bridge`). All links are relative.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pvm import abi
from pvm.emit.interpreter import interpreter_bytes
from pvm.errors import EngineError, InputError
from pvm.examples import EXAMPLES, Example
from pvm.machine import METERINGS
from pvm.version import __version__
from pvm_web import pyodide, wheel
from pvm_web.bridge import Bridge
from pvm_web.bridge.listing import MOST_LINES
from pvm_web.bridge.opened import example_value
from pvm_web.bridge.values import to_json
from pvm_web.render import render

MANIFEST = "data/manifest.json"
PYODIDE_FOLDER = "pyodide/"
OFFLINE = "offline.js"
_GENERATOR = "pvm web build"
_PAGE = Path(__file__).parent / "page"
_TEMPLATE = "index.html.j2"


@dataclass(frozen=True)
class Built:
    """What was built: bytes of each file by its name in the folder."""

    folder: Path
    sizes: dict[str, int]


def build(folder: Path, cdn: bool = False, given_pyodide: Path | None = None) -> Built:
    """Build the page into `folder`, which is made, or replaced where it is an earlier page.

    With `cdn` the page loads Pyodide from the network, otherwise it is part of it: `given_pyodide`, or fetched. Raises
    InputError when the folder is something else or cannot be written, or there is no Pyodide.
    """
    folder = Path(os.path.abspath(folder))
    _check(folder)
    files = dict(page_files(cdn))
    if not cdn:
        files |= {PYODIDE_FOLDER + name: data for name, data in pyodide.pyodide_files(given_pyodide).items()}
    files[OFFLINE] = _offline(files)
    files = dict(sorted(files.items()))
    sizes = {name: len(data) for name, data in files.items()}
    files[MANIFEST] = _manifest(cdn, sizes)
    try:
        _write(folder, files)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{error.filename or folder}: cannot be written: {reason}") from None
    return Built(folder, sizes)


def page_files(cdn: bool = False) -> Iterator[tuple[str, bytes]]:
    """The names and contents of all files but Pyodide's and the manifest."""
    yield "index.html", _index(cdn).encode("utf-8")
    for path in sorted(_PAGE.rglob("*")):
        if path.is_file():
            yield path.relative_to(_PAGE).as_posix(), path.read_bytes()
    yield wheel.NAME, wheel.wheel_bytes()
    yield "data/abi.json", abi.as_json().encode()
    yield "data/interpreter.wasm", interpreter_bytes()
    yield "data/interpreter_counting.wasm", interpreter_bytes(counts=True)
    yield "data/examples.json", to_json([example_value(example) for example in EXAMPLES]).encode()
    bridge = Bridge()
    for example in EXAMPLES:
        yield f"data/examples/{example.name}.json", to_json(example_data(bridge, example)).encode()


def example_data(bridge: Bridge, example: Example) -> dict[str, Any]:
    """Everything about an example that Python would be asked for to show and run it."""
    opened = _call(bridge, "open", {"name": f"{example.name}.pvmasm", "data": example.source.encode()})
    handle = {"handle": opened["handle"]}
    start = {**handle, "args": example.args, "gas": example.gas}
    return {
        "opened": opened, "index": _call(bridge, "index", handle), "lines": list(_lines(bridge, handle)),
        "images": {metering: _call(bridge, "image", {**start, "metering": metering}) for metering in METERINGS},
        "translations": {
            metering: _call(bridge, "translate", {**handle, "metering": metering}) for metering in METERINGS
        },
    }  # fmt: skip


def _lines(bridge: Bridge, handle: dict[str, str]) -> Iterator[dict[str, Any]]:
    for first in count(0, MOST_LINES):
        lines = _call(bridge, "lines", {**handle, "first": first, "count": MOST_LINES})
        yield from lines
        if len(lines) < MOST_LINES:
            return


def _call(bridge: Bridge, method: str, params: dict[str, Any]) -> Any:
    answer = bridge.call(method, params)
    if "error" in answer:
        raise EngineError(f"{method}: {answer['error']['message']}")
    return answer["result"]


def _offline(files: dict[str, bytes]) -> bytes:
    """The service worker, for these files."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name} {len(data)} ".encode() + data)
    names = json.dumps(sorted({*files, MANIFEST} - {OFFLINE}))
    return f'const BUILD = "{digest.hexdigest()[:16]}";\nconst FILES = {names};\n'.encode() + files[OFFLINE]


def _index(cdn: bool) -> str:
    return render("pvm_web", _TEMPLATE, version=__version__, cdn=cdn)


def _manifest(cdn: bool, sizes: dict[str, int]) -> bytes:
    """What the Python worker reads: where Pyodide and our wheel are, and how much there is to load."""
    return json.dumps({
        "generator": _GENERATOR, "version": __version__, "wheel": wheel.NAME, "files": sizes,
        "pyodide": {"version": pyodide.VERSION, "url": pyodide.CDN if cdn else PYODIDE_FOLDER, "bytes": pyodide.SIZE},
    }, indent=1).encode()  # fmt: skip


# --- the folder ----------------------------------------------------------------------------------------------------


def _check(folder: Path) -> None:
    """Raises InputError unless the folder is not there, is empty, or has a page that was built before and no more."""
    try:
        if not os.path.lexists(folder):
            return
        if not folder.is_dir():
            raise InputError(f"{folder}: not a folder")
        manifest = _manifest_of(folder)
        is_ours = not any(folder.iterdir()) or manifest.get("generator") == _GENERATOR
        others = sorted(_others(folder, manifest)) if is_ours else []
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if not is_ours:
        raise InputError(f"{folder}: has files in it, and is no page that was built before: choose another folder")
    if others:
        raise InputError(f"{folder}: {others[0]} is no part of the page that was built there before: move it first")


def _manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest in a folder; an empty one when there is none that can be read."""
    manifest = folder / MANIFEST
    try:
        found = json.loads(manifest.read_bytes()) if manifest.is_file() else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _others(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """Names of files in the folder that its manifest does not have, but for what an interrupted build has left."""
    known = manifest.get("files")
    names = {MANIFEST, *known} if isinstance(known, dict) else {MANIFEST}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        is_folder = path.is_dir() and not path.is_symlink()
        if not (is_folder or name in names or name.startswith((".new-", ".old-"))):
            yield name


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files into a folder inside, then let them take the place of what there was.

    The folder itself stays: it may be where someone's shell stands, or a file system of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(6)
    new, old = folder / f".new-{token}", folder / f".old-{token}"
    try:
        for name, data in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        before = [path for path in folder.iterdir() if path != new]
        old.mkdir()
        for path in before:
            path.rename(old / path.name)
        for path in list(new.iterdir()):
            path.rename(folder / path.name)
    except BaseException:
        _put_back(folder, old)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _put_back(folder: Path, old: Path) -> None:
    """Undo what was moved into `old`, as far as that is possible."""
    for path in list(old.iterdir()) if old.is_dir() else []:
        with suppress(OSError):
            place = folder / path.name
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            path.replace(place)
