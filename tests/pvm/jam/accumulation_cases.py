"""The public vectors of accumulation, and their accounts as layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pvm.jam.accounts import Account, Accounts
from pvm.jam.state_keys import preimage_key, storage_key
from pvm.jam.types import (
    U32,
    AccumulatedQueue,
    ByteSequence,
    Hash,
    Privileges,
    ReadyQueue,
    ServiceInfo,
    ServicesStatistics,
    WorkReport,
)
from tests.pvm.jam.stf import Blob, Case, Request, cases, outcome


@dataclass(frozen=True)
class Item:
    key: ByteSequence
    value: ByteSequence


@dataclass(frozen=True)
class Entry:
    id: U32
    service: ServiceInfo
    storage: tuple[Item, ...]
    preimage_blobs: tuple[Blob, ...]
    preimage_requests: tuple[Request, ...]


@dataclass(frozen=True)
class State:
    slot: U32
    entropy: Hash
    ready_queue: ReadyQueue
    accumulated: AccumulatedQueue
    privileges: Privileges
    statistics: ServicesStatistics
    accounts: tuple[Entry, ...]


@dataclass(frozen=True)
class Input:
    slot: U32
    reports: tuple[WorkReport, ...]


def accumulate_cases() -> Iterator[Case]:
    """All of them."""
    return cases("accumulate", Input, State, outcome(Hash, ""))


def accounts_of(entries: tuple[Entry, ...]) -> dict[bytes, bytes]:
    """The state's keys and values of these accounts."""
    made = Accounts({})
    for entry in entries:
        info = entry.service
        made.set_account(
            entry.id,
            Account(
                code_hash=info.code_hash, balance=info.balance, min_item_gas=info.min_item_gas,
                min_memo_gas=info.min_memo_gas, octets=info.bytes, gratis=info.deposit_offset, items=info.items,
                created=info.creation_slot, accumulated=info.last_accumulation_slot, parent=info.parent_service,
            ),
        )  # fmt: skip
        for item in entry.storage:
            made.set(storage_key(entry.id, item.key), item.value)
        for request in entry.preimage_requests:
            made.set_request(entry.id, request.hash, request.length, request.slots)
        for blob in entry.preimage_blobs:
            made.set(preimage_key(entry.id, blob.hash), blob.blob)
    return {key: value for key, value in made.changes().items() if value is not None}
