"""Runs that the host ends: by a limit of gas, by `stop` from handlers, threads and signals, by closing the machine."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import pytest

from pvm import (
    AddressError,
    Exit,
    Machine,
    MachineBusyError,
    MachineClosedError,
    NoResultError,
    Reason,
    ReferenceEngine,
)
from pvm.examples import LOG_CALL, example
from pvm.fuzz import memory_case, random_case
from pvm.fuzz.transcript import start
from pvm.machine import METERINGS, Resumer
from pvm.program import assemble
from tests.wasm_host.machine.test_saved import ALL, engines
from wasm_host import Engine
from wasm_host.machine import interpreted

FOREVER = assemble(".code\nloop: add_imm_64 r1, r1, 1\njump loop\n")
CALLS = assemble(".code\nloop: ecalli 1\nadd_imm_64 r1, r1, 1\njump loop\n")
BLOCKS = assemble(".code\nloop:" + "\nadd_imm_64 r1, r1, 1" * 9 + "\njump loop\n")
WASM = [engine for engine in engines() if not isinstance(engine, ReferenceEngine)]
EACH = [pytest.param(engine, id=f"{engine.tier}-{getattr(engine, 'protection', '')}") for engine in WASM]


def trail(machine: Machine, chance: Random) -> list[tuple[Exit, tuple[int, ...]]]:
    """The exits of runs with random limits, and the registers at each. A limit too small for a block is doubled."""
    found, limit, before = [], chance.randrange(12), -1
    for turn in range(70):
        exit = machine.run(None if turn > 60 else limit)
        found.append((exit, tuple(machine.registers[:])))
        if exit.reason not in (Reason.STOPPED, Reason.HOST_CALL):
            break
        limit, before = 2 * limit + 1 if exit.gas == before else chance.randrange(12 << chance.randrange(6)), exit.gas
        if chance.random() < 0.05:
            machine.restore(machine.save())
    return found


@pytest.mark.parametrize(("spec", "metering"), list(product(("0.7.2", "0.8.0"), METERINGS)))
def test_random_programs_with_random_limits(spec: str, metering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stop at the same places everywhere, never later than they may, and come to the end they come to anyway."""
    found = engines(spec, metering)
    for seed in range(16):
        monkeypatch.setattr(interpreted, "SLICE", 7 if seed % 2 else 1 << 23)
        case = (memory_case if seed % 3 else random_case)(seed)
        wanted = trail(start(case, found[0]), Random(seed))
        plain = start(case, found[1])
        exits = [exit for exit, _ in wanted if exit.reason is not Reason.STOPPED]
        assert exits == [plain.run() for _ in exits], f"seed {seed}"
        assert wanted[-1][1] == tuple(plain.registers[:])
        for other in found[1:]:
            assert trail(start(case, other), Random(seed)) == wanted, f"seed {seed}, {other.tier}"


@pytest.mark.parametrize("engine", ALL)
def test_no_more_than_the_limit(engine: Resumer) -> None:
    machine = engine.instantiate(FOREVER, gas=1000)
    for limit, left in ((7, 993), (0, 993), (100, 893)):
        exit = machine.run(limit)
        assert (exit.reason, exit.gas, machine.gas) == (Reason.STOPPED, left, left)
    assert machine.run(limit=893).reason is machine.run(limit=5).reason is Reason.OUT_OF_GAS
    with pytest.raises(AddressError, match="limit -1"):
        machine.run(limit=-1)


def test_blocks_are_entered_whole() -> None:
    for engine in engines(metering="block"):
        machine = engine.instantiate(BLOCKS, gas=1000)
        assert [machine.run(limit).gas for limit in (25, 9, 10, 19)] == [980, 980, 970, 960]
        machine.gas = 15
        assert [machine.run(limit).reason for limit in (12, 3, 5)] == [*[Reason.STOPPED] * 2, Reason.OUT_OF_GAS]
        machine.gas = 5
        assert machine.run(limit=4) == Exit(Reason.STOPPED, machine.pc, 5)


@pytest.mark.parametrize("engine", ALL)
def test_what_handlers_take_and_give_counts(engine: Resumer) -> None:
    def gas_after(answer: Callable[[Machine], object], runs: int = 3) -> list[int]:
        def handler(machine: Machine) -> None:
            answer(machine)

        machine = engine.instantiate(CALLS, gas=1000, host={1: handler})
        return [machine.run(25).gas for _ in range(runs)]

    def give(change: Callable[[int], int]) -> Callable[[Machine], object]:
        return lambda machine: setattr(machine, "gas", change(machine.gas))

    assert gas_after(lambda machine: machine.charge(10)) == gas_after(give(lambda gas: gas - 10))
    assert gas_after(lambda machine: machine.charge(10)) == [975, 950, 924]  # by the last call
    assert gas_after(give(lambda gas: gas + 2)) == [975, 950, 925]
    assert gas_after(lambda machine: machine.charge(990)) == [9, 0, 0]  # there the gas ends
    assert gas_after(give(lambda gas: 500), runs=1) == [500]
    assert gas_after(give(lambda gas: 0)) == [0, 0, 0]


@pytest.mark.parametrize("engine", ALL)
def test_a_handler_stops_the_run(engine: Resumer) -> None:
    """After the call, which counts as made; requests are one, and last until they are met."""


    def handler(machine: Machine) -> None:
        machine.stop()
        machine.stop()

    machine = engine.instantiate(CALLS, gas=1000, host={1: handler})
    assert machine.run() == Exit(Reason.STOPPED, 0, 999)
    assert machine.run() == Exit(Reason.STOPPED, 0, 996)
    assert machine.registers[1] == 1
    machine.stop()
    assert machine.run() == Exit(Reason.STOPPED, 0, 996)
    machine.stop()
    machine.reset(gas=50)
    assert machine.run() == Exit(Reason.STOPPED, 0, 49)


@pytest.mark.parametrize("engine", ALL)
@pytest.mark.parametrize("program", [FOREVER, CALLS], ids=["computes", "calls"])
def test_another_thread_stops_the_run(engine: Resumer, program: Any) -> None:
    machine = engine.instantiate(program, gas=1 << 60, host={1: lambda machine: None})
    for _ in range(3):
        timer = threading.Timer(0.02, machine.stop)
        begin = time.perf_counter()
        timer.start()
        exit = machine.run()
        timer.join()
        assert exit.reason is Reason.STOPPED and time.perf_counter() - begin < 5
        used = (1 << 60) - exit.gas
        period = 2 if program is FOREVER else 3
        assert abs(machine.registers[1] - used // period) <= 1


@pytest.mark.parametrize("engine", ALL)
def test_a_signal_stops_the_run(engine: Resumer) -> None:
    machine = engine.instantiate(FOREVER, gas=1 << 60)
    before = signal.signal(signal.SIGALRM, lambda *_: machine.stop())
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            assert machine.run().reason is Reason.STOPPED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert machine.registers[1] == -(-((1 << 60) - machine.gas) // 2)


@pytest.mark.parametrize("engine", ALL)
def test_close(engine: Resumer) -> None:
    with engine.instantiate(CALLS, gas=100) as machine:
        machine.run()
    assert repr(machine) == "<machine, closed>" and isinstance(machine, Machine)
    machine.close()
    for use in (lambda: machine.run(), lambda: machine.pc, lambda: machine.memory, lambda: machine.stop(),
                lambda: machine.save(), lambda: setattr(machine, "gas", 5), lambda: machine.__enter__()):  # fmt: skip
        with pytest.raises(MachineClosedError, match="closed"):
            use()
    refused = []

    def handler(machine: Machine) -> None:
        for attempt in (machine.close, threading.Thread(target=machine.close).run):
            with pytest.raises(MachineBusyError):
                attempt()
            refused.append(attempt)

    engine.instantiate(CALLS, gas=1, host={1: handler}).run()
    assert len(refused) == 2


@pytest.mark.parametrize("engine", EACH)
def test_a_closed_machine_holds_nothing(engine: Engine) -> None:
    machine = engine.instantiate(FOREVER, gas=100)
    store = weakref.ref(machine._store)
    memory = machine.memory
    memory.map(0x20000, 4096, "rw")
    memory.write(0x20000, b"abc")
    machine.close()
    assert memory.read(0x20000, 3) == b"abc"  # whoever has it keeps it
    del memory
    assert store() is None


def test_machines_in_reference_cycles_are_freed_in_time() -> None:
    """Some 13,000 fit into a process, and the collector has no idea how large they are."""

    class Host:
        def __init__(self, engine: Engine) -> None:
            self.machine = engine.instantiate(FOREVER, host={7: self.call})

        def call(self, machine: Machine) -> None:
            return None

    gc.collect()
    engine, alive, before = Engine(tier="interpreter"), list[Any](), gc.get_threshold()
    gc.set_threshold(1_000_000)  # as where there is little else to collect
    try:
        for _ in range(1300):
            alive.append(weakref.ref(Host(engine).machine))
            alive = [one for one in alive if one() is not None]
            assert len(alive) <= 600
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("engine", EACH)
def test_what_a_machine_leaves_behind_is_used_again_and_has_nothing_of_it(engine: Engine) -> None:
    one = example("sort")
    program, host = assemble(one.source), {LOG_CALL: lambda machine: None}
    fresh = ReferenceEngine().instantiate(program, one.args, one.gas, host=host)
    start, _, end = fresh.save(), fresh.run(), fresh.save()
    stores = []
    for turn in range(6):
        machine = engine.instantiate(program, one.args, one.gas, host=host)
        assert machine.save() == start and machine.other is machine.poll is None and set(machine.host) == {LOG_CALL}
        stores.append(machine._store)
        machine.other = lambda machine, number: Reason.PANIC
        machine.run(limit=turn * 100 or None)
        machine.memory.map(0x7000_0000 + turn * 0x10000, 0x5000, "rw")
        machine.memory.write(0x7000_0000, b"secret")
        machine.stop()
        machine.close()
    assert len(set(map(id, stores))) == 1
    machine = engine.instantiate(program, one.args, one.gas)
    with pytest.raises(NoResultError):
        machine.result()
    machine.run()
    assert machine.save() == end and not machine.host


@pytest.mark.parametrize("engine", EACH)
def test_memory_and_registers_that_are_kept_are_not_used_again(engine: Engine) -> None:
    program = assemble(".code\necalli 3\ntrap\n")
    first, second = engine.instantiate(program), engine.instantiate(program)
    memory, registers = first.memory, second.registers
    first.close()
    second.close()
    for _ in range(4):
        machine = engine.instantiate(program)
        machine.memory.map(0x20000, 4096, "rw")
        machine.registers[3] = 9
        assert memory.access(0x20000) is None and registers[3] == 0
        machine.close()
