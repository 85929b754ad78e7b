"""Ψ_A (B.4) on every engine: what it is given, what it comes to, and to what it goes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

import pvm
from pvm.jam.accounts import Account, Accounts, encode_slots
from pvm.jam.constants import TINY
from pvm.jam.context import check_id, first_id
from pvm.jam.host_calls.table import by_number
from pvm.jam.inputs import Transfer
from pvm.jam.invocations import Options, accumulate
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.jam.state_keys import account_key, preimage_key, request_key
from pvm.program import assemble

ENTROPY = bytes(range(32))
SLOT, SERVICE, GAS = 300, 7, 100_000
NUMBERS = {row.name: number for number, row in by_number("0.7.2").items()}


def service_code(body: str, data: str = ".zero 64", names: dict[str, int] = NUMBERS) -> bytes:
    """The preimage of a service whose accumulation is `body`, in which "call! NAME" calls the host.

    `out` and `data` label what it may write and read.
    """
    lines = [
        f" ecalli {names[line.split()[1]]}" if line.strip().startswith("call! ") else line for line in body.splitlines()
    ]
    source = (
        f".standard stack=4096\n.metadata \"test\"\n.data\nout: .zero 4096\ndata: {data}\n"
        ".code\n jump refine/4\n jump accumulate/4\nrefine:\n trap\naccumulate:\n"
    )
    return assemble(source + "\n".join(lines) + "\n").encode()


def state_of(preimage: bytes, **changes: Any) -> PartialState:
    digest = blake2b(preimage, digest_size=32).digest()
    account = Account(digest, 10_000_000, 10, 20).with_request(len(preimage))._replace(**changes)
    values = {
        account_key(SERVICE): account.encode(),
        preimage_key(SERVICE, digest): preimage,
        request_key(SERVICE, digest, len(preimage)): encode_slots((1,)),
        account_key(8): Account(bytes(32), 500, 10, 20).encode(),
    }
    return PartialState(Accounts(values), Privileges(1, 2, 3, (4, 5), {6: 7}), bytes(6 * 336), (bytes(80 * 32),) * 2)


MakeEngine = Callable[..., Any]
NOTHING = "\n load_imm a0, 0\n load_imm a1, 0\n ret\n"
RESULT = "\n load_imm a0, out\n ret\n"  # as many octets of `out` as r8 says
SAVE = "\n store_u64 [out], a0\n load_imm a1, 8\n"  # the last call's result is all that is returned
WRITE = """
 load_imm a0, data
 load_imm a1, {key}
 load_imm a2, data
 load_imm a3, {value}
 call! write
"""
TRANSFER = """
 load_imm a0, 8
 load_imm a1, 1000
 load_imm a2, 50
 load_imm a3, out
 call! transfer
"""


def run(
    make_engine: MakeEngine, body: str, inputs: tuple[Transfer, ...] = (), gas: int = GAS, data: str = ".zero 64",
) -> Accumulated:  # fmt: skip
    state = state_of(service_code(body, data))
    before = dict(state.accounts.below)  # type: ignore[call-overload]
    done = accumulate(make_engine(), TINY, state, SLOT, SERVICE, gas, inputs, ENTROPY)
    assert state.accounts.below == before and state.accounts.changes() == {}, "what is given stays as it is"
    return done


def account_of(done: Accumulated) -> Account:
    return done.state.accounts[SERVICE]


def test_what_is_written_and_sent_counts_at_a_regular_end(make_engine: MakeEngine) -> None:
    done = run(make_engine, WRITE.format(key=3, value=5) + TRANSFER + NOTHING)
    assert done.state.accounts.storage(SERVICE, bytes(3)) == bytes(5)
    assert account_of(done).balance == 10_000_000 - 1000
    assert (account_of(done).items, done.state.accounts.below[SERVICE].items) == (3, 2)  # type: ignore[index]
    assert done.transfers == (Transfer(SERVICE, 8, 1000, bytes(128), 50),)
    assert done.yielded is None and done.provisions == ()
    assert done.gas_used == 1 + 10 + 10 + 10 + 50 + 3, "instructions, two calls, the gas that goes along"


@pytest.mark.parametrize("end", ["trap", "load_u8 a0, [0]", "jump forever\nforever: jump forever"])
def test_a_failure_goes_back_to_the_last_checkpoint(make_engine: MakeEngine, end: str) -> None:
    before = WRITE.format(key=1, value=1) + TRANSFER
    after = WRITE.format(key=1, value=2) + WRITE.format(key=2, value=2) + TRANSFER
    after += " load_imm a0, data\n call! yield\n"
    done = run(make_engine, f"{before} call! checkpoint\n{after} {end}\n", data=".ascii \"" + "x" * 32 + "\"")
    accounts = done.state.accounts
    assert (accounts.storage(SERVICE, b"x"), accounts.storage(SERVICE, b"xx")) == (b"x", None)
    assert len(done.transfers) == 1 and done.yielded is None
    assert account_of(done).balance == 10_000_000 - 1000
    done = run(make_engine, f"{before} {end}\n")
    assert not done.transfers and account_of(done).balance == 10_000_000 and account_of(done).items == 2


def test_without_a_checkpoint_nothing_but_the_transfers_to_it_stay(make_engine: MakeEngine) -> None:
    sent = (Transfer(8, SERVICE, 70, bytes(128), 5), Transfer(8, SERVICE, 7, bytes(128), 5))
    done = run(make_engine, WRITE.format(key=1, value=1) + " trap\n", sent)
    assert account_of(done).balance == 10_000_077
    assert done.state.accounts.storage(SERVICE, b"\0") is None


def test_a_service_without_code_takes_what_it_gets_and_no_gas(make_engine: MakeEngine) -> None:
    state = state_of(service_code(NOTHING))
    sent = (Transfer(SERVICE, 8, 70, bytes(128), 5),)
    done = accumulate(make_engine(), TINY, state, SLOT, 8, GAS, sent, ENTROPY)
    assert done.state.accounts[8].balance == 570 and done.gas_used == 0
    done = accumulate(make_engine(), TINY, state, SLOT, 9, GAS, sent, ENTROPY)
    assert 9 not in done.state.accounts and done.gas_used == 0
    small = replace(TINY, service_code_size=10)
    done = accumulate(make_engine(), small, state, SLOT, SERVICE, GAS, sent, ENTROPY)
    assert done.state.accounts[SERVICE].balance == 10_000_070 and done.gas_used == 0


@pytest.mark.parametrize("code", [b"", b"\1", b"\0", b"\0nonsense", b"\x40" + bytes(8)])
def test_code_that_is_no_program_takes_no_gas(make_engine: MakeEngine, code: bytes) -> None:
    sent = (Transfer(8, SERVICE, 70, bytes(128), 5),)
    done = accumulate(make_engine(), TINY, state_of(code), SLOT, SERVICE, GAS, sent, ENTROPY)
    assert account_of(done).balance == 10_000_070 and done.gas_used == 0


def test_a_hash_that_is_returned_is_what_is_yielded(make_engine: MakeEngine) -> None:
    words = ".ascii \"" + "y" * 32 + "\""
    yields = " load_imm a0, data\n call! yield\n"
    assert run(make_engine, yields + NOTHING, data=words).yielded == b"y" * 32
    assert run(make_engine, yields + " load_imm a1, 32" + RESULT, data=words).yielded == bytes(32)
    assert run(make_engine, yields + " load_imm a1, 31" + RESULT, data=words).yielded == b"y" * 32
    assert run(make_engine, NOTHING).yielded is None


def test_arguments_are_slot_service_and_count(make_engine: MakeEngine) -> None:
    body = """
 load_u8 t0, [0xfeff0000]
 load_u8 t1, [0xfeff0001]
 load_u8 t2, [0xfeff0002]
 load_u8 s0, [0xfeff0003]
 store_u8 [out], t0
 store_u8 [out + 1], t1
 store_u8 [out + 2], t2
 store_u8 [out + 3], s0
 store_u64 [out + 4], a1
 load_imm a1, 32
"""
    done = run(make_engine, body + RESULT, (Transfer(8, SERVICE, 1, bytes(128), 5),))
    assert done.yielded is not None
    assert done.yielded[:12] == b"\x81\x2c" + bytes([SERVICE, 1]) + (4).to_bytes(8, "little"), "300 takes two octets"


def test_unknown_calls_cost_and_say_so(make_engine: MakeEngine) -> None:
    body = " load_imm a0, 5\n ecalli 8\n" + SAVE + " ecalli 5000\n store_u64 [out + 8], a0\n load_imm a1, 32\n"
    done = run(make_engine, body + RESULT)
    what = ((1 << 64) - 2).to_bytes(8, "little")
    assert done.yielded == what + what + bytes(16), "`machine` is no call of accumulation"
    assert done.gas_used == 1 + 9 + 20
    assert run(make_engine, body + RESULT, gas=15).gas_used == 15


@pytest.mark.parametrize("gas", range(1, 90))
def test_out_of_gas_in_the_middle_of_a_call_leaves_nothing_of_it(gas: int) -> None:
    """Each amount of gas: either all of a call has happened, or nothing."""
    done = run(pvm.ReferenceEngine, TRANSFER + " call! checkpoint\n trap\n", gas=gas)
    assert done.gas_used == min(gas, 1 + 4 + 1 + 10 + 50 + 1 + 10 + 1)
    sent = gas >= 1 + 4 + 1 + 10 + 50 + 1 + 10
    assert len(done.transfers) == sent and account_of(done).balance == 10_000_000 - 1000 * sent


def test_new_services_get_numbers_that_are_free(make_engine: MakeEngine) -> None:
    body = """
 load_imm a0, data
 load_imm a1, 40
 load_imm a2, 1
 load_imm a3, 2
 load_imm a4, 0
 load_imm a5, 9
 call! new
 store_u64 [out], a0
 load_imm a0, data
 call! new
 store_u64 [out + 8], a0
 load_imm a1, 32
"""
    first = first_id(TINY, Accounts({}), SERVICE, ENTROPY, SLOT)
    done = run(make_engine, body + RESULT, data=".zero 32")
    assert done.yielded is not None
    numbers = [int.from_bytes(done.yielded[place : place + 8], "little") for place in (0, 8)]
    assert numbers == [first, 65536 + (first - 65536 + 42) % (2**32 - 65536 - 256)]
    made = done.state.accounts[first]
    assert made == Account(bytes(32), 100 + 20 + 121, 1, 2, 121, 0, 2, SLOT, 0, SERVICE)
    assert done.state.accounts.request(first, bytes(32), 40) == ()
    assert account_of(done).balance == 10_000_000 - 2 * 241


def test_a_listener_hears_every_call_and_its_answer(make_engine: MakeEngine) -> None:
    heard: list[tuple[int, int | None, Any]] = []

    def listener(machine: Any, number: int, registers: list[int], gas: int, answer: Any) -> None:
        heard.append((number, answer.r7, answer.end))

    body = TRANSFER + " ecalli 100\n ecalli 77\n load_imm a0, 0\n call! yield\n" + NOTHING
    state = state_of(service_code(body))
    accumulate(make_engine(), TINY, state, SLOT, SERVICE, GAS, (), ENTROPY, Options(listener=listener))
    what = (1 << 64) - 2
    assert heard == [(20, 0, None), (100, what, None), (77, what, None), (25, None, pvm.Reason.PANIC)]


@pytest.mark.parametrize("service", [7, 300, 70_000])
def test_the_first_new_service_s_number_by_hand(service: int) -> None:
    """I of B.4: a hash of E(s, η'0, H_t) in the general encoding, brought between 2^16 and 2^32 - 2^8."""
    encoded = {7: b"\x07", 300: b"\x81\x2c", 70_000: b"\xc1\x70\x11"}[service]
    number = int.from_bytes(blake2b(encoded + ENTROPY + b"\x81\x2c", digest_size=32).digest()[:4], "little")
    expected = number % (2**32 - 2**16 - 2**8) + 2**16
    assert first_id(TINY, Accounts({}), service, ENTROPY, SLOT) == expected
    taken = Accounts({})
    for one in (expected, expected + 1):
        taken.set_account(one, Account(bytes(32), 1))
    assert first_id(TINY, taken, service, ENTROPY, SLOT) == expected + 2
    last = 2**32 - 2**8 - 1
    taken.set_account(last, Account(bytes(32), 1))
    assert check_id(TINY, taken, last) == 2**16, "behind the last one comes the first"
