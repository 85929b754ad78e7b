"""The test bench: worlds in which our example services refine and accumulate, on every engine."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from pvm.errors import InputError
from pvm.examples.services import SERVICES, service_source
from pvm.jam.constants import TINY
from pvm.jam.inputs import Transfer, WorkError
from pvm.jam.partial_state import Privileges
from pvm.jam.testing import ServiceFailed, World
from pvm.program import assemble
from pvm.reference import ReferenceEngine
from pvm.trace.ecalli import parse_trace
from pvm.trace.replay import replay
from wasm_host import Engine


@pytest.fixture
def world(make_engine: Any) -> World:
    return World(engine=make_engine())


def entry(key: bytes, value: bytes) -> bytes:
    return bytes([len(key)]) + len(value).to_bytes(2, "little") + key + value


def test_a_store_of_keys_and_values(world: World) -> None:
    store = world.deploy(service_source("key_value"), storage={b"old": b"thing"})
    payload = entry(b"hello", b"world") + entry(b"long", b"x" * 5000) + entry(b"old", b"")
    item = store.refine(payload)
    assert item.output == payload and not item.exports
    outcome = world.accumulate([item, store.refine(entry(b"hello", b"again"))]).check()
    assert store.storage[b"hello"] == b"again" and store.storage[b"long"] == b"x" * 5000
    assert store.storage[b"count"] == (4).to_bytes(8, "little")
    assert b"old" not in store.storage and sorted(store.storage.keys()) == [b"count", b"hello", b"long"]
    assert store.account.accumulated == world.slot
    assert outcome.count == 2 and len(outcome.of(store)) == 1
    named = {change.what: (change.before, change.after) for change in outcome.changes}
    assert named["storage 'hello'"] == (None, b"again") and named["storage 'old'"] == (b"thing", None)
    assert named["items"] == (3, 5)
    with pytest.raises(KeyError):
        store.storage[b"old"]


def test_what_a_service_logs(world: World) -> None:
    store = world.deploy(service_source("key_value"))
    failing = store.refine(b"\x05\0\0x")
    outcome = world.accumulate([failing], [Transfer(1, store.id, 70, bytes(128), 1000)])
    assert outcome.logs == [
        "info [key_value]: received a transfer", "info [key_value]: an item has no output",
    ]  # fmt: skip
    assert store.balance == 10**9 + 70


def test_a_failed_run_says_where(world: World) -> None:
    store = world.deploy(service_source("key_value"))
    failing = store.refine(b"\x05\0\0x")
    assert failing.result == WorkError.PANIC and not failing.is_ok and failing.run.has_failed
    with pytest.raises(ServiceFailed) as caught:
        failing.output  # noqa: B018
    lines = str(caught.value).splitlines()
    assert lines[0] == f"service {store.id}: refine: panic, {failing.gas_used} of 1000000000 gas used"
    assert lines[1] == f"at pc {failing.run.pc}: trap" and lines[2].startswith("assembly:") and "trap" in lines[2]
    assert lines[3:] == [
        "last of 1 host calls:", "  fetch(0x30008, 0x0, 0x20000, 0xd, 0x0, 0x0) -> 4 at pc 39",
    ]  # fmt: skip
    assert world.failures() == [failing.run]


def test_faults_and_gas_are_told(world: World) -> None:
    source = ".standard\n.metadata \"x\"\n.code\n load_u8 a0, [0x50000]\n ret\n"
    text = str(world.deploy(source).refine().run)
    assert "panic, 1 of" in text and "(page fault at 0x50000)" in text
    source = ".standard\n.metadata \"x\"\n.code\n fallthrough\nagain:\n jump again\n"
    item = world.deploy(source).refine(gas=77)
    assert item.result == WorkError.OUT_OF_GAS and "out-of-gas, 77 of 77 gas used" in str(item.run)
    assert world.deploy(b"\0nonsense").refine().result == WorkError.PANIC
    assert "is no standard program" in str(world.runs[-1])


def test_a_program_inside_a_program(world: World) -> None:
    runner = world.deploy(service_source("runner"))
    source = ".code\n load_imm a0, 5\n ecalli 9\n ecalli 9\n store_u8 [0x20001], a0\n"
    source += " load_imm r0, -0x10000\n jump_ind r0\n"
    item = runner.refine(assemble(source).encode(), extrinsics=[b"abcdef"])
    how, calls, r7 = (int.from_bytes(item.output[place : place + 8], "little") for place in (0, 8, 16))
    assert (how, calls, r7) == (0, 2, 7) and item.output[24:31] == b"a\x07cdef\0" and len(item.output) == 24 + 4096
    outcome = world.accumulate([item])
    assert outcome.outputs == ((runner.id, item.output[:32]),)
    assert runner.refine(b"nonsense").result == WorkError.PANIC
    fault = runner.refine(assemble(".code\n load_u8 a0, [0x90000]\n trap\n").encode())
    assert fault.output[0] == 2


def test_every_run_has_a_trace_that_replays(world: World, tmp_path: Path) -> None:
    for name, payload in (("key_value", entry(b"a", b"b")), ("runner", assemble(".code\n trap\n").encode())):
        service = world.deploy(service_source(name))
        world.accumulate([service.refine(payload)])
    store = world.services[0]
    store.refine(b"\x05\0\0x")
    store.refine(gas=20)
    assert len(world.runs) == 6
    for run in world.runs:
        run.write_trace(tmp_path / "run.log")
        trace = parse_trace((tmp_path / "run.log").read_text())
        assert replay(trace, ReferenceEngine()).difference is None
        assert len(trace.calls) == run.call_count


def test_services_send_each_other_until_nothing_is_left(world: World) -> None:
    """Each sends on half of what it got last, to the other, with some gas; the second one twice in one round."""
    body = """
.standard stack=4096
.metadata "sender"
.data
memo: .zero 128
.code
 jump refine/4
 jump accumulate/4
refine:
 trap
accumulate:
 load_imm a0, {to}
 load_imm a1, 1000
 load_imm a2, {gas}
 load_imm a3, memo
 ecalli 20
 ret
"""
    one = world.deploy(body.format(to=2, gas=5000), id=1)
    two = world.deploy(body.format(to=3, gas=2000), id=2)
    three = world.deploy(body.format(to=3, gas=500), id=3)
    outcome = world.accumulate(free={1: 100_000})
    assert [(sent.source, sent.to) for sent in outcome.transfers] == [(1, 2), (2, 3), (3, 3)]
    assert [len(outcome.of(service)) for service in (one, two, three)] == [1, 1, 2]
    assert [service.balance - 10**9 for service in (one, two, three)] == [-1000, 0, 1000]
    assert outcome.of(3)[-1].has_failed and outcome.of(3)[-1].gas_used == 500
    with pytest.raises(ServiceFailed, match="service 3: accumulate at slot 100: out-of-gas"):
        outcome.check()


def test_time_privileges_and_preimages(world: World) -> None:
    body = """
.standard stack=4096
.metadata "asker"
.data
wanted: .zero 32
.code
 jump refine/4
 jump accumulate/4
refine:
 trap
accumulate:
 load_imm a0, wanted
 load_imm a1, 4
 ecalli 23
 ret
"""
    data = b"data"
    digest = blake2b(data, digest_size=32).digest()
    asker = world.deploy(body.replace(".zero 32", f".hex {digest.hex()}"))
    with pytest.raises(ServiceFailed, match="it has not requested these 4 octets"):
        asker.provide(data)
    world.privileges = replace(world.privileges, always={asker.id: 10_000})
    outcome = world.accumulate()
    assert asker.request(digest, 4) == () and outcome.changes[-1].what == f"request {digest.hex()}, 4 octets"
    world.advance(5)
    asker.provide(data)
    assert asker.request(digest, 4) == (105,) and asker.preimage(digest) == data
    assert world.privileges == Privileges(assigners=(0, 0), always={asker.id: 10_000})


def test_what_cannot_be_deployed(world: World, tmp_path: Path) -> None:
    world.deploy(id=5)
    for code, options, message in [
        (None, {"id": 5}, "service 5: it is there already"), (None, {"id": 1 << 32}, "no number"),
        (None, {"balance": 99}, "a balance of 99, but what it has takes 100"),
        (".code\n trap\n", {}, "a service's code is a standard program"),
        (".standard\n.code\n nonsense\n", {}, "line 3: unknown instruction 'nonsense'"),
        (tmp_path / "missing.jam", {}, "cannot be read"), (tmp_path, {}, "cannot be read"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            world.deploy(code, **options)
    (tmp_path / "text.jam").write_text("nonsense")
    with pytest.raises(InputError, match=r"text\.jam"):
        world.deploy(tmp_path / "text.jam")
    with pytest.raises(InputError, match="unknown parameters 'medium'"):
        World("medium")
    with pytest.raises(InputError, match="import: 4105 octets, but a segment has 4104"):
        world.service(5).refine(imports=[bytes(4105)])
    assert world.service(5).refine().result == WorkError.BAD
    with pytest.raises(KeyError):
        world.service(6)


def test_code_from_files(world: World, tmp_path: Path) -> None:
    (tmp_path / "store.pvmasm").write_text(service_source("key_value"))
    program = assemble(service_source("key_value"))
    (tmp_path / "store.jam").write_bytes(program.encode())
    (tmp_path / "store.spi").write_bytes(replace(program, metadata=None).encode())
    services = [world.deploy(tmp_path / name) for name in ("store.pvmasm", "store.jam", "store.spi")]
    services += [world.deploy(str(tmp_path / "store.jam")), world.deploy(program), world.deploy(program.encode())]
    hashes = [service.account.code_hash for service in services]
    assert len(set(hashes)) == 2 and hashes[2] != hashes[0]
    assert all(service.refine(entry(b"a", b"b")).is_ok for service in services)


def test_export_counts_are_checked_where_they_are_given(world: World) -> None:
    source = (
        ".standard stack=4096\n.metadata \"x\"\n.data\nout: .zero 8\n.code\n"
        " load_imm a0, out\n load_imm a1, 8\n ecalli 7\n load_imm a1, 0\n ret\n"
    )
    service = world.deploy(source)
    assert len(service.refine().exports) == 1 and service.refine(export_count=1).is_ok
    assert service.refine(export_count=2).result == WorkError.BAD_EXPORTS


@pytest.mark.parametrize("tier", ["reference", "interpreter", "recompiler"])
def test_a_service_of_0_8_0(tier: str) -> None:
    """Its numbers, its prices, its way to more memory."""
    engine = ReferenceEngine("0.8.0") if tier == "reference" else Engine("0.8.0", tier)
    world = World(spec="0.8.0", engine=engine)
    source = """
.standard stack=4096
.metadata "grower"
.data
key: .ascii "key"
.code
 jump refine/4
 jump accumulate/4
refine:
 load_imm a0, 0
 ecalli 1
 add_imm_64 a0, a0, 1
 ecalli 1
 store_u8 [0x21000], a0
 load_imm a0, 0x21000
 load_imm a1, 1
 ret
accumulate:
 load_imm a0, key
 load_imm a1, 3
 load_imm a2, key
 load_imm a3, 2
 ecalli 5
 load_imm a1, 0
 ret
"""
    service = world.deploy(source)
    item = service.refine()
    assert item.output == b"\x22", "the page behind the new one"
    assert 2 * 275 + 121 < item.gas_used < 2 * 275 + 121 + 250
    outcome = world.accumulate([item]).check()
    assert service.storage[b"key"] == b"ke"
    assert 2442 + 10 + 1 <= outcome.gas_used < 2442 + 11 + 250
    assert service.refine(gas=275 + 100).result == WorkError.OUT_OF_GAS


def test_names_of_the_examples() -> None:
    assert SERVICES == ("key_value", "runner")
    with pytest.raises(InputError, match="unknown service 'runer': did you mean runner"):
        service_source("runer")


def test_other_constants() -> None:
    world = World(replace(TINY, service_code_size=10))
    store = world.deploy(service_source("key_value"))
    assert store.refine().result == WorkError.BIG
    assert world.accumulate(free={store.id: 1000}).gas_used == 0
    assert World("full").constants.cores == 341
