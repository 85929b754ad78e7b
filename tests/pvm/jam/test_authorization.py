"""Authorizer pools against the public vectors."""

from __future__ import annotations

from dataclasses import dataclass

from pvm.jam.authorization import next_pools
from pvm.jam.types import U16, U32, AuthPools, AuthQueues, Hash
from tests.pvm.jam.stf import NOTHING, cases


@dataclass(frozen=True)
class State:
    auth_pools: AuthPools
    auth_queues: AuthQueues


@dataclass(frozen=True)
class CoreAuthorizer:
    core: U16
    auth_hash: Hash


@dataclass(frozen=True)
class Input:
    slot: U32
    auths: tuple[CoreAuthorizer, ...]


def test_vectors_of_authorizations() -> None:
    seen = 0
    for case in cases("authorizations", Input, State, NOTHING):
        used = {each.core: each.auth_hash for each in case.input.auths}
        after = next_pools(
            case.before.auth_pools, case.before.auth_queues, case.input.slot, used, case.constants.auth_pool
        )
        assert after == case.after.auth_pools, case.name
        assert case.before.auth_queues == case.after.auth_queues
        seen += 1
    assert seen == 6


def test_the_first_of_equal_authorizers_is_used_up() -> None:
    a, b, c = (bytes((each,)) * 32 for each in b"abc")
    assert next_pools([(a, b, a)], [(c,)], 7, {0: a}, 8) == ((b, a, c),)
    assert next_pools([(a, b, a)], [(c,)], 7, {}, 3) == ((b, a, c),)
