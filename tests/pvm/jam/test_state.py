"""Components of states of the public traces, decoded and encoded again."""

from __future__ import annotations

import pytest

from pvm.errors import CodecError
from pvm.jam.codec import Reader, codec
from pvm.jam.constants import TINY
from pvm.jam.state import COMPONENTS, state_of
from tests.pvm.jam.archives import members


def read_state(reader: Reader) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    root = reader.take(32)
    return root, [(reader.take(31), reader.take(reader.natural())) for _ in range(reader.natural())]


@pytest.mark.parametrize("trace", ["safrole", "fuzzy_light"])
def test_states_of_traces(trace: str) -> None:
    seen = 0
    for name, data in members(f"blocks/{trace}"):
        if not name.endswith(("40.bin", "99.bin")):
            continue
        root, entries = read_state(Reader(data))
        state = state_of(entries, TINY)
        assert state.root == root
        assert list(state.items()) == sorted(entries)
        for letter, row in COMPONENTS.items():
            value = getattr(state, letter)
            assert codec(row.kind, TINY).encode(value) == state.get(row.key), letter
            codec(row.kind, TINY).to_json(value)
        later = state.updated({"tau": state.tau + 1, "beta": state.beta}, {})
        assert later.tau == state.tau + 1
        assert later.updated({"tau": state.tau}, {}).root == root
        seen += 1
    assert seen >= 2


def test_a_state_without_a_component_says_so() -> None:
    empty = state_of([], TINY)
    assert empty.root == bytes(32)
    with pytest.raises(CodecError, match="beta: the state has no such component"):
        _ = empty.beta
    bad = empty.updated({}, {COMPONENTS["eta"].key: bytes(127)})
    with pytest.raises(CodecError, match=r"eta\[3\]"):
        _ = bad.eta
