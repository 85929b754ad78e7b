"""Assurances against the public vectors: what became available, what stays pending, or the rule that is broken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pvm.jam.assurances import apply_assurances
from pvm.jam.block import AvailAssurance
from pvm.jam.errors import AssurancesError
from pvm.jam.types import U32, AvailabilityAssignments, Hash, ValidatorsData, WorkReport
from tests.pvm.jam.stf import Case, cases, ed25519, outcome


@dataclass(frozen=True)
class State:
    avail_assignments: AvailabilityAssignments
    curr_validators: ValidatorsData


@dataclass(frozen=True)
class Input:
    assurances: tuple[AvailAssurance, ...]
    slot: U32
    parent: Hash


OUTPUT = outcome(
    tuple[WorkReport, ...],
    "bad_attestation_parent bad_validator_index core_not_engaged bad_signature not_sorted_or_unique_assurers",
)


def run(case: Case) -> tuple[tuple[WorkReport, ...], State]:
    assured = apply_assurances(
        case.before.avail_assignments, case.input.assurances, parent=case.input.parent, slot=case.input.slot,
        validators=case.before.curr_validators, constants=case.constants, check=ed25519(),
    )  # fmt: skip
    return assured.available, State(assured.pending, case.before.curr_validators)


def test_vectors_of_assurances() -> None:
    seen = 0
    for case in cases("assurances", Input, State, OUTPUT):
        try:
            available, after = run(case)
        except AssurancesError as error:
            assert (error.code, case.before) == (case.error, case.after), case.name
        else:
            assert case.error is None, case.name
            assert (available, after) == (case.ok, case.after), case.name
        seen += 1
    assert seen == 20


def test_a_bit_beyond_the_cores_is_refused() -> None:
    case = next(case for case in cases("assurances", Input, State, OUTPUT) if "/some_assurances" in case.name)
    first, *others = case.input.assurances
    bits = bytes((first.bitfield[0] | 1 << case.constants.cores,))
    given = replace(case.input, assurances=(replace(first, bitfield=bits), *others))
    with pytest.raises(AssurancesError, match="core_not_engaged"):
        run(replace(case, input=given))


def test_every_rule_has_a_code_of_the_vectors() -> None:
    assert set(OUTPUT.__metadata__[0].errors) == set(AssurancesError.RULES)
