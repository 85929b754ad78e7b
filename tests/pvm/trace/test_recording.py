"""Recording ecalli traces of machines with handlers, and answering from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import pvm
from pvm.errors import InputError, TraceError
from pvm.examples import example
from pvm.machine import AnyEngine
from pvm.program import assemble
from pvm.trace import format_trace, host_of, parse_trace, record, replay
from wasm_host import Engine

SOURCE = """
.standard stack=4096 heap=1
.code
    store_ind_u64   [sp - 8], a1
    move_reg        s0, ra
    move_reg        a0, sp
    ecalli          7
    load_ind_u64    a2, [sp - 16]
    ecalli          8
    jump_ind        s0
"""
ENGINES: list[Callable[[], AnyEngine]] = [
    pvm.ReferenceEngine, lambda: Engine(tier="interpreter"), lambda: Engine(tier="recompiler"), Engine,
]  # fmt: skip


def seven(machine: pvm.Machine) -> None:
    assert machine.memory.read(machine.registers[7] - 8, 8) == (3).to_bytes(8, "little")
    machine.memory.write(machine.registers[7] - 16, b"answered")
    assert machine.memory.read(machine.registers[7] - 16, 8) == b"answered"
    machine.registers[7] = 5


def eight(machine: pvm.Machine) -> None:
    machine.gas -= 10
    machine.registers[7], machine.registers[8] = 0x20000, 0


@pytest.mark.parametrize("make", ENGINES)
def test_a_recorded_run_is_replayed_and_answered(make: Callable[[], AnyEngine]) -> None:
    program = assemble(SOURCE)
    machine = make().instantiate(program, b"abc", host={7: seven, 8: eight})
    before = machine._handlers
    with record(machine) as recording:
        exit = machine.run()
    assert exit.reason is pvm.Reason.HALT and machine._handlers is before and "run" not in vars(machine)
    trace = recording.trace()
    assert [call.number for call in trace.calls] == [7, 8]
    assert len(trace.calls[0].reads) == 1 and trace.calls[0].writes[0].data == b"answered"
    assert trace.calls[1].gas == trace.calls[1].state.gas - 10
    text = format_trace(trace)
    for engine in (pvm.ReferenceEngine(), Engine()):
        assert replay(parse_trace(text), engine).difference is None
        again = engine.instantiate(program, b"abc", host=host_of(parse_trace(text)))
        assert again.run() == exit


def test_calls_that_end_a_run_are_recorded_too() -> None:
    machine = Engine().instantiate(assemble(SOURCE), b"abc")
    with record(machine) as recording:
        assert machine.run().call == 7
        seven(machine)
        assert machine.run().call == 8
        assert recording.trace().end.reason is pvm.Reason.HOST_CALL
        eight(machine)
        machine.run()
    assert replay(recording.trace(), Engine()).difference is None


def test_a_run_that_its_host_ends() -> None:
    machine = pvm.ReferenceEngine().instantiate(
        assemble(SOURCE), b"abc", host={7: seven, 8: lambda _: pvm.Reason.PANIC}
    )
    with record(machine) as recording:
        exit = machine.run()
    trace = recording.trace()
    assert replay(trace, Engine()).difference is None
    again = Engine().instantiate(assemble(SOURCE), b"abc", host=host_of(trace))
    assert again.run() == exit and exit.reason is pvm.Reason.PANIC


def test_what_was_written_before_the_start_is_in_the_trace() -> None:
    plain = assemble(".code\n load_u8 r1, [0x20001]\n ecalli 7\n trap\n")
    machine = pvm.ReferenceEngine().instantiate(plain, host={7: lambda _: None})
    machine.memory.map(0x20000, 0x2000, "rw")
    machine.memory.write(0x20001, b"\x09")
    with record(machine) as recording:
        machine.run()
    trace = recording.trace()
    assert trace.calls[0].state.registers[1] == 9 and len(trace.memory) == 2
    assert replay(trace, Engine()).difference is None


def test_what_cannot_be_recorded_says_so() -> None:
    machine = pvm.ReferenceEngine().instantiate(assemble(SOURCE), b"abc", host={7: seven, 8: eight})
    with record(machine) as recording, pytest.raises(TraceError, match="has not ended"):
        recording.trace()
    machine.memory.map(0x50000, 1, "rw")
    with pytest.raises(InputError, match="other pages"):
        record(machine)
    machine = pvm.ReferenceEngine().instantiate(assemble(SOURCE), b"abc")
    machine.run()
    with pytest.raises(InputError, match="has run already"):
        record(machine)
    plain = pvm.ReferenceEngine().instantiate(assemble(".code\n trap\n"))
    plain.memory.map(0x20000, 1, "r")
    with pytest.raises(InputError, match="only readable"):
        record(plain)


def test_calls_that_were_not_recorded_are_refused() -> None:
    machine = pvm.ReferenceEngine().instantiate(assemble(SOURCE), b"abc", host={7: seven, 8: eight})
    with record(machine) as recording:
        machine.run()
    program = assemble(".code\n ecalli 7\n ecalli 7\n trap\n")
    again = Engine().instantiate(program, host=host_of(recording.trace()))
    with pytest.raises(TraceError, match="host call 7"):
        again.run()


@pytest.mark.parametrize("name", ["hello", "life", "sort"])
def test_examples_are_recorded(name: str) -> None:
    known = example(name)

    def log(machine: pvm.Machine) -> None:
        machine.memory.read(machine.registers[10], machine.registers[11])
        machine.registers[7] = 2**64 - 2

    machine = Engine().instantiate(assemble(known.source), known.args, known.gas, host={100: log})
    with record(machine) as recording:
        machine.run()
    assert replay(recording.trace(), Engine()).difference is None


def test_catch_alls_and_awaited_handlers_are_recorded() -> None:
    async def seven_later(machine: pvm.Machine) -> None:
        await asyncio.sleep(0)
        seven(machine)

    machine = Engine().instantiate(assemble(SOURCE), b"abc", host={7: seven_later})
    machine.other = lambda machine, number: eight(machine)
    with record(machine) as recording:
        exit = asyncio.run(machine.run_async())
    assert exit.reason is pvm.Reason.HALT
    trace = recording.trace()
    assert [call.number for call in trace.calls] == [7, 8] and trace.calls[0].writes
    assert replay(trace, Engine()).difference is None
    assert machine.other is not None and "run_async" not in vars(machine)
