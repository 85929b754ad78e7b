"""Commands that start Chromium: one process runs these tests, after one another (`tests/shares.py`)."""

import json

import pytest

from wasm_host.peers import chromium


@pytest.mark.skipif(chromium.obstacle() is not None, reason=f"no Chromium: {chromium.obstacle()}")
def test_chromium_agrees(pvm):
    found = pvm("compare", "example:hello", "--only", "interpreter", "--only", "chromium", "--rounds", "1", "--json")
    assert found.status == 0, found.text
    engines = json.loads(found.stdout)["inputs"][0]["engines"]
    assert {engine["status"] for engine in engines.values()} == {"ended"}
    assert len({engine["memory"] for engine in engines.values()}) == 1 and len(engines) == 3
