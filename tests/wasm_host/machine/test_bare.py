"""Bare code: that machines which compute go on in it, and that what happens there is what happens anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Reason, ReferenceEngine
from pvm.breaking import run_to
from pvm.errors import ResourceError
from pvm.fuzz import memory_case, random_case
from pvm.fuzz.compare import compare
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code.modules import wasmtime_engine
from wasm_host.fuzzing import bare_engine, engines
from wasm_host.machine import moments, translated
from wasm_host.machine.ffi import MemoryTrap
from wasm_host.machine.protection import obstacle

wasmtime_engine()
pytestmark = pytest.mark.skipif(obstacle() is not None, reason=f"no protection by the hardware: {obstacle()}")

# Counts r7 down, adding what memory holds to itself, in a loop that loads before it stores.
LOOP = """
.code
loop:
    load_ind_u64 r9, [r8]
    add_64 r9, r9, r7
    store_ind_u64 [r8], r9
    add_imm_64 r7, r7, -1
    branch_ne_imm r7, 0, loop
"""
WRITABLE = 0x20000


def started(source: str, rounds: int, engine: Any = None, gas: int = 1 << 40, **options: Any) -> Any:
    machine = (engine or bare_engine("0.7.2", "instruction")).instantiate(assemble(source), gas=gas, **options)
    machine.memory.map(WRITABLE, 4096, "rw")
    machine.registers[7], machine.registers[8] = rounds, WRITABLE
    return machine


def outcome(machine: Any) -> tuple[Any, ...]:
    return machine.run(), list(machine.registers), machine.memory.read(WRITABLE, 4096), list(machine.memory.mapped())


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each time that a machine begins again."""
    found: list[int] = []
    before = translated.RecompilerMachine._begin_again

    def begin_again(machine: translated.RecompilerMachine) -> None:
        found.append(machine.gas)
        before(machine)

    monkeypatch.setattr(translated.RecompilerMachine, "_begin_again", begin_again)
    return found


@pytest.mark.parametrize("end", [
    "load_u8 r3, [0x30000]", "store_u8 [0x30000], r3", "store_ind_u64 [r8 + 4090], r9", "load_ind_u64 r8, [r9]",
    "sbrk r3, r7\nstore_u8 [0x30000], r3", "ecalli 3", "trap", "jump_ind r9", "load_u8 r3, [0]",
], ids=["load", "store", "across", "itself", "sbrk", "call", "panic", "jump", "low"])  # fmt: skip
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_whatever_ends_a_run_is_exact(end: str, metering: str) -> None:
    source = f"{LOOP}{end}\n{LOOP.replace('.code', '').replace('loop', 'again')}trap\n"
    reference = ReferenceEngine("0.7.2", metering)
    assert outcome(started(source, 50, bare_engine("0.7.2", metering))) == outcome(started(source, 50, reference))


@pytest.mark.parametrize("place", range(5))
def test_a_fault_in_each_position_of_a_loop(place: int, again: list[int]) -> None:
    """At the 40th round an access leaves the page; whatever was stored before stays, in registers and memory."""
    lines = [
        "add_imm_64 r8, r8, 104", "load_ind_u64 r9, [r8]", "xor r9, r9, r8", "store_ind_u64 [r8 + 8], r9",
        "load_ind_u32 r4, [r8 + 8]", "store_ind_u8 [r8 + 3], r4", "add_imm_64 r5, r5, 3",
    ]  # fmt: skip
    source = "\n".join([".code", "loop:", *lines[place:], *lines[:place], "jump loop", ""])
    ours, reference = started(source, 0), started(source, 0, ReferenceEngine())
    found = outcome(ours)
    assert found == outcome(reference) and found[0].reason is Reason.PAGE_FAULT and len(again) == 1
    for machine in (ours, reference):
        machine.memory.map(WRITABLE + 4096, 4096, "rw")
    assert outcome(ours)[:3] == outcome(reference)[:3]
    assert ours.memory.read(WRITABLE + 4096, 4096) == reference.memory.read(WRITABLE + 4096, 4096)


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.parametrize("address", ["[r8]", "[r8 + 8]", "[0x20000]"])
def test_what_is_put_back_where_it_came_from_faults_too(width: int, address: str) -> None:
    """Compilers leave such stores out, but the page may be one that can only be read."""
    kind = "_ind" if "r8" in address else ""
    source = f".code\nload{kind}_u{width} r9, {address}\nstore{kind}_u{width} {address}, r9\ntrap\n"
    found = []
    hardware = Engine(tier="recompiler", protection="hardware")
    for engine in (bare_engine("0.7.2", "instruction"), hardware, ReferenceEngine()):
        machine = started(source, 1, engine)
        machine.memory.map(WRITABLE, 4096, "r")
        found.append(outcome(machine))
    assert found[0] == found[1] == found[2] and found[0][0].reason is Reason.PAGE_FAULT


@pytest.mark.parametrize("address", [0, 3, 7, 0xFFFFFFF9])
def test_stores_around_the_end_of_memory(address: int) -> None:
    source = ".code\nstore_ind_u64 [r7], r8\ntrap\n"
    assert outcome(started(source, address)) == outcome(started(source, address, ReferenceEngine()))


def test_after_a_host_call_that_writes() -> None:
    """What the host wrote is not taken back with what came after it."""
    second = LOOP.replace(".code", "").replace("loop", "again")
    source = f"{LOOP}ecalli 1\nfallthrough\n{second}load_u8 r3, [0x30000]\ntrap\n"

    def answer(machine: Any) -> None:
        machine.registers[7] = 20
        machine.memory.write(WRITABLE, (77).to_bytes(8, "little"))
        machine.memory.map(0x40000, 4096, "rw")
        machine.gas -= 5

    made = [started(source, 30, engine, host={1: answer}) for engine in (None, ReferenceEngine())]
    ours, reference = map(outcome, made)
    assert ours == reference and ours[0].reason is Reason.PAGE_FAULT


def test_gas_ends_at_every_value() -> None:
    source = f"{LOOP}load_u8 r3, [0x30000]\ntrap\n"
    for gas in range(1, 40):
        ours = outcome(started(source, 6, gas=gas))
        assert ours == outcome(started(source, 6, ReferenceEngine(), gas=gas))


@pytest.mark.parametrize("after", [False, True])
def test_a_signal(after: bool, again: list[int]) -> None:
    """It finds the machine where it was before, and what follows is the same."""
    source = f"{LOOP}load_u8 r3, [0x30000]\ntrap\n"
    expected = outcome(started(source, 500, ReferenceEngine()))
    machine = started(source, 500)
    assert machine._can_be_bare()
    machine._leave_bare()
    call = machine._call_bare

    def interrupted() -> int:
        machine._call_bare = call
        if after:
            with pytest.raises(MemoryTrap):
                call()
        raise KeyboardInterrupt

    machine._call_bare = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.pc == 0 and machine.registers[7] == 500 and len(again) == 1
    assert machine.memory.read(WRITABLE, 4096) == bytes(4096)
    assert outcome(machine) == expected


@pytest.mark.parametrize("goes_on", ["run", "step", "run_to"])
def test_a_signal_while_it_begins_again(goes_on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{LOOP}load_u8 r3, [0x30000]\ntrap\n"
    machine, reference = started(source, 500), started(source, 500, ReferenceEngine())
    restore = moments.Moment.restore

    def interrupted(moment: moments.Moment, *arguments: Any) -> None:
        monkeypatch.setattr(moments.Moment, "restore", restore)
        raise KeyboardInterrupt

    monkeypatch.setattr(moments.Moment, "restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    if goes_on == "step":
        assert machine.step() is None and reference.step() is None
        assert machine.registers[7] == 500
    if goes_on == "run_to":
        second = machine.program.code.index(assemble(".code\nadd_64 r9, r9, r7\n").code)
        assert run_to(machine, [second]) is None and run_to(reference, [second]) is None
        assert list(machine.registers) == list(reference.registers)
        assert machine.memory.read(WRITABLE, 4096) == reference.memory.read(WRITABLE, 4096)
    assert outcome(machine) == outcome(reference)


def test_a_machine_that_computes_goes_bare_by_itself() -> None:
    """Not at once, not while its translation is missing, and with the same result."""
    engine = Engine(tier="recompiler", cache=False, protection="hardware")
    program = assemble(f"{LOOP}trap\n")
    assert engine._translations["bare"].get(program)
    machine: Any = engine.instantiate(program, gas=1 << 40)
    machine.memory.map(WRITABLE, 4096, "rw")
    machine.registers[7], machine.registers[8] = 4_000_000, WRITABLE
    before, slices = machine._go_bare, []

    def go_bare(entry: int | None) -> int:
        slices.append(machine.gas)
        return before(entry)

    machine._go_bare = go_bare
    assert machine.run() == Exit(Reason.PANIC, len(program.code) - 1, (1 << 40) - 20_000_001)
    assert slices and (1 << 40) - slices[0] >= translated.CALM_SLICE


def test_by_the_pipeline_model_it_goes_bare_after_as_much_time_not_as_much_gas(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instruction takes 3 to 10 gas by that model; runs of 0.1 ms kept all of their memory for nothing."""
    kept: list[int] = []
    monkeypatch.setattr(translated, "moment_of", lambda *given: kept.append(1))
    for rounds, expected in ((20_000, []), (400_000, [1])):
        engine = Engine("0.8.0", "recompiler", cache=False, protection="hardware")
        program = assemble(f"{LOOP}trap\n", "0.8.0")
        assert engine._translations["bare"].get(program)
        machine: Any = engine.instantiate(program, gas=1 << 40)
        machine.memory.map(WRITABLE, 4096, "rw")
        machine.registers[7], machine.registers[8] = rounds, WRITABLE
        kept.clear()
        assert machine.run().reason is Reason.PANIC
        used = (1 << 40) - machine.gas
        assert used > translated.CALM_SLICE and kept == expected, used


def test_not_where_the_host_polls_or_much_would_be_kept(monkeypatch: pytest.MonkeyPatch, again: list[int]) -> None:
    source = f"{LOOP}load_u8 r3, [0x30000]\ntrap\n"
    polled = started(source, 50)
    polled.poll = lambda machine: None
    assert polled.run().reason is Reason.PAGE_FAULT and not again
    monkeypatch.setattr(moments, "LARGEST", 4095)
    assert started(source, 50).run().reason is Reason.PAGE_FAULT and not again
    monkeypatch.setattr(moments, "LARGEST", 4096)
    assert started(source, 50).run().reason is Reason.PAGE_FAULT and again


def test_nothing_is_kept_of_a_run_that_ended_and_what_was_slow_to_keep_is_kept_seldom() -> None:
    machine = started(f"{LOOP}load_u8 r3, [0x30000]\ntrap\n", 50)
    machine.memory.map(0x30000, 4096, "r")
    assert machine.run().reason is Reason.PANIC and machine._moment is None and machine._keeping > 0
    machine = started(f"{LOOP}trap\n", 50, Engine(tier="recompiler", protection="hardware"))
    machine._keeping = 1.0
    machine._refill()
    assert machine._needed > 1000


@pytest.mark.parametrize("make", [random_case, memory_case])
def test_random_programs(make: Any, again: list[int]) -> None:
    ours = {name: maker for name, maker in engines().items() if "bare" in name}
    assert len(ours) == 2
    for seed in range(5000, 5040):
        assert compare(make(seed), ours) is None, seed
    assert len(again) > 10


def test_limits_are_exact() -> None:
    source = f"{LOOP}load_u8 r3, [0x30000]\ntrap\n"
    ours, reference = started(source, 30), started(source, 30, ReferenceEngine())
    for limit in (*range(12), 1, 50, 3, 1000):
        assert ours.run(limit) == reference.run(limit)
        assert list(ours.registers) == list(reference.registers)
        assert ours.memory.read(WRITABLE, 64) == reference.memory.read(WRITABLE, 64)


def test_a_machine_without_room_for_bare_code_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recompiler tier makes it in the middle of a run, which has no part in that."""
    engine = bare_engine("0.7.2", "instruction")
    asked = []

    def full(program: Any) -> Any:
        asked.append(program)
        raise ResourceError("no room")

    monkeypatch.setattr(engine._translations["bare"], "made", full)
    found = outcome(started(LOOP, 3_000_000, engine))
    assert found == outcome(started(LOOP, 3_000_000, Engine(tier="interpreter")))
    assert len(asked) == 1
