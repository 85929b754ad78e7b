"""Disputes against the public vectors: the records after each, or the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from pvm.jam.block import DisputesExtrinsic
from pvm.jam.codec import encode
from pvm.jam.constants import Constants
from pvm.jam.disputes import apply_disputes, clear_disputed
from pvm.jam.errors import DisputesError
from pvm.jam.types import (
    U32,
    AvailabilityAssignment,
    AvailabilityAssignments,
    DisputesRecords,
    Ed25519Public,
    ValidatorsData,
)
from tests.pvm.jam.stf import Case, cases, ed25519, outcome


@dataclass(frozen=True)
class State:
    psi: DisputesRecords
    rho: AvailabilityAssignments
    tau: U32
    kappa: ValidatorsData
    lambda_: ValidatorsData


@dataclass(frozen=True)
class Input:
    disputes: DisputesExtrinsic


OUTPUT = outcome(
    tuple[Ed25519Public, ...],
    """already_judged bad_vote_split verdicts_not_sorted_unique judgements_not_sorted_unique culprits_not_sorted_unique
    faults_not_sorted_unique not_enough_culprits not_enough_faults culprits_verdict_not_bad fault_verdict_wrong
    offender_already_reported bad_judgement_age bad_validator_index bad_signature bad_guarantor_key bad_auditor_key""",
)


def report_hash(entry: AvailabilityAssignment | None, constants: Constants) -> bytes | None:
    return None if entry is None else blake2b(encode(entry.report, constants), digest_size=32).digest()


def run(case: Case) -> tuple[State, tuple[bytes, ...]]:
    before, constants = case.before, case.constants
    disputed = apply_disputes(
        before.psi, case.input.disputes, slot=before.tau, current=before.kappa, previous=before.lambda_,
        constants=constants, check=ed25519(),
    )  # fmt: skip
    hashes = [report_hash(entry, constants) for entry in before.rho]
    rho = clear_disputed(before.rho, hashes, disputed.votes, constants)
    return State(disputed.records, rho, before.tau, before.kappa, before.lambda_), disputed.offenders


def test_vectors_of_disputes() -> None:
    seen = 0
    for case in cases("disputes", Input, State, OUTPUT):
        try:
            after, offenders = run(case)
        except DisputesError as error:
            assert (error.code, case.before) == (case.error, case.after), case.name
        else:
            assert case.error is None, case.name
            assert (offenders, after) == (case.ok, case.after), case.name
        seen += 1
    assert seen == 56


def test_every_rule_has_a_code_of_the_vectors() -> None:
    assert set(OUTPUT.__metadata__[0].errors) == set(DisputesError.RULES)
