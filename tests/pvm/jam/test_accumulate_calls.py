"""The host calls of accumulation (B.7), rule by rule, for both versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvm.jam.accounts import Account, Slots
from pvm.jam.constants import TINY
from pvm.jam.inputs import Transfer
from pvm.jam.partial_state import Privileges
from tests.pvm.jam.calls import (
    BLOB,
    CASH,
    CORE,
    FULL,
    GAS,
    HUH,
    LOW,
    MAX,
    NO,
    NONE,
    OK,
    OTHER,
    OUT_OF_GAS,
    PANIC,
    RO,
    RO_END,
    RW,
    RW_END,
    SELF,
    SERVICE,
    SLOT,
    VERSIONS,
    WHO,
    Caller,
    accumulating,
    digest_of,
)

HASH = bytes(range(32))
U32 = 1 << 32
UNREADABLE = (NO, RW_END - 31, RO_END - 31, MAX, 0)


@pytest.fixture(params=VERSIONS)
def call(request: pytest.FixtureRequest) -> Caller:
    return accumulating(request.param)


@pytest.fixture
def at(call: Caller) -> int:
    """Where a hash is."""
    return call.put(RW, HASH)


# --- bless -----------------------------------------------------------------------------------------------------------


def bless(call: Caller, manager: int = 20, delegator: int = 21, registrar: int = 22, count: int = 2) -> int:
    call.put(RW, b"\x1e\0\0\0\x1f\0\0\0")
    call.put(RW + 100, b"\x05\0\0\0\1\0\0\0\0\0\0\0" + b"\x06\0\0\0\2\0\0\0\0\0\0\0")
    return call("bless", manager, RW, delegator, registrar, RW + 100, count).r7


def test_bless(call: Caller) -> None:
    before = call.context.privileges
    if call.version == "0.8.0":
        assert bless(call) == HUH and call.context.privileges is before, "the manager alone may do so"
        call.context.privileges = before = replace(before, manager=SERVICE)
    for wrong in ({"manager": U32}, {"delegator": MAX}, {"registrar": U32}):
        assert bless(call, **wrong) == WHO and call.context.privileges is before
    assert bless(call) == OK
    assert call.context.privileges == Privileges(20, 21, 22, (30, 31), {5: 1, 6: 2})


def test_bless_without_anyone(call: Caller) -> None:
    call.context.privileges = replace(call.context.privileges, manager=SERVICE)
    assert call("bless", 1, RW, 2, 3, NO, 0).r7 == OK and call.context.privileges.always == {}


@pytest.mark.parametrize(("cores_at", "at", "count"), [
    (RW_END - 7, RW, 1), (NO, RW, 1), (RW, NO, 1), (RW, RW_END - 23, 2), (RW, RW, MAX // 12), (RW, RW, MAX),
])  # fmt: skip
@pytest.mark.parametrize("manager", [1, MAX])
def test_bless_of_what_cannot_be_read(call: Caller, cores_at: int, at: int, count: int, manager: int) -> None:
    done = call("bless", manager, cores_at, 2, 3, at, count, gas=1 << 63)
    assert done.end is PANIC or (count > 1 << 32 and call.version == "0.8.0" and done.end is OUT_OF_GAS)


# --- assign, designate ----------------------------------------------------------------------------------------------


def test_assign(call: Caller) -> None:
    queue = bytes(range(256)) * 10
    call.put(RW, queue)
    before = call.context.queues
    assert call("assign", 0, NO, 5).end is PANIC
    assert call("assign", 9, RW_END - 2559, 5).end is PANIC, "what cannot be read comes first"
    assert call("assign", 2, RW, 5).r7 == CORE and call("assign", MAX, RW, MAX).r7 == CORE
    assert call("assign", 0, RW, MAX).r7 == HUH, "core 0 is another service's"
    assert call("assign", 1, RW, U32).r7 == WHO
    assert call.context.queues is before and call.context.privileges.assigners == (4, SERVICE)
    assert call("assign", 1, RW, 5).r7 == OK
    assert call.context.queues == (bytes(2560), queue) and call.context.privileges.assigners == (4, 5)
    assert call("assign", 1, RW, SERVICE).r7 == HUH, "it has given the core away"


def test_designate(call: Caller) -> None:
    keys = bytes(range(252)) * 8
    call.put(RW, keys)
    assert call("designate", NO, 6).end is PANIC and call("designate", RW_END - 2015, 6).end is PANIC
    assert call("designate", RW, 6).r7 == HUH
    call.context.privileges = replace(call.context.privileges, delegator=SERVICE)
    assert call("designate", RW, 6).r7 == OK and call.context.staging_set == keys


def test_designate_takes_a_number_in_0_8_0() -> None:
    call = accumulating("0.8.0")
    call.context.privileges = replace(call.context.privileges, delegator=SERVICE)
    call.context.constants = replace(TINY, cores=4)
    assert [call("designate", RW, number).r7 for number in (0, 3, 5, 7, 15, 6, 12)] == [HUH] * 5 + [OK] * 2
    assert len(call.context.staging_set) == 12 * 336
    assert call("designate", NO, 5).end is PANIC


# --- checkpoint ------------------------------------------------------------------------------------------------------


def test_checkpoint(call: Caller) -> None:
    cost = 10 if call.version == "0.7.2" else 103
    context = call.context
    assert call("write", RW, 1, RW, 4).r7 == NONE
    assert call("checkpoint", gas=5000).r7 == 5000 - cost
    assert call("write", RW, 1, RW, 5).r7 == 4
    call.put(RW, HASH)
    assert call("yield", RW).r7 == OK
    assert call("checkpoint", gas=cost - 1).end is OUT_OF_GAS
    context.roll_back()
    assert context.accounts.storage(SERVICE, b"\0") == bytes(4) and context.yielded is None


# --- new -------------------------------------------------------------------------------------------------------------


def test_new(call: Caller, at: int) -> None:
    context, first = call.context, call.context.next_id
    before = context.accounts[SERVICE]
    assert call("new", at, 50, 5, 6, 0, 9).r7 == first
    made = context.accounts[first]
    assert made == Account(HASH, 100 + 20 + 81 + 50, 5, 6, 81 + 50, 0, 2, SLOT, 0, SERVICE)
    assert context.accounts.request(first, HASH, 50) == ()
    assert context.accounts[SERVICE] == before._replace(balance=before.balance - made.balance)
    assert context.next_id == first + 42 or first > U32 - 400


def test_new_refuses(call: Caller, at: int) -> None:
    context = call.context
    first = context.next_id
    for unreadable in UNREADABLE:
        assert call("new", unreadable, 5).end is PANIC
    assert call("new", at, U32).end is PANIC and call("new", at, MAX, 0, 0, MAX).end is PANIC
    assert call("new", at, U32 - 1).r7 == CASH
    assert call("new", at, U32 - 1, 0, 0, 1).r7 == HUH, "who is not the manager gives nothing away"
    assert context.next_id == first and not context.accounts.changes()
    account = context.accounts[SERVICE]
    enough = account.threshold(TINY) + 100 + 20 + 81 + 5
    for balance, result in ((enough, first), (enough - 1, CASH)):
        assert accumulating(call.version, balance=balance)("new", RW, 5).r7 == result


def test_the_manager_gives_storage_away(call: Caller, at: int) -> None:
    call.context.privileges = replace(call.context.privileges, manager=SERVICE)
    first = call.context.next_id
    assert call("new", at, 5, 0, 0, 150).r7 == first
    made = call.context.accounts[first]
    assert (made.gratis, made.balance) == (150, 100 + 20 + 86 - 150)
    second = call.context.next_id
    assert call("new", at, 5, 0, 0, 1000).r7 == second and call.context.accounts[second].balance == 0


def test_the_registrar_chooses_low_numbers(call: Caller, at: int) -> None:
    call.context.privileges = replace(call.context.privileges, registrar=SERVICE)
    first = call.context.next_id
    assert call("new", at, 5, 0, 0, 0, OTHER).r7 == FULL
    assert call("new", at, 5, 0, 0, 0, 65535).r7 == 65535
    assert call("new", at, 5, 0, 0, 0, 65535).r7 == FULL
    assert call("new", at, U32 - 1, 0, 0, 0, 65535).r7 == CASH, "money comes before numbers"
    assert call.context.next_id == first
    assert call("new", at, 5, 0, 0, 0, 65536).r7 == first, "from 2^16 on the number is not the registrar's choice"


# --- upgrade, transfer ----------------------------------------------------------------------------------------------


def test_upgrade(call: Caller, at: int) -> None:
    before = call.context.accounts[SERVICE]
    for unreadable in UNREADABLE:
        assert call("upgrade", unreadable, 1, 2).end is PANIC
    assert not call.context.accounts.changes()
    assert call("upgrade", at, MAX, 2).r7 == OK
    changed = before._replace(code_hash=HASH, min_item_gas=MAX, min_memo_gas=2)
    assert call.context.accounts[SERVICE] == changed


def test_transfer(call: Caller) -> None:
    base = 10 if call.version == "0.7.2" else 575
    memo = bytes(range(128))
    call.put(RW, memo)
    before = call.context.accounts[SERVICE]
    assert call("transfer", OTHER, 1000, 60, RW).gas == base + 60
    assert call.context.transfers == [Transfer(SERVICE, OTHER, 1000, memo, 60)]
    assert call.context.accounts[SERVICE].balance == before.balance - 1000
    assert call("transfer", SERVICE, 0, 12, RW).r7 == OK, "to itself, of nothing"


def test_transfer_refuses(call: Caller) -> None:
    base = 10 if call.version == "0.7.2" else 575
    for unreadable in (NO, RW_END - 127, MAX):
        assert call("transfer", 99, MAX, 0, unreadable).end is PANIC
    for number in (99, U32 + OTHER, MAX):
        assert call("transfer", number, MAX, 0, RW).r7 == WHO
    assert call("transfer", OTHER, MAX, 59, RW).r7 == LOW
    assert call("transfer", OTHER, MAX, 60, RW).r7 == CASH
    for done in (call("transfer", 99, 1, 500, RW), call("transfer", OTHER, MAX, 500, RW)):
        assert done.gas == base, "gas goes along only with what is sent"
    account = call.context.accounts[SERVICE]
    most = account.balance - account.threshold(TINY)
    assert call("transfer", OTHER, most + 1, 60, RW).r7 == CASH
    assert not call.context.transfers and not call.context.accounts.changes()
    done = call("transfer", OTHER, most, 60, RW, gas=base + 59)
    assert (done.end, done.r7, done.gas) == (OUT_OF_GAS, OTHER, base + 59)
    assert not call.context.transfers and not call.context.accounts.changes()
    assert call("transfer", OTHER, most, 60, RW, gas=base + 60).r7 == OK
    assert call("transfer", OTHER, 0, MAX, RW, gas=GAS).end is OUT_OF_GAS


# --- eject -----------------------------------------------------------------------------------------------------------


def test_eject(call: Caller) -> None:
    accounts = call.context.accounts
    before = accounts[SERVICE].balance
    call.put(RW, bytes(32))
    assert call("eject", 9, RW).r7 == OK
    assert 9 not in accounts and accounts.request(9, bytes(32), 20) is None
    assert accounts[SERVICE].balance == before + 777
    assert call("eject", 9, RW).r7 == WHO


def test_eject_refuses(call: Caller) -> None:
    accounts = call.context.accounts
    for unreadable in UNREADABLE[:4]:
        assert call("eject", 99, unreadable).end is PANIC
    for number in (SERVICE, OTHER, 99, U32 + 9, MAX):
        assert call("eject", number, RW).r7 == WHO
    call.put(RW, HASH)
    assert call("eject", 9, RW).r7 == HUH, "another hash"
    call.put(RW, bytes(32))
    account = accounts[9]
    for changed in (account._replace(items=3), account._replace(items=1), account._replace(octets=102)):
        accounts.set_account(9, changed)
        assert call("eject", 9, RW).r7 == HUH
    accounts.set_account(9, account)
    for slots in ((), (1,), (1, SLOT - 32), (1, 2, 3)):
        accounts.set_request(9, bytes(32), 20, slots)
        assert call("eject", 9, RW).r7 == HUH, slots
    accounts.set_request(9, bytes(32), 20, (1, SLOT - 33))
    assert call("eject", 9, RW).r7 == OK


# --- query, solicit, forget ------------------------------------------------------------------------------------------


def ask(call: Caller, slots: Slots | None, length: int = 40) -> None:
    call.context.accounts.set_request(SERVICE, HASH, length, slots)


def test_query(call: Caller, at: int) -> None:
    for unreadable in UNREADABLE:
        assert call("query", unreadable, 40).end is PANIC
    done = call("query", at, 40)
    assert (done.r7, done.r8) == (NONE, 0)
    for slots, r7, r8 in [
        ((), 0, 0), ((5,), 1 + 5 * U32, 0), ((5, 6), 2 + 5 * U32, 6), ((5, 6, 7), 3 + 5 * U32, 6 + 7 * U32),
    ]:  # fmt: skip
        ask(call, slots)
        done = call("query", at, 40)
        assert (done.r7, done.r8) == (r7, r8)
    assert call("query", at, 41).r7 == NONE
    done = call("query", at, U32 + 40)
    assert (done.r7, done.r8) == ((NONE, 0) if call.version == "0.7.2" else (HUH, U32 + 40))


def test_solicit(call: Caller, at: int) -> None:
    accounts = call.context.accounts
    before = accounts[SERVICE]
    assert call("solicit", at, 40).r7 == OK and accounts.request(SERVICE, HASH, 40) == ()
    assert accounts[SERVICE] == before.with_request(40)
    assert call("solicit", at, 40).r7 == HUH
    for slots in ((5,), (5, 6, 7)):
        ask(call, slots)
        assert call("solicit", at, 40).r7 == HUH
    ask(call, (5, 6))
    assert call("solicit", at, 40).r7 == OK and accounts.request(SERVICE, HASH, 40) == (5, 6, SLOT)
    assert accounts[SERVICE] == before.with_request(40), "its footprint stays"
    for unreadable in UNREADABLE:
        assert call("solicit", unreadable, 40).end is PANIC


def test_solicit_needs_the_balance(call: Caller, at: int) -> None:
    needed = call.context.accounts[SERVICE].with_request(40).threshold(TINY)
    assert accumulating(call.version, balance=needed)("solicit", RW, 40).r7 == OK
    poor = accumulating(call.version, balance=needed - 1)
    assert poor("solicit", RW, 40).r7 == FULL and not poor.context.accounts.changes()
    poor = accumulating(call.version, balance=5)
    poor.context.accounts.set_request(SERVICE, bytes(32), 40, (5, 6))
    assert poor("solicit", RW, 40).r7 == FULL, "also of what was requested before"
    assert call("solicit", at, U32 - 1).r7 == FULL
    assert call("solicit", at, U32).r7 == (FULL if call.version == "0.7.2" else HUH)
    rich = accumulating(call.version, balance=1 << 60)
    assert rich("solicit", RW, U32).r7 == HUH and not rich.context.accounts.changes()
    assert rich("solicit", RW, U32 - 1).r7 == OK


def test_forget(call: Caller, at: int) -> None:
    accounts, expired = call.context.accounts, SLOT - 32 - 1
    for unreadable in UNREADABLE:
        assert call("forget", unreadable, 40).end is PANIC
    assert call("forget", at, 40).r7 == HUH and call("forget", at, U32 + 40).r7 == HUH
    for slots, result, after in [
        ((5,), OK, (5, SLOT)), ((5, expired), OK, None), ((5, expired + 1), HUH, (5, expired + 1)), ((), OK, None),
        ((5, expired, 9), OK, (9, SLOT)), ((5, expired + 1, 9), HUH, (5, expired + 1, 9)),
    ]:  # fmt: skip
        ask(call, slots)
        accounts.set_account(SERVICE, accounts[SERVICE].with_request(40))
        before = accounts[SERVICE]
        assert call("forget", at, 40).r7 == result, slots
        assert accounts.request(SERVICE, HASH, 40) == after
        assert accounts[SERVICE] == (before.with_request(40, -1) if after is None else before)


def test_forget_takes_the_preimage_along(call: Caller) -> None:
    accounts = call.context.accounts
    call.put(RW, digest_of(BLOB))
    assert call("forget", RW, len(BLOB)).r7 == OK
    assert accounts.preimage(SERVICE, digest_of(BLOB)) == BLOB, "it is still needed by refine for a while"
    call.context.slot += 33
    assert call("forget", RW, len(BLOB)).r7 == OK
    assert accounts.preimage(SERVICE, digest_of(BLOB)) is None


# --- yield, provide --------------------------------------------------------------------------------------------------


def test_yield(call: Caller, at: int) -> None:
    for unreadable in UNREADABLE:
        assert call("yield", unreadable).end is PANIC
    assert call("yield", at).r7 == OK and call.context.yielded == HASH


def test_provide(call: Caller) -> None:
    accounts, data = call.context.accounts, b"new data"
    digest = digest_of(data)
    call.put(RW, data)
    for unreadable in ((NO, 1), (RW_END - 7, 8), (RW, MAX)):
        done = call("provide", 99, *unreadable, gas=1 << 63)
        assert done.end is PANIC or (unreadable[1] == MAX and done.end is OUT_OF_GAS)
    for number in (99, U32 + SERVICE):
        assert call("provide", number, RW, 8).r7 == WHO
    assert call("provide", SELF, RW, 8).r7 == HUH, "nobody requested it"
    for slots in ((1,), (1, 2), (1, 2, 3)):
        accounts.set_request(SERVICE, digest, 8, slots)
        assert call("provide", SELF, RW, 8).r7 == HUH
    accounts.set_request(SERVICE, digest, 8, ())
    accounts.set_request(OTHER, digest, 8, ())
    assert call("provide", SERVICE, RW, 8).r7 == OK and call("provide", SELF, RW, 8).r7 == HUH
    assert call("provide", OTHER, RW, 8).r7 == OK
    assert list(call.context.provisions) == [(SERVICE, data), (OTHER, data)]
    accounts.set_request(SERVICE, digest_of(b""), 0, ())
    assert call("provide", SELF, NO, 0).r7 == OK
    assert accounts.preimage(SERVICE, digest) is None, "it comes after the accumulation"


def test_what_is_read_only_is_read(call: Caller) -> None:
    assert call("yield", RO).r7 == OK and call("solicit", RO, 40).r7 == OK
