"""Counts, breakpoints, watchpoints, gas reports and profiles: the same on every engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import pvm
from pvm.errors import AddressError, EngineError, InputError
from pvm.examples import example
from pvm.machine import AnyEngine
from pvm.observe import (
    Access,
    Breakpoint,
    Debugger,
    counts_of,
    coverage_of,
    gas_report,
    heat_lines,
    profile,
    run_to,
    symbols_of,
)
from pvm.program import Program, assemble, survey
from wasm_host import Engine

MakeEngine = Callable[..., AnyEngine]
ENGINES: dict[str, MakeEngine] = {
    "reference": pvm.ReferenceEngine,
    **{tier: partial(Engine, tier=tier) for tier in ("interpreter", "recompiler", "auto")},
}

LOOP = """
.code
main:
    load_imm r2, 0x20000
    load_imm r3, 5
    fallthrough
again:
    store_ind_u64 [r2 + 8], r3
    load_ind_u64 r4, [r2 + 8]
    load_imm r5, 0
    add_imm_64 r3, r3, -1
    branch_ne_imm r3, 0, again
    ecalli 7
    sbrk r6, r5
    trap
"""


@pytest.fixture(params=list(ENGINES))
def make_engine(request: pytest.FixtureRequest) -> MakeEngine:
    return ENGINES[request.param]


def machine_of(engine: AnyEngine, source: str = LOOP, **options: Any) -> pvm.Machine:
    machine = engine.instantiate(assemble(source), **options)
    machine.memory.map(0x20000, 0x1000, "rw")
    return machine


def pc_of(source: str, label: str) -> int:
    return next(pc for pc, name in survey(source).labels if name == label)


def run_out(machine: pvm.Machine) -> pvm.Exit:
    while True:
        exit = machine.run()
        if exit.reason is not pvm.Reason.HOST_CALL:
            return exit


# --- counts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_counts_are_those_of_single_steps(make_engine: MakeEngine, metering: str) -> None:
    machine = machine_of(make_engine(metering=metering, counting=True))
    last = run_out(machine)
    counts = counts_of(machine)
    assert last == run_out(machine_of(make_engine(metering=metering)))
    assert counts[pc_of(LOOP, "again")] == 5 and counts[0] == 1
    if metering == "instruction":
        assert sum(counts.values()) == 10_000_000 - last.gas
    stepped = machine_of(make_engine(metering=metering, counting=True))
    while (found := stepped.step()) is None or found.reason is pvm.Reason.HOST_CALL:
        pass
    assert counts_of(stepped) == counts


@pytest.mark.parametrize("name", ["hello", "fibonacci", "blake2b"])
@pytest.mark.parametrize("metering", ["instruction", "block", "pipeline"])
def test_counts_of_examples_add_up_to_their_gas(name: str, metering: str) -> None:
    known, found = example(name), []
    program, spec = assemble(known.source), "0.8.0" if metering == "pipeline" else "0.7.2"
    program = assemble(known.source, spec)
    args = b"\x08" if name == "fibonacci" else known.args
    for make in (ENGINES["reference"], ENGINES["interpreter"]):
        engine = make(spec=spec, metering=metering, counting=True)
        machine = engine.instantiate(program, args, host={100: lambda _: None})
        exit = machine.run()
        counts = counts_of(machine)
        found.append((exit, counts))
        report = gas_report(program, counts, spec, metering)
        assert exit.reason is pvm.Reason.HALT and report.gas == 10_000_000 - exit.gas
        assert report.gas == sum(line.gas for line in report.labels) == sum(line.gas for line in report.lines)
    assert found[0] == found[1]


def test_a_run_that_is_cut_off_counts_what_it_carried_out(make_engine: MakeEngine) -> None:
    for gas in range(1, 32):
        machine = machine_of(make_engine(counting=True), gas=gas, host={7: lambda _: None})
        exit = machine.run()
        assert sum(counts_of(machine).values()) == gas - exit.gas


def test_what_does_not_count_says_so(make_engine: MakeEngine) -> None:
    with pytest.raises(EngineError, match="counting=True"):
        counts_of(machine_of(make_engine()))


def test_counting_machines_are_saved_and_resumed(make_engine: MakeEngine) -> None:
    engine = make_engine(counting=True)
    machine = machine_of(engine)
    assert run_to(machine, [pc_of(LOOP, "again")]) is None
    other = engine.resume(machine.save())  # type: ignore[attr-defined]
    assert run_out(other) == run_out(machine)
    before = Counter(counts_of(machine))
    before.subtract(counts_of(other))
    assert {pc: times for pc, times in before.items() if times} == {0: 1, 5: 1, 8: 1}


# --- breakpoints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_breakpoints_stop_before_their_instruction_and_change_nothing(make_engine: MakeEngine, metering: str) -> None:
    again = pc_of(LOOP, "again")
    last = run_out(machine_of(make_engine(metering=metering)))
    for places in ({again}, {again + 3}, {0, again, again + 3, again + 6}, set(range(60))):
        debugger, stops = Debugger(machine_of(make_engine(metering=metering)), places), []
        while not isinstance(event := debugger.run(), pvm.Exit) or event.reason is pvm.Reason.HOST_CALL:
            if isinstance(event, Breakpoint):
                stops.append(event)
                assert event.pc in places
        assert event == last
        expected = machine_of(pvm.ReferenceEngine(metering=metering))
        stepped = []
        while (exit := expected.step()) is None or exit.reason is pvm.Reason.HOST_CALL:
            if exit is None and expected.pc in places:
                stepped.append(Breakpoint(expected.pc, expected.gas))
        assert [stop.pc for stop in stops if stop.pc not in _behind_calls()] == [
            stop.pc for stop in stepped if stop.pc not in _behind_calls()
        ]
        gas = {stop.gas for stop in stops} - {stop.gas for stop in stepped}
        assert not gas or _behind_calls() & places


def _behind_calls() -> set[int]:
    """Where a machine stands after a call: by single steps it is seen at the call only."""
    return {item.next_pc for item in pvm.program.decode(assemble(LOOP).blob, "0.7.2") if item.row.name == "ecalli"}


def test_handlers_answer_between_breakpoints(make_engine: MakeEngine) -> None:
    calls: list[int] = []
    machine = machine_of(make_engine(), host={7: lambda machine: calls.append(machine.pc)})
    behind = next(iter(_behind_calls()))
    assert Debugger(machine, {behind}).run() == Breakpoint(behind, machine.gas) and len(calls) == 1
    assert machine.run().reason is pvm.Reason.PANIC and len(calls) == 1


def test_visits_go_on(make_engine: MakeEngine) -> None:
    seen: list[int] = []
    machine = machine_of(make_engine(), host={7: lambda _: None})
    exit = run_to(machine, [pc_of(LOOP, "again")], lambda machine: seen.append(machine.registers[3]))
    assert exit is not None and exit.reason is pvm.Reason.PANIC and seen == [5, 4, 3, 2, 1]
    with pytest.raises(AddressError):
        run_to(Engine().instantiate(assemble(LOOP)), [-1])


# --- watchpoints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("counting", [False, True])
def test_watchpoints_tell_of_accesses_and_change_nothing(
    make_engine: MakeEngine, metering: str, counting: bool
) -> None:
    last = run_out(machine_of(make_engine(metering=metering)))
    for access in ("r", "w", "rw"):
        rights: list[str | None] = []

        def call(machine: pvm.Machine, rights: list[str | None] = rights) -> None:
            rights.append(machine.memory.access(0x20000))

        machine = machine_of(make_engine(metering=metering, counting=counting), host={7: call})
        debugger, events = Debugger(machine), []
        watch = debugger.watch(0x2000C, 2, access)
        while not isinstance(event := debugger.run(), pvm.Exit):
            assert isinstance(event, Access) and event.watch == watch
            events.append(event)
        assert event == last and rights == ["rw"] and machine.memory.access(0x20000) == "rw"
        assert [item.access for item in events] == [name for _ in range(5) for name in "wr" if name in access]
        writes = [item for item in events if item.access == "w"]
        assert [int.from_bytes(item.after, "little") for item in writes] == ([5, 4, 3, 2, 1] if "w" in access else [])
        assert all((item.address, item.length) == (0x20008, 8) for item in events)
        if counting:
            plain = machine_of(make_engine(metering=metering, counting=True), host={7: call})
            plain.run()
            assert counts_of(machine) == counts_of(plain)
    beside = Debugger(machine_of(make_engine(), host={7: lambda _: None}))
    beside.watch(0x20010, 8)
    assert isinstance(beside.run(), pvm.Exit)


def test_what_sbrk_maps_is_watched(make_engine: MakeEngine) -> None:
    source = ".code\n load_imm r5, 8\n sbrk r6, r5\n store_ind_u8 [r6 + 3], r5\n trap\n"
    machine = make_engine().instantiate(assemble(source))
    machine.heap_end, machine.heap_limit = 0x30000, 0x40000
    debugger = Debugger(machine)
    debugger.watch(0x30003, 1)
    event = debugger.run()
    assert isinstance(event, Access) and (event.address, event.after) == (0x30003, b"\x08")
    assert debugger.run() == pvm.Exit(pvm.Reason.PANIC, event.pc + 3, event.gas - 1)


def test_real_faults_stay_faults(make_engine: MakeEngine) -> None:
    machine = machine_of(make_engine())
    machine.memory.map(0x20000, 1, "r")
    expected = machine.clone().run()
    debugger = Debugger(machine)
    debugger.watch(0x20000, 4096)
    assert debugger.run() == expected and expected.reason is pvm.Reason.PAGE_FAULT
    with pytest.raises(InputError):
        debugger.watch(0, 0)
    with pytest.raises(InputError):
        debugger.watch(0, 1, "x")


# --- reports -------------------------------------------------------------------------------------------------------


def test_reports_name_labels_and_lines() -> None:
    found = survey(LOOP)
    assert found.program is not None
    machine = machine_of(Engine(counting=True), host={7: lambda _: None})
    exit = machine.run()
    report = gas_report(found.program, counts_of(machine), symbols=symbols_of(found.program, found))
    assert [(line.name, line.gas) for line in report.labels] == [("again", 28), ("main", 3)]
    assert report.gas == 10_000_000 - exit.gas and "again" in report.text()
    assert {line.name: line.gas for line in report.lines}["line:8"] == 5
    assert [(block.pc, block.times) for block in report.blocks][:2] == [(0, 1), (pc_of(LOOP, "again"), 5)][:2]


def test_coverage_and_heat() -> None:
    program = assemble(".code\n load_imm r1, 1\n jump end\n trap\nend:\n fallthrough\n trap\n")
    machine = pvm.ReferenceEngine(counting=True).instantiate(program)
    machine.run()
    counts = counts_of(machine)
    coverage = coverage_of(program, counts)
    assert (coverage.instructions, coverage.covered) == (5, 4) and coverage.share == 0.8
    assert len(coverage.missed) == 1
    lines = list(heat_lines(program, counts))
    assert len(lines) == 5 and sum("█" in line for line in lines) == 4


CALLS = """
.code
main:
    load_imm r1, 0x30000
    call f
    call g
    trap
f:
    move_reg r9, r0
    add_imm_64 r1, r1, -8
    call g
    add_imm_64 r1, r1, 8
    jump_ind r9
g:
    add_imm_64 r2, r2, 1
    ret
"""


def test_profiles_are_stacks(make_engine: MakeEngine) -> None:
    found = survey(CALLS)
    assert found.program is not None, found.errors
    symbols = symbols_of(found.program, found)
    machine = make_engine().instantiate(found.program)
    result = profile(machine, symbols)
    assert result.folded() == "main 4\nmain;f 5\nmain;f;g 2\nmain;g 2\n"
    assert result.gas == 10_000_000 - result.exit.gas and result.exit.reason is pvm.Reason.PANIC


def test_profiles_of_programs_without_calls_and_names(make_engine: MakeEngine) -> None:
    machine = make_engine().instantiate(assemble(".code\n trap\n"))
    assert profile(machine).folded() == "pc 0 1\n"


def test_what_is_not_asked_for_is_not_there() -> None:
    """Machines of an engine that does not count are of the same classes and code as ever."""
    from pvm.emit.interpreter import interpreter_bytes

    assert len(interpreter_bytes()) < len(interpreter_bytes(counts=True))
    program: Program = assemble(LOOP)
    assert type(Engine(tier="interpreter").instantiate(program)).__name__ == "WasmMachine"
    assert type(pvm.ReferenceEngine().instantiate(program)).__name__ == "ReferenceMachine"
