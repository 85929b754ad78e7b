"""What `pvm fuzz` finds in a recompiler that is wrong on purpose, and small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pvm.emit.recompiler import region
from pvm.examples import EXAMPLES
from pvm.fuzz import memory_case
from pvm.program import Program, assemble
from wasm_host.fuzzing import ALL, FAMILIES, Plan, engines, examine, family_of, make_case, task

PROGRAMS = tuple(assemble(example.source) for example in EXAMPLES)


def test_every_engine_takes_part(protected: Callable[[str], None]) -> None:
    protected("hardware")
    assert {name.split(",")[0] for name in engines()} == {"interpreter", "recompiler", "small regions", "bare", "auto"}
    assert {name.split(", ")[1] for name in engines() if ", " in name} == {"software", "hardware", "bare"}


def test_checkpoints_that_store_too_little(protected: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    protected("hardware")
    real = region.checkpoints

    def forgetful(*arguments: Any) -> Any:
        found = real(*arguments)
        within = {block: dict.fromkeys(places, 0) for block, places in found.within.items()}
        return replace(found, within=within, before=dict.fromkeys(found.before, 0))

    monkeypatch.setattr(region, "checkpoints", forgetful)
    finding = examine(memory_case(5), engines(), 300)
    assert finding is not None and finding.octets > 300
    code = Program.parse(finding.case.program, format="plain").code
    assert len(code) <= 20 and len(finding.case.pages) <= 2
    assert finding.disagreement.what in ("registers", "error")


def test_families_take_turns() -> None:
    assert [family_of(ALL, seed) for seed in range(len(FAMILIES) + 1)] == [*FAMILIES, FAMILIES[0]]
    assert family_of("memory", 3) == "memory"


def test_a_program_that_costs_a_process_its_life_is_a_finding() -> None:
    plan = Plan(ALL, PROGRAMS, 0)
    work = task(plan)
    assert work.lost is not None
    seed = len(FAMILIES) + FAMILIES.index("memory")
    tried = work.lost(seed)
    assert tried.finding is not None and tried.finding.case == make_case("memory", seed, PROGRAMS)
    assert (tried.family, tried.finding.disagreement.what) == ("memory", "died")
