"""Random programs on every engine: their transcripts must be equal. `pvm fuzz` runs more of them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import pytest

import wasm_host
from pvm import Program, ReferenceEngine
from pvm.fuzz import random_case, transcript
from wasm_host import recompiler
from wasm_host.recompiler import Compiled
from wasm_host.translations import Translations

# Seeds whose cases once disagreed.
PAST = (102440, 297, 341, 509, 1094, 2304)


TIERS = {
    "interpreter": lambda options: wasm_host.Engine(**options, tier="interpreter"),
    "recompiler": lambda options: wasm_host.Engine(**options, tier="recompiler"),
    "small regions": lambda options: SmallRegions(**options, tier="recompiler"),
    "switching": lambda options: wasm_host.Engine(**options, tier="auto"),
}


@pytest.fixture(autouse=True)
def switch_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto machines ask for their translation after 3 gas, and get it at once."""
    monkeypatch.setattr(recompiler, "AUTO_SLICE", 3)
    monkeypatch.setattr(Translations, "request", at_once)


def at_once(translations: Translations, program: Program) -> Future[Compiled]:
    future: Future[Compiled] = Future()
    future.set_result(translations.get(program))
    return future


class SmallRegions(wasm_host.Engine):
    """The recompiler with two blocks a region, so that small programs cross regions all the time."""

    region_blocks = 2


def agree(seed: int, tiers: Iterable[str] = tuple(TIERS)) -> None:
    case = random_case(seed)
    options = {"spec": case.spec, "metering": case.metering}
    expected = transcript(case, ReferenceEngine(**options))
    for tier in tiers:
        assert transcript(case, TIERS[tier](options)) == expected, f"{tier}, seed {seed}: {case}"


@pytest.mark.parametrize("seed", PAST)
def test_past_disagreements(seed: int) -> None:
    agree(seed)


@pytest.mark.parametrize("first", range(0, 2400, 200))
def test_random_programs_agree(first: int) -> None:
    for seed in range(first, first + 200):
        agree(seed)
