"""Guarantees against the public vectors: what they leave, or the rule that is broken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pvm.jam.block import ReportGuarantee
from pvm.jam.codec import encode
from pvm.jam.errors import ReportsError
from pvm.jam.hashing import blake2b
from pvm.jam.reports import Context, Guaranteed, apply_guarantees
from pvm.jam.statistics import core_statistics, service_statistics
from pvm.jam.types import (
    U32,
    AuthPools,
    AvailabilityAssignments,
    CoresStatistics,
    Ed25519Public,
    EntropyBuffer,
    Hash,
    RecentBlocks,
    ReportedWorkPackage,
    ServiceInfo,
    ServicesStatistics,
    ValidatorsData,
)
from tests.pvm.jam.stf import Case, cases, ed25519, outcome


@dataclass(frozen=True)
class Account:
    id: U32
    service: ServiceInfo


@dataclass(frozen=True)
class State:
    avail_assignments: AvailabilityAssignments
    curr_validators: ValidatorsData
    prev_validators: ValidatorsData
    entropy: EntropyBuffer
    offenders: tuple[Ed25519Public, ...]
    recent_blocks: RecentBlocks
    auth_pools: AuthPools
    accounts: tuple[Account, ...]
    cores_statistics: CoresStatistics
    services_statistics: ServicesStatistics


@dataclass(frozen=True)
class Input:
    guarantees: tuple[ReportGuarantee, ...]
    slot: U32
    known_packages: tuple[Hash, ...]


@dataclass(frozen=True)
class Output:
    reported: tuple[ReportedWorkPackage, ...]
    reporters: tuple[Ed25519Public, ...]


OUTPUT = outcome(
    Output,
    """bad_core_index future_report_slot report_epoch_before_last insufficient_guarantees out_of_order_guarantee
    not_sorted_or_unique_guarantors wrong_assignment core_engaged anchor_not_recent bad_service_id bad_code_hash
    dependency_missing duplicate_package bad_state_root bad_beefy_mmr_root core_unauthorized bad_validator_index
    work_report_gas_too_high service_item_gas_too_low too_many_dependencies segment_root_lookup_invalid bad_signature
    work_report_too_big banned_validator lookup_anchor_not_recent missing_work_results""",
)
OURS = {"lookup_anchor_unknown", "too_many_work_results"}  # rules without a vector


def context(case: Case) -> Context:
    before = case.before
    services = {account.id: account.service for account in before.accounts}
    pending = (entry for entry in before.avail_assignments if entry is not None)
    return Context(
        slot=case.input.slot, entropy=before.entropy, current=before.curr_validators, previous=before.prev_validators,
        offenders=frozenset(before.offenders), history=before.recent_blocks.history, pools=before.auth_pools,
        service=services.get, known=frozenset(case.input.known_packages),
        reported=frozenset(entry.report.package_spec.hash for entry in pending),
    )  # fmt: skip


def run(case: Case, against: Context) -> Guaranteed:
    hashes = [blake2b(encode(guarantee.report, case.constants)) for guarantee in case.input.guarantees]
    pending = case.before.avail_assignments
    return apply_guarantees(pending, case.input.guarantees, hashes, against, case.constants, ed25519())


def test_vectors_of_reports() -> None:
    seen = 0
    for case in cases("reports", Input, State, OUTPUT):
        try:
            done = run(case, context(case))
        except ReportsError as error:
            assert (error.code, case.before) == (case.error, case.after), case.name
        else:
            assert case.error is None, case.name
            reported = sorted((report.package_spec.hash, report.package_spec.exports_root) for report in done.reports)
            assert [(each.hash, each.exports_root) for each in case.ok.reported] == reported, case.name
            assert case.ok.reporters == tuple(sorted(done.reporters)), case.name
            after = replace(
                case.before, avail_assignments=done.pending,
                cores_statistics=core_statistics(done.reports, [], [], case.constants),
                services_statistics=service_statistics(done.reports, [], {}),
            )  # fmt: skip
            assert after == case.after, case.name
        seen += 1
    assert seen == 84


def test_the_lookup_anchor_must_be_an_ancestor_where_ancestors_are_known() -> None:
    case = next(case for case in cases("reports", Input, State, OUTPUT) if "report_curr_rotation" in case.name)
    refined = case.input.guarantees[0].report.context
    run(case, replace(context(case), ancestors={refined.lookup_anchor: refined.lookup_anchor_slot}))
    for ancestors in ({}, {refined.lookup_anchor: refined.lookup_anchor_slot + 1}):
        with pytest.raises(ReportsError, match="lookup_anchor_unknown"):
            run(case, replace(context(case), ancestors=ancestors))


def test_every_rule_has_a_code_of_the_vectors() -> None:
    assert set(OUTPUT.__metadata__[0].errors) | OURS == set(ReportsError.RULES)
