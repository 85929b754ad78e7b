"""The shuffle against the public vectors."""

from __future__ import annotations

import json

from pvm.jam.shuffle import shuffle
from tests.pvm.jam.archives import members


def test_vectors_of_the_shuffle() -> None:
    _, data = next(members("codec/trie-shuffle-erasure", "shuffle_tests.json"))
    for case in json.loads(data):
        assert shuffle(range(case["input"]), bytes.fromhex(case["entropy"])) == case["output"]
