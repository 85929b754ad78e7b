"""Guarantees (sections 11.3 to 11.5): reports that guarantors signed take their cores.

In: ρ‡, the posterior validators κ' and λ', entropy η', the prior α, β†, δ, what is in the pipeline. Out: ρ' and the
keys of those who reported. Cost is linear in the extrinsic, and in recent history where there are guarantees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pvm.jam.block import ReportGuarantee
from pvm.jam.constants import Constants
from pvm.jam.errors import ReportsError
from pvm.jam.order import ascends
from pvm.jam.shuffle import shuffle
from pvm.jam.signatures import Check, Signed
from pvm.jam.types import (
    AvailabilityAssignment,
    BlockInfo,
    Hash,
    ValidatorData,
    WorkReport,
)

Pending = tuple[AvailabilityAssignment | None, ...]
GUARANTEE = b"jam_guarantee"  # X_G (11.27)
NOBODY = bytes(32)  # the key in place of an offender's: Φ (6.14)


class Terms(Protocol):
    """What a service asks of a digest: the info of a service account has it."""

    @property
    def code_hash(self) -> bytes: ...
    @property
    def min_item_gas(self) -> int: ...


@dataclass(frozen=True)
class Context:
    """What guarantees are checked against.

    `slot` is τ', `entropy` η', `current` and `previous` are κ' and λ', `offenders` ψ'_O, `history` the blocks of β†,
    `pools` the prior α. `service` finds a service's record in the prior δ. `known` are the packages of ξ and ϑ,
    `reported` those of the prior ρ. `ancestors` has the slots of the last headers by hash, None if nobody knows them.
    """

    slot: int
    entropy: Sequence[Hash]
    current: Sequence[ValidatorData]
    previous: Sequence[ValidatorData]
    offenders: Collection[bytes]
    history: Sequence[BlockInfo]
    pools: Sequence[Sequence[Hash]]
    service: Callable[[int], Terms | None]
    known: Collection[Hash]
    reported: Collection[Hash]
    ancestors: Mapping[Hash, int] | None = None


@dataclass(frozen=True)
class Guaranteed:
    """`pending` is ρ', `reporters` are the Ed25519 keys of all who signed, `reports` those of this block."""

    pending: Pending
    reporters: frozenset[bytes]
    reports: tuple[WorkReport, ...]


@dataclass(frozen=True)
class Assignments:
    """M or M*: the core and the key of each validator (11.18)."""

    cores: Sequence[int]
    keys: Sequence[bytes]


def assignments(
    entropy: Hash, slot: int, validators: Sequence[ValidatorData], offenders: Collection[bytes], constants: Constants
) -> Assignments:
    """P(e, t) and Φ(k) (11.19 to 11.21): cores shuffled by the epoch's entropy, turned once a rotation."""
    count, cores = constants.validators, constants.cores
    turns = slot % constants.epoch_length // constants.rotation_period
    shuffled = shuffle([cores * index // count for index in range(count)], entropy)
    keys = [NOBODY if validator.ed25519 in offenders else validator.ed25519 for validator in validators]
    return Assignments([(core + turns) % cores for core in shuffled], keys)


def apply_guarantees(
    pending: Pending,
    guarantees: Sequence[ReportGuarantee],
    hashes: Sequence[Hash],
    context: Context,
    constants: Constants,
    check: Check,
) -> Guaranteed:
    """ρ' (11.43). `pending` is ρ‡, `hashes` are those of the guarantees' reports.

    Raises ReportsError for the first rule that is broken: shape, then what each report says, then what the chain
    knows, signatures last.
    """
    if not guarantees:
        return Guaranteed(pending, frozenset(), ())
    reports = tuple(guarantee.report for guarantee in guarantees)
    _check_shape(guarantees, context, constants)
    for report in reports:
        _check_report(report, pending, context, constants)
    _check_packages(reports, context)
    reporters = _check_credentials(guarantees, hashes, context, constants, check)
    posterior = list(pending)
    for report in reports:
        posterior[report.core_index] = AvailabilityAssignment(report=report, timeout=context.slot)
    return Guaranteed(tuple(posterior), frozenset(reporters), reports)


def _check_shape(guarantees: Sequence[ReportGuarantee], context: Context, constants: Constants) -> None:
    """11.2, 11.3, 11.8 and 11.23 to 11.26: what can be seen from the guarantees alone."""
    for guarantee in guarantees:
        report = guarantee.report
        if report.core_index >= constants.cores:
            raise ReportsError("bad_core_index", str(report.core_index))
        where = f"core {report.core_index}"
        if not report.results:
            raise ReportsError("missing_work_results", where)
        if len(report.results) > constants.package_items:
            raise ReportsError("too_many_work_results", where)
        if len(report.context.prerequisites) + len(report.segment_root_lookup) > constants.report_dependencies:
            raise ReportsError("too_many_dependencies", where)
        if len(report.auth_output) + sum(len(result.result.output) for result in report.results) > (
            constants.report_size
        ):
            raise ReportsError("work_report_too_big", where)
        if not 2 <= len(guarantee.signatures) <= 3:
            raise ReportsError("insufficient_guarantees", where)
        if not ascends(signature.validator_index for signature in guarantee.signatures):
            raise ReportsError("not_sorted_or_unique_guarantors", where)
        if guarantee.signatures[-1].validator_index >= len(context.current):
            raise ReportsError("bad_validator_index", where)
        if guarantee.slot > context.slot:
            raise ReportsError("future_report_slot", where)
        if guarantee.slot < (context.slot // constants.rotation_period - 1) * constants.rotation_period:
            raise ReportsError("report_epoch_before_last", where)
    if not ascends(guarantee.report.core_index for guarantee in guarantees):
        raise ReportsError("out_of_order_guarantee")


def _check_report(report: WorkReport, pending: Pending, context: Context, constants: Constants) -> None:
    """11.29, 11.30, 11.33 to 11.35 and 11.42: what a report says of the chain."""
    where = f"core {report.core_index}"
    if pending[report.core_index] is not None:
        raise ReportsError("core_engaged", where)
    if report.authorizer_hash not in context.pools[report.core_index]:
        raise ReportsError("core_unauthorized", where)
    for result in report.results:
        service = context.service(result.service_id)
        if service is None:
            raise ReportsError("bad_service_id", f"{result.service_id} on {where}")
        if result.code_hash != service.code_hash:
            raise ReportsError("bad_code_hash", f"of service {result.service_id} on {where}")
        if result.accumulate_gas < service.min_item_gas:
            raise ReportsError("service_item_gas_too_low", f"for service {result.service_id} on {where}")
    if sum(result.accumulate_gas for result in report.results) > constants.report_accumulation_gas:
        raise ReportsError("work_report_gas_too_high", where)
    _check_anchors(report, context, constants)


def _check_anchors(report: WorkReport, context: Context, constants: Constants) -> None:
    refined = report.context
    anchor = next((block for block in context.history if block.header_hash == refined.anchor), None)
    if anchor is None:
        raise ReportsError("anchor_not_recent", refined.anchor.hex())
    if anchor.state_root != refined.state_root:
        raise ReportsError("bad_state_root", refined.state_root.hex())
    if anchor.beefy_root != refined.beefy_root:
        raise ReportsError("bad_beefy_mmr_root", refined.beefy_root.hex())
    if refined.lookup_anchor_slot < context.slot - constants.lookup_anchor_age:
        raise ReportsError("lookup_anchor_not_recent", f"slot {refined.lookup_anchor_slot}")
    if context.ancestors is not None and context.ancestors.get(refined.lookup_anchor) != refined.lookup_anchor_slot:
        raise ReportsError("lookup_anchor_unknown", refined.lookup_anchor.hex())


def _check_packages(reports: Sequence[WorkReport], context: Context) -> None:
    """11.32 and 11.36 to 11.41. Loops of dependencies are accepted: such reports are never accumulated."""
    recent = {item.hash: item.exports_root for block in context.history for item in block.reported}
    roots = {report.package_spec.hash: report.package_spec.exports_root for report in reports}
    if len(roots) != len(reports):
        raise ReportsError("duplicate_package")
    for package in roots:
        if package in recent or package in context.known or package in context.reported:
            raise ReportsError("duplicate_package", package.hex())
    roots |= recent
    for report in reports:
        for package in report.context.prerequisites:
            if package not in roots:
                raise ReportsError("dependency_missing", package.hex())
        for item in report.segment_root_lookup:
            if roots.get(item.work_package_hash) != item.segment_tree_root:
                raise ReportsError("segment_root_lookup_invalid", item.work_package_hash.hex())


def _check_credentials(
    guarantees: Sequence[ReportGuarantee], hashes: Sequence[Hash], context: Context, constants: Constants,
    check: Check,
) -> set[bytes]:  # fmt: skip
    """11.26: the keys of those who signed."""
    rotation, signed = constants.rotation_period, []
    found: dict[bool, Assignments] = {}
    for guarantee, hashed in zip(guarantees, hashes, strict=True):
        now = guarantee.slot // rotation == context.slot // rotation
        if now not in found:
            found[now] = _current(context, constants) if now else _last(context, constants)
        for signature in guarantee.signatures:
            index = signature.validator_index
            if found[now].cores[index] != guarantee.report.core_index:
                raise ReportsError("wrong_assignment", f"validator {index} on core {guarantee.report.core_index}")
            signed.append(Signed(found[now].keys[index], GUARANTEE + hashed, signature.signature))
    check(signed, _bad_signature)
    return {one.key for one in signed}


def _bad_signature(signed: Signed) -> ReportsError:
    """An offender has no key any more, so that its signature is bad, too."""
    return ReportsError("banned_validator" if signed.key == NOBODY else "bad_signature", f"by {signed.key.hex()}")


def _current(context: Context, constants: Constants) -> Assignments:
    """M (11.21)."""
    return assignments(context.entropy[2], context.slot, context.current, context.offenders, constants)


def _last(context: Context, constants: Constants) -> Assignments:
    """M*: as in the rotation before, perhaps of the epoch before (11.22)."""
    slot = context.slot - constants.rotation_period
    if slot // constants.epoch_length == context.slot // constants.epoch_length:
        return assignments(context.entropy[2], slot, context.current, context.offenders, constants)
    return assignments(context.entropy[3], slot, context.previous, context.offenders, constants)
