"""Ψ_R (B.3) and Ψ_I (B.2) on every engine."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

from pvm.jam.accounts import Account, Accounts, encode_slots
from pvm.jam.codec import encode
from pvm.jam.constants import TINY
from pvm.jam.host_calls.table import by_number
from pvm.jam.inputs import WorkError
from pvm.jam.invocations import WorkData, is_authorized, refine
from pvm.jam.state_keys import account_key, preimage_key, request_key
from pvm.jam.types import RefineContext, WorkItem, WorkPackage
from pvm.program import assemble
from tests.pvm.jam.calls import digest_of

SERVICE, CORE, ANCHOR = 7, 1, 20
NUMBERS = {row.name: number for number, row in by_number("0.7.2").items()}
ECHO = " ret\n"  # its arguments are its output


def preimage_of(body: str, metadata: str = "test") -> bytes:
    lines = [
        f" ecalli {NUMBERS[line.split()[1]]}" if line.strip().startswith("call! ") else line
        for line in body.splitlines()
    ]
    source = f".standard stack=4096\n.metadata \"{metadata}\"\n.data\nout: .zero 8192\n.code\n"
    return assemble(source + "\n".join(lines) + "\n").encode()


def accounts_of(preimage: bytes, since: int = 5) -> Accounts:
    digest = digest_of(preimage)
    return Accounts({
        account_key(SERVICE): Account(digest, 1000).encode(),
        preimage_key(SERVICE, digest): preimage,
        request_key(SERVICE, digest, len(preimage)): encode_slots((since,)),
    })  # fmt: skip


def package_of(preimage: bytes, payload: bytes = b"payload", gas: int = 100_000) -> WorkPackage:
    item = WorkItem(SERVICE, digest_of(preimage), gas, 0, 2, payload, (), ())
    context = RefineContext(*(bytes([number]) * 32 for number in range(4)), ANCHOR, ())
    return WorkPackage(SERVICE, digest_of(preimage), context, b"token", b"config", (item, item))


def run(make_engine: Any, body: str, data: WorkData = WorkData(), offset: int = 0, **package: Any) -> Any:  # noqa: B008
    preimage = preimage_of(body)
    return refine(
        make_engine(), TINY, accounts_of(preimage), package_of(preimage, **package), 1, CORE, b"trace", data, offset
    )


def test_arguments_of_refine(make_engine: Any) -> None:
    preimage = preimage_of(ECHO)
    done = run(make_engine, ECHO)
    digest = blake2b(encode(package_of(preimage), TINY), digest_size=32).digest()
    assert done.result == bytes([CORE, 1, SERVICE, 7]) + b"payload" + digest
    assert done.gas_used == 1 and done.exports == ()


def test_a_large_payload(make_engine: Any) -> None:
    payload = bytes(13_000_000)
    done = run(make_engine, ECHO, payload=payload)
    assert len(done.result) == 3 + 4 + len(payload) + 32


EXPORT = " load_imm a0, out\n load_imm a1, 10\n call! export\n"


def test_exports_count_only_with_an_output(make_engine: Any) -> None:
    done = run(make_engine, EXPORT + EXPORT + " load_imm a1, 0\n ret\n", offset=3)
    assert (done.result, done.exports) == (b"", (bytes(4104),) * 2)
    done = run(make_engine, EXPORT + " trap\n")
    assert (done.result, done.exports) == (WorkError.PANIC, ())
    done = run(make_engine, EXPORT + " fallthrough\nforever:\n jump forever\n", gas=500)
    assert (done.result, done.exports, done.gas_used) == (WorkError.OUT_OF_GAS, (), 500)


def test_what_cannot_be_refined(make_engine: Any) -> None:
    engine, preimage = make_engine(), preimage_of(ECHO)
    accounts, package = accounts_of(preimage), package_of(preimage)
    late = accounts_of(preimage, ANCHOR + 1)
    other = replace(package, items=(replace(package.items[0], code_hash=bytes(32)),))
    nobody = replace(package, items=(replace(package.items[0], service=9),))
    for known, asked in ((late, package), (accounts, other), (accounts, nobody), (Accounts({}), package)):
        done = refine(engine, TINY, known, asked, 0, CORE, b"")
        assert (done.result, done.exports, done.gas_used) == (WorkError.BAD, (), 0)
    small = replace(TINY, service_code_size=len(preimage) - 1)
    assert refine(engine, small, accounts, package, 0, CORE, b"").result == WorkError.BIG
    for nonsense in (b"", b"\x05abc", b"\0abc"):
        done = refine(engine, TINY, accounts_of(nonsense), package_of(nonsense), 0, CORE, b"")
        assert (done.result, done.gas_used) == (WorkError.PANIC, 0)


def fetch(kind: int, first: int = 0, second: int = 0) -> str:
    return (
        f" load_imm a0, out\n load_imm a1, 0\n load_imm a2, 8192\n load_imm a3, {kind}\n load_imm a4, {first}\n"
        f" load_imm a5, {second}\n call! fetch\n move_reg a1, a0\n load_imm a0, out\n ret\n"
    )


def test_what_refine_fetches(make_engine: Any) -> None:
    data = WorkData([[b"a"], [b"import"]], [[b"b", b"c"], [b"x", b"extrinsic"]])
    for kind, first, second, value in [
        (1, 0, 0, bytes(32)), (2, 0, 0, b"trace"), (3, 0, 1, b"c"), (4, 1, 0, b"extrinsic"), (5, 0, 0, b"a"),
        (6, 0, 0, b"import"), (8, 0, 0, b"config"), (9, 0, 0, b"token"), (13, 0, 0, b"payload"),
    ]:  # fmt: skip
        assert run(make_engine, fetch(kind, first, second), data).result == value
    assert run(make_engine, fetch(14)).result == b"", "inputs are accumulation's: NONE octets cannot be read"


def test_is_authorized(make_engine: Any) -> None:
    engine = make_engine()
    for body, result in [(ECHO, bytes([CORE, 0])), (fetch(9), b"token"), (fetch(8), b"config"), (fetch(2), b"")]:
        preimage = preimage_of(body)
        assert is_authorized(engine, TINY, accounts_of(preimage), package_of(preimage), CORE)[0] == result
    preimage = preimage_of(" trap\n")
    assert is_authorized(engine, TINY, accounts_of(preimage), package_of(preimage), CORE) == (WorkError.PANIC, 1)
    preimage = preimage_of(EXPORT + " store_u64 [out], a0\n load_imm a0, out\n load_imm a1, 8\n ret\n")
    what = ((1 << 64) - 2).to_bytes(8, "little")
    assert is_authorized(engine, TINY, accounts_of(preimage), package_of(preimage), CORE)[0] == what


def test_who_is_not_authorized(make_engine: Any) -> None:
    engine, preimage = make_engine(), preimage_of(ECHO)
    package = package_of(preimage)
    assert is_authorized(engine, TINY, accounts_of(preimage, 21), package, CORE) == (WorkError.BAD, 0)
    assert is_authorized(engine, TINY, Accounts({}), package, CORE) == (WorkError.BAD, 0)
    small = replace(TINY, auth_code_size=10)
    assert is_authorized(engine, small, accounts_of(preimage), package, CORE) == (WorkError.BIG, 0)
    nonsense = b"\x05abc"
    assert is_authorized(engine, TINY, accounts_of(nonsense), package_of(nonsense), CORE) == (WorkError.BAD, 0)


def test_a_service_that_runs_another_program(make_engine: Any) -> None:
    """The inner program, which the payload is, doubles r3 until the gas that it was given ends."""
    inner = assemble(".code\nagain:\n add_64 r3, r3, r3\n jump again\n").encode()
    body = f"""
 add_imm_64 a0, a0, 4
 load_imm a1, {len(inner)}
 load_imm a2, 0
 call! machine
 load_imm t0, 17
 store_u64 [out], t0
 load_imm t0, 3
 store_u64 [out + 32], t0
 load_imm a1, out
 call! invoke
 load_imm a0, out
 load_imm a1, 112
 ret
"""
    done = run(make_engine, body, payload=inner)
    assert done.result[:8] == bytes(8)
    assert int.from_bytes(done.result[32:40], "little") == 3 << 9
    assert done.gas_used == 13 + 20


@pytest.mark.parametrize("gas", [0, 1])
def test_hardly_any_gas(make_engine: Any, gas: int) -> None:
    assert run(make_engine, EXPORT, gas=gas).gas_used == gas
