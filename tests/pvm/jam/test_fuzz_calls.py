"""Host calls with random registers on random memory: the same on every engine, and nothing charged twice."""

from __future__ import annotations

import random
from typing import Any

import pytest

import wasm_host
from pvm.fuzz.cases import random_case
from pvm.jam.host_calls.table import by_number
from pvm.jam.inner import Pages
from pvm.program import assemble
from tests.pvm.jam.calls import BLOB, GAS, NO, RO, RW, RW_END, VERSIONS, Caller, accumulating, digest_of, refining
from tests.pvm.jam.nested import difference, engines_of

ROUNDS, CALLS = 12, 60
EDGES = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 96, 100, 112, 128, 4096, RW, RW + 1, RW + 4095, RW_END - 1, RW_END - 32,
    RW_END, RO, RO + 4064, NO, 0xFFFF, 0x10000, 0x20000, (1 << 20) - 17, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40,
    1 << 63, (1 << 64) - 2, (1 << 64) - 1,
)  # fmt: skip
INNER = assemble(".code\n ecalli 1\n store_u8 [0x10000], r3\n add_imm_64 r3, r3, 1\n trap\n").encode()


def engines(version: str) -> list[Any]:
    metering = "block" if version == "0.8.0" else "instruction"
    return [
        None, wasm_host.Engine(version, "interpreter", metering),
        wasm_host.Engine(version, "recompiler", metering, protection="software"),
        wasm_host.Engine(version, "recompiler", metering),
    ]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("make", [accumulating, refining], ids=["accumulate", "refine"])
def test_random_calls_are_the_same_on_every_engine(make: Any, version: str) -> None:
    every = engines(version)
    for seed in range(ROUNDS):
        runs = [trail(make(version, engine=engine), random.Random(seed)) for engine in every]
        for other in runs[1:]:
            for one, another in zip(runs[0], other, strict=True):
                assert one == another, f"seed {seed}"


def trail(call: Caller, rng: random.Random) -> list[Any]:
    """What random calls do, one after the other: all of it."""
    names = [row.name for row in by_number(call.version).values()]
    call.put(RW, digest_of(BLOB) + INNER)
    steps: list[Any] = []
    for _ in range(CALLS):
        if rng.random() < 0.2:
            call.put(rng.randrange(RW, RW_END - 64), rng.choice([rng.randbytes(64), INNER, digest_of(BLOB)]))
        name = rng.choice(names)
        registers = [rng.choice(EDGES) if rng.random() < 0.9 else rng.getrandbits(64) for _ in range(6)]
        if name in ("peek", "poke", "pages", "invoke", "expunge") and rng.random() < 0.8:
            registers[0] = rng.randrange(4)
        if name == "machine" and rng.random() < 0.8:
            registers[:2] = [RW + 32, len(INNER)]
        if name in ("invoke", "pages") and rng.random() < 0.8:
            registers[1] = RW + 256 if name == "invoke" else rng.choice([16, 17, 32])
            registers[2] = rng.randrange(5)
        if name == "invoke":
            call.put(RW + 256, rng.randrange(1000).to_bytes(8, "little"))
        if name not in ALLOWED.get(type(call.context).__name__, names):
            continue
        gas = rng.choice([GAS, GAS, GAS, 1 << 40, rng.randrange(3000)])
        done = call(name, *registers, gas=gas)
        assert 0 <= done.gas <= gas
        steps.append((name, registers, gas, done, call.at(RW, RW_END - RW), changed(call)))
    return steps


ALLOWED = {
    "AccumulateContext": {row.name for row in by_number("0.8.0").values()} - {
        "historical_lookup", "export", "machine", "peek", "poke", "pages", "invoke", "expunge", "grow_heap",
    },
    "RefineContext": {
        "gas", "fetch", "historical_lookup", "export", "machine", "peek", "poke", "pages", "invoke", "expunge", "log",
    },
}  # fmt: skip


def changed(call: Caller) -> Any:
    """What a call can have changed besides registers and memory."""
    context: Any = call.context
    if hasattr(context, "machines"):
        inner = [context.machines[number] for number in context.machines.numbers]
        return [(one.pc, list(one.pages.ranges()), one.heap_end) for one in inner], len(context.exports)
    return (
        context.accounts.changes(), context.privileges, len(context.transfers), context.yielded,
        list(context.provisions), context.next_id,
    )  # fmt: skip


def test_pages_against_a_plain_table() -> None:
    for seed in range(30):
        rng, pages = random.Random(seed), Pages()
        table: list[str | None] = [None] * 64
        size = (1 << 20) - 64
        for _ in range(40):
            first = rng.randrange(64)
            count, access = rng.randrange(65 - first), rng.choice([None, "r", "rw"])
            pages.allow(size + first, count, access)
            table[first : first + count] = [access] * count
            found = [one for _, count, one in pages.ranges(size, 64) for _ in range(count)]
            assert found == table
            assert [one for one in pages.ranges(0, size) if one[2]] == []
            first = rng.randrange(64)
            count = rng.randrange(65 - first)
            assert pages.has(size + first, count, "r", "rw") == all(table[first : first + count])


def test_contents_of_pages() -> None:
    rng, pages, plain = random.Random(1), Pages(), bytearray(16 * 4096)
    for _ in range(200):
        address, length = rng.randrange(15 * 4096), rng.randrange(4096)
        if rng.random() < 0.2:
            first, count = rng.randrange(14), rng.randrange(3)
            pages.clear(first, count)
            plain[first * 4096 : (first + count) * 4096] = bytes(count * 4096)
        data = rng.randbytes(length)
        pages.write(address, data)
        plain[address : address + length] = data
        address = rng.randrange(14 * 4096)
        assert pages.read(address, 8000) == plain[address : address + 8000]


@pytest.mark.parametrize(("version", "metering"), [("0.7.2", "instruction"), ("0.8.0", "block")])
def test_random_inner_programs_are_the_same_on_every_engine(version: str, metering: str) -> None:
    """Also where only one machine is kept, and the others become values in between."""
    every = engines_of(version, metering)
    seeds = [seed for seed in range(150) if random_case(seed).spec == version][:10]
    assert [text for seed in seeds if (text := difference(seed, every))] == []
