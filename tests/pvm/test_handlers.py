"""Host calls and what answers them, on each engine: which can be named, what handlers may do, return and raise."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, InputError, Machine, Reason
from pvm.errors import LimitError
from pvm.program import assemble

MAX = (1 << 64) - 1


def test_host_calls_stop_and_continue(make_engine: Any, run_source: Any) -> None:
    exit, machine = run_source(make_engine(), "ecalli -1\nload_imm r1, 4\necalli 7\ntrap")
    assert exit == Exit(Reason.HOST_CALL, 0, 999, call=MAX)
    assert machine.pc == 0
    machine.gas = 50
    exit = machine.run()
    assert exit == Exit(Reason.HOST_CALL, exit.pc, 48, call=7)
    assert machine.run().reason is Reason.PANIC


def test_handlers_answer_without_leaving_run(make_engine: Any, run_source: Any) -> None:
    seen = []

    def handler(machine: Machine) -> None:
        seen.append((machine.pc, machine.registers[7], machine.gas))
        machine.registers[7] += 10
        machine.gas -= 100

    exit, machine = run_source(make_engine(), "ecalli 3\nadd_imm_64 r7, r7, 1\necalli 3\necalli 4", host={3: handler})
    assert exit.call == 4
    assert seen == [(0, 0, 999), (5, 11, 897)]
    assert machine.registers[7] == 21


def test_a_handler_may_end_the_run(make_engine: Any, run_source: Any) -> None:
    exit, _ = run_source(make_engine(), "ecalli 3\ntrap", host={3: lambda machine: Reason.OUT_OF_GAS})
    assert exit == Exit(Reason.OUT_OF_GAS, 0, 999)


def test_a_handler_may_jump(make_engine: Any, run_source: Any) -> None:
    def handler(machine: Machine) -> None:
        machine.pc = 4

    exit, _ = run_source(make_engine(), "ecalli 3\ntrap\ntrap\necalli 9", host={3: handler})
    assert (exit.call, exit.pc) == (9, 4)


def test_a_handler_that_raises_leaves_the_machine_in_order(make_engine: Any, run_source: Any) -> None:
    def handler(machine: Machine) -> None:
        machine.registers[7] = 1
        raise KeyError("no such thing")

    engine = make_engine()
    machine = engine.instantiate(assemble(".code\nload_imm r1, 3\necalli 3\ntrap\n"), gas=10, host={3: handler})
    with pytest.raises(KeyError, match="no such thing"):
        machine.run()
    assert (machine.pc, machine.gas, machine.registers[1], machine.registers[7]) == (3, 8, 3, 1)
    assert machine.run().reason is Reason.PANIC  # the call counts as made


def test_a_step_answers_a_host_call(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\necalli 1\ntrap\n"), host={1: lambda machine: None})
    assert machine.step() is None
    assert machine.step() == Exit(Reason.PANIC, 2, 10_000_000 - 2)


@pytest.mark.parametrize("returned", [True, "halt", Reason.PAGE_FAULT])
def test_handlers_return_nothing_else(make_engine: Any, run_source: Any, returned: object) -> None:
    with pytest.raises(TypeError, match="a handler returns None or"):
        run_source(make_engine(), "ecalli 3\ntrap", host={3: lambda machine: returned})


CALLS = [0, 1, 127, 128, 2**31 - 1, 2**64 - 2**31, 2**64 - 128, 2**64 - 1]


@pytest.mark.parametrize("number", CALLS)
def test_handlers_of_all_calls_that_can_be_named(make_engine: Any, number: int) -> None:
    """The immediate is sign-extended: `ecalli -1` is call 2^64 - 1."""
    signed = number - (1 << 64) if number >> 63 else number
    program = assemble(f".code\necalli {signed}\ntrap\n")
    assert make_engine().instantiate(program).run().call == number
    assert make_engine().instantiate(program, host={number: lambda m: Reason.HALT}).run().reason is Reason.HALT


NO_CALLS = [-1, -(2**31), 2**31, 2**32 - 1, 2**64 - 2**31 - 1, 2**64, 10**5000, True, 3.0, "3", None]


@pytest.mark.parametrize("number", NO_CALLS, ids=range(len(NO_CALLS)))
def test_handlers_of_what_no_call_is_are_refused(make_engine: Any, number: Any) -> None:
    with pytest.raises(InputError, match=r"^host: .*: ecalli names 0 to 2\^31 - 1, and 2\^64 - 2\^31 to ") as refused:
        make_engine().instantiate(assemble(".code\ntrap\n"), host={number: lambda machine: None})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("handler", [None, 5, "a\nb"])
def test_handlers_are_functions(make_engine: Any, handler: Any) -> None:
    with pytest.raises(InputError, match=r"^host: 3: .* is no function$"):
        make_engine().instantiate(assemble(".code\ntrap\n"), host={3: handler})


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_a_run_that_poll_ends_goes_on_as_if_nothing_was(
    make_engine: Any, monkeypatch: pytest.MonkeyPatch, spec: str, metering: str
) -> None:
    for where, value in (("wasm_host.machine.interpreted.SLICE", 64), ("wasm_host.machine.translated.AUTO_SLICE", 64),
                         ("wasm_host.machine.translated.CALM_SLICE", 64),
                         ("pvm.reference._POLLED", 64)):  # fmt: skip
        monkeypatch.setattr(where, value)
    engine = make_engine(spec=spec, metering=metering)
    program = assemble("loop: add_imm_64 r2, r2, 1\nadd_64 r3, r3, r2\nadd_imm_64 r4, r4, 3\njump loop", spec)
    whole, polled = (engine.instantiate(program, gas=1003) for _ in range(2))
    calls = []

    def poll(machine: Machine) -> None:
        calls.append(machine.gas)
        if len(calls) % 3:
            raise LimitError("that is enough")

    polled.poll = poll
    for _ in range(100):
        try:
            exit = polled.run()
            break
        except LimitError:
            pass
    assert exit == whole.run()
    assert polled.registers == whole.registers
    assert len(calls) > 10 and calls == sorted(calls, reverse=True)


def test_what_handlers_may_do_as_the_guest(make_engine: Any) -> None:
    """Rights, octets and gas, asked for in one go."""
    machine = make_engine().instantiate(assemble(".code\n trap\n"), gas=100)
    memory = machine.memory
    memory.map(0x20000, 0x2000, "rw")
    memory.map(0x22000, 0x1000, "r")
    memory.map(0x5000, 0x1000, "rw")
    memory.map(0xFFFFF000, 0x1000, "rw")
    memory.write(0x21FFE, b"abcd")
    assert memory.guest_read(0x21FFE, 4) == b"abcd" and memory.guest_read(0x22FFF, 1) == b"\0"
    for address, length in [(0x22FFF, 2), (0x1FFFF, 2), (0x5000, 1), (0xFFFFFFFF, 2), (1 << 40, 1), (5, 1 << 40)]:
        assert memory.guest_read(address, length) is None
        assert length > 2 or not memory.guest_write(address, bytes(length))
    assert memory.guest_read(1 << 50, 0) == b"" and memory.guest_write(1 << 50, b"")
    assert memory.guest_write(0x20FFF, b"xyz") and memory.read(0x20FFF, 3) == b"xyz"
    assert memory.guest_write(0xFFFFFFFF, b"x") and memory.guest_read(0xFFFFFFFF, 1) == b"x"
    assert not memory.guest_write(0x21FFF, b"xy") and memory.read(0x21FFF, 2) == b"bc"
    assert memory.is_writable(0x20000, 0x2000) and not memory.is_writable(0x20000, 0x2001)
    assert not memory.is_writable(0x5000, 1) and not memory.is_writable(0xFFFFFFFF, 2)
    assert [machine.charge(amount) for amount in (60, 41, 40, 1)] == [40, -1, 0, -1] and machine.gas == 0


def test_gas_of_more_than_a_slice_is_charged(make_engine: Any) -> None:
    machine = make_engine().instantiate(assemble(".code\n trap\n"), gas=1 << 40)
    assert machine.charge(1 << 39) == machine.gas == 1 << 39
    assert machine.charge((1 << 39) + 1) == -1 and machine.gas == 1 << 39
