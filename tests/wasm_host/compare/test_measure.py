"""One task on our own engines, in this process: endings are equal, whatever is mapped is hashed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pvm import Memory, ReferenceEngine
from pvm.errors import EngineError
from pvm.examples import example
from pvm.program import assemble
from pvm.trace import format_trace, parse_trace
from wasm_host import Engine
from wasm_host.compare.measure import fastest, measure, recorded_outcome
from wasm_host.compare.outcome import TRACE, UNSEEN, Task, memory_hash

TRACES = Path(__file__).parents[4] / "shared/traces/ecalli"
HELLO = Task(
    "hello",
    assemble(example("hello").source).encode(),
    "standard",
    example("hello").args,
    100_000,
    rounds=1,
    patience=0,
)
# Grows the heap, writes to it, faults beyond it.
GROWING = """
.standard stack=4096 heap=1
.code
    load_imm r2, 5000
    sbrk r3, r2
    store_ind_u64 [r3], r2
    load_u8 r4, [0x10000000]
    trap
"""


def interpreter() -> Engine:
    return Engine(tier="interpreter", cache=False)


def recompiler(protection: str) -> Engine:
    return Engine(tier="recompiler", cache=False, protection=protection)


ENGINES = [interpreter, lambda: recompiler("software"), lambda: recompiler("auto"), lambda: Engine(cache=False)]


@pytest.mark.parametrize("make", ENGINES)
def test_programs_end_as_on_the_reference_engine(make) -> None:
    growing = replace(HELLO, data=assemble(GROWING).encode(), args=b"")
    for task in (HELLO, growing):
        expected, found = measure(task, ReferenceEngine), measure(task, make)
        assert (found.ending, found.used) == (expected.ending, expected.used)
        assert found.cold > 0 and found.warm > 0
    assert found.ending.reason == "page-fault" and found.ending.address == 0x10000000


@pytest.mark.parametrize("make", ENGINES)
def test_recorded_runs_end_as_recorded_and_as_on_the_reference_engine(make) -> None:
    if not TRACES.is_dir():
        pytest.skip(f"the public traces are not at {TRACES}")
    task = Task("small", (TRACES / "small-service.log").read_bytes(), TRACE, rounds=1, patience=0)
    recorded, expected, found = recorded_outcome(task), measure(task, ReferenceEngine), measure(task, make)
    assert found.ending == expected.ending
    assert found.used == expected.used == recorded.used
    assert recorded.ending == replace(found.ending, address=UNSEEN, result=UNSEEN, memory=UNSEEN)
    assert not recorded.ending.calls.startswith("0:")


def test_a_trace_that_is_not_followed_ends_where_it_was_left() -> None:
    if not TRACES.is_dir():
        pytest.skip(f"the public traces are not at {TRACES}")
    trace = parse_trace((TRACES / "small-service.log").read_bytes())
    first, *others = trace.calls
    other = replace(trace, calls=(replace(first, number=first.number + 1), *others))
    wrong = Task("small", format_trace(other).encode(), TRACE, rounds=1, patience=0)
    found = measure(wrong, interpreter).ending
    assert (found.reason, found.call) == ("host-call", first.number)
    assert found.calls.startswith("0:") and found != recorded_outcome(wrong).ending


def test_contents_rights_and_addresses_count_in_the_hash() -> None:
    hashes = set()
    for address, access, data in (
        (0x20000, "rw", b"a"), (0x20000, "r", b"a"), (0x20000, "rw", b"b"), (0x21000, "rw", b"a"), (0x5000, "rw", b"a"),
        (0x20000, "rw", b""),
    ):  # fmt: skip
        found = set()
        for engine in (ReferenceEngine(), interpreter()):
            memory = engine.instantiate(assemble(".code\ntrap\n")).memory
            memory.map(address, 2 * 4096, access)
            memory.write(address, data)
            memory.write(0x400000, b"not mapped")
            found.add(memory_hash(memory))
            plain = sum(length for _, length, _ in memory.mapped())
            assert plain == 2 * 4096
        assert len(found) == 1
        hashes |= found
    assert len(hashes) == 6


def test_what_is_mapped_is_found_page_by_page_too() -> None:
    memory = ReferenceEngine().instantiate(assemble(".code\ntrap\n")).memory
    memory.map(0xFFFFF000, 4096, "r")
    memory.map(0x3000, 1, "rw")
    assert list(Memory.mapped(memory)) == list(memory.mapped()) == [(0x3000, 4096, "rw"), (0xFFFFF000, 4096, "r")]


def test_another_end_the_second_time_is_a_failure() -> None:
    class Moody:
        def __init__(self) -> None:
            self.runs = 0

        def instantiate(self, program, args, gas, pc, host):
            self.runs += 1
            return interpreter().instantiate(program, args, gas + self.runs, pc, host)

    with pytest.raises(EngineError, match="ends otherwise"):
        measure(HELLO, Moody)


def test_the_fastest_of_some_rounds() -> None:
    times = iter((3.0, 1.0, 2.0, 0.5))
    assert fastest(replace(HELLO, rounds=3, patience=0), lambda: next(times)) == 1.0
