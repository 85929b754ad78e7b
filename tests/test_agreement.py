"""Random programs on every engine: their transcripts must be equal. `python -m pvm.fuzz` runs more of them."""

from __future__ import annotations

import pytest

import wasm_host
from pvm import ReferenceEngine
from pvm.fuzz import random_case, transcript

# Seeds whose cases once disagreed.
PAST = (102440, 297, 341, 509)


def agree(seed: int) -> None:
    case = random_case(seed)
    options = {"spec": case.spec, "metering": case.metering}
    expected = transcript(case, ReferenceEngine(**options))
    assert transcript(case, wasm_host.Engine(**options)) == expected, f"seed {seed}: {case}"


@pytest.mark.parametrize("seed", PAST)
def test_past_disagreements(seed: int) -> None:
    agree(seed)


@pytest.mark.parametrize("first", range(0, 3000, 250))
def test_random_programs_agree(first: int) -> None:
    for seed in range(first, first + 250):
        agree(seed)
