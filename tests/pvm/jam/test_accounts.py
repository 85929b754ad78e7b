"""Keys of the state (D.1), and accounts as layers over it (section 9)."""

from __future__ import annotations

import tarfile
from hashlib import blake2b
from pathlib import Path

import pytest

from pvm.errors import InputError
from pvm.jam.accounts import Account, Accounts, code_size, decode_account, encode_slots, is_available, services_in
from pvm.jam.state_keys import (
    account_key,
    component_key,
    owner_of,
    preimage_key,
    request_key,
    service_of,
    storage_key,
)

HASH = bytes(range(32))


def state_of(step: bytes) -> dict[bytes, bytes]:
    """The state before a recorded step: root, count, then keys with their values."""
    values, offset = {}, 32

    def natural() -> int:
        nonlocal offset
        first = step[offset]
        extra = 8 - (first ^ 0xFF).bit_length()
        value = ((first & (0xFF >> (extra + 1))) << (8 * extra)) | int.from_bytes(
            step[offset + 1 : offset + 1 + extra], "little"
        )
        offset += 1 + extra
        return value

    for _ in range(natural()):
        key = step[offset : offset + 31]
        offset += 31
        length = natural()
        values[key] = step[offset : offset + length]
        offset += length
    return values


@pytest.fixture
def recorded(shared: Path) -> dict[bytes, bytes]:
    """The state before some step of a recorded chain whose services store much."""
    with tarfile.open(shared / "jam/blocks/storage.tar.xz", "r|xz") as archive:
        for number, member in enumerate(archive):
            if (member.isfile() and member.name.endswith("00000050.bin")) or number > 200:
                file = archive.extractfile(member)
                assert file is not None
                return state_of(file.read())
    raise AssertionError("no step 50")


def test_keys_as_the_paper_has_them() -> None:
    assert component_key(6) == bytes([6]) + bytes(30)
    assert account_key(0x04030201) == bytes([255, 1, 0, 2, 0, 3, 0, 4]) + bytes(23)
    a = blake2b(b"\xff\xff\xff\xffkey", digest_size=32).digest()
    assert storage_key(0x04030201, b"key") == bytes([1, a[0], 2, a[1], 3, a[2], 4, a[3]]) + a[4:27]
    a = blake2b(b"\xfe\xff\xff\xff" + HASH, digest_size=32).digest()
    assert preimage_key(7, HASH)[8:] == a[4:27]
    a = blake2b(b"\x05\0\0\0" + HASH, digest_size=32).digest()
    assert request_key(7, HASH, 5)[8:] == a[4:27]
    assert owner_of(request_key(0xFFFFFFFF, HASH, 5)) == 0xFFFFFFFF
    assert service_of(account_key(0x04030201)) == 0x04030201
    assert service_of(component_key(255)) == 0
    assert service_of(component_key(6)) is None and service_of(storage_key(1, b"")) is None


def test_a_recorded_state_s_infos_are_read_and_written_back(recorded: dict[bytes, bytes]) -> None:
    services = services_in(recorded)
    assert services
    accounts = Accounts(recorded)
    for service in services:
        account = accounts[service]
        assert account.encode() == recorded[account_key(service)]
        assert code_size(accounts.code_preimage(service))
        assert account.threshold(_Deposits()) <= account.balance


class _Deposits:
    item_deposit, byte_deposit, base_deposit = 10, 1, 100


def test_threshold_and_footprint() -> None:
    account = Account(HASH, 1000)
    assert account.threshold(_Deposits()) == 100
    stored = account.with_item(3, None, 10)
    assert (stored.items, stored.octets) == (1, 34 + 13)
    assert stored.threshold(_Deposits()) == 100 + 10 + 47
    assert stored.with_item(3, 10, 4).octets == 34 + 7
    assert stored.with_item(3, 10, None) == account
    asked = stored.with_request(20)
    assert (asked.items, asked.octets) == (3, 47 + 101)
    assert asked.with_request(20, -1) == stored
    assert asked._replace(gratis=1 << 40).threshold(_Deposits()) == 0


@pytest.mark.parametrize("data", [b"", bytes(88), bytes(90), b"\1" + bytes(88)])
def test_what_is_no_info(data: bytes) -> None:
    with pytest.raises(InputError, match="account: 89 octets"):
        decode_account(data)


@pytest.mark.parametrize("data", [b"", b"\1", b"\4" + bytes(16), b"\1" + bytes(5)])
def test_what_is_no_request(data: bytes) -> None:
    with pytest.raises(InputError, match="request: a count"):
        Accounts({request_key(1, HASH, 5): data}).request(1, HASH, 5)


@pytest.mark.parametrize(
    ("slots", "available"),
    [((), ""), ((3,), "3456789"), ((3, 6), "345"), ((3, 6, 8), "34589")],
)
def test_when_a_preimage_was_available(slots: tuple[int, ...], available: str) -> None:
    assert "".join(str(slot) for slot in range(10) if is_available(slots, slot)) == available
    state = {preimage_key(1, HASH): b"data", request_key(1, HASH, 4): encode_slots(slots)}
    accounts = Accounts(state)
    assert [accounts.historical_lookup(1, slot, HASH) is not None for slot in range(10)] == [
        str(slot) in available for slot in range(10)
    ]


def test_layers_hide_what_is_below_and_leave_it_alone() -> None:
    state = {account_key(1): Account(HASH, 5).encode(), storage_key(1, b"k"): b"below"}
    base = Accounts(state)
    above = base.layer()
    above.set(storage_key(1, b"k"), None)
    above.set_account(1, above[1]._replace(balance=6))
    assert above.storage(1, b"k") is None and base.storage(1, b"k") == b"below"
    assert (above[1].balance, base[1].balance) == (6, 5)
    assert base.changes() == {}
    base.merge(above)
    assert base.changes() == {account_key(1): Account(HASH, 6).encode(), storage_key(1, b"k"): None}
    base.clear()
    assert base.storage(1, b"k") == b"below" and above.storage(1, b"k") is None


def test_no_service_has_a_number_beyond_32_bits() -> None:
    accounts = Accounts({})
    assert all(number not in accounts for number in (-1, 0, 1 << 32, 1 << 70))
    with pytest.raises(KeyError):
        accounts[1]


def test_an_ejected_service_stays_away_whatever_others_did_to_it() -> None:
    state = {
        account_key(1): Account(HASH, 5).encode(),
        account_key(2): Account(HASH, 5, items=2, octets=85).encode(),
        request_key(2, HASH, 4): encode_slots((1, 2)),
        preimage_key(2, HASH): b"data",
    }
    base = Accounts(state)
    one, two = base.layer(), base.layer()
    one.eject(2, HASH, 4)
    two.set_account(2, base[2]._replace(balance=50))
    base.merge_parallel({1: one, 2: two})
    assert 2 not in base and base.preimage(2, HASH) is None and base.request(2, HASH, 4) is None


def test_services_change_themselves_and_what_they_add_alone() -> None:
    base = Accounts({account_key(1): Account(HASH, 5).encode(), account_key(2): Account(HASH, 6).encode()})
    one, two = base.layer(), base.layer()
    one.set_account(2, Account(HASH, 999))  # ejected and added again: it was there before, so it stays as it was
    one.set(storage_key(2, b"k"), b"v")
    one.set_account(3, Account(HASH, 7))
    one.set(storage_key(3, b"k"), b"v")
    base.merge_parallel({1: one, 2: two})
    assert base[2].balance == 6 and base.storage(2, b"k") is None
    assert base[3].balance == 7 and base.storage(3, b"k") == b"v"


def test_two_services_must_not_add_the_same() -> None:
    base = Accounts({})
    one, two = base.layer(), base.layer()
    one.set_account(9, Account(HASH, 1))
    two.set_account(9, Account(HASH, 1))
    with pytest.raises(InputError, match="service 9: two services"):
        base.merge_parallel({1: one, 2: two})


def test_a_preimage_is_provided_where_it_is_still_requested() -> None:
    digest = blake2b(b"data", digest_size=32).digest()
    base = Accounts({account_key(1): Account(HASH, 5).encode(), request_key(1, digest, 4): encode_slots(())})
    assert not base.provide(2, b"data", digest, 9)
    assert base.provide(1, b"data", digest, 9)
    assert base.request(1, digest, 4) == (9,) and base.preimage(1, digest) == b"data"
    assert not base.provide(1, b"data", digest, 10)
