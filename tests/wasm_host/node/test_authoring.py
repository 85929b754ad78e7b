"""Chains of our own: authored with known seeds, imported as any other, and seals that follow the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvm.errors import BlockError, InputError
from pvm.jam.block import Block
from pvm.jam.chain import Chain
from pvm.jam.codec import decode, encode
from pvm.jam.constants import FULL, TINY
from pvm.jam.hashing import blake2b
from pvm.jam.state import state_of
from pvm.jam.steps import read_genesis, read_step
from pvm.jam.types import TicketBody, TicketsOrKeys
from tests.pvm.jam.archives import DATA, members
from tests.pvm.jam.traces import host
from wasm_host.node.authoring import Author, encode_genesis, encode_step, first_state, keys_from_seed
from wasm_host.node.points import NAME, ring_points


def author() -> Author:
    return Author(host(), [keys_from_seed(index) for index in range(6)], ring_points(DATA / "crypto" / NAME))


def test_a_chain_through_an_epoch() -> None:
    header, state = first_state(host())
    parent = blake2b(encode(header, TINY))
    genesis = read_genesis(encode_genesis(header, state), TINY)
    assert state_of(genesis.state.entries, TINY).root == state.root
    chain, mine = Chain(host(), parent, 0, state, []), author()
    for slot in (1, 2, 11, 12, 13, 40):  # two epochs are skipped at the end
        tickets = mine.tickets(state, slot, 1) if slot == 2 else []
        block = mine.block(state, parent, slot, tickets, assurers=6)
        assert block is not None
        imported = chain.import_block(block)
        step = read_step(encode_step(state, block, imported.state), TINY)
        assert (step.before.root, step.after.root) == (state.root, imported.state.root)
        state, parent = imported.state, imported.hash
        assert len(state.gamma.gamma_a) == (1 if slot in (2, 11) else 0)
    assert sum(record.blocks for record in state.pi.vals_curr) == 1


def test_blocks_on_public_states() -> None:
    """Validators of public traces have the trivial seeds: a block of ours is as good as the one that was made."""
    _, data = next(members("blocks/safrole", "00000013.bin"))
    step = read_step(data, TINY)
    state = state_of(step.before.entries, TINY)
    block = author().block(state, step.block[:32], state.tau + 1, assurers=6)
    assert block is not None
    chain = Chain(host(), step.block[:32], state.tau, state)
    assert chain.import_block(block).state.tau == state.tau + 1


def test_seals_by_tickets() -> None:
    """With tickets of ours in place of keys, a block is sealed by its slot's, and by no other."""
    header, state = first_state(host())
    mine, parent = author(), blake2b(encode(header, TINY))
    import bandersnatch_vrfs

    secret = keys_from_seed(3).bandersnatch
    outputs = [
        bytes(bandersnatch_vrfs.vrf_output(secret, b"jam_ticket_seal" + state.eta[3] + bytes((attempt,))))[:32]
        for attempt in (0, 1)
    ]
    tickets = tuple(TicketBody(outputs[slot % 2], slot % 2) for slot in range(12))
    state = state.updated({"gamma": replace(state.gamma, gamma_s=TicketsOrKeys(tickets=tickets))}, {})
    chain = Chain(host(), parent, 0, state)
    block = mine.block(state, parent, 1)
    assert block is not None
    assert chain.import_block(block).state.gamma.gamma_s.tickets == tickets
    other = tuple(TicketBody(outputs[1 - slot % 2], slot % 2) for slot in range(12))
    wrong = state.updated({"gamma": replace(state.gamma, gamma_s=TicketsOrKeys(tickets=other))}, {})
    value = decode(Block, block, TINY)
    again = encode(replace(value, header=replace(value.header, parent_state_root=wrong.root)), TINY)
    with pytest.raises(BlockError, match="wrong_ticket"):
        Chain(host(), parent, 0, wrong).import_block(again)
    assert Author(host(), [keys_from_seed(0)], b"").block(state, parent, 1) is None, "the slot is another's"
    with pytest.raises(InputError, match="slot 0 is not after"):
        mine.block(state, parent, 0)


def test_full_parameters() -> None:
    """One block with 1,023 validators, sealed and assured."""
    full = replace(host(), constants=FULL)
    header, state = first_state(full)
    parent = blake2b(encode(header, FULL))
    mine = Author(full, [keys_from_seed(index) for index in range(FULL.validators)], b"")
    block = mine.block(state, parent, 1, assurers=20)
    assert block is not None
    imported = Chain(full, parent, 0, state, []).import_block(block)
    assert sum(record.assurances for record in imported.state.pi.vals_curr) == 20
    with pytest.raises(BlockError, match="bad_seal"):
        Chain(full, parent, 0, state).import_block(_reseal(block))


def _reseal(block: bytes) -> bytes:
    """The block with another seal."""
    value = decode(Block, block, FULL)
    return encode(replace(value, header=replace(value.header, seal=value.header.entropy_source)), FULL)
