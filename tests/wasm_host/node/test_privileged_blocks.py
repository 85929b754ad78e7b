"""Blocks in which a privileged service changes what no public trace changes: queues of authorizers, and validators."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvm.jam.accounts import Account, encode_slots
from pvm.jam.block import Block, DisputesExtrinsic, Extrinsic
from pvm.jam.codec import decode
from pvm.jam.constants import TINY
from pvm.jam.hashing import blake2b
from pvm.jam.state import State, state_of
from pvm.jam.state_keys import account_key, preimage_key, request_key
from pvm.jam.steps import read_step
from pvm.jam.transition import transition
from pvm.jam.types import AlwaysAccumulateMapEntry, Privileges
from tests.pvm.jam.archives import members
from tests.pvm.jam.test_invocations import service_code
from tests.wasm_host.node.credulous import host, received

SERVICE, OTHER = 70_000, 8
ASSIGN = "\n load_imm a0, 1\n load_imm a1, out\n load_imm a2, 8\n call! assign\n load_imm a1, 0\n ret\n"
DESIGNATE = "\n load_imm a0, out\n call! designate\n load_imm a1, 0\n ret\n"
NOTHING = Extrinsic((), (), (), (), DisputesExtrinsic((), (), ()))


def with_service(code: str, **privileges: object) -> tuple[State, Block]:
    """A public state in which a service with this code accumulates in each block, and an empty block on it."""
    _, data = next(members("blocks/fallback", "00000005.bin"))
    given = read_step(data, TINY)
    state = state_of(given.before.entries, TINY)
    preimage = service_code(code)
    digest = blake2b(preimage)
    account = Account(digest, 10_000_000).with_request(len(preimage))
    chi = Privileges(0, (0, 0), 0, 0, (AlwaysAccumulateMapEntry(SERVICE, 10_000),))
    state = state.updated(
        {"chi": replace(chi, **privileges)},  # type: ignore[arg-type]
        {
            account_key(SERVICE): account.encode(),
            preimage_key(SERVICE, digest): preimage,
            request_key(SERVICE, digest, len(preimage)): encode_slots((1,)),
        },
    )
    return state, replace(decode(Block, given.block, TINY), extrinsic=NOTHING)


def after(code: str, **privileges: object) -> tuple[State, State]:
    state, block = with_service(code, **privileges)
    following = transition(state, received(state, block), host())
    (entry,) = following.pi.services
    assert entry.id == SERVICE and entry.record.accumulate_gas_used > 10
    again = state_of(following.items(), TINY)
    assert again.root == following.root
    return state, again


def test_the_pool_takes_from_the_queue_that_this_block_has_set() -> None:
    before, state = after(ASSIGN, assign=(0, SERVICE))
    assert state.phi == (before.phi[0], (bytes(32),) * 80)
    assert state.chi.assign == (0, OTHER)
    assert state.alpha[1][-1] == bytes(32)
    assert state.alpha[0] == (*before.alpha[0], before.phi[0][state.tau % 80])[-8:]


def test_validators_are_designated() -> None:
    before, state = after(DESIGNATE, designate=SERVICE)
    assert {validator.ed25519 for validator in state.iota} == {bytes(32)}
    assert state.kappa == before.kappa


@pytest.mark.parametrize("code", [ASSIGN, DESIGNATE])
def test_nobody_else_may(code: str) -> None:
    before, state = after(code)
    assert (state.phi, state.iota, state.chi) == (before.phi, before.iota, before.chi)
