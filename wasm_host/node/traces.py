"""Traces of block import on disk: archives, folders of steps, folders of such folders.

In: paths. Out: traces, each a folder's steps in order. An archive is read once, a folder of it at a time in memory.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pvm.errors import InputError

_SUFFIXES = (".tar.xz", ".tar.gz", ".tar.bz2", ".tar", ".tgz", ".txz")
_GENESIS = "genesis.bin"
_LARGEST = 1 << 28  # octets of a file


@dataclass(frozen=True)
class Trace:
    """A folder's steps by file name, in order, and its genesis if it has one."""

    name: str
    genesis: bytes | None
    steps: tuple[tuple[str, bytes], ...]


def find_traces(paths: Iterable[str]) -> list[Path]:
    """The archives and folders of steps among and in these paths. Raises InputError where there is none."""
    found: list[Path] = []
    for text in paths:
        path = Path(text)
        if not path.exists():
            raise InputError(f"{text}: no such file or folder")
        before = len(found)
        found += _within(path)
        if len(found) == before:
            raise InputError(f"{text}: neither steps (*.bin) nor archives of them (*.tar.xz)")
    return found


def read_traces(path: Path) -> Iterator[Trace]:
    """The traces in an archive, or the one in a folder or file. Raises InputError for what cannot be read."""
    try:
        if path.is_dir():
            yield _trace(path.name, {each.name: each.read_bytes() for each in path.glob("*.bin")})
        elif path.name.endswith(_SUFFIXES):
            yield from _unpacked(path)
        else:
            yield _trace(path.parent.name, {path.name: path.read_bytes()})
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(f"{path}: {error}") from None


def _within(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if path.name.endswith((*_SUFFIXES, ".bin")):
            yield path
        return
    folders = [path, *sorted(each for each in path.rglob("*") if each.is_dir())]
    for folder in folders:
        if any(each.name[0].isdigit() for each in folder.glob("*.bin")):
            yield folder
        yield from sorted(each for each in folder.iterdir() if each.name.endswith(_SUFFIXES))


def _unpacked(path: Path) -> Iterator[Trace]:
    folder, files = None, dict[str, bytes]()
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            name = Path(entry.name)
            if not entry.isfile() or name.suffix != ".bin":
                continue
            if entry.size > _LARGEST:
                raise InputError(f"{path}: {entry.name} has {entry.size} octets")
            if name.parent != folder:
                if folder is not None:
                    yield _trace(folder.name, files)
                folder, files = name.parent, {}
            content = archive.extractfile(entry)
            files[name.name] = b"" if content is None else content.read()
    if folder is not None:
        yield _trace(folder.name, files)


def _trace(name: str, files: dict[str, bytes]) -> Trace:
    steps = tuple((each, files[each]) for each in sorted(files) if each[0].isdigit())
    return Trace(name, files.get(_GENESIS), steps)
