"""The public vectors on each engine; malformed vector files."""

from __future__ import annotations

import json
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvm import ReferenceEngine, VectorError
from pvm.vectors import MapStep, parse_vector, run_vector
from wasm_host import Engine

OWN = {
    "name": "load and fault",
    "initial-regs": [0] * 13,
    "initial-pc": 0,
    "initial-page-map": [{"address": 0x20000, "length": 4096, "is-writable": False}],
    "initial-memory": [{"address": 0x20FFF, "contents": [5]}],
    "initial-gas": 10,
    "program": [0, 0, 12, 52, 7, 0xFF, 0x0F, 2, 0, 54, 7, 0xFF, 0x0F, 2, 0, 0x41, 0],
    "expected-status": "page-fault",
    "expected-regs": [0] * 7 + [5] + [0] * 5,
    "expected-pc": 6,
    "expected-memory": [{"address": 0x20FFF, "contents": [5]}],
    "expected-gas": 7,
    "expected-page-fault-address": 0x21000,
}


def files(shared: Path, kind: str) -> list[Path]:
    return sorted((shared / "vectors" / kind).glob("*.json"))


def test_the_307_vectors_of_0_7_2_with_exact_gas(shared: Path, make_engine: Any) -> None:
    engine, found = make_engine(spec="0.7.2", metering="block"), files(shared, "pvm-0.7.2")
    failures = {path.stem: d for path in found if (d := run_vector(parse_vector(path.read_bytes()), engine))}
    assert failures == {}
    assert len(found) == 307


def test_the_356_vectors_of_the_gas_model_with_exact_gas(shared: Path, make_engine: Any) -> None:
    engine, found = make_engine(spec="gas-vectors"), files(shared, "gas-0.8.0")
    failures = {path.stem: d for path in found if (d := run_vector(parse_vector(path.read_bytes()), engine))}
    assert failures == {}
    assert len(found) == 356


@pytest.mark.parametrize("protection", ["software", "hardware"])
def test_the_307_vectors_recompiled_with_a_cold_and_a_warm_cache(
    shared: Path, protection: str, protected: Any, tmp_path: Path
) -> None:
    protected(protection)
    vectors = [parse_vector(path.read_bytes()) for path in files(shared, "pvm-0.7.2")]
    for metering, _ in product(("instruction", "block"), ("cold", "warm")):
        make = partial(Engine, "0.7.2", "recompiler", metering, cache=tmp_path, protection=protection)
        engine, yardstick = make(), ReferenceEngine("0.7.2", metering)
        for vector in vectors:
            # By instruction, gas differs from the vector's where a block ends early: as on the yardstick.
            expected = [] if metering == "block" else run_vector(vector, yardstick)
            assert run_vector(vector, engine) == expected, f"{vector.name}, {metering}"


def test_the_356_vectors_without_their_gas(shared: Path) -> None:
    """For an engine that charges by another model: those that expect to run out of gas cannot be checked then."""
    engine, count = ReferenceEngine("gas-vectors", "block"), 0
    for path in files(shared, "gas-0.8.0"):
        vector = parse_vector(path.read_bytes())
        if not vector.ends_out_of_gas:
            assert run_vector(vector.without_gas(), engine) == [], path.stem
            count += 1
    assert count > 300


def test_a_vector_of_our_own(make_engine: Any) -> None:
    assert run_vector(parse_vector(json.dumps(OWN)), make_engine(metering="block")) == []


@pytest.mark.parametrize(
    ("key", "value", "difference"),
    [
        ("expected-status", "panic", "status: expected panic, got page-fault"),
        ("expected-pc", 7, "pc: expected 7, got 6"),
        ("expected-gas", 8, "gas: expected 8, got 7"),
        ("expected-regs", [0] * 13, "r7: expected 0, got 5"),
        ("expected-page-fault-address", 0x22000, "page fault address: expected 139264, got 135168"),
        ("expected-memory", [{"address": 0x20FFF, "contents": [6]}], "memory at 0x20fff: expected 06, got 05"),
    ],
)
def test_differences_are_found(key: str, value: object, difference: str) -> None:
    vector = parse_vector(json.dumps({**OWN, key: value}))
    assert run_vector(vector, ReferenceEngine(metering="block")) == [difference]


GAS = {
    "name": "a block, once",
    "initial-pc": 0,
    "initial-gas": 30,
    "program": [0, 0, 3, 51, 7, 1, 0b001],
    "steps": [
        {"kind": "run"},
        {"kind": "assert", "status": "panic", "gas": 28, "pc": 3, "regs": [0] * 7 + [1] + [0] * 5, "memory": []},
    ],
    "block-gas-costs": {"0": 2},
}  # load_imm r7, 1, then the implicit trap: 2 gas


def test_a_vector_of_gas_of_our_own(make_engine: Any) -> None:
    assert run_vector(parse_vector(json.dumps(GAS)), make_engine(spec="gas-vectors")) == []
    wrong = {**GAS, "block-gas-costs": {"0": 3}, "initial-gas": 31}
    assert run_vector(parse_vector(json.dumps(wrong)), make_engine(spec="gas-vectors")) == [
        "cost of the block at pc 0: expected 3, got 2", "gas: expected 28, got 29",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({**GAS, "block-gas-costs": []}), "block-gas-costs: not an object"),
        (json.dumps({**GAS, "block-gas-costs": {"x": 1}}), "block-gas-costs: not all keys are pcs"),
        (json.dumps({**GAS, "block-gas-costs": {"0": -1}}), "block-gas-costs.0: -1 is no integer"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no JSON object"),
        ("{}", "neither 'steps' nor 'expected-status'"),
        (json.dumps({**OWN, "initial-gas": -1}), "initial-gas: -1 is no integer"),
        (json.dumps({**OWN, "initial-regs": [0]}), "initial-regs: 1 values, expected 13"),
        (json.dumps({**OWN, "program": [256]}), "program: not all integers from 0 to 255"),
        (json.dumps({**OWN, "expected-status": "fine"}), "expected-status: unknown status 'fine'"),
        (json.dumps({**OWN, "initial-memory": [{"address": 0xFFFFFFFF, "contents": [1, 2]}]}), "reach beyond"),
        (json.dumps({"name": "", "steps": [{"kind": "map", "address": 0xFFFFF000, "length": 4097}]}),
         "reach beyond"),
        (json.dumps({**OWN, "initial-page-map": [3]}), r"initial-page-map\[0\]: not an object"),
        (json.dumps({"name": "", "steps": [{"kind": "dance"}]}), r"steps\[0\].kind: unknown step 'dance'"),
        (json.dumps({"name": "", "steps": [{}]}), r"steps\[0\].kind: missing"),
    ],
)
def test_malformed_vectors(text: str, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        parse_vector(text)


def test_pages_are_mapped_up_to_the_end_of_the_address_space() -> None:
    for address, length in ((0x7FFFF000, 4097), (0x80000000, 4096), (0xFFFFF000, 4096), (0, 1 << 32)):
        page = {"address": address, "length": length, "is-writable": True}
        assert parse_vector(json.dumps({**OWN, "initial-page-map": [page]})).steps[0] == MapStep(address, length, "rw")


def test_a_vector_whose_program_is_bad() -> None:
    with pytest.raises(VectorError, match="program: "):
        run_vector(parse_vector(json.dumps({**OWN, "program": [9]})), ReferenceEngine())


@given(st.sampled_from(sorted(OWN)), st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3),
       lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)))
def test_nothing_but_vector_errors(key: str, value: object) -> None:
    try:
        vector = parse_vector(json.dumps({**OWN, key: value}))
        run_vector(vector, ReferenceEngine(metering="block"))
    except VectorError as error:
        assert "\n" not in str(error)
