"""Observed runs of random programs: they end as others do, and say the same on every engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

import pvm
from pvm.fuzz import CORNERS, Case, corner_case, memory_case, random_case
from pvm.fuzz.transcript import start
from pvm.machine import AnyEngine
from pvm.observe import Access, Breakpoint, Debugger, counts_of, gas_report, profile
from pvm.program.decode import instruction_pcs
from wasm_host import Engine

CASES = 40  # of each family; a thousand of each take some minutes
Family = Callable[[int], Case]
FAMILIES: dict[str, Family] = {
    "random": random_case, "memory": memory_case, **{name: partial(corner_case, name) for name in CORNERS}
}  # fmt: skip


def engines(case: Case, counting: bool = False) -> list[AnyEngine]:
    options = {"spec": case.spec, "metering": case.metering, "counting": counting}
    return [pvm.ReferenceEngine(**options), *(Engine(tier=tier, **options) for tier in ("interpreter", "recompiler"))]  # type: ignore[arg-type]


def end_of(machine: pvm.Machine) -> tuple[object, ...]:
    return machine.pc, machine.gas, tuple(machine.registers), tuple(machine.memory.contents()), tuple(machine._flags())


@pytest.mark.parametrize("make", FAMILIES.values(), ids=FAMILIES)
def test_observed_runs_are_the_same_everywhere(make: Family) -> None:
    for seed in range(CASES):
        case = make(seed)
        chance = random.Random(seed)
        plain = start(case, pvm.ReferenceEngine(case.spec, case.metering))
        exit = plain.run()
        found = []
        for engine in engines(case, counting=True):
            machine = start(case, engine)
            assert machine.run() == exit, f"{seed}"
            found.append(counts_of(machine))
        assert found[0] == found[1] == found[2], f"{seed}: counts"
        pcs = sorted(found[0]) or [0]
        breakpoints = set(chance.sample(pcs, min(len(pcs), 3)))
        contents = [(address, length) for address, length, _ in plain.memory.mapped()] or [(0x20000, 4096)]
        address, length = chance.choice(contents)
        watched = address + chance.randrange(length)
        logs = []
        for engine in engines(case):
            debugger = Debugger(start(case, engine), breakpoints)
            debugger.watch(watched, min(8, 2**32 - watched))
            log: list[object] = []
            while len(log) < 30:
                event = debugger.run()
                log.append(event)
                if not isinstance(event, Breakpoint | Access):
                    break
            logs.append((log, end_of(debugger.machine)))
        assert logs[0] == logs[1] == logs[2], f"{seed}: events"
        if not isinstance(logs[0][0][-1], Breakpoint | Access):
            assert logs[0][0][-1] == exit and logs[0][1] == end_of(plain), f"{seed}"


def test_reports_and_profiles_add_up() -> None:
    for seed in range(CASES):
        case = random_case(seed)
        machine = start(case, Engine(case.spec, metering=case.metering, counting=True))
        exit, gas = machine.run(), case_gas(case)
        if exit.reason is not pvm.Reason.OUT_OF_GAS and case.metering == "instruction":
            report = gas_report(machine.program, counts_of(machine), case.spec, case.metering)
            # A trap where no instruction stands has no count.
            may_miss = exit.pc not in set(instruction_pcs(machine.program.blob))
            assert gas - exit.gas - may_miss <= report.gas <= gas - exit.gas, seed
        result = profile(start(case, Engine(case.spec, metering=case.metering)))
        assert result.exit == exit and result.gas == gas - exit.gas, seed


def case_gas(case: Case) -> int:
    return start(case, pvm.ReferenceEngine(case.spec, case.metering)).gas
