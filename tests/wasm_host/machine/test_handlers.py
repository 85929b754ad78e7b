"""Handlers: one for all other calls, changed while the machine runs, charged for, and awaited in an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from typing import Any

import pytest

from pvm import Exit, InputError, Machine, MachineBusyError, Reason, ReferenceEngine
from pvm.machine import Resumer
from pvm.program import assemble
from tests.wasm_host.machine.test_saved import ALL

CALLS = assemble(".code\necalli 1\necalli 5\necalli -1\nadd_imm_64 r2, r2, 1\ntrap\n")
AGAIN = assemble(".code\nloop: ecalli 1\nadd_imm_64 r1, r1, 1\njump loop\n")
FOREVER = assemble(".code\nloop: add_imm_64 r1, r1, 1\njump loop\n")
NUMBERS = [1, 5, (1 << 64) - 1]


@pytest.mark.parametrize("engine", ALL)
def test_one_for_all_other_calls_is_told_the_number(engine: Resumer) -> None:
    told: list[int] = []

    def other(machine: Machine, number: int) -> Reason | None:
        told.append(number)
        machine.charge(10)
        return Reason.PANIC if number == NUMBERS[2] else None

    machine = engine.instantiate(CALLS, gas=100)
    machine.other = other
    assert machine.run().reason is Reason.PANIC and told == NUMBERS and machine.gas == 67
    told.clear()
    machine.reset(gas=100)
    machine.host[5] = lambda machine: None
    assert machine.clone().run().gas == machine.run().gas == 77 and told == [1, NUMBERS[2]] * 2
    machine.reset()
    machine.other = None
    assert machine.run() == Exit(Reason.HOST_CALL, 0, 9_999_999, call=1)
    machine.other = other
    assert machine.step() is None and machine.host  # the call 5
    exit = machine.step()
    assert exit is not None and exit.reason is Reason.PANIC and told[-1] == NUMBERS[2]


@pytest.mark.parametrize("engine", ALL)
def test_handlers_are_changed_later_and_by_handlers(engine: Resumer) -> None:
    called: list[str] = []

    def first(machine: Machine) -> None:
        called.append("first")
        machine.host[1] = second

    def second(machine: Machine) -> None:
        called.append("second")
        del machine.host[1]

    machine = engine.instantiate(AGAIN, gas=1000, host={1: first})
    assert machine.run().call == 1 and called == ["first", "second"] and not machine.host
    machine.host = {1: lambda machine: Reason.HALT, 7: first}
    assert sorted(machine.host) == [1, 7] and "1, 7" in repr(machine.host)
    assert machine.run().reason is Reason.HALT
    with pytest.raises(InputError, match="no function"):
        machine.host = {1: 5}  # type: ignore[dict-item]
    assert sorted(machine.host) == [1, 7]
    refused = []

    def elsewhere(machine: Machine) -> Reason:
        def change() -> None:
            with pytest.raises(MachineBusyError):
                machine.host[1] = first
            refused.append(1)

        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
        return Reason.HALT

    machine.host[1] = elsewhere
    assert machine.run().reason is Reason.HALT and refused


@pytest.mark.parametrize("engine", ALL)
def test_coroutine_functions_are_awaited(engine: Resumer) -> None:
    """The call counts as made, registers and memory may be changed, and what it returns ends the run."""

    async def answer(machine: Machine) -> Reason | None:
        await asyncio.sleep(0.001)
        machine.registers[2] += 1
        with pytest.raises(MachineBusyError):
            machine.run()
        return Reason.HALT if machine.registers[2] == 5 else None

    machine = engine.instantiate(AGAIN, gas=1000, host={1: answer})
    assert asyncio.run(machine.run_async()) == Exit(Reason.HALT, 0, 1000 - 13)
    assert machine.registers[1:3] == [4, 5]
    asyncio.run(machine.run_async(limit=8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for use in (machine.run, lambda: [machine.step() for _ in range(9)]):
            with pytest.raises(TypeError, match=r"await machine\.run_async"):
                use()


@pytest.mark.parametrize("engine", ALL)
def test_other_tasks_have_their_turn(engine: Resumer) -> None:
    async def main() -> None:
        beats, ended = [], asyncio.Event()

        async def beat() -> None:
            while not ended.is_set():
                beats.append(time.perf_counter())
                await asyncio.sleep(0)

        task = asyncio.create_task(beat())
        machine = engine.instantiate(FOREVER, gas=1 << 60)
        asyncio.get_running_loop().call_later(0.15, machine.stop)
        exit = await machine.run_async()
        ended.set()
        await task
        assert exit.reason is Reason.STOPPED and len(beats) >= 3
        used = (1 << 60) - exit.gas
        assert machine.registers[1] == -(-used // 2)

    asyncio.run(main())


@pytest.mark.parametrize("engine", ALL)
def test_limits_and_ends_are_those_of_a_run(engine: Resumer) -> None:
    for gas, limit in ((5000, 4321), (5000, None), (1, 1), (10_000, 0), (3000, 1025)):
        machine, other = (engine.instantiate(FOREVER, gas=gas) for _ in range(2))
        assert asyncio.run(machine.run_async(limit)) == other.run(limit)
        assert machine.save() == other.save()


@pytest.mark.parametrize("engine", ALL)
def test_a_cancelled_run_goes_on(engine: Resumer) -> None:
    async def main() -> None:
        machine = engine.instantiate(FOREVER, gas=1 << 60)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(machine.run_async(), 0.03)
        assert machine.run(limit=100).reason is Reason.STOPPED
        both = [machine.run_async(limit=10_000), machine.run_async(limit=10_000)]
        found = await asyncio.gather(*both, return_exceptions=True)
        assert {type(one) for one in found} == {Exit, MachineBusyError}

    asyncio.run(main())


def test_many_machines_in_one_loop() -> None:
    async def main() -> list[Exit]:
        async def answer(machine: Machine) -> None:
            await asyncio.sleep(0)

        machines = [ReferenceEngine().instantiate(AGAIN, gas=50 + n, host={1: answer}) for n in range(20)]
        return await asyncio.gather(*(machine.run_async() for machine in machines))

    exits: Any = asyncio.run(main())
    assert all(exit.reason is Reason.OUT_OF_GAS for exit in exits)
