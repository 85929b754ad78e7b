"""The host calls of every invocation (B.5): a function a call, named after it, with its Ω in its docstring.

In: a `General` context, registers, memory, gas. Out: `Answer` values.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Protocol

from pvm.jam.accounts import MASK64, Accounts, Deposits
from pvm.jam.host_calls.answer import FULL, NONE, PANIC, SELF, WHAT, Answer, part_of
from pvm.jam.host_calls.fetchable import Fetchable
from pvm.jam.host_calls.table import RESULTS, ROWS
from pvm.jam.state_keys import storage_key
from pvm.memory import Memory
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE

_INFO = Struct("<32s5QIQ3I")
_NOTHING = RESULTS["NONE"]
PAGE_PRICE = next(row for row in ROWS if row.name == "grow_heap").prices_080[0].rates[0].rate


class General(Protocol):
    """What the general calls need. Service, accounts and deposits are accumulation's alone."""

    @property
    def fetchable(self) -> Fetchable: ...
    @property
    def log(self) -> Callable[[list[int], Memory], object] | None: ...
    @property
    def heap_page(self) -> int: ...
    @property
    def heap_limit(self) -> int: ...
    def set(self, **changed: int) -> None: ...
    @property
    def service(self) -> int: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def deposits(self) -> Deposits: ...


def gas(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_G: the gas that is left after the call."""
    return Answer(left)


def grow_heap(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_♊ (0.8.0): map the heap's pages up to a page, for gas by the page; returns the first page behind the heap."""
    page, wanted = context.heap_page, w[7]
    if not page < wanted <= context.heap_limit:
        return Answer(page)

    def effect() -> None:
        memory.map(page * PAGE_SIZE, (wanted - page) * PAGE_SIZE, "rw")
        context.set(heap_page=wanted)

    return Answer(wanted, effect=effect, gas=(wanted - page) * PAGE_PRICE)


def fetch(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_Y: what the invocation was given, by kind (r10) and indices (r11, r12)."""
    value = context.fetchable.find(w[10], w[11], w[12])
    return part_of(value, memory, w[7], w[8], w[9])


def lookup(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_L: a preimage that a service has."""
    digest = memory.guest_read(w[8], 32)
    if digest is None:
        return PANIC
    service = context.service if w[7] == SELF else w[7]
    accounts = context.accounts
    value = accounts.preimage(service, digest) if service in accounts else None
    return part_of(value, memory, w[9], w[10], w[11])


def read(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_R: a service's storage item."""
    key = memory.guest_read(w[8], w[9])
    if key is None:
        return PANIC
    service = context.service if w[7] == SELF else w[7]
    accounts = context.accounts
    if service not in accounts:
        return NONE
    return part_of(accounts.storage(service, key), memory, *w[10:13])


def write(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_W: change, add or (with no value) take away a storage item; returns the length of its value before."""
    key_at, key_size, at, size = w[7:11]
    name = memory.guest_read(key_at, key_size)
    if name is None or (size and (at + size > ADDRESS_SPACE or not memory.is_readable(at, size))):
        return PANIC
    accounts, service = context.accounts, context.service
    key = storage_key(service, name)
    old, account = accounts.get(key), accounts[service]
    before = None if old is None else len(old)
    changed = account.with_item(key_size, before, size or None)
    if changed.threshold(context.deposits) > changed.balance:
        return FULL
    value = memory.guest_read(at, size) if size else None

    def effect() -> None:
        accounts.set(key, value)
        if changed is not account:
            accounts.set_account(service, changed)

    return Answer(_NOTHING if before is None else before, None, 0, b"", effect)


def info(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_I: what is known of a service besides its items."""
    account = context.accounts.account(context.service if w[7] == SELF else w[7])
    if account is None:
        return NONE
    value = _INFO.pack(
        account.code_hash, account.balance & MASK64, account.threshold(context.deposits) & MASK64,
        account.min_item_gas, account.min_memo_gas, account.octets & MASK64, account.items & 0xFFFFFFFF,
        account.gratis, account.created, account.accumulated, account.parent,
    )  # fmt: skip
    return part_of(value, memory, w[8], w[9], w[10])


def log(context: General, w: list[int], memory: Memory, left: int) -> Answer:
    """JIP-1: what the service logs goes to whoever listens. Always WHAT, as from a call that does not exist."""
    if context.log is not None:
        context.log(w, memory)
    return WHAT
