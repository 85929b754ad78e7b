"""Preimages against the public vectors: the accounts after each, or the rule that is broken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pvm.jam.accounts import Account, Accounts
from pvm.jam.block import Preimage
from pvm.jam.errors import PreimagesError
from pvm.jam.hashing import blake2b
from pvm.jam.preimages import check_preimages, integrate_preimages
from pvm.jam.state_keys import preimage_key
from pvm.jam.statistics import service_statistics
from pvm.jam.types import U32, ServicesStatistics
from tests.pvm.jam.stf import Blob, Request, cases, outcome


@dataclass(frozen=True)
class Entry:
    id: U32
    preimage_blobs: tuple[Blob, ...]
    preimage_requests: tuple[Request, ...]


@dataclass(frozen=True)
class State:
    accounts: tuple[Entry, ...]
    statistics: ServicesStatistics


@dataclass(frozen=True)
class Input:
    preimages: tuple[Preimage, ...]
    slot: U32


OUTPUT = outcome(None, "preimage_unneeded preimages_not_sorted_unique")


def accounts(entries: tuple[Entry, ...]) -> Accounts:
    made = Accounts({})
    for entry in entries:
        made.set_account(entry.id, Account(code_hash=bytes(32), balance=0))
        for request in entry.preimage_requests:
            made.set_request(entry.id, request.hash, request.length, request.slots)
        for blob in entry.preimage_blobs:
            made.set(preimage_key(entry.id, blob.hash), blob.blob)
    return made


def test_vectors_of_preimages() -> None:
    seen = 0
    for case in cases("preimages", Input, State, OUTPUT):
        state, given = accounts(case.before.accounts), case.input
        try:
            hashes = check_preimages(state, given.preimages)
        except PreimagesError as error:
            assert (error.code, case.before) == (case.error, case.after), case.name
        else:
            assert case.error is None, case.name
            integrate_preimages(state, given.preimages, hashes, given.slot)
            assert state.changes() == accounts(case.after.accounts).changes(), case.name
            assert service_statistics([], given.preimages, {}) == case.after.statistics, case.name
        seen += 1
    assert seen == 16


def test_what_is_no_longer_wanted_is_left_out() -> None:
    blob = b"abc"
    state = Accounts({})
    state.set_account(7, Account(code_hash=bytes(32), balance=0))
    state.set_request(7, blake2b(blob), 3, ())
    given = (Preimage(7, blob),)
    hashes = check_preimages(state, given)
    state.set_request(7, blake2b(blob), 3, (1,))
    before = dict(state.changes())
    integrate_preimages(state, given, hashes, 9)
    assert state.changes() == before
    with pytest.raises(PreimagesError, match="preimage_unneeded"):
        check_preimages(state, given)


def test_nobody_provides_for_a_service_that_does_not_exist() -> None:
    with pytest.raises(PreimagesError, match="preimage_unneeded"):
        check_preimages(Accounts({}), (Preimage(7, b"abc"),))
