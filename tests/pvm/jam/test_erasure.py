"""Erasure coding against the public vectors, and blobs given back by other chunks than the first."""

from __future__ import annotations

import json

import pytest

from pvm.errors import InputError
from pvm.jam.constants import PARAMETERS, TINY
from pvm.jam.erasure import encode_chunks, original_chunks, recover
from tests.pvm.jam.archives import members

LARGEST = 4104  # octets: the one of 10,000 takes seconds with the full parameters


def test_vectors_of_erasure_coding() -> None:
    seen = 0
    for name, data in members("codec/trie-shuffle-erasure", ".json"):
        if not name.startswith("erasure/"):
            continue
        case = json.loads(data)
        blob, constants = bytes.fromhex(case["data"][2:]), PARAMETERS[name.split("/")[1]]
        if constants.name == "full" and len(blob) > LARGEST:
            continue
        chunks = encode_chunks(blob, constants)
        assert [f"0x{chunk.hex()}" for chunk in chunks] == case["shards"], name
        count = original_chunks(constants)
        last = {index: chunks[index] for index in range(constants.validators - count, constants.validators)}
        if len(blob) in (32, 100):
            assert recover(last, constants).rstrip(b"\0") == blob.rstrip(b"\0"), name
        seen += 1
    assert seen == 11


def test_chunks_that_give_nothing_back() -> None:
    chunks = dict(enumerate(encode_chunks(b"some octets", TINY)))
    assert recover({1: chunks[1], 4: chunks[4]}, TINY).rstrip(b"\0") == b"some octets"
    for wrong in ({0: chunks[0]}, {0: chunks[0], 1: b""}, {0: chunks[0], 6: chunks[1]}, {0: b"abc", 1: b"abc"}, {}):
        with pytest.raises(InputError, match="chunks"):
            recover(wrong, TINY)
