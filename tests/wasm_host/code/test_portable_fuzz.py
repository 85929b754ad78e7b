"""Entries of the cache and translations that travel, with a right hash and wrong content: misses, or errors of ours.

Native code is left as it is or replaced as a whole: nothing can tell what changed code does, which is why the folder
has to be the user's own.
"""

from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pvm import Exit, Program, PvmError
from pvm.examples import example
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code import modules
from wasm_host.code.cache import MAGIC, CodeCache, key_of
from wasm_host.code.portable import PortableCode

HASHED_FROM = len(MAGIC) + 32
COUNT_AT = HASHED_FROM + 32
NUMBERS = (0, 1, 2, 3, 4, 5, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
LENGTHS = (*NUMBERS, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


@pytest.fixture
def program() -> Program:
    return assemble(example("fibonacci").source)


def sealed(data: bytes) -> bytes:
    """An entry's bytes with the hash that they should have."""
    return data[: len(MAGIC)] + hashlib.sha256(data[HASHED_FROM:]).digest() + data[HASHED_FROM:]


def outcome(engine: Engine, program: Program) -> tuple[Exit, bytes]:
    machine = engine.instantiate(program, args=b"\x09", gas=100_000)
    return machine.run(), machine.result()


def only_entry(cache: CodeCache) -> Path:
    [entry] = cache.entries()
    return cache.folder / entry.name


@pytest.mark.parametrize("count", NUMBERS)
def test_any_number_of_pieces(cache: CodeCache, count: int) -> None:
    key = hashlib.sha256(b"a").hexdigest()
    cache.store(key, (b"one", b"two", b"three"))
    path = only_entry(cache)
    whole = path.read_bytes()
    path.write_bytes(sealed(whole[:COUNT_AT] + struct.pack("<I", count) + whole[COUNT_AT + 4 :]))
    found = cache.load(key)
    assert (found is not None) == (count == 3)
    assert path.exists() == (count == 3)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("length", LENGTHS)
def test_any_length_of_a_piece(cache: CodeCache, place: int, length: int) -> None:
    key = hashlib.sha256(b"a").hexdigest()
    pieces = (b"12345", b"67890", b"abcde")
    cache.store(key, pieces)
    path = only_entry(cache)
    whole = path.read_bytes()
    at = COUNT_AT + 4 + 8 * place
    path.write_bytes(sealed(whole[:at] + struct.pack("<Q", length) + whole[at + 8 :]))
    assert (cache.load(key) is not None) == (length == 5)


@pytest.mark.parametrize("seed", range(300))
def test_mutated_entries(cache: CodeCache, seed: int) -> None:
    """Whatever stands where: the pieces make up what is behind the lengths, or it is a miss."""
    rng, key = random.Random(seed), hashlib.sha256(b"a").hexdigest()
    cache.store(key, [rng.randbytes(rng.randrange(40)) for _ in range(rng.randrange(1, 6))])
    path = only_entry(cache)
    data = bytearray(path.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(HASHED_FROM, len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                del data[at : at + rng.randrange(1, 20)]
            case 2:
                data[at:at] = rng.randbytes(rng.randrange(1, 20))
            case _:
                data[at : at + 8] = rng.choice(LENGTHS).to_bytes(8, "little")
    path.write_bytes(sealed(bytes(data)))
    found = cache.load(key)
    if found is not None:
        assert len(data) == COUNT_AT + 4 + 8 * len(found) + sum(map(len, found))


def mutated(rng: random.Random, pieces: list[bytes]) -> list[bytes]:
    """A translation's pieces, the last of which is native code: tables changed, cut, swapped; pieces more or fewer."""
    match rng.randrange(6):
        case 0:
            del pieces[rng.randrange(len(pieces))]
        case 1:
            pieces.insert(rng.randrange(len(pieces) + 1), rng.randbytes(rng.choice((0, 1, 4, 8, 1000))))
        case 2:
            one, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
            pieces[one], pieces[other] = pieces[other], pieces[one]
        case 3:
            at = rng.randrange(len(pieces))
            pieces[at] = pieces[at][: rng.randrange(len(pieces[at]) + 1)]
        case 4:
            pieces[rng.randrange(3)] += rng.randbytes(rng.choice((1, 4, 8, 1 << 20)))
        case _:
            table = bytearray(pieces[rng.randrange(3)])
            for at in range(0, len(table), 4):
                if rng.random() < 0.5:
                    table[at : at + 4] = rng.choice((0, 1, 1 << 16, 2**31, 2**32 - 1)).to_bytes(4, "little")
            pieces[rng.randrange(3)] = bytes(table)
    return pieces


@pytest.mark.parametrize("seed", range(60))
def test_mutated_translations(tmp_path: Path, program: Program, seed: int) -> None:
    """They are made anew, or, where only numbers were changed, lead to an exit or an error of ours."""
    Engine(cache=False).instantiate(program)  # the interpreter is there
    Engine(tier="recompiler", cache=tmp_path).instantiate(program)
    cache = CodeCache(tmp_path)
    key = only_entry(cache).stem
    pieces = cache.load(key)
    assert pieces is not None and len(pieces) == 4
    cache.store(key, mutated(random.Random(seed), list(map(bytes, pieces))))
    try:
        outcome(Engine(tier="recompiler", cache=tmp_path), program)
    except PvmError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("seed", range(60))
def test_mutated_translations_that_travel(program: Program, seed: int) -> None:
    carried = Engine(tier="recompiler").carry(program)
    assert carried is not None
    pieces = tuple(mutated(random.Random(seed), list(carried.pieces)))
    engine = Engine(tier="recompiler", cache=False)
    engine.adopt(program, replace(carried, pieces=pieces))
    try:
        outcome(engine, program)
    except PvmError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("pieces", [(), (b"",), (b"", b"", b"", b"")])
def test_no_translation_travels(program: Program, pieces: tuple[bytes, ...]) -> None:
    maker = Engine(tier="recompiler")
    carried = maker.carry(program)
    assert carried is not None
    engine = Engine(tier="recompiler", cache=False)
    engine.adopt(program, PortableCode(carried.protection, carried.sources, pieces))
    assert outcome(engine, program) == outcome(maker, program)


def test_another_programs_translation(tmp_path: Path, program: Program) -> None:
    """Under the right key: its jump table is not as long as this program's, so it is made anew."""
    other = assemble(".code\ntrap\n")
    assert len(other.jump_table) != len(program.jump_table)
    cache = CodeCache(tmp_path)
    Engine(tier="recompiler", cache=tmp_path).instantiate(other)
    pieces = cache.load(only_entry(cache).stem)
    assert pieces is not None
    cache.clear()
    expected = outcome(Engine(tier="recompiler", cache=tmp_path), program)
    path = only_entry(cache)
    cache.store(path.stem, pieces)
    assert outcome(Engine(tier="recompiler", cache=tmp_path), program) == expected
    found = cache.load(path.stem)
    assert found is not None and found != pieces


def test_what_is_stored_in_place_of_the_interpreter(cache: CodeCache, program: Program) -> None:
    module: Any = modules.compile_module(b"\0asm\1\0\0\0").serialize()
    key = key_of("interpreter")
    assert key is not None
    for pieces in ((module,), (b"", modules.interpreter().serialize())):
        cache.store(key, pieces)
        made = modules._load_interpreter(cache)
        assert [one.name for one in made.exports] == [one.name for one in modules.interpreter().exports]
        assert cache.load(key) == (made.serialize(),)
