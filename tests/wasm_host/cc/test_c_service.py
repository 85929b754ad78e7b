"""A service in C, in a world: `pvm/examples/services/words.c`."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from pvm.examples import services
from pvm.jam.testing import World
from wasm_host import Engine

needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and shutil.which("zig") is None,
    reason="no compiler: pip install ziglang",
)
pytestmark = needs_zig


def build(pvm, name, path):
    built = pvm("cc", Path(services.__file__).with_name(name), "-o", path, "--metadata", path.stem)
    assert built.status == 0, built.stderr


def test_words_are_counted(pvm, tmp_path):
    build(pvm, "words.c", tmp_path / "words.jam")
    world = World(engine=Engine())
    words = world.deploy(tmp_path / "words.jam")
    items = [words.refine(text.encode()) for text in ("a rose is a rose", "Ein Röslein, ein a", "")]
    assert items[0].output.startswith(b"\1\2\0\0\0a\4\2\0\0\0rose\2\1\0\0\0is") and items[2].output == b""
    world.accumulate(items).check()
    counts = {key.decode(): int.from_bytes(words.storage[key], "little") for key in words.storage}
    assert counts == {"a": 3, "rose": 2, "is": 1, "Ein": 1, "Röslein": 1, "ein": 1}
    needed = world.deploy(tmp_path / "words.jam").account.threshold(world.constants)
    poor = world.deploy(tmp_path / "words.jam", balance=needed + 60)
    outcome = world.accumulate([poor.refine(b"much too much")])
    assert outcome.logs == ["info: no room for a word"] and poor.storage.keys() == [b"much"]


def test_votes_are_counted_in_zig(pvm, tmp_path):
    build(pvm, "votes.zig", tmp_path / "votes.jam")
    world = World(engine=Engine())
    votes = world.deploy(tmp_path / "votes.jam")
    items = [votes.refine(ballots) for ballots in (b"\1\2\1\1\xff", b"\2", b"")]
    assert items[0].output == b"\1\3\0\0\0\2\1\0\0\0\xff\1\0\0\0" and items[2].output == b""
    world.accumulate(items).check()
    world.accumulate([votes.refine(b"\1" * 300)]).check()
    counts = {key[0]: int.from_bytes(votes.storage[key], "little") for key in votes.storage}
    assert counts == {1: 303, 2: 2, 255: 1}
    needed = world.deploy(tmp_path / "votes.jam").account.threshold(world.constants)
    poor = world.deploy(tmp_path / "votes.jam", balance=needed + 60)
    outcome = world.accumulate([poor.refine(b"\1\2\3")])
    assert outcome.logs == ["info: no room for a candidate"] * 2 and poor.storage.keys() == [b"\1"]
