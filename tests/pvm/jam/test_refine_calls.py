"""The host calls of refine (B.6), rule by rule."""

from __future__ import annotations

from struct import pack, unpack
from typing import Any

import pytest

import pvm
from pvm.program import assemble
from tests.pvm.jam.calls import (
    BLOB,
    FULL,
    HUH,
    MAX,
    NO,
    NONE,
    OK,
    OOB,
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
    WHO,
    Caller,
    digest_of,
    refining,
)

HALT, PANICKED, FAULT, HOST, OOG = range(5)
PAGE = 0x1000


@pytest.fixture(params=VERSIONS)
def call(request: pytest.FixtureRequest) -> Caller:
    return refining(request.param)


def source(body: str) -> bytes:
    return assemble(".code\n" + body + "\n").encode()


def add(call: Caller, body: str, pc: int = 0) -> int:
    """A machine with this program."""
    blob = source(body)
    done = call("machine", call.put(RW, blob), len(blob), pc)
    assert done.end is None and done.r7 < 1 << 32
    return done.r7


def invoke(call: Caller, number: int, gas: int = 1000, *registers: int, outer: int = 1_000_000) -> tuple[Any, ...]:
    """How `invoke` ends: r7, r8, the gas that is left inside, the registers inside, the gas it took."""
    values = list(registers) + [0] * (13 - len(registers))
    at = call.put(RW + 0x1000, pack("<14Q", gas, *values))
    done = call("invoke", number, at, gas=outer)
    assert done.end is None
    left, *after = unpack("<14Q", call.at(at, 112))
    return done.r7, done.r8, left, after, done.gas


# --- historical_lookup ---------------------------------------------------------------------------------------------


def test_historical_lookup(call: Caller) -> None:
    at = call.put(RW, digest_of(BLOB))
    for service in (SELF, SERVICE):
        done = call("historical_lookup", service, at, RW + 64, 2, 4)
        assert (done.end, done.r7) == (None, len(BLOB)) and call.at(RW + 64, 5) == BLOB[2:6] + b"\0"
    assert call("historical_lookup", SERVICE, at, NO, 0, 0).r7 == len(BLOB), "nothing is written nowhere"
    assert call("historical_lookup", SERVICE, at, RO, 0, 1).end is PANIC
    assert call("historical_lookup", SERVICE, RO_END - 31, RW, 0, 4).end is PANIC
    assert call("historical_lookup", SERVICE, MAX, RW, 0, 4).end is PANIC
    assert call("historical_lookup", 99, at, RO, 0, 100).r7 == NONE
    assert call("historical_lookup", 1 << 40, at, RW, 0, 4).r7 == NONE
    call.put(RW, digest_of(b"theirs"))
    assert call("historical_lookup", OTHER, at, RW, 0, 4).r7 == NONE, "a preimage that was never requested"


def test_historical_lookup_looks_at_the_anchor(call: Caller) -> None:
    at = call.put(RW, digest_of(BLOB))
    call.context.anchor = 9  # it is there since slot 10
    assert call("historical_lookup", SELF, at, RW, 0, 4).r7 == NONE
    call.context.anchor = 10
    assert call("historical_lookup", SELF, at, RW + 64, 0, 4).r7 == len(BLOB)


# --- export ----------------------------------------------------------------------------------------------------------


def test_export(call: Caller) -> None:
    assert call("export", call.put(RW, b"abc"), 3).r7 == 2, "two segments come before"
    assert call("export", RW, 1 << 40).r7 == 3, "no more than a segment is taken"
    assert call("export", NO, 0).r7 == 4
    assert [len(segment) for segment in call.context.exports] == [4104] * 3
    assert call.context.exports[0] == b"abc" + bytes(4101)
    assert call("export", RO, 4096).r7 == 5
    assert call("export", RO, 4097).end is PANIC
    assert call("export", NO, 1).end is PANIC
    assert len(call.context.exports) == 4


def test_export_of_too_many(call: Caller) -> None:
    limited = refining(call.version, package_exports=3)
    assert limited("export", RW, 1).r7 == 2
    assert limited("export", RW, 1).r7 == FULL
    assert limited("export", NO, 1).end is PANIC, "what cannot be read comes first"
    assert len(limited.context.exports) == 1


# --- machine, expunge -----------------------------------------------------------------------------------------------


def test_machine_takes_the_least_free_number(call: Caller) -> None:
    assert [add(call, " trap") for _ in range(4)] == [0, 1, 2, 3]
    assert (call("expunge", 2).r7, call("expunge", 1).r7) == (0, 0)
    assert [add(call, " trap", pc) for pc in (MAX, 5, 6)] == [1, 2, 4]
    assert call("expunge", 1).r7 == MAX and call("expunge", 4).r7 == 6
    assert call("expunge", 4).r7 == WHO and call("expunge", MAX).r7 == WHO


def test_machine_refuses_what_is_no_program(call: Caller) -> None:
    assert call("machine", NO, 1, 0).end is PANIC
    assert call("machine", RO, 0x1001, 0).end is PANIC
    assert call("machine", NO, 0, 0).r7 == HUH, "no octets are no program"
    assert call("machine", call.put(RW, b"\0\0"), 2, 0).r7 == HUH
    assert len(call.context.machines) == 0


def test_machines_are_limited_in_0_8_0() -> None:
    call = refining("0.8.0")
    assert [add(call, " trap") for _ in range(63)] == list(range(63))
    assert call("machine", NO, 1, 0).r7 == FULL, "before anything else"
    call("expunge", 5)
    assert add(call, " trap") == 5


# --- pages -----------------------------------------------------------------------------------------------------------


def test_pages(call: Caller) -> None:
    number = add(call, " trap")
    pages = call.context.machines[number].pages
    assert call("pages", 1, 16, 1, 2).r7 == WHO
    for first, count, rights in [
        (15, 1, 2), (16, (1 << 20) - 16, 1), (16, MAX, 1), (MAX, 1, 1), (16, 1, 5), (16, 1, MAX),
        (16, 1, 3), (16, 1, 4),
    ]:  # fmt: skip
        done = call("pages", number, first, count, rights, gas=1 << 63)
        assert done.r7 == HUH or done.end is OUT_OF_GAS, (first, count, rights)
        assert done.r7 == HUH or (count == MAX and call.version == "0.8.0")
    assert call("pages", number, 16, (1 << 20) - 17, 1, gas=1 << 63).r7 == OK
    assert call("pages", 16, 0, 0, 2).r7 == WHO
    assert call("pages", number, 20, 2, 2).r7 == OK
    assert call("pages", number, 21, 2, 0).r7 == OK
    assert list(pages.ranges(16, 8)) == [(16, 4, "r"), (20, 1, "rw"), (21, 2, None), (23, 1, "r")]
    assert call("pages", number, 19, 3, 3).r7 == HUH, "a page of them has no rights"
    assert call("pages", number, 19, 2, 4).r7 == OK
    assert call("pages", number, 20, 1, 3).r7 == OK
    assert list(pages.ranges(16, 6)) == [(16, 3, "r"), (19, 1, "rw"), (20, 1, "r"), (21, 1, None)]
    assert call("pages", number, 21, 0, 4).r7 == OK, "no page is none without rights"


@pytest.mark.parametrize("has_run", [False, True])
@pytest.mark.parametrize(("rights", "kept"), [(0, False), (1, False), (2, False), (3, True), (4, True)])
def test_pages_keep_their_contents_or_do_not(has_run: bool, rights: int, kept: bool) -> None:
    call = refining()
    number = add(call, " trap")
    assert call("pages", number, 16, 40, 2).r7 == OK
    for address in (0x10FFE, 0x37000):
        assert call("poke", number, call.put(RW, b"data"), address, 4).r7 == OK
    if has_run:
        invoke(call, number)
    assert call("pages", number, 16, 40, rights).r7 == OK
    assert call("pages", number, 16, 40, 3 if rights else 1).r7 == OK
    for address in (0x10FFE, 0x37000):
        assert call("peek", number, RW + 100, address, 4).r7 == OK
        assert call.at(RW + 100, 4) == (b"data" if kept else bytes(4))


# --- peek, poke -----------------------------------------------------------------------------------------------------


def test_peek_and_poke(call: Caller) -> None:
    number = add(call, " trap")
    call("pages", number, 16, 1, 2)
    call("pages", number, 17, 1, 1)
    assert call("poke", number, call.put(RW, b"abcd"), 0x10FFC, 4).r7 == OK
    assert call("peek", number, RW + 100, 0x10FFA, 8).r7 == OK
    assert call.at(RW + 100, 8) == b"\0\0abcd\0\0"
    # peek: the outer memory, then the number, then the inner memory
    assert call("peek", 9, NO, 0, 1).end is PANIC
    assert call("peek", number, RO, 0x10000, 1).end is PANIC
    assert call("peek", number, RW_END - 3, 0x10000, 4).end is PANIC
    assert call("peek", 9, RW, 0, 1).r7 == WHO
    for address, length in [(0x0FFFF, 1), (0x12000, 1), (0x11FFF, 2), (0, 1), (MAX, 1), (1 << 32, 1)]:
        assert call("peek", number, RW, address, length).r7 == OOB, (address, length)
    assert call("peek", number, NO, 0, 0).r7 == OK
    # poke
    assert call("poke", 9, NO, 0, 1).end is PANIC
    assert call("poke", number, RO_END - 3, 0x10000, 4).end is PANIC
    assert call("poke", 9, RW, 0, 1).r7 == WHO
    for address, length in [(0x0FFFF, 2), (0x10FFF, 2), (0x11000, 1), (MAX, 1)]:
        assert call("poke", number, RW, address, length).r7 == OOB, (address, length)
    assert call("poke", number, NO, MAX, 0).r7 == OK
    assert call("poke", number, RO, 0x10000, 0x1000).r7 == OK, "what may be read is enough"


# --- invoke ----------------------------------------------------------------------------------------------------------


def test_invoke_checks_its_memory_first(call: Caller) -> None:
    number = add(call, " trap")
    for address in (RO, NO, RW_END - 111, MAX):
        assert call("invoke", number, address).end is PANIC
    assert call("invoke", number + 1, RW_END - 112).r7 == WHO


def test_invoke_ends_in_five_ways(call: Caller) -> None:
    is_072 = call.version == "0.7.2"
    number = add(call, " load_imm r0, -0x10000\n jump_ind r0\n")
    r7, _, left, registers, _ = invoke(call, number, 100)
    assert r7 == HALT and registers[0] == 0xFFFFFFFFFFFF0000 and left < 100
    number = add(call, " trap")
    assert invoke(call, number, 100)[0] == PANICKED
    number = add(call, " load_imm r3, 5\n store_u8 [0x20123], r3\n trap")
    r7, r8, left, registers, _ = invoke(call, number, 100)
    assert (r7, r8, registers[3]) == (FAULT, 0x20000, 5)
    if is_072:
        assert left == 98
    number = add(call, " ecalli 77\n ecalli -2\n trap")
    r7, r8, left, *_ = invoke(call, number, 100)
    assert (r7, r8) == (HOST, 77)
    r7, r8, *_ = invoke(call, number, left)
    assert (r7, r8) == (HOST, MAX - 1), "behind the first call"
    assert invoke(call, number, left)[0] == PANICKED
    number = add(call, "again:\n add_imm_64 r3, r3, 1\n jump again\n")
    r7, r8, left, registers, _ = invoke(call, number, 101)
    assert r7 == OOG and r8 == RW + 0x1000, "r8 stays"
    if is_072:
        assert left == 0 and registers[3] == 51


def test_gas_of_inner_machines() -> None:
    """In 0.7.2 it is the guest's own affair; in 0.8.0 it is taken first, and the rest of it given back."""
    call = refining("0.7.2")
    number = add(call, " trap")
    assert invoke(call, number, MAX, outer=10)[4] == 10
    call = refining("0.8.0")
    number = add(call, " ecalli 1\n trap")
    _, _, left, _, taken = invoke(call, number, 5000)
    assert taken == 968 + 5000 - left and 0 < left < 5000
    at = call.put(RW + 0x1000, pack("<14Q", 5000, *[0] * 13))
    assert call("invoke", number, at, gas=968 + 4999).end is OUT_OF_GAS
    assert call("invoke", 9, at, gas=968 + 4999).end is OUT_OF_GAS
    done = call("invoke", 9, at, gas=968 + 6000)
    assert (done.r7, done.gas) == (WHO, 968 + 5000)
    for machine in (9, number):
        done = call("invoke", machine, RO, gas=2000)
        assert (done.end, done.gas) == (PANIC, 968)


def test_a_fault_is_repaired_and_the_run_goes_on(call: Caller) -> None:
    number = add(call, " load_imm r3, 5\n store_u8 [0x20123], r3\n load_imm r4, 6\n ecalli 3\n trap")
    assert invoke(call, number)[:2] == (FAULT, 0x20000)
    assert call("pages", number, 0x20, 1, 2).r7 == OK
    r7, r8, left, registers, _ = invoke(call, number, 1000, 0, 0, 0, 9)
    assert (r7, r8, registers[3], registers[4]) == (HOST, 3, 9, 6)
    if call.version == "0.7.2":
        assert left == 1000 - 3
    call("peek", number, RW, 0x20123, 1)
    assert call.at(RW, 1) == b"\x09"


def test_after_its_end_a_machine_starts_at_0(call: Caller) -> None:
    number = add(call, " fallthrough\n ecalli 1\n trap", 1)
    assert invoke(call, number)[:2] == (HOST, 1)
    assert invoke(call, number)[0] == PANICKED
    _, _, left, _, _ = invoke(call, number)
    assert invoke(call, number)[0] == PANICKED
    assert call("expunge", number).r7 == 0
    if call.version == "0.7.2":
        assert left == 998, "from 0 the fallthrough runs too"


@pytest.mark.parametrize("pc", [5, 1 << 31, 1 << 32, MAX])
def test_a_pc_without_an_instruction(call: Caller, pc: int) -> None:
    number = add(call, " fallthrough\n trap", pc)
    if call.version == "0.7.2":
        assert invoke(call, number, 0)[0] == OOG
        assert call.context.machines[number].pc == pc
    r7, _, left, _, _ = invoke(call, number, 10)
    assert r7 == PANICKED and left == (9 if call.version == "0.7.2" else 10)
    assert call("expunge", number).r7 == 0


def test_read_only_pages_fault_on_stores_alone(call: Caller) -> None:
    number = add(call, " load_u8 r3, [0x20000]\n store_u8 [0x20000], r3\n trap")
    call("pages", number, 0x20, 1, 1)
    r7, r8, left, _, _ = invoke(call, number)
    assert (r7, r8) == (FAULT, 0x20000)
    assert call.version != "0.7.2" or left == 998


def test_the_heap_of_an_inner_machine_grows_from_0() -> None:
    """`sbrk` maps pages, which are the guest's from then on: also after its machine was a value in between."""
    call = refining()
    call.context.machines._most = 1
    body = " load_imm r3, 0x11000\n sbrk r4, r3\n store_u8 [0x10000], r3\n ecalli 1\n sbrk r4, r3\n ecalli 2\n trap"
    number, other = add(call, body), add(call, " trap")
    r7, r8, _, registers, _ = invoke(call, number)
    assert (r7, r8, registers[4]) == (HOST, 1, 0)
    assert call.context.machines.is_writable(number, 0x10000, 0x1000)
    assert not call.context.machines.is_readable(number, 0x11000, 1)
    invoke(call, other)
    assert call.context.machines[number].machine is None
    r7, r8, _, registers, _ = invoke(call, number, 1000, 0, 0, 0, 0x1000)
    assert (r7, r8, registers[4]) == (HOST, 2, 0x11000)


@pytest.mark.parametrize("most", [1, 2, 64])
@pytest.mark.parametrize("spec", VERSIONS)
def test_what_is_kept_as_a_value_in_between_makes_no_difference(most: int, spec: str) -> None:
    """Five machines in turn, each of which counts in its memory and stops at a call in the middle of a block."""
    call = refining(spec)
    call.context.machines._most = most
    body = (
        " load_u64 r3, [0x20ffc]\n ecalli 1\n add_64 r3, r3, r4\n store_u64 [0x20ffc], r3\n ecalli 2\n"
        " load_imm r0, -0x10000\n jump_ind r0\n"
    )
    numbers = [add(call, body) for _ in range(5)]
    for number in numbers:
        call("pages", number, 0x20, 2, 2)
    costs = set()
    for turn in range(1, 4):
        counts = [invoke(call, number)[3][3] for number in numbers]
        assert counts == [number * (turn - 1) for number in numbers]
        lefts = [
            invoke(call, number, 1000, 0, 0, 0, count, number) for number, count in zip(numbers, counts, strict=True)
        ]
        assert [one[3][3] for one in lefts] == [number * turn for number in numbers]
        costs |= {one[2] for one in lefts} | {invoke(call, number)[2] for number in numbers}
    assert len(costs) == (2 if spec == "0.7.2" else 1), "the rest of a block is not paid again"


def test_a_thousand_machines_are_alive(make_engine: Any) -> None:
    call = refining("0.7.2", make_engine())
    body = " load_u8 r3, [0x20000]\n add_64 r3, r3, r4\n store_u8 [0x20000], r3\n ecalli 1\n jump back\nback:\n trap"
    blob = source(body)
    at = call.put(RW, blob)
    for number in range(1000):
        assert call("machine", at, len(blob), 0).r7 == number
        call("pages", number, 0x20, 1, 2)
    for number in range(0, 1000, 7):
        assert invoke(call, number, 100, 0, 0, 0, 0, number % 256)[:3] == (HOST, 1, 96)
    for number in range(0, 1000, 70):
        call("peek", number, RW, 0x20000, 1)
        assert call.at(RW, 1) == bytes([number % 256])


def test_nearly_all_memory_is_mapped_at_once(make_engine: Any) -> None:
    if make_engine is pvm.ReferenceEngine:
        pytest.skip("it keeps pages one by one")
    call = refining("0.7.2", make_engine())
    number = add(call, " store_u8 [0xfffef000], r3\n ecalli 1\n trap")
    for rights in (2, 1, 2):
        assert call("pages", number, 16, (1 << 20) - 17, rights).r7 == OK
    assert invoke(call, number, 100, 0, 0, 0, 5)[:2] == (HOST, 1)
    call("peek", number, RW, 0xFFFEF000, 1)
    assert call.at(RW, 1) == b"\x05"


def test_memory_of_a_machine_that_becomes_a_value(make_engine: Any) -> None:
    """Page by page, zeros in between, read-only pages too."""
    call = refining("0.7.2", make_engine())
    call.context.machines._most = 1
    number, other = add(call, " ecalli 1\n trap"), add(call, " trap")
    call("pages", number, 0x20, 40, 2)
    places = {0x20000: b"first", 0x21FFE: b"over", 0x24000: b"fifth", 0x47FFC: b"last"}
    for address, data in places.items():
        assert call("poke", number, call.put(RW, data), address, len(data)).r7 == OK
    call("pages", number, 0x24, 1, 3)
    for _ in range(2):
        invoke(call, number)
        invoke(call, other)
        assert call.context.machines[number].machine is None
        assert sorted(call.context.machines[number].pages.contents) == [0x20, 0x21, 0x22, 0x24, 0x47]
    for address, data in places.items():
        assert call("peek", number, RW + 100, address, len(data)).r7 == OK and call.at(RW + 100, len(data)) == data
    assert call("poke", number, RW, 0x24000, 1).r7 == OOB
