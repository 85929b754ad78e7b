"""Disputes ψ (section 10): verdicts on reports, and the validators who contradicted them.

In: the prior records, both validator sets, the pending reports ρ, the extrinsic. Out: ψ', ρ†, the keys that the header
must mark. Cost is linear in the extrinsic and in the prior records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pvm.jam.block import DisputesExtrinsic, Verdict
from pvm.jam.constants import Constants
from pvm.jam.errors import DisputesError
from pvm.jam.order import ascends
from pvm.jam.signatures import Check, Signed
from pvm.jam.types import AvailabilityAssignment, DisputesRecords, Hash, ValidatorData

VALID, INVALID, GUARANTEE = b"jam_valid", b"jam_invalid", b"jam_guarantee"  # the two of 10.4, and X_G (11.27)


@dataclass(frozen=True)
class Disputed:
    """What disputes leave: ψ', the votes in favour of each report judged, the offenders in the order of the header."""

    records: DisputesRecords
    votes: Mapping[Hash, int]
    offenders: tuple[bytes, ...]


def apply_disputes(
    records: DisputesRecords,
    extrinsic: DisputesExtrinsic,
    *,
    slot: int,
    current: Sequence[ValidatorData],
    previous: Sequence[ValidatorData],
    constants: Constants,
    check: Check,
) -> Disputed:
    """ψ' (10.16 to 10.19). `slot` is τ, the prior state's; `current` and `previous` are the prior κ and λ.

    Raises DisputesError for the first rule that is broken; signatures are checked after everything else.
    """
    if not (extrinsic.verdicts or extrinsic.culprits or extrinsic.faults):
        return Disputed(records, {}, ())
    _check_order(extrinsic)
    known = {*records.good, *records.bad, *records.wonky}
    for verdict in extrinsic.verdicts:
        if verdict.target in known:
            raise DisputesError("already_judged", verdict.target.hex())
    epoch = slot // constants.epoch_length
    sets = {epoch: current, epoch - 1: previous}
    for verdict in extrinsic.verdicts:
        _check_verdict(verdict, sets)
    votes = {verdict.target: sum(vote.vote for vote in verdict.votes) for verdict in extrinsic.verdicts}
    good, bad, wonky = _sort_votes(votes, constants.validators)
    _check_evidence(extrinsic, good, bad)
    judged = DisputesRecords(
        good=_union(records.good, good), bad=_union(records.bad, bad), wonky=_union(records.wonky, wonky),
        offenders=records.offenders,
    )  # fmt: skip
    _check_offenders(extrinsic, judged, {key.ed25519 for key in (*current, *previous)})
    check(_signed(extrinsic, sets), lambda signed: DisputesError("bad_signature", f"by {signed.key.hex()}"))
    offenders = (*(culprit.key for culprit in extrinsic.culprits), *(fault.key for fault in extrinsic.faults))
    return Disputed(
        DisputesRecords(
            good=judged.good, bad=judged.bad, wonky=judged.wonky, offenders=_union(records.offenders, offenders)
        ),
        votes, offenders,
    )  # fmt: skip


def clear_disputed(
    pending: Sequence[AvailabilityAssignment | None], hashes: Sequence[Hash | None], votes: Mapping[Hash, int],
    constants: Constants,
) -> tuple[AvailabilityAssignment | None, ...]:  # fmt: skip
    """ρ†: pending reports without those judged bad or wonky (10.15). `hashes` are those of the reports, by core."""
    enough = constants.validators * 2 // 3
    return tuple(
        None if hashed is not None and votes.get(hashed, enough) < enough else entry
        for entry, hashed in zip(pending, hashes, strict=True)
    )


def _check_order(extrinsic: DisputesExtrinsic) -> None:
    if not ascends(verdict.target for verdict in extrinsic.verdicts):
        raise DisputesError("verdicts_not_sorted_unique")
    if not ascends(culprit.key for culprit in extrinsic.culprits):
        raise DisputesError("culprits_not_sorted_unique")
    if not ascends(fault.key for fault in extrinsic.faults):
        raise DisputesError("faults_not_sorted_unique")
    for verdict in extrinsic.verdicts:
        if not ascends(vote.index for vote in verdict.votes):
            raise DisputesError("judgements_not_sorted_unique", verdict.target.hex())


def _check_verdict(verdict: Verdict, sets: Mapping[int, Sequence[ValidatorData]]) -> None:
    if verdict.age not in sets:
        raise DisputesError("bad_judgement_age", f"epoch {verdict.age}")
    if verdict.votes[-1].index >= len(sets[verdict.age]):
        raise DisputesError("bad_validator_index", str(verdict.votes[-1].index))


def _sort_votes(votes: Mapping[Hash, int], validators: int) -> tuple[list[Hash], list[Hash], list[Hash]]:
    """The reports judged good, bad and wonky (10.11)."""
    sorts: dict[int, list[Hash]] = {validators * 2 // 3 + 1: [], 0: [], validators // 3: []}
    for target, count in votes.items():
        if count not in sorts:
            raise DisputesError("bad_vote_split", f"{count} votes for {target.hex()}")
        sorts[count].append(target)
    good, bad, wonky = sorts.values()
    return good, bad, wonky


def _check_evidence(extrinsic: DisputesExtrinsic, good: Sequence[Hash], bad: Sequence[Hash]) -> None:
    """A good verdict comes with a fault, a bad one with two culprits (10.13, 10.14)."""
    faults = {fault.target for fault in extrinsic.faults}
    for target in good:
        if target not in faults:
            raise DisputesError("not_enough_faults", target.hex())
    culprits = dict.fromkeys(bad, 0)
    for culprit in extrinsic.culprits:
        if culprit.target in culprits:
            culprits[culprit.target] += 1
    for target, count in culprits.items():
        if count < 2:
            raise DisputesError("not_enough_culprits", target.hex())


def _check_offenders(extrinsic: DisputesExtrinsic, judged: DisputesRecords, keys: set[bytes]) -> None:
    bad, good, offenders = set(judged.bad), set(judged.good), set(judged.offenders)
    for culprit in extrinsic.culprits:
        if culprit.target not in bad:
            raise DisputesError("culprits_verdict_not_bad", culprit.target.hex())
        if culprit.key in offenders:
            raise DisputesError("offender_already_reported", culprit.key.hex())
        if culprit.key not in keys:
            raise DisputesError("bad_guarantor_key", culprit.key.hex())
    for fault in extrinsic.faults:
        if not ((fault.target in bad) == (fault.target not in good) == fault.vote):
            raise DisputesError("fault_verdict_wrong", fault.target.hex())
        if fault.key in offenders:
            raise DisputesError("offender_already_reported", fault.key.hex())
        if fault.key not in keys:
            raise DisputesError("bad_auditor_key", fault.key.hex())


def _signed(extrinsic: DisputesExtrinsic, sets: Mapping[int, Sequence[ValidatorData]]) -> list[Signed]:
    """What was signed, by whom (10.3, 10.5, 10.6)."""
    signed = [
        Signed(sets[verdict.age][vote.index].ed25519, (INVALID, VALID)[vote.vote] + verdict.target, vote.signature)
        for verdict in extrinsic.verdicts
        for vote in verdict.votes
    ]
    signed += [Signed(culprit.key, GUARANTEE + culprit.target, culprit.signature) for culprit in extrinsic.culprits]
    signed += [
        Signed(fault.key, (INVALID, VALID)[fault.vote] + fault.target, fault.signature) for fault in extrinsic.faults
    ]
    return signed


def _union(prior: Sequence[bytes], new: Sequence[bytes]) -> tuple[bytes, ...]:
    """A set as state has it: ascending. The prior one as it is where nothing is new."""
    return tuple(sorted({*prior, *new})) if new else tuple(prior)
