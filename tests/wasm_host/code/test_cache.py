"""The cache of compiled code: hits and misses, damage, strangers, many writers, limits, folders that do not work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pvm
from pvm import InputError, Program
from pvm.examples import example
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code import cache as cache_module
from wasm_host.code.cache import FOLDER_VARIABLE, MAGIC, CodeCache, key_of, open_cache, user_folder

ROOT = Path(__file__).parents[3]
PIECES = (b"jumps" * 40, b"", b"module")
HASHED_FROM = len(MAGIC) + 32


def key(name: object = "a") -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def loaded(cache: CodeCache, name: str) -> tuple[bytes, ...] | None:
    found = cache.load(name)
    return None if found is None else tuple(map(bytes, found))


def file_of(cache: CodeCache) -> Path:
    [entry] = cache.entries()
    return cache.folder / entry.name


def sealed(data: bytes) -> bytes:
    """An entry's bytes with the hash that they should have."""
    return data[: len(MAGIC)] + hashlib.sha256(data[HASHED_FROM:]).digest() + data[HASHED_FROM:]


@pytest.fixture
def program() -> Program:
    return assemble(example("fibonacci").source)


# --- entries -----------------------------------------------------------------------------------------------------


def test_hit_and_miss(cache: CodeCache) -> None:
    assert cache.load(key()) is None
    assert not cache.folder.exists()  # to look makes nothing
    cache.store(key(), PIECES)
    assert loaded(cache, key()) == PIECES
    assert cache.has(key()) and not cache.has(key("b"))
    assert cache.load(key("b")) is None
    cache.store(key(), (b"other",))
    assert loaded(cache, key()) == (b"other",)


def test_only_the_user_may_read_it(cache: CodeCache) -> None:
    old = os.umask(0)
    try:
        cache.store(key(), PIECES)
    finally:
        os.umask(old)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert file_of(cache).stat().st_mode & 0o777 == 0o600


def test_every_truncated_entry_is_a_miss_and_is_removed(cache: CodeCache) -> None:
    cache.store(key(), PIECES)
    path = file_of(cache)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.load(key()) is None, length
        assert not path.exists()
    path.write_bytes(whole + b"\0")
    assert cache.load(key()) is None
    path.write_bytes(whole)
    path.chmod(0o600)
    assert loaded(cache, key()) == PIECES


def test_every_flipped_bit_is_a_miss_and_is_removed(cache: CodeCache) -> None:
    cache.store(key(), PIECES)
    path = file_of(cache)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert cache.load(key()) is None, bit
        assert not path.exists()


def test_another_version_is_a_miss(cache: CodeCache) -> None:
    cache.store(key(), PIECES)
    path = file_of(cache)
    path.write_bytes(sealed(MAGIC[:-1] + b"\x63" + path.read_bytes()[len(MAGIC) :]))
    assert cache.load(key()) is None


def test_an_entry_under_another_name_is_a_miss(cache: CodeCache) -> None:
    cache.store(key("a"), PIECES)
    path = file_of(cache)
    path.rename(path.with_name(path.name.replace(key("a"), key("b"))))
    assert cache.has(key("b"))
    assert cache.load(key("b")) is None
    assert not cache.has(key("b"))


def test_files_that_others_could_have_written_are_not_trusted(cache: CodeCache) -> None:
    cache.store(key(), PIECES)
    path = file_of(cache)
    path.chmod(0o660)
    assert cache.load(key()) is None
    path.chmod(0o600)
    assert loaded(cache, key()) == PIECES
    target = path.rename(cache.folder / "elsewhere")
    path.symlink_to(target)
    assert cache.load(key()) is None
    path.unlink()
    path.mkdir()
    assert cache.load(key()) is None


def test_another_user_s_file_is_not_trusted_and_gets_replaced(
    cache: CodeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the superuser the file is given away; else this process takes itself for another user."""
    cache.store(key(), PIECES)
    if os.getuid() == 0:
        os.chown(file_of(cache), 12345, 12345)
        assert cache.load(key()) is None
        cache.store(key(), PIECES)
        assert loaded(cache, key()) == PIECES
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert cache.load(key()) is None and not cache.has(key())
    assert cache.problem() == "it belongs to another user"
    cache.store(key("b"), PIECES)
    monkeypatch.undo()
    assert [entry.name[:64] for entry in cache.entries()] == [key()]


def test_a_folder_that_others_may_write_to_is_not_used(cache: CodeCache) -> None:
    cache.store(key(), PIECES)
    cache.folder.chmod(0o770)
    assert cache.problem() == "others may write to it"
    assert cache.load(key()) is None
    cache.store(key("b"), PIECES)
    assert cache.entries() == []
    assert len(list(cache.folder.iterdir())) == 1


# --- writers -----------------------------------------------------------------------------------------------------


def test_threads_write_the_same_and_other_entries(cache: CodeCache) -> None:
    def work(number: int) -> None:
        name = key(number % 3)
        cache.store(name, (bytes([number % 3]) * 200_000,))
        found = loaded(cache, name)
        assert found == (bytes([number % 3]) * 200_000,)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    assert len(list(cache.folder.iterdir())) == 3


def test_processes_write_the_same_and_other_entries(cache: CodeCache) -> None:
    code = f"""
import hashlib, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from wasm_host.code.cache import CodeCache
cache = CodeCache(Path({str(cache.folder)!r}), limit=900_000)  # room for 4 of 6
for number in range(120):
    kind = number % 6
    key = hashlib.sha256(bytes([kind])).hexdigest()
    cache.store(key, (bytes([kind]) * 200_000, b"end"))
    found = cache.load(key)
    assert found is None or tuple(map(bytes, found)) == (bytes([kind]) * 200_000, b"end")
    if number % 40 == 39:
        cache.clear()
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert not [path for path in cache.folder.iterdir() if path.suffix == ".tmp"]


def test_a_failed_write_leaves_nothing(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.store(key(), PIECES)
    assert list(cache.folder.iterdir()) == []


# --- limits ------------------------------------------------------------------------------------------------------


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, limit=3500)
    for number in range(3):
        cache.store(key(number), (bytes(1000),))
        os.utime(tmp_path / f"{key(number)}.pvmcode", (1000 + number, 1000 + number))
    assert cache.load(key(0)) is not None  # now the last used
    cache.store(key(3), (bytes(1000),))
    assert [number for number in range(4) if cache.has(key(number))] == [0, 2, 3]
    assert {entry.name[:64] for entry in cache.entries()} == {key(0), key(2), key(3)}


def test_the_number_of_entries_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MAX_ENTRIES", 5)
    cache = CodeCache(tmp_path)
    for number in range(9):
        cache.store(key(number), PIECES)
    assert len(cache.entries()) == 5


def test_the_folder_is_looked_over_by_shares(tmp_path: Path) -> None:
    """A store of a 640th of the limit does so one time in ten."""
    cache = CodeCache(tmp_path, limit=640_000)
    turns = sum(cache._is_turn(key(number), 1000) for number in range(2000))
    assert 140 < turns < 260


def test_an_entry_larger_than_the_limit_is_not_stored(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, limit=1000)
    cache.store(key(), (bytes(1000),))
    assert list(tmp_path.iterdir()) == []


def test_what_crashed_writers_left_is_removed_and_files_of_others_stay(tmp_path: Path) -> None:
    cache = CodeCache(tmp_path, limit=1000)
    old, young = (tmp_path / f"{key(number)}.pvmcode.{number:016x}.tmp" for number in range(2))
    strangers = [tmp_path / "letter.txt", tmp_path / f"{key()}.bin", tmp_path / key(), tmp_path / "x.tmp"]
    for path in (old, young, *strangers):
        path.write_bytes(bytes(5000))
        if path != young:
            os.utime(path, (time.time() - 4000,) * 2)
    cache.store(key(), (bytes(100),))
    assert not old.exists() and young.exists()
    assert cache.clear() == (1, file_size(100) + 5000)
    assert sorted(tmp_path.iterdir()) == sorted(strangers)
    assert cache.clear() == (0, 0)


def file_size(length: int) -> int:
    """Of an entry with one piece: magic, hash, key, number, length."""
    return len(MAGIC) + 32 + 32 + 4 + 8 + length


# --- folders -----------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_means_no_cache(tmp_path: Path, program: Program) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"a file")
    cache = CodeCache(blocked / "code")
    cache.store(key(), PIECES)
    assert cache.load(key()) is None
    assert cache.entries() == [] and cache.clear() == (0, 0)
    assert cache.problem() == "not a directory" and cache.write_problem() == f"{blocked} is no folder"
    engine = Engine(tier="recompiler", cache=blocked / "code")
    assert engine.instantiate(program, args=b"\x07").run().reason.value == "halt"


def test_a_read_only_folder_is_read(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(key(), PIECES)

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(30, "Read-only file system")

    real_open = os.open

    def open_to_read(path: object, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            refuse()
        return real_open(path, flags, *mode)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", open_to_read)
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert loaded(cache, key()) == PIECES
    cache.store(key("b"), PIECES)
    assert [entry.name[:64] for entry in cache.entries()] == [key()]
    assert cache.write_problem() == f"{cache.folder} cannot be written"


def test_the_user_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert user_folder() == tmp_path
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert user_folder() is None and open_cache(True) is None
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **options: tmp_path / name)
    assert user_folder() == tmp_path / "pvm-wasm" / "code"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **options: Path("~", name))
    assert user_folder() is None, "no home is known"


def test_a_choice_of_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_cache(False) is None
    for choice in (tmp_path, str(tmp_path)):
        cache = open_cache(choice)
        assert cache is not None and cache.folder == tmp_path
    monkeypatch.chdir(tmp_path)
    cache = open_cache("sub")
    assert cache is not None and cache.folder == Path.cwd() / "sub"
    with pytest.raises(InputError, match="empty"):
        open_cache("")
    with pytest.raises(InputError, match="a folder is needed, not None"):
        open_cache(None)  # type: ignore[arg-type]


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stamp_anew() -> Iterator[None]:
    cache_module._stamp.cache_clear()
    yield
    cache_module._stamp.cache_clear()


def test_keys_differ_by_every_part() -> None:
    keys = [key_of(), key_of("a"), key_of("a", "b"), key_of("ab"), key_of("a", b"b", ""), key_of("b", "a")]
    assert None not in keys and len(set(keys)) == len(keys)
    assert key_of("a", b"b") == key_of("a", "b")


def test_keys_follow_our_sources_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp_anew: None) -> None:
    source = tmp_path / "sub" / "emitter.py"
    source.parent.mkdir()
    source.write_text("one = 1\n")
    os.utime(source, (1000, 1000))
    monkeypatch.setattr(pvm, "__file__", str(tmp_path / "__init__.py"))

    def key_now() -> str | None:
        cache_module._stamp.cache_clear()
        return key_of("x")

    seen = {key_now()}
    assert key_now() in seen
    source.write_text("two = 22\n")
    os.utime(source, (1000, 1000))
    seen.add(key_now())  # another size
    os.utime(source, (1001, 1000))
    assert key_now() in seen  # when it was read does not matter
    os.utime(source, (1001, 1001))
    seen.add(key_now())  # another time
    monkeypatch.setattr(cache_module, "__version__", "9.9.9")
    seen.add(key_now())
    assert len(seen) == 4 and None not in seen


def test_sources_that_changed_since_they_were_loaded_have_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp_anew: None, program: Program
) -> None:
    loaded_at = time.time_ns()
    (tmp_path / "edited.py").write_text("")
    os.utime(tmp_path / "edited.py", ns=(loaded_at + 1, loaded_at + 1))
    monkeypatch.setattr(cache_module, "_LOADED", loaded_at)
    monkeypatch.setattr(pvm, "__file__", str(tmp_path / "__init__.py"))
    cache_module._stamp.cache_clear()
    assert key_of("x") is None
    engine = Engine(tier="recompiler", cache=tmp_path / "code")
    engine.instantiate(program)
    assert not (tmp_path / "code").exists()


def test_an_engine_s_key_covers_what_decides_the_translation(tmp_path: Path, program: Program) -> None:
    class SmallRegions(Engine):
        region_blocks = 3

    other = assemble(example("sieve").source)
    Engine(cache=False).instantiate(program)  # the interpreter is there
    pairs = [
        (Engine(tier="recompiler", cache=tmp_path), program),
        (Engine(tier="recompiler", cache=tmp_path), other),
        (Engine(tier="recompiler", cache=tmp_path, spec="0.8.0"), program),
        (Engine(tier="recompiler", cache=tmp_path, metering="block"), program),
        (SmallRegions(tier="recompiler", cache=tmp_path), program),
    ]
    for number, (engine, one) in enumerate(pairs, 1):
        engine.instantiate(one)
        assert len(CodeCache(tmp_path).entries()) == number
    Engine(tier="recompiler", cache=tmp_path, calls="public").instantiate(program)
    assert len(CodeCache(tmp_path).entries()) == len(pairs)
