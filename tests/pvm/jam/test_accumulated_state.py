"""The part of the state that accumulation can change, there and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvm.errors import CodecError
from pvm.jam.accumulated_state import changed_components, changed_octets, partial_state_of
from pvm.jam.codec import Reader, codec
from pvm.jam.constants import TINY
from pvm.jam.partial_state import Privileges
from pvm.jam.state import State, state_of
from pvm.jam.types import U32
from tests.pvm.jam.archives import members


def genesis() -> State:
    _, data = next(members("blocks/fallback", "00000001.bin"))
    reader = Reader(data, 32)
    entries = []
    for _ in range(reader.natural()):
        key = reader.take(31)
        entries.append((key, reader.take(reader.natural())))
    return state_of(entries, TINY)


def test_what_does_not_change_is_not_listed() -> None:
    before = partial_state_of(genesis())
    after = replace(before, accounts=before.accounts.layer())
    assert (changed_components(before, after), changed_octets(before, after)) == ({}, {})


def test_changes_are_components_of_the_state() -> None:
    state = genesis()
    before = partial_state_of(state)
    privileges = Privileges(manager=9, delegator=8, registrar=7, assigners=(5, 6), always={4: 40, 3: 30})
    after = replace(before, privileges=privileges, staging_set=bytes(6 * 336), queues=(before.queues[0], b"\1" * 2560))
    following = state.updated(changed_components(before, after), {}, changed_octets(before, after))
    assert partial_state_of(following).privileges == privileges
    assert [entry.id for entry in following.chi.always_acc] == [3, 4]
    assert following.phi == (state.phi[0], (b"\1" * 32,) * 80)
    assert following.iota[5].ed25519 == bytes(32)


@pytest.mark.parametrize("name", ["phi", "iota"])
def test_a_component_of_wrong_size_is_no_state(name: str) -> None:
    key = getattr(State, name).key
    broken = state_of(
        [(key, codec(U32, TINY).encode(7)) if each == key else (each, value) for each, value in genesis().items()], TINY
    )
    with pytest.raises(CodecError, match=name):
        partial_state_of(broken)
