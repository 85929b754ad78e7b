"""The host calls of accumulation (B.7): a function a call, named after it, with its Ω in its docstring.

In: an `AccumulateContext`, registers, memory, gas. Out: `Answer` values, whose effects change the regular context.
`yield` is Python's word, so its function is `yield_`.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from struct import iter_unpack

from pvm.jam.accounts import SERVICE_LIMIT, Account
from pvm.jam.context import AccumulateContext
from pvm.jam.host_calls.answer import (
    CASH,
    CORE,
    FULL,
    HUH,
    LOW,
    NONE,
    OK,
    PANIC,
    SELF,
    WHO,
    Answer,
)
from pvm.jam.inputs import MEMO_SIZE, Transfer
from pvm.jam.partial_state import Privileges
from pvm.jam.state_keys import preimage_key
from pvm.memory import Memory

VALIDATOR_SIZE = 336  # octets of a validator's keys and metadata
_EJECTED_OCTETS = 81  # of the footprint of a request, besides its length
_HIGH = 1 << 32


def bless(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_B: set the privileges. In 0.7.2 anyone may ask: Δ* decides what counts. In 0.8.0 the manager alone."""
    manager, assigners_at, delegator, registrar, at, count = w[7:13]
    cores = context.constants.cores
    found, pairs = memory.guest_read(assigners_at, 4 * cores), memory.guest_read(at, 12 * count)
    if found is None or pairs is None:
        return PANIC
    if context.is_080 and context.service != context.privileges.manager:
        return HUH
    if max(manager, delegator, registrar) >= SERVICE_LIMIT:
        return WHO
    assigners = tuple(number for (number,) in iter_unpack("<I", found))
    privileges = Privileges(manager, delegator, registrar, assigners, dict(iter_unpack("<IQ", pairs)))
    return OK._replace(effect=lambda: context.set(privileges=privileges))


def assign(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_A: set a core's queue of authorizers, and who may do so from now on."""
    core, at, assigner = w[7:10]
    queue = memory.guest_read(at, 32 * context.constants.auth_queue)
    if queue is None:
        return PANIC
    if core >= context.constants.cores:
        return CORE
    privileges, queues = context.privileges, context.queues
    if context.service != privileges.assigners[core]:
        return HUH
    if assigner >= SERVICE_LIMIT:
        return WHO
    assigners = (*privileges.assigners[:core], assigner, *privileges.assigners[core + 1 :])
    changed = (*queues[:core], queue, *queues[core + 1 :])
    return OK._replace(
        effect=lambda: context.set(privileges=replace(privileges, assigners=assigners), queues=changed)
    )


def designate(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_D: set the validators of the epoch after the next. In 0.8.0 their number is r8, a multiple of 3 from 6 on."""
    at, count = w[7], w[8] if context.is_080 else context.constants.validators
    staging_set = memory.guest_read(at, VALIDATOR_SIZE * count)
    if staging_set is None:
        return PANIC
    if context.is_080 and (count % 3 or not 6 <= count <= 3 * context.constants.cores):
        return HUH
    if context.service != context.privileges.delegator:
        return HUH
    return OK._replace(effect=lambda: context.set(staging_set=staging_set))


def checkpoint(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_C: from now on a failure goes back to here. Returns the gas that is left."""
    return Answer(left, effect=context.checkpoint)


def new(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_N: add a service that requests its code, and holds what that takes."""
    at, length, min_item_gas, min_memo_gas, gratis, wanted = w[7:13]
    code_hash = memory.guest_read(at, 32)
    if code_hash is None or length >= _HIGH:
        return PANIC
    privileges, accounts, service = context.privileges, context.accounts, context.service
    if gratis and service != privileges.manager:
        return HUH
    account = Account(
        code_hash, 0, min_item_gas, min_memo_gas, gratis=gratis, created=context.slot, parent=service
    ).with_request(length)  # fmt: skip
    endowment = account.threshold(context.deposits)
    own = accounts[service]
    if own.balance - endowment < own.threshold(context.deposits):
        return CASH
    account = account._replace(balance=endowment)
    changed = own._replace(balance=own.balance - endowment)
    is_low = service == privileges.registrar and wanted < context.constants.first_public_service
    if is_low and wanted in accounts:
        return FULL
    number = wanted if is_low else context.next_id

    def effect() -> None:
        accounts.set_account(number, account)
        accounts.set_request(number, code_hash, length, ())
        accounts.set_account(service, changed)
        if not is_low:
            context.set(next_id=context.id_after(number))

    return Answer(number, effect=effect)


def upgrade(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_U: change the service's own code and least gas."""
    code_hash = memory.guest_read(w[7], 32)
    if code_hash is None:
        return PANIC
    accounts, service = context.accounts, context.service
    changed = accounts[service]._replace(code_hash=code_hash, min_item_gas=w[8], min_memo_gas=w[9])
    return OK._replace(effect=lambda: accounts.set_account(service, changed))


def transfer(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_T: send a part of the balance to a service, and gas for it, which is taken only with OK."""
    to, amount, gas, at = w[7:11]
    memo = memory.guest_read(at, MEMO_SIZE)
    if memo is None:
        return PANIC
    accounts, service = context.accounts, context.service
    receiver = accounts.account(to)
    if receiver is None:
        return WHO
    if gas < receiver.min_memo_gas:
        return LOW
    own = accounts[service]
    balance = own.balance - amount
    if balance < own.threshold(context.deposits):
        return CASH
    sent = Transfer(service, to, amount, memo, gas)

    def effect() -> None:
        accounts.set_account(service, own._replace(balance=balance))
        context.transfers.append(sent)

    return OK._replace(effect=effect, gas=gas)


def eject(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_J: take away a service that left itself to this one, whose last request has expired. Its balance comes here."""
    number, at = w[7], w[8]
    digest = memory.guest_read(at, 32)
    if digest is None:
        return PANIC
    accounts, service = context.accounts, context.service
    account = accounts.account(number) if number != service else None
    if account is None or account.code_hash != service.to_bytes(32, "little"):
        return WHO
    length = max(_EJECTED_OCTETS, account.octets) - _EJECTED_OCTETS
    slots = accounts.request(number, digest, length)
    if account.items != 2 or slots is None:
        return HUH
    if len(slots) != 2 or not slots[1] < context.slot - context.constants.expunge_period:
        return HUH
    own = accounts[service]
    changed = own._replace(balance=own.balance + account.balance)

    def effect() -> None:
        accounts.eject(number, digest, length)
        accounts.set_account(service, changed)

    return OK._replace(effect=effect)


def query(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_Q: the status of a request: how many slots, and the slots, in r7 and r8."""
    digest = memory.guest_read(w[7], 32)
    if digest is None:
        return PANIC
    if context.is_080 and w[8] >= _HIGH:
        return HUH
    slots = context.accounts.request(context.service, digest, w[8])
    if slots is None:
        return NONE._replace(r8=0)
    x, y, z = (*slots, 0, 0, 0)[:3]
    return Answer(len(slots) + x * _HIGH, y + z * _HIGH)


def solicit(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_S: request a preimage, or request it again.

    The paper has no requests of 2^32 octets or more. Where the balance would bear one, HUH is returned.
    """
    digest, length = memory.guest_read(w[7], 32), w[8]
    if digest is None:
        return PANIC
    if context.is_080 and length >= _HIGH:
        return HUH
    accounts, service = context.accounts, context.service
    slots, own = accounts.request(service, digest, length), accounts[service]
    if slots is None:
        own, slots = own.with_request(length), ()
    elif len(slots) == 2:
        slots = (*slots, context.slot)
    else:
        return HUH
    if own.balance < own.threshold(context.deposits):
        return FULL
    if length >= _HIGH:
        return HUH

    def effect() -> None:
        accounts.set_request(service, digest, length, slots)
        accounts.set_account(service, own)

    return OK._replace(effect=effect)


def forget(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_F: say that a preimage is not needed any more. When that was long ago, it goes, and its request."""
    digest, length = memory.guest_read(w[7], 32), w[8]
    if digest is None:
        return PANIC
    accounts, service = context.accounts, context.service
    slots = accounts.request(service, digest, length)
    if slots is None:
        return HUH
    expired, is_expired = context.slot - context.constants.expunge_period, False
    if len(slots) >= 2:
        is_expired = slots[1] < expired
    if len(slots) == 1:
        changed = (slots[0], context.slot)
    elif len(slots) == 3 and is_expired:
        changed = (slots[2], context.slot)
    elif not slots or (len(slots) == 2 and is_expired):

        def effect() -> None:
            accounts.set_request(service, digest, length, None)
            accounts.set(preimage_key(service, digest), None)
            accounts.set_account(service, accounts[service].with_request(length, -1))

        return OK._replace(effect=effect)
    else:
        return HUH
    return OK._replace(effect=lambda: accounts.set_request(service, digest, length, changed))


def yield_(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_♉: set the accumulation's output."""
    digest = memory.guest_read(w[7], 32)
    if digest is None:
        return PANIC
    return OK._replace(effect=lambda: context.set(yielded=digest))


def provide(context: AccumulateContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_♈: give a preimage that a service has requested."""
    service = context.service if w[7] == SELF else w[7]
    at, length = w[8], w[9]
    data = memory.guest_read(at, length)
    if data is None:
        return PANIC
    accounts = context.accounts
    if service not in accounts:
        return WHO
    if accounts.request(service, blake2b(data, digest_size=32).digest(), length) != ():
        return HUH
    if (service, data) in context.provisions:
        return HUH
    return OK._replace(effect=lambda: context.provisions.setdefault((service, data)))
