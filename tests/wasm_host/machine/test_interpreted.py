"""Machines on wasmtime: slices of gas, many machines, threads, separation of guest and engine memory, options."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from pvm import Exit, InputError, Program, Reason, ReferenceEngine, abi
from pvm.program import Blob, assemble
from wasm_host import TIERS, Engine
from wasm_host.machine import interpreted

LOOP = ".code\nload_imm r1, 1000\nfallthrough\nloop:\nadd_imm_64 r1, r1, -1\nbranch_ne_imm r1, 0, loop\ntrap\n"
FOREVER = ".code\nloop: jump loop\n"


@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("slice_", [1, 3, 100])
def test_slices_do_not_show(monkeypatch: pytest.MonkeyPatch, metering: str, slice_: int) -> None:
    monkeypatch.setattr(interpreted, "SLICE", slice_)
    for gas in (0, 1, 2, 3, 1001, 2002, 2003, 2004, 5000):
        machine = Engine(metering=metering).instantiate(assemble(LOOP), gas=gas)
        exit = machine.run()
        assert exit.gas == max(0, gas - 2003)
        assert exit.reason is (Reason.PANIC if gas >= 2003 else Reason.OUT_OF_GAS)
        assert machine.gas == exit.gas


def test_steps_with_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreted, "SLICE", 1)
    machine = Engine(metering="block").instantiate(assemble(LOOP), gas=10)
    assert [machine.step() for _ in range(3)] == [None] * 3
    assert machine.gas == 6


def test_a_run_can_be_interrupted() -> None:
    machine = Engine().instantiate(assemble(FOREVER), gas=1 << 60)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a script starts with nohup
    try:
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            machine.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert machine.pc == 0
    assert machine.gas < 1 << 60


def test_many_machines_at_once() -> None:
    engine, program = Engine(), assemble(LOOP)
    machines = [engine.instantiate(program, gas=100 + n) for n in range(200)]
    assert all(machine.run() == Exit(Reason.OUT_OF_GAS, machine.pc, 0) for machine in machines)
    assert len({machine.registers[1] for machine in machines}) == 101  # two instructions an iteration


def test_threads_run_machines_side_by_side() -> None:
    engine, program = Engine(), assemble(LOOP.replace("1000", "300000"))

    def run(number: int) -> tuple[Exit, int]:
        machine = engine.instantiate(program, gas=500_000 + number)
        return machine.run(), machine.registers[1]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(run, range(16)))
    assert [registers for _, registers in outcomes] == [run(number)[1] for number in range(16)]


def test_python_runs_while_generated_code_does() -> None:
    machine = Engine().instantiate(assemble(FOREVER), gas=50_000_000)
    thread = threading.Thread(target=machine.run)
    thread.start()
    ticks = 0
    while thread.is_alive():
        ticks += 1
        time.sleep(0)
    assert ticks > 10


def test_parts_of_a_machine_keep_it_alive() -> None:
    machine = Engine().instantiate(assemble(LOOP))
    memory, registers = machine.memory, machine.registers
    del machine
    gc.collect()
    others = [Engine().instantiate(assemble(LOOP)) for _ in range(20)]
    memory.write(0x20000, b"x" * 4096)
    registers[5] = 5
    assert memory.read(0x20000, 1) == b"x"
    assert registers[5] == 5
    assert all(other.memory.read(0x20000, 1) == b"\0" for other in others)


def test_no_guest_address_reaches_engine_state() -> None:
    """Stores all over the guest's memory leave registers, page table and records as they are."""
    source = ".code\nloop:\nstore_ind_u64 [r2], r1\nadd_imm_64 r2, r2, 0x7fffff1\nadd_imm_64 r3, r3, -1\n"
    source += "branch_ne_imm r3, 0, loop\ntrap\n"
    machine = Engine().instantiate(assemble(source), gas=100_000)
    machine.memory.map(0x10000, (1 << 32) - 0x10000, "rw")
    machine.registers[1], machine.registers[2], machine.registers[3] = (1 << 64) - 1, 0x10000, 31
    before = machine._state.read(abi.HANDLERS, abi.PROGRAM - abi.HANDLERS + 1000)
    assert machine.run().reason is Reason.PANIC
    assert machine.registers[3] == 0
    assert machine._state.read(abi.HANDLERS, abi.PROGRAM - abi.HANDLERS + 1000) == before


def test_one_byte_short_of_a_page_and_the_whole_space() -> None:
    machine = Engine().instantiate(Program.parse(b"\0\0\0"))
    machine.memory.map(0, 1 << 32, "rw")
    assert machine.memory.access(0xFFFFFFFF) == machine.memory.access(0) == "rw"
    machine.memory.map(0, 1 << 32, None)
    assert machine.memory.access(0xFFFFFFFF) is None


def test_unknown_tier() -> None:
    with pytest.raises(InputError, match="unknown tier 'jit'"):
        Engine(tier="jit")


@pytest.mark.parametrize("octet", [0x00, 0x01, 0x0A, 0x14, 0x28, 0x65, 0xC8, 0xFF])
@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize(("tier", "length"), [("interpreter", 1_000_000), ("recompiler", 8_000)])
def test_large_hostile_programs_load_in_linear_time_and_run(octet: int, marked: bool, tier: str, length: int) -> None:
    """Octets of one kind; nothing is timed, but quadratic work would not end."""
    bitmask = (b"\xff" if marked else b"\0") * (length // 8)
    program = Program(Blob(bytes([octet]) * length, bitmask, tuple(range(0, length, 25)), 4))
    assert Program.parse(program.encode()) == program
    for metering in ("instruction", "block"):
        machine, yardstick = (engine.instantiate(program, gas=500) for engine in (
            Engine(metering=metering, tier=tier), ReferenceEngine(metering=metering)
        ))  # fmt: skip
        for pc in (None, None, None, 13):
            if pc is not None:
                machine.pc = yardstick.pc = pc
            assert machine.run() == yardstick.run()
        machine.pc, machine.gas = 0, 3_000_000
        assert machine.run().gas < 3_000_000


@pytest.mark.parametrize("tier", TIERS)
def test_machines_are_freed_at_once(tier: str) -> None:
    machine = Engine(tier=tier).instantiate(assemble(LOOP))
    machine.run()
    state = weakref.ref(machine._state)
    del machine
    assert state() is None


def test_reads_of_half_the_address_space() -> None:
    machine = Engine().instantiate(assemble(LOOP))
    machine.memory.write(0x7FFFFFFF, b"\1")
    data = machine.memory.read(0, 1 << 31)
    assert len(data) == 1 << 31
    assert data[-1] == 1


def test_strays_take_no_more_memory_each_time() -> None:
    length = 400_000
    program = Program(Blob(bytes([100, 100] * (length // 2)), b"\x55" * (length // 8)))
    machine = Engine().instantiate(program, gas=1)
    for pc in range(1, 401, 2):
        machine.pc, machine.gas = pc, 1
        assert machine.run() == Exit(Reason.PANIC, pc, 0)
    assert machine._state.size() < 60 * length


def test_an_interrupted_host_call_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler may raise between the return from generated code and the first look at why it returned."""
    calls: list[int] = []
    machine = Engine().instantiate(
        assemble(".code\nload_imm r3, 7\necalli 7\nload_imm r9, 1\ntrap\n"), gas=100,
        host={7: lambda machine: calls.append(machine.pc)},
    )  # fmt: skip
    enter = machine._call_run

    def interrupted() -> int:
        enter()
        raise KeyboardInterrupt

    machine._call_run = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert (machine.pc, calls) == (3, [])
    machine._call_run = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.run()  # takes the call, runs on, and loses the panic
    assert calls == [3]
    machine._call_run = enter
    assert machine.run() == Exit(Reason.PANIC, 8, 96)
    machine.pc = 0
    assert machine.run() == Exit(Reason.PANIC, 8, 92)


def test_threads_that_come_first_share_one_engine() -> None:
    """In a new process, where nothing is compiled yet."""
    code = f"""
from threading import Barrier, Thread
from pvm.program import assemble
from wasm_host import TIERS, Engine
barrier, reasons = Barrier(8), []
def run():
    barrier.wait()
    reasons.append(Engine().instantiate(assemble({LOOP!r}), gas=9999).run().reason.value)
threads = [Thread(target=run) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert reasons == ["panic"] * 8, reasons
"""
    subprocess.run([sys.executable, "-c", code], check=True)
