"""The host calls of every invocation (B.5), rule by rule, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from pvm.jam.constants import TINY
from pvm.jam.host_calls.fetchable import EncodedPackage, Fetchable, encode_constants
from pvm.jam.host_calls.prices import cost_of
from pvm.jam.host_calls.table import by_number
from pvm.jam.inputs import Operand, Transfer, WorkError, encode_inputs
from pvm.jam.types import RefineContext, WorkItem, WorkPackage
from tests.pvm.jam.calls import (
    ACCOUNT,
    BLOB,
    FULL,
    MAX,
    NO,
    NONE,
    OTHER,
    OUT_OF_GAS,
    PANIC,
    RO,
    RO_END,
    RW,
    RW_END,
    SELF,
    SERVICE,
    VERSIONS,
    WHAT,
    Caller,
    accumulating,
    digest_of,
    refining,
)


@pytest.fixture(params=VERSIONS)
def call(request: pytest.FixtureRequest) -> Caller:
    return accumulating(request.param)


def test_gas(call: Caller) -> None:
    cost = 10 if call.version == "0.7.2" else 48
    assert call("gas", gas=cost + 5).r7 == 5
    assert call("gas", gas=cost).r7 == 0
    done = call("gas", gas=cost - 1)
    assert (done.end, done.r7, done.gas) == (OUT_OF_GAS, 0, cost - 1)


def test_lookup(call: Caller) -> None:
    at = call.put(RW, digest_of(BLOB))
    for service in (SELF, SERVICE):
        assert call("lookup", service, at, RW + 64, 2, 100).r7 == len(BLOB)
        assert call.at(RW + 64, len(BLOB)) == BLOB[2:] + bytes(2)
    assert call("lookup", SELF, at, NO, len(BLOB), 100).r7 == len(BLOB), "behind its end there is nothing to write"
    assert call("lookup", SELF, at, NO, MAX, MAX, gas=1 << 62).r7 in (len(BLOB), SELF)
    assert call("lookup", SELF, at, RO, 0, 1).end is PANIC
    assert call("lookup", SELF, at, RW_END - 4, 0, 5).end is PANIC
    assert call("lookup", SELF, RW_END - 31, RW, 0, 1).end is PANIC
    assert call("lookup", 99, RW_END - 31, RW, 0, 1).end is PANIC, "the hash is read first"
    assert call("lookup", 99, at, NO, 0, 1).r7 == NONE
    assert call("lookup", OTHER, at, NO, 0, 1).r7 == NONE
    call.put(RW, digest_of(b"theirs"))
    assert call("lookup", OTHER, at, RW + 64, 0, 100).r7 == 6 and call.at(RW + 64, 6) == b"theirs"


def test_read(call: Caller) -> None:
    at = call.put(RW, b"key")
    for service in (SELF, SERVICE):
        assert call("read", service, at, 3, RW + 64, 1, 2).r7 == 5 and call.at(RW + 64, 3) == b"al\0"
    assert call("read", OTHER, at, 3, RW + 64, 0, 100).r7 == 6 and call.at(RW + 64, 6) == b"theirs"
    assert call("read", SELF, at, 2, NO, 0, 100).r7 == NONE
    assert call("read", 99, at, 3, NO, 0, 100).r7 == NONE
    assert call("read", 1 << 32 | SERVICE, at, 3, NO, 0, 100).r7 == NONE
    assert call("read", SELF, NO, 0, NO, 0, 100).r7 == NONE, "the empty key"
    for service in (SELF, 99):
        assert call("read", service, NO, 1, RW, 0, 100).end is PANIC
        assert call("read", service, RO_END - 1, 2, RW, 0, 100).end is PANIC
    assert call("read", SELF, at, 3, RO, 0, 100).end is PANIC
    assert call("read", SELF, at, 3, RW_END - 4, 0, 5).end is PANIC
    assert call("read", SELF, at, 3, NO, 5, 100).r7 == 5


def test_write(call: Caller) -> None:
    accounts = call.context.accounts
    before = accounts[SERVICE]
    at = call.put(RW, b"keyvalues")
    assert call("write", at, 3, at + 3, 6).r7 == 5, "as long as what was there"
    assert accounts.storage(SERVICE, b"key") == b"values"
    assert (accounts[SERVICE].items, accounts[SERVICE].octets) == (before.items, before.octets + 1)
    assert call("write", at, 2, at + 3, 6).r7 == NONE
    assert (accounts[SERVICE].items, accounts[SERVICE].octets) == (before.items + 1, before.octets + 1 + 34 + 8)
    assert call("write", at, 2, NO, 0).r7 == 6, "no value takes the item away"
    assert call("write", at, 2, NO, 0).r7 == NONE
    assert call("write", NO, 0, NO, 0).r7 == NONE
    assert accounts.storage(SERVICE, b"ke") is None
    assert (accounts[SERVICE].items, accounts[SERVICE].octets) == (before.items, before.octets + 1)
    assert call("write", NO, 0, RO, 4096).r7 == NONE
    assert accounts.storage(SERVICE, b"") == bytes(4096)


@pytest.mark.parametrize("where", [(NO, 1, RW, 1), (RW, 1, NO, 1), (RO_END, 1, RW, 1), (RW, 1, RO_END - 1, 2)])
def test_write_of_what_cannot_be_read(call: Caller, where: tuple[int, ...]) -> None:
    assert call("write", *where).end is PANIC
    assert not call.context.accounts.changes()


def test_write_needs_the_balance(call: Caller) -> None:
    cost = 10 + 34 + 1 + 4  # of an item with a key of one octet and a value of four
    account = call.context.accounts[SERVICE]
    enough = account.threshold(TINY) + cost
    for balance, result in ((enough, NONE), (enough - 1, FULL)):
        poor = accumulating(call.version, balance=balance)
        assert poor("write", RW, 1, RW, 4).r7 == result
        assert (poor.context.accounts.storage(SERVICE, b"\0") is None) == (result == FULL)
    poor = accumulating(call.version, balance=0)
    poor.put(RW, b"key")
    assert poor("write", RW, 3, NO, 0).r7 == FULL, "even where it takes away, as long as the rest is too much"
    assert poor("write", RW, 3, NO, 1).end is PANIC
    assert poor.context.accounts.storage(SERVICE, b"key") == b"value"


def test_info(call: Caller) -> None:
    whole = b"".join((
        ACCOUNT.code_hash, *(n.to_bytes(8, "little") for n in (1_000_000, 100 + 30 + 42 + 91, 11, 12, 42 + 91)),
        (3).to_bytes(4, "little"), bytes(8), *(n.to_bytes(4, "little") for n in (3, 4, 5)),
    ))  # fmt: skip
    assert len(whole) == 96
    assert call("info", SELF, RW, 0, MAX).r7 == 96 and call.at(RW, 97) == whole + b"\0"
    assert call("info", SERVICE, RW, 90, 3).r7 == 96 and call.at(RW, 4) == whole[90:93] + whole[3:4]
    assert call("info", OTHER, RW, 0, 100).r7 == 96 and call.at(RW, 32) == bytes(32)
    assert call("info", 99, NO, 0, 100).r7 == NONE
    assert call("info", SELF, RO, 0, 1).end is PANIC
    assert call("info", SELF, NO, 96, 1).r7 == 96


def test_log_hears_and_answers_what(call: Caller) -> None:
    heard: list[Any] = []
    call.context.log = lambda w, memory: heard.append((w[7:12], memory.read(w[10], w[11])))
    at = call.put(RW, b"text")
    done = call("log", 2, 0, 0, at, 4)
    assert done.r7 == WHAT and heard == [([2, 0, 0, at, 4], b"text")]
    assert done.gas == (10 if call.version == "0.7.2" else 1000)
    call.context.log = None
    assert call("log", 2, NO, 100, NO, 100).r7 == WHAT, "nobody reads what cannot be read"


# --- fetch -----------------------------------------------------------------------------------------------------------

ITEM = WorkItem(
    service=7, code_hash=bytes(range(32)), refine_gas_limit=5, accumulate_gas_limit=6, export_count=3,
    payload=b"payload", import_segments=(), extrinsic=(),
)  # fmt: skip
PACKAGE = WorkPackage(
    auth_code_host=1, auth_code_hash=bytes(32), context=RefineContext(*(bytes([n]) * 32 for n in range(4)), 20, ()),
    authorization=b"token", authorizer_config=b"config", items=(ITEM, ITEM),
)  # fmt: skip
OPERAND = Operand(*(bytes([n]) * 32 for n in range(4)), 300, b"out", b"trace")
TRANSFER = Transfer(1, 2, 3, bytes(128), 4)


@pytest.fixture
def everything(call: Caller) -> Caller:
    """A context from which all kinds can be fetched."""
    call.context.fetchable = Fetchable(
        encode_constants(TINY, call.version), b"n" * 32, EncodedPackage(PACKAGE, TINY), b"trace", 1,
        [[b"i00"], [b"i10", b"i11"]], [[b"x00"], [b"x10", b"x11"]], [OPERAND, TRANSFER],
    )  # fmt: skip
    return call


SUMMARY = b"".join((
    (7).to_bytes(4, "little"), bytes(range(32)), (5).to_bytes(8, "little"), (6).to_bytes(8, "little"),
    (3).to_bytes(2, "little"), bytes(4), (7).to_bytes(4, "little"),
))  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "first", "second", "value"),
    [
        (1, 9, 9, b"n" * 32), (2, 9, 9, b"trace"), (3, 1, 1, b"x11"), (3, 0, 0, b"x00"), (3, 2, 0, None),
        (3, 0, 1, None), (3, MAX, MAX, None), (4, 1, 9, b"x11"), (4, 2, 0, None), (5, 1, 0, b"i10"), (5, 2, 0, None),
        (6, 0, 0, b"i10"), (6, 2, 0, None), (8, 0, 0, b"config"), (9, 0, 0, b"token"),
        (11, 0, 0, b"\2" + SUMMARY * 2), (12, 1, 0, SUMMARY), (12, 2, 0, None), (13, 0, 0, b"payload"),
        (13, 2, 0, None), (14, 0, 0, encode_inputs([OPERAND, TRANSFER])), (15, 0, 0, OPERAND.encode()),
        (15, 1, 0, TRANSFER.encode()), (15, 2, 0, None), (16, 0, 0, None), (MAX, 0, 0, None),
    ],
)  # fmt: skip
def test_fetch_of_each_kind(everything: Caller, kind: int, first: int, second: int, value: bytes | None) -> None:
    done = everything("fetch", RW, 0, 4096, kind, first, second)
    if value is None:
        assert done.r7 == NONE and everything.at(RW, 1) == b"\0"
        return
    assert done.r7 == len(value) and everything.at(RW, len(value) + 1) == value + b"\0"
    assert everything("fetch", RW, 1, 2, kind, first, second).r7 == len(value)
    assert everything.at(RW, 2) == value[1:3]
    assert everything("fetch", RO, 0, 1, kind, first, second).end is PANIC
    assert everything("fetch", NO, len(value), 1, kind, first, second).r7 == len(value)


def test_fetch_of_the_package(everything: Caller) -> None:
    size = everything("fetch", NO, 0, 0, 7).r7
    assert everything("fetch", RW, 0, size, 7).r7 == size
    encoded = everything.at(RW, size)
    assert encoded[:36] == b"\1\0\0\0" + bytes(32) and encoded.count(b"payload") == 2
    size = everything("fetch", RW, 0, 4096, 10).r7
    assert size == 4 * 32 + 4 + 1 and everything.at(RW, size) in encoded


def test_fetch_of_what_an_invocation_has_none_of() -> None:
    call = accumulating()
    assert [call("fetch", RW, 0, 9, kind).r7 for kind in range(16)] == [
        134, 32, *[NONE] * 12, 1, NONE,
    ]  # fmt: skip
    call = refining()
    assert [call("fetch", RW, 0, 9, kind).r7 for kind in range(16)] == [134, 32, 5, *[NONE] * 13]


def test_constants_of_both_versions() -> None:
    assert len(encode_constants(TINY)) == 134
    assert len(encode_constants(TINY, "0.8.0")) == 134 - 2 - 2 - 4 - 4


def test_results_are_encoded_by_their_numbers() -> None:
    inputs = [Operand(b"", b"", b"", b"", 0, error, b"") for error in WorkError]
    assert [one.encode() for one in inputs] == [b"\0\0" + bytes([number, 0]) for number in range(1, 7)]


# --- grow_heap -------------------------------------------------------------------------------------------------------


def test_grow_heap() -> None:
    call = accumulating("0.8.0")
    call.context.heap_page, call.context.heap_limit = 0x50, 0x60
    assert (done := call("grow_heap", 0)).r7 == 0x50 and done.gas == 275
    for wanted in (0x50, 0x61, MAX):
        assert (done := call("grow_heap", wanted)).r7 == 0x50 and done.gas == 275
    assert call("write", 0x50000, 1, RW, 1).end is PANIC
    assert call("grow_heap", 0x52, gas=275 + 2 * 121 - 1).end is OUT_OF_GAS
    assert not call.machine.memory.access(0x50000)
    assert (done := call("grow_heap", 0x52)).r7 == 0x52 and done.gas == 275 + 2 * 121
    assert [call.machine.memory.access(page << 12) for page in (0x4F, 0x50, 0x51, 0x52)] == [None, "rw", "rw", None]
    assert call("grow_heap", 0x60).r7 == 0x60 and call("grow_heap", 0x5F).r7 == 0x60


# --- prices ----------------------------------------------------------------------------------------------------------


def price(name: str, **registers: int) -> int:
    number = next(number for number, row in by_number("0.8.0").items() if row.name == name)
    cost = cost_of("0.8.0", number)
    w = [0] * 13
    for register, value in registers.items():
        w[int(register[1:])] = value
    return cost if isinstance(cost, int) else cost(w)


def test_prices_of_0_8_0_go_by_what_is_asked_for() -> None:
    assert price("lookup", r11=0) == 600 and price("lookup", r11=1) == 601 and price("lookup", r11=1024) == 848
    assert price("historical_lookup", r11=2048) == 1125 + 528
    assert price("read", r9=1024, r12=2048) == 2407 + 1736 + 496
    assert price("write", r8=1024, r10=1024) == 2442 + 3358 + 216
    assert price("machine", r8=1024, r9=5) == 1862 + 112
    assert price("peek", r10=1024) == 377 + 336 and price("poke", r10=1024) == 297 + 224
    assert price("provide", r9=1024) == 3980 + 2264
    assert price("bless", r12=3) == 422 + 60
    assert price("designate", r8=6) == 1100 + 6 * 302
    assert [price("pages", r9=2, r10=rights) for rights in range(6)] == [
        212 + 236, 275 + 242, 275 + 242, 130 + 58, 130 + 58, 80,
    ]  # fmt: skip
    assert [price("fetch", r9=1024, r10=kind) for kind in (0, 2, 15, 16, MAX)] == [390, 176, 699, 80, 80]
    assert (price("checkpoint"), price("gas"), price("new"), price("grow_heap", r7=5)) == (103, 48, 3855, 275)


def test_every_call_of_0_7_2_takes_ten() -> None:
    assert {cost_of("0.7.2", number) for number in (*by_number("0.7.2"), 5000)} == {10}


