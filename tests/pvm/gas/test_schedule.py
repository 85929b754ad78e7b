"""The model by events against the reading of the paper, on blocks of any shape."""

from __future__ import annotations

from random import Random

import pytest

from pvm.gas.pipeline import Step, simulate
from pvm.gas.schedule import schedule
from pvm.gas.timeline_text import deciding

UNITS = [(0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (1, 1, 0, 0, 0), (1, 0, 1, 0, 0), (1, 0, 0, 1, 0), (1, 0, 0, 0, 1),
         (2, 0, 0, 0, 0)]  # fmt: skip


def some_block(random: Random) -> list[Step]:
    """Instructions that no table has, too: any cycles, slots and units."""
    registers, count = random.choice((2, 4, 13)), random.choice((1, 3, 10, 40, 100))
    steps = []
    for pc in range(count):
        if random.random() < 0.15:
            source, destination = random.randrange(registers), random.randrange(registers)
            steps.append(Step(pc, 0, 1, UNITS[0], frozenset((source,)), frozenset((destination,)), True))
            continue
        cycles = random.choice((1, 2, 3, 6, 25, 60)) if random.random() < 0.7 else 1
        sources = frozenset(random.randrange(registers) for _ in range(random.randint(0, 3)))
        destinations = frozenset(random.randrange(registers) for _ in range(random.randint(0, 1)))
        steps.append(Step(pc, cycles, random.randint(1, 4), random.choice(UNITS), sources, destinations, False))
    return [*steps, Step(count, random.choice((2, 15, 22, 40)), 1, UNITS[0], frozenset(), frozenset(), False)]


@pytest.mark.parametrize("seed", range(8))
def test_costs_are_those_of_every_cycle_simulated(seed: int) -> None:
    random = Random(seed)
    for number in range(60):
        steps = some_block(random)
        found, expected = schedule(steps), simulate(steps)
        assert (found.cycles, found.cost) == (expected.cycles, expected.cost), f"seed {seed}, block {number}: {steps}"
        assert found.decides == deciding(expected).pc


def test_more_that_can_begin_than_may() -> None:
    """Eight wait for one, take no units and long: five begin when it is done, the others a cycle later."""
    long = [Step(pc, 25, 1, UNITS[0], frozenset((1,)), frozenset(), False) for pc in range(1, 9)]
    steps = [Step(0, 6, 1, UNITS[1], frozenset(), frozenset((1,)), False), *long]
    assert schedule(steps).cycles == simulate(steps).cycles == 1 + 6 + 1 + 25 + 2
