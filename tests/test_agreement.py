"""Random programs on every engine: their transcripts must be equal. `pvm fuzz` runs more of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import wasm_host
from pvm import Program
from pvm.fuzz import Case, memory_case, random_case, transcript
from pvm.fuzz.compare import reference
from pvm.machine import AnyEngine
from tests.agreement import explained
from wasm_host.code.modules import wasmtime_engine
from wasm_host.code.translations import Translation, Translations
from wasm_host.machine import interpreted, translated
from wasm_host.machine.protection import obstacle

# Seeds whose cases once disagreed.
PAST = (102440, 297, 341, 509, 1094, 2304)
# Seeds of `memory_case` that tell when a checkpoint stores too few registers, is missing before a loop, or has the
# flags of another place, and when gas is looked at too late.
SHARP = (2, 5, 9, 11, 17, 23, 34, 67, 101, 125, 127)

Make = Callable[[dict[str, Any]], wasm_host.Engine]


class SmallRegions(wasm_host.Engine):
    """The recompiler with two blocks a region, so that small programs cross regions all the time."""

    region_blocks = 2


def tiers(protection: str) -> dict[str, Make]:
    """Makers of the engines that translate."""
    return {
        "recompiler": lambda options: wasm_host.Engine(**options, tier="recompiler", protection=protection),
        "small regions": lambda options: SmallRegions(**options, tier="recompiler", protection=protection),
        "switching": lambda options: wasm_host.Engine(**options, tier="auto", protection=protection),
    }


def interpreter(options: dict[str, Any]) -> wasm_host.Engine:
    return wasm_host.Engine(**options, tier="interpreter")


@pytest.fixture(scope="module", params=["software", "hardware"])
def engines(request: pytest.FixtureRequest) -> dict[str, Make]:
    """By name, makers of the engines with one kind of protection; the interpreter is among those of the first."""
    wasmtime_engine()  # it takes the signal over
    reason = obstacle()
    if request.param == "hardware" and reason is not None:
        pytest.skip(f"no protection by the hardware: {reason}")
    more = {"interpreter": interpreter} if request.param == "software" else {}
    return {**tiers(request.param), **more}


@pytest.fixture(autouse=True)
def switch_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto machines ask for their translation after 3 gas, and get it at once."""
    monkeypatch.setattr(translated, "AUTO_SLICE", 3)
    monkeypatch.setattr("wasm_host.code.translations.PATIENCE", 0.0)
    monkeypatch.setattr(Translations, "request", at_once)


def at_once(translations: Translations, program: Program) -> Translation:
    return Translation(translations.get(program))


def agree(case: Case, engines: dict[str, Make], names: Iterable[str] | None = None) -> None:
    """A failure tells a small case with both states, and how to repeat it."""
    for name in names or engines:

        def make(case: Case, name: str = name) -> AnyEngine:
            return engines[name]({"spec": case.spec, "metering": case.metering, "cache": False})

        if hash(tuple(transcript(case, make(case)))) != expected(case):
            raise AssertionError(explained(name, case, make, Path(tempfile.mkdtemp(prefix="pvm-agreement-"))))


@cache
def expected(case: Case) -> int:
    """The hash of what the reference engine does, which is the same for either protection."""
    return hash(tuple(transcript(case, reference(case))))


@pytest.mark.parametrize("seed", PAST)
def test_past_disagreements(seed: int, engines: dict[str, Make]) -> None:
    agree(random_case(seed), engines)


def test_sharp_programs(engines: dict[str, Make]) -> None:
    for seed in SHARP:
        agree(memory_case(seed), engines)


@pytest.mark.parametrize("first", range(0, 600, 150))
def test_random_programs_agree(first: int, engines: dict[str, Make]) -> None:
    for seed in range(first, first + 150):
        agree(random_case(seed), engines)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_programs_that_work_on_memory_agree(first: int, engines: dict[str, Make]) -> None:
    for seed in range(first, first + 100):
        agree(memory_case(seed), engines)


def test_with_gas_in_tiny_slices(engines: dict[str, Make], monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated code gets its gas in pieces, between which it leaves and is entered again anywhere."""
    monkeypatch.setattr(interpreted, "SLICE", 7)
    for seed in range(1000, 1050):
        agree(memory_case(seed), engines, ("recompiler", "small regions"))
