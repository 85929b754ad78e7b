"""Compiled code on disk, so that a new process need not translate and compile again.

In: a key (`key_of`) and pieces of bytes. Out: the pieces again, or None. `CodeCache` is a folder with a file for each
entry; nothing in it is trusted before its hash was checked, because native code is run from it. Whatever the system
refuses (a folder that cannot be made, a full disk) makes a miss and is no error: all works without a cache.

An entry is MAGIC with the format's version, a SHA-256 of all that follows, the entry's key (so that a file under
another's name is none), the number of pieces, their lengths, the pieces, which fill the rest. It is written under a
temporary name and then moved to its own, so that readers see a whole entry or none; who comes last wins, with the same
contents.

The hash guards against damage, not against who may write files as this user: those could as well change the program.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import wasmtime

import pvm
from pvm.errors import InputError
from pvm.printable import shown
from pvm.version import __version__

FOLDER_VARIABLE = "PVM_CACHE_DIR"  # another folder than the user's; empty for no cache
# Some 300 services as large as the largest of the traces (1.6 MB of native code each).
LIMIT = 512 << 20  # bytes of all entries
MAX_ENTRIES = 4096  # looking at so many takes a few milliseconds
MAGIC = b"PVMcode\x01"

_SUFFIX = ".pvmcode"
_TEMPORARY = ".tmp"
_NAME = re.compile(rf"[0-9a-f]{{64}}{re.escape(_SUFFIX)}(\.[0-9a-f]{{16}}{re.escape(_TEMPORARY)})?")
_ABANDONED = 3600  # seconds, after which a temporary file belongs to no writer any more
_SLACK = 64  # the folder is looked over once a 64th of the limit was written, on average
_DIGEST = 32  # bytes
_HEADER = struct.Struct(f"<{len(MAGIC)}s{_DIGEST}s{_DIGEST}sI")  # magic, hash, key, number of pieces
_HASHED_FROM = len(MAGIC) + _DIGEST
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Sources that are newer than this may not be the code that runs in this process.
_LOADED = time.time_ns()

CacheChoice = bool | str | os.PathLike[str]


@dataclass(frozen=True)
class Entry:
    """A file of the cache: its name, bytes, and when it was used last, in nanoseconds since 1970."""

    name: str
    size: int
    used: int


class CodeCache:
    """A folder of entries, of at most `limit` bytes and MAX_ENTRIES. Threads and processes may share it.

    What was used longest ago goes first when there is too much. Not every `store` looks the folder over, but one
    whenever a 64th of the limit was written on average, by whichever process, and so that much more may be there.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def load(self, key: str) -> tuple[bytearray, ...] | None:
        """The pieces that were stored, or None. An entry that is damaged is removed, a foreign one ignored.

        A large piece should be the last, which is not copied: in a new process, a copy of 1.6 MB takes 1 ms.
        """
        if self.problem() is not None:
            return None
        path = self._path(key)
        try:
            data = _read_own(path, self.limit)
        except OSError:
            return None
        pieces = None if data is None else _unpack(data, key)
        if pieces is None:
            self.remove(key)
            return None
        with suppress(OSError):
            os.utime(path)
        return pieces

    def store(self, key: str, pieces: Sequence[bytes | bytearray]) -> None:
        """Keep one piece or more, if that is possible."""
        size = _HEADER.size + sum(8 + len(piece) for piece in pieces)
        if size > self.limit:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.problem() is None:
                _write(self._path(key), _pack(key, pieces))
                if self._is_turn(key, size):
                    self._evict()
        except OSError:
            return

    def has(self, key: str) -> bool:
        """Whether there is an entry, good or not."""
        return self.problem() is None and self._path(key).is_file()

    def remove(self, key: str) -> None:
        """Forget an entry, if it is there."""
        with suppress(OSError):
            self._path(key).unlink()

    def problem(self) -> str | None:
        """Why the folder is not used: something else than a folder, or others may write to it. None if it is, or could
        be made when something is stored."""
        try:
            found = os.stat(self.folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            return (error.strerror or str(error)).lower()
        if not stat.S_ISDIR(found.st_mode):
            return "not a folder"
        return _distrust(found)

    def write_problem(self) -> str | None:
        """Why nothing can be stored although the folder may be used: a folder that cannot be written, or None."""
        place = self.folder
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            return f"{place} is no folder"
        return None if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written"

    def entries(self) -> list[Entry]:
        """All entries, the last used first."""
        found = [entry for entry in self._files() if entry.name.endswith(_SUFFIX)]
        return sorted(found, key=lambda entry: (-entry.used, entry.name))

    def clear(self) -> tuple[int, int]:
        """Remove all entries: how many, and their bytes. Raises OSError where one cannot be removed."""
        count = size = 0
        for entry in self._files():
            with suppress(FileNotFoundError):
                (self.folder / entry.name).unlink()
                count, size = count + entry.name.endswith(_SUFFIX), size + entry.size
        return count, size

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _files(self) -> list[Entry]:
        """Entries and temporary files. Whatever else is in the folder is not ours."""
        found = []
        if self.problem() is None:
            with suppress(FileNotFoundError), os.scandir(self.folder) as items:
                for item in items:
                    if _NAME.fullmatch(item.name):
                        with suppress(FileNotFoundError):  # removed by another process
                            status = item.stat(follow_symlinks=False)
                            found.append(Entry(item.name, status.st_size, status.st_mtime_ns))
        return found

    def _is_turn(self, key: str, size: int) -> bool:
        """Whether it is this entry's turn to have the folder looked over, by its share of the limits. Keys are hashes,
        and so as good as random numbers."""
        share = max(size / self.limit, 1 / MAX_ENTRIES)
        return int(key[:8], 16) < share * _SLACK * 2**32

    def _evict(self) -> None:
        """Remove what exceeds the limits, and what crashed writers left."""
        abandoned = time.time_ns() - _ABANDONED * 10**9
        total = number = 0
        for entry in sorted(self._files(), key=lambda entry: -entry.used):
            if entry.name.endswith(_TEMPORARY):
                if entry.used < abandoned:
                    _unlink(self.folder / entry.name)
                continue
            total, number = total + entry.size, number + 1
            if total > self.limit or number > MAX_ENTRIES:
                _unlink(self.folder / entry.name)


def open_cache(choice: CacheChoice) -> CodeCache | None:
    """The cache of a folder, for True the user's, None for none.

    The user's is that of PVM_CACHE_DIR if that is set (none if it is empty), else that of the system's conventions.
    Nothing on disk is touched. Raises InputError for an empty name.
    """
    if choice is False:
        return None
    if choice is True:
        folder = user_folder()
        return None if folder is None else CodeCache(folder)
    try:
        name = os.fspath(choice)
    except TypeError:
        raise InputError(f"cache: True, False or a folder is needed, not {shown(choice)}") from None
    if not name:
        raise InputError("cache: the folder's name is empty; False means no cache")
    return CodeCache(Path(os.path.abspath(name)))


def user_folder() -> Path | None:
    """The user's folder for compiled code; None when there is to be none, or no home to put it."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named is not None:
        return Path(os.path.abspath(named)) if named else None
    # Imported here because it takes 6 ms.
    from platformdirs import user_cache_path

    folder = user_cache_path("pvm-wasm", appauthor=False) / "code"  # beside it lies what `pvm bench` installed
    return folder if folder.is_absolute() else None  # "~" is left where no home is known


def key_of(*parts: str | bytes) -> str | None:
    """The key of what is made of `parts` by the code that runs here, on this kind of machine; None if that is unknown.

    It covers our version and sources and wasmtime's package. wasmtime itself refuses code of other versions, settings
    and processors.
    """
    stamp = _stamp()
    if stamp is None:
        return None
    digest = hashlib.sha256()
    for part in (__version__, sys.platform, stamp, *parts):
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


@cache
def _stamp() -> bytes | None:
    """What changes whenever the code changes that generates, compiles or stores code: sizes and times of its files.

    None when they cannot be told, or changed since this process loaded them. For some 90 files it takes 0.7 ms, once a
    process; to read them would take five times as long. The time of wasmtime's package stands for its version, because
    to ask for that takes 16 ms.
    """
    found: list[tuple[str, int, int]] = []
    try:
        for root in (Path(pvm.__file__).parent, Path(__file__).parents[1]):
            found += _sources(str(root), root.name)
        package = os.stat(wasmtime.__file__)
    except OSError:
        return None
    found.append(("wasmtime", package.st_size, package.st_mtime_ns))
    if max(time_ns for _, _, time_ns in found) > _LOADED:
        return None
    return hashlib.sha256(repr(sorted(found)).encode()).digest()


@cache
def sources_digest() -> bytes:
    """A hash of our sources, to tell whether another process runs the same code. Takes some 10 ms, once a process."""
    digest = hashlib.sha256()
    for root in (Path(pvm.__file__).parent, Path(__file__).parents[1]):
        for label, _, _ in sorted(_sources(str(root), "")):
            data = (root / label[1:]).read_bytes()
            digest.update(f"{root.name}{label} {len(data)}\n".encode() + data)
    return digest.digest()


def _sources(folder: str, label: str) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of all Python files below a folder."""
    with os.scandir(folder) as items:
        for item in items:
            name = f"{label}/{item.name}"
            if item.is_dir(follow_symlinks=False):
                yield from _sources(item.path, name)
            elif item.name.endswith(".py"):
                found = item.stat()
                yield name, found.st_size, found.st_mtime_ns


# --- files -------------------------------------------------------------------------------------------------------


def _pack(key: str, pieces: Sequence[bytes | bytearray]) -> bytes:
    lengths = struct.pack(f"<{len(pieces)}Q", *map(len, pieces))
    blank = _HEADER.pack(MAGIC, bytes(_DIGEST), bytes.fromhex(key), len(pieces))
    hashed = b"".join((blank[_HASHED_FROM:], lengths, *pieces))
    return MAGIC + hashlib.sha256(hashed).digest() + hashed


def _unpack(data: bytearray, key: str) -> tuple[bytearray, ...] | None:
    """The pieces, of which `data` becomes the last; None unless every byte is as it was written for this key.

    A right hash says that somebody wrote it so, not that it was us: numbers are not believed either.
    """
    if len(data) < _HEADER.size:
        return None
    magic, digest, its_key, count = _HEADER.unpack_from(data)
    with memoryview(data) as view:
        is_whole = digest == hashlib.sha256(view[_HASHED_FROM:]).digest()
    if magic != MAGIC or not is_whole or its_key.hex() != key:
        return None
    place = _HEADER.size + 8 * count
    if not count or place > len(data):
        return None
    lengths = struct.unpack_from(f"<{count}Q", data, _HEADER.size)
    if place + sum(lengths) != len(data):
        return None
    pieces = []
    for length in lengths[:-1]:
        pieces.append(data[place : place + length])
        place += length
    del data[:place]  # moves nothing: a bytearray may begin anywhere
    return (*pieces, data)


def _read_own(path: Path, limit: int) -> bytearray | None:
    """A file's bytes; None if it is longer than any entry. Raises OSError, also for one that others could write to."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or _distrust(found) is not None:
            raise PermissionError(f"{path}: not an entry of this user")
        if found.st_size > limit:
            return None
        data = bytearray(found.st_size)
        return data if file.readinto(data) == len(data) else None


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OSError. It is not forced to the disk: after a crash, its hash tells."""
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}{_TEMPORARY}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, 0o600), "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        os.replace(temporary, path)
    except BaseException:
        _unlink(temporary)
        raise


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _distrust(found: os.stat_result) -> str | None:
    """Why others could have written to a file or folder, or None. Systems without user ids do not say."""
    if not hasattr(os, "getuid"):
        return None
    if found.st_uid != os.getuid():
        return "it belongs to another user"
    return "others may write to it" if found.st_mode & _OTHERS_WRITE else None
