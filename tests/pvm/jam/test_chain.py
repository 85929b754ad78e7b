"""Forks and ancestors: states are kept by header, up to a number; ancestors as far back as lookup anchors go."""

from __future__ import annotations

import pytest

from pvm.errors import BlockError
from pvm.jam.block import Header
from pvm.jam.chain import Ancestor, Ancestors, Chain
from pvm.jam.codec import decode
from pvm.jam.constants import TINY
from pvm.jam.hashing import blake2b
from pvm.jam.state import state_of
from pvm.jam.steps import Genesis, Step, read_genesis, read_step
from tests.pvm.jam.archives import members
from tests.pvm.jam.traces import host


def fallback(count: int) -> tuple[Genesis, list[Step]]:
    files = {name.rsplit("/", 1)[-1]: data for name, data in members("blocks/fallback", ".bin")}
    genesis = read_genesis(files.pop("genesis.bin"), TINY)
    return genesis, [read_step(files[name], TINY) for name in sorted(files)[:count]]


def begun(genesis: Genesis, kept: int) -> Chain:
    slot = decode(Header, genesis.header, TINY).slot
    ancestry = [(0, bytes([index]) * 32) for index in range(3)]
    return Chain(host(), blake2b(genesis.header), slot, state_of(genesis.state.entries, TINY), ancestry, kept)


def test_ancestors_are_those_since_a_slot() -> None:
    head = None
    for slot in range(10):
        head = Ancestor(bytes([slot]) * 32, slot, head)
    known = Ancestors(head, 4)
    assert sorted(known.values()) == [4, 5, 6, 7, 8, 9]
    assert known[bytes([4]) * 32] == 4
    assert known.get(bytes([3]) * 32) is None
    assert len(known) == 6
    assert len(Ancestors(None, 0)) == 0


def test_states_are_kept_up_to_a_number() -> None:
    genesis, steps = fallback(12)
    chain = begun(genesis, 4)
    for step in steps:
        chain.import_block(step.block)
    assert chain.state(steps[-1].block[:32]) is not None
    assert chain.state(blake2b(genesis.header)) is None
    with pytest.raises(BlockError, match="unknown_parent"):
        chain.import_block(steps[0].block)


def test_children_do_not_drive_their_parent_out() -> None:
    genesis, steps = fallback(2)
    chain = begun(genesis, 3)
    chain.import_block(steps[0].block)
    for _ in range(10):
        assert chain.import_block(steps[1].block).state.root == steps[1].after.root
    assert chain.state(steps[1].block[:32]) is not None


def test_ancestors_are_forgotten_in_time() -> None:
    """A list of headers as long as the chain would grow for ever."""
    genesis, steps = fallback(60)
    chain = begun(genesis, 8)
    for step in steps:
        imported = chain.import_block(step.block)
    count, each = 0, imported.ancestor
    while each is not None:
        count, each = count + 1, each.parent
    assert count <= TINY.lookup_anchor_age + 8 + 1 + 1
