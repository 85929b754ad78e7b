"""Exactness in Chromium: the page's guest worker against the vectors, the recorded runs and the reference engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from pvm import ReferenceEngine
from pvm.examples import EXAMPLES
from pvm.fuzz import Case, memory_case, random_case, transcript
from pvm.machine import Reason
from pvm.program import Program, assemble
from pvm.trace import parse_trace, replay
from pvm.vectors import parse_vector, run_vector
from wasm_host.peers.guest_engine import GuestEngine

TIERS = ("interpreter", "recompiler")


@pytest.fixture
def tab(page: Page) -> Page:
    """A tab that may load the page's modules, and shows a file in which nothing runs."""
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto("data/abi.json")
    return page


@pytest.mark.parametrize("tier", TIERS)
def test_the_307_vectors_of_0_7_2(tab: Page, shared: Path, tier: str) -> None:
    engine, files = GuestEngine(tab, tier, metering="block"), sorted((shared / "vectors/pvm-0.7.2").glob("*.json"))
    found = {path.stem: run_vector(parse_vector(path.read_bytes()), engine) for path in files}
    assert {name: differences for name, differences in found.items() if differences} == {}
    assert len(found) == 307


@pytest.mark.parametrize("tier", TIERS)
def test_the_356_vectors_of_the_gas_model(tab: Page, shared: Path, tier: str) -> None:
    engine = GuestEngine(tab, tier, "gas-vectors", "pipeline")
    files = sorted((shared / "vectors/gas-0.8.0").glob("*.json"))
    found = {path.stem: run_vector(parse_vector(path.read_bytes()), engine) for path in files}
    assert {name: differences for name, differences in found.items() if differences} == {}
    assert len(found) == 356


@pytest.mark.parametrize("tier", TIERS)
def test_recorded_runs_as_the_page_replays_them(tab: Page, shared: Path, tier: str) -> None:
    engine, files = GuestEngine(tab, tier), sorted((shared / "traces/ecalli").glob("*.log"))
    for path in files:
        view = engine.replay(path.read_bytes())
        assert view["divergence"] is None, path
        end = parse_trace(path.read_bytes()).end
        assert (view["exit"]["pc"], view["gas"], tuple(view["registers"])) == (
            end.state.pc, end.state.gas, end.state.registers
        )  # fmt: skip
    assert len(files) == 33


@pytest.mark.parametrize("tier", TIERS)
def test_recorded_runs_as_embedders_replay_them(tab: Page, shared: Path, tier: str) -> None:
    engine, files = GuestEngine(tab, tier), sorted((shared / "traces/ecalli").glob("*.log"))[::4]
    found = {path.stem: replay(parse_trace(path.read_bytes()), engine).difference for path in files}
    assert {name: difference for name, difference in found.items() if difference} == {}
    assert len(found) == 9


@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("tier", TIERS)
def test_opcodes_and_targets_that_are_none(tab: Page, shared: Path, tier: str, metering: str) -> None:
    engine = GuestEngine(tab, tier, metering=metering)
    for case in json.loads((shared / "cases" / "engine-0.7.2.json").read_text())["cases"]:
        program = Program.parse(bytes.fromhex(case["program"]), "plain")
        machine = engine.instantiate(program, gas=case["gas"], pc=case["pc"])
        for register, value in case.get("registers", {}).items():
            machine.registers[int(register)] = value
        exit = machine.run()
        found = {"status": exit.reason.value, "pc": exit.pc, "gas": exit.gas, "r7": machine.registers[7]}
        assert {name: found[name] for name in case["expect"]} == case["expect"], case["name"]


@pytest.mark.parametrize("make", [random_case, memory_case])
def test_random_programs(tab: Page, make: Callable[[int], Case]) -> None:
    for seed in range(12):
        case = make(seed)
        expected = transcript(case, ReferenceEngine(case.spec, case.metering))
        for tier in TIERS:
            assert transcript(case, GuestEngine(tab, tier, case.spec, case.metering)) == expected, (seed, tier)


@pytest.mark.parametrize("tier", TIERS)
def test_examples(tab: Page, tier: str) -> None:
    """Also `hello`, whose log call the embedder answers, here by doing nothing."""
    for spec in ("0.7.2", "0.8.0"):
        engine = GuestEngine(tab, tier, spec)
        for example in EXAMPLES:
            host = {100: lambda machine: None}
            machine = engine.instantiate(assemble(example.source, spec), args=example.args, gas=example.gas, host=host)
            assert machine.run().reason is Reason.HALT
            assert machine.result() == example.expected(example.args), example.name
