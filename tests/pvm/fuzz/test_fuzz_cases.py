"""Families of programs are reproducible and varied; files with cases are read with care."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvm import InputError, ReferenceEngine
from pvm.examples import EXAMPLES
from pvm.fuzz import (
    CORNERS,
    Disagreement,
    corner_case,
    format_case,
    memory_case,
    mutated_case,
    parse_case,
    random_case,
    transcript,
)
from pvm.program import Program, assemble

PROGRAMS = tuple(assemble(example.source) for example in EXAMPLES)
SAVED = json.loads(format_case(memory_case(1), Disagreement("auto", 1, "gas", "a", "b"), "found", "again"))


@pytest.mark.parametrize(
    "make",
    [random_case, memory_case, lambda seed: mutated_case(seed, PROGRAMS), *(partial(corner_case, x) for x in CORNERS)],
)
def test_a_seed_means_a_case(make: Any) -> None:
    assert [make(seed) for seed in range(20)] == [make(seed) for seed in range(20)]
    assert len({make(seed).program for seed in range(40)}) > 20


def test_mutants_run_for_a_while_and_end_in_every_way() -> None:
    """They are near enough to real programs to do something."""
    ends: Counter[str] = Counter()
    used = []
    for seed in range(120):
        case = mutated_case(seed, PROGRAMS)
        first = transcript(case, ReferenceEngine(case.spec, case.metering))
        ends.update(seen.exit.reason.value for seen in first if seen.exit is not None)
        used.append(case.gas - first[0].gas)
    assert {"halt", "panic", "out-of-gas", "page-fault", "host-call"} <= set(ends)
    assert sum(gas > 50 for gas in used) > 15


def test_no_program_to_mutate() -> None:
    with pytest.raises(InputError, match="no program"):
        mutated_case(1, [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"program": "0"}, "program"),
        ({"program": "ff"}, "bytes"),
        ({"gas": -1}, "gas"),
        ({"gas": "x"}, "gas"),
        ({"pc": 1 << 32}, "pc"),
        ({"spec": "1"}, "spec"),
        ({"spec": ["0.7.2"]}, "spec"),
        ({"metering": None}, "metering"),
        ({"registers": [0]}, "registers: 1, not 13"),
        ({"registers": "0"}, "registers"),
        ({"pages": [1]}, "pages"),
        ({"pages": [{"address": "0x10001", "access": "r"}]}, "no page's address"),
        ({"pages": [{"address": "0x10000", "access": "x"}]}, "access"),
        ({"contents": [{"address": "0xffffffff", "octets": "0000"}]}, "beyond the address space"),
        ({"rounds": 1 << 40}, "rounds"),
        ({"rounds": 4000, "pages": [{"address": "0x10000", "access": "r"}] * 5}, "10 pages in 4000 rounds"),
        ({"kind": 3}, "kind"),
    ],
)
def test_bad_files(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_case(json.dumps({**SAVED, "case": {**SAVED["case"], **changes}}))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"case": 1}', "[" * 100_000, b"\xff"])
def test_files_that_are_no_cases(text: str | bytes) -> None:
    with pytest.raises(InputError):
        parse_case(text)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(SAVED["case"])), value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=14), max_leaves=20
))  # fmt: skip
def test_whatever_is_in_a_file_is_a_case_or_an_error(name: str, value: object) -> None:
    try:
        case = parse_case(json.dumps({**SAVED, "case": {**SAVED["case"], name: value}}))
    except InputError:
        return
    Program.parse(case.program, format="plain")
