"""The state trie against the public vectors, and against itself: changes in any order come to the same root."""

from __future__ import annotations

import json
import random

from pvm.jam.hashing import blake2b
from pvm.jam.merkle import build, changed, differences, find, items, root
from tests.pvm.jam.archives import members


def reference(entries: list[tuple[str, bytes, bytes]], most_significant_first: bool) -> bytes:
    """M of D.2 on strings of bits, with octets read from either end."""

    def bits(data: bytes) -> str:
        return "".join(f"{octet:08b}"[:: 1 if most_significant_first else -1] for octet in data)

    def octets(text: str) -> bytes:
        step = 1 if most_significant_first else -1
        return bytes(int(text[start : start + 8][::step], 2) for start in range(0, len(text), 8))

    if not entries:
        return bytes(32)
    if len(entries) == 1:
        _, key, value = entries[0]
        if len(value) <= 32:
            size = bits(bytes((len(value),)))
            size = size[2:] if most_significant_first else size[:6]
            return blake2b(octets("10" + size + bits(key) + bits(value.ljust(32, b"\0"))))
        return blake2b(octets("11000000" + bits(key) + bits(blake2b(value))))
    entries = [(path or bits(key), key, value) for path, key, value in entries]
    left, right = (
        reference([(path[1:], key, value) for path, key, value in entries if path[0] == bit], most_significant_first)
        for bit in "01"
    )
    return blake2b(octets("0" + bits(left)[1:] + bits(right)))


def test_vectors_of_the_trie() -> None:
    """The vectors read octets from the least significant bit, as texts before 0.5 did: states of 0.7.2 do not."""
    _, data = next(members("codec/trie-shuffle-erasure", "trie.json"))
    cases = json.loads(data)
    for case in cases:
        entries = [(bytes.fromhex(key)[:31], bytes.fromhex(value)) for key, value in case["input"].items()]
        listed = [("", key, value) for key, value in entries]
        assert reference(listed, most_significant_first=False).hex() == case["output"]
        assert reference(listed, most_significant_first=True) == root(build(entries))
    assert len(cases) >= 10


def test_changes_come_to_the_same_root_as_building() -> None:
    chance = random.Random(1)
    entries: dict[bytes, bytes] = {}
    trie = build([])
    near = [bytes(30) + bytes((last,)) for last in range(8)]  # keys with a long prefix in common
    for _ in range(60):
        changes: dict[bytes, bytes | None] = {}
        for _ in range(chance.randrange(9)):
            key = chance.choice([*near, *entries, blake2b(chance.randbytes(4))[:31]])
            changes[key] = chance.choice([None, chance.randbytes(chance.randrange(80))])
        before, trie = trie, changed(trie, changes)
        was = dict(entries)
        entries |= {key: value for key, value in changes.items() if value is not None}
        entries = {key: value for key, value in entries.items() if changes.get(key, b"") is not None}
        assert dict(items(trie)) == entries
        assert list(items(trie)) == sorted(entries.items())
        assert root(trie) == root(build(entries.items()))
        found = {key: (old, new) for key, old, new in differences(before, trie)}
        assert found == {
            key: (was.get(key), entries.get(key))
            for key in was.keys() | entries.keys()
            if was.get(key) != entries.get(key)
        }
        for key in (*near, *entries):
            assert find(trie, key) == entries.get(key)
