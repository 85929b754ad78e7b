"""Images: the machines of a program that follow its second one begin with its engine memory, and do the same."""

from __future__ import annotations

import pytest

from pvm.fuzz import random_case, transcript
from pvm.program import Program, assemble
from wasm_host import Engine
from wasm_host.machine import snapshots
from wasm_host.machine.snapshots import KEPT

TIERS = ("interpreter", "recompiler", "auto")


@pytest.mark.parametrize("tier", TIERS)
def test_machines_with_an_image_do_the_same(tier: str) -> None:
    for seed in range(60):
        case = random_case(seed)
        engine = Engine(spec=case.spec, tier=tier, metering=case.metering)
        first, *others = (transcript(case, engine) for _ in range(4))
        assert others == [first] * 3, seed


def programs(count: int) -> list[Program]:
    return [assemble(f".code\nload_imm r1, {number}\ntrap\n") for number in range(count)]


def test_the_second_machine_makes_the_image() -> None:
    engine, [program] = Engine(tier="interpreter"), programs(1)
    found = []
    for _ in range(3):
        engine.instantiate(program)
        found.append(engine._images.find(program))
    assert found[0] is None
    assert found[1] is found[2] is not None


def test_the_last_programs_are_kept() -> None:
    engine = Engine(tier="interpreter")
    made = programs(KEPT + 1)
    for program in made:
        engine.instantiate(program)
        engine.instantiate(program)
    assert [engine._images.find(program) is not None for program in made] == [False] + [True] * KEPT


def test_large_programs_get_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LARGEST", 10)
    engine, [program] = Engine(tier="interpreter"), programs(1)
    for _ in range(3):
        engine.instantiate(program)
    assert engine._images.find(program) is None
