"""The rules that a block may break: one class a section, one code a rule.

Codes are those of the public test vectors where they have one. An equation is given by its number in the Gray Paper
v0.7.2, in which most of these have no label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pvm.errors import BlockError

Rules = Mapping[str, tuple[str, str]]
"""By code: the equation, and what it asks for."""


class SectionError(BlockError):
    """A block that must be refused. The state that it was to be applied to stays as it is.

    `RULES` of a class has its codes, each with the equation and what it asks for; `detail` says where in the block the
    rule is broken.
    """

    RULES: ClassVar[Rules] = {}

    def __init__(self, code: str, detail: str = "") -> None:
        equation, rule = self.RULES[code]
        super().__init__(code, equation, f"{rule}: {detail}" if detail else rule)
        self.detail = detail

    def __reduce__(self) -> tuple[type[SectionError], tuple[str, str]]:
        return type(self), (self.code, self.detail)


class HeaderError(SectionError):
    """A broken rule of section 5, or of the seals in section 6."""

    RULES: ClassVar[Rules] = {
        "unknown_parent": ("5.2", "the parent is a block whose state is known"),
        "bad_extrinsic_hash": ("5.4", "the header commits to the extrinsic"),
        "bad_slot": ("5.7", "the slot is after the parent's"),
        "bad_state_root": ("5.8", "the prior state root is that of the parent's state"),
        "bad_author_index": ("5.9", "the author is the index of a validator"),
        "bad_epoch_mark": ("6.27", "the epoch mark is there in an epoch's first block alone, and as the state has it"),
        "bad_tickets_mark": ("6.28", "the winning tickets are marked once, when submission has ended"),
        "bad_offenders_mark": ("10.20", "the offenders are those of the disputes"),
        "bad_seal": ("6.15", "the seal is signed with the author's key over the header"),
        "wrong_ticket": ("6.15", "the seal's output is the slot's ticket"),
        "wrong_author": ("6.16", "the slot's key is the author's"),
        "bad_entropy": ("6.17", "the entropy is signed with the author's key over the seal's output"),
    }


class SafroleError(SectionError):
    """A broken rule of section 6 on tickets."""

    RULES: ClassVar[Rules] = {
        "bad_slot": ("5.7", "the slot is after the parent's"),
        "unexpected_ticket": ("6.30", "tickets are within a block's limit, and none after submission has ended"),
        "bad_ticket_order": ("6.32", "tickets ascend by identifier"),
        "bad_ticket_proof": ("6.29", "a ticket is proved by a key of the ring"),
        "bad_ticket_attempt": ("6.29", "an attempt is within the limit of a validator"),
        "duplicate_ticket": ("6.33", "a ticket is submitted once"),
        "useless_ticket": ("6.35", "a ticket is among the best"),
    }


class DisputesError(SectionError):
    """A broken rule of section 10."""

    RULES: ClassVar[Rules] = {
        "already_judged": ("10.9", "a report is judged once"),
        "bad_vote_split": ("10.11", "votes for a report are none, a third or two thirds plus one"),
        "verdicts_not_sorted_unique": ("10.7", "verdicts ascend by report hash"),
        "judgements_not_sorted_unique": ("10.10", "judgments ascend by validator index"),
        "culprits_not_sorted_unique": ("10.8", "culprits ascend by key"),
        "faults_not_sorted_unique": ("10.8", "faults ascend by key"),
        "not_enough_culprits": ("10.14", "a bad report has two culprits"),
        "not_enough_faults": ("10.13", "a good report has a fault"),
        "culprits_verdict_not_bad": ("10.5", "a culprit's report is in the bad set"),
        "fault_verdict_wrong": ("10.6", "a fault's vote contradicts the verdict"),
        "offender_already_reported": ("10.5", "an offender is not in the punish set yet"),
        "bad_judgement_age": ("10.2", "a verdict's epoch is the prior state's or the one before"),
        "bad_validator_index": ("10.2", "a judge is the index of a validator"),
        "bad_signature": ("10.3", "judgments, culprits and faults are signed"),
        "bad_guarantor_key": ("10.5", "a culprit is a validator of this epoch or the last"),
        "bad_auditor_key": ("10.6", "a fault's key is that of a validator of this epoch or the last"),
    }


class AssurancesError(SectionError):
    """A broken rule of section 11 on assurances."""

    RULES: ClassVar[Rules] = {
        "bad_attestation_parent": ("11.11", "assurances are anchored on the parent"),
        "bad_validator_index": ("11.10", "an assurer is the index of a validator"),
        "core_not_engaged": ("11.15", "a bit is set only for a core with a report pending"),
        "bad_signature": ("11.13", "assurances are signed by the assurer"),
        "not_sorted_or_unique_assurers": ("11.12", "assurances ascend by validator index"),
    }


class ReportsError(SectionError):
    """A broken rule of section 11 on guarantees and their reports."""

    RULES: ClassVar[Rules] = {
        "bad_core_index": ("11.2", "a report's core exists"),
        "future_report_slot": ("11.26", "a guarantee's slot is not after the block's"),
        "report_epoch_before_last": ("11.26", "a guarantee is of this rotation or the last"),
        "insufficient_guarantees": ("11.23", "a credential has two or three signatures"),
        "out_of_order_guarantee": ("11.24", "guarantees ascend by core"),
        "not_sorted_or_unique_guarantors": ("11.25", "a credential ascends by validator index"),
        "wrong_assignment": ("11.26", "guarantors are assigned to the report's core"),
        "core_engaged": ("11.29", "no report is pending on the core"),
        "anchor_not_recent": ("11.33", "the anchor is in recent history"),
        "bad_service_id": ("11.30", "a digest's service exists"),
        "bad_code_hash": ("11.42", "a digest's code hash is its service's"),
        "dependency_missing": ("11.39", "prerequisites and looked-up packages are in the block or in recent history"),
        "duplicate_package": ("11.38", "a package is reported once"),
        "bad_state_root": ("11.33", "the anchor's state root is that of recent history"),
        "bad_beefy_mmr_root": ("11.33", "the anchor's accumulation log is that of recent history"),
        "core_unauthorized": ("11.29", "the authorizer is in the core's pool"),
        "bad_validator_index": ("11.23", "a guarantor is the index of a validator"),
        "work_report_gas_too_high": ("11.30", "the gas for accumulation is within the limit of a report"),
        "service_item_gas_too_low": ("11.30", "a digest's gas is at least what its service asks for"),
        "too_many_dependencies": ("11.3", "prerequisites and looked-up packages are within their limit"),
        "segment_root_lookup_invalid": ("11.41", "looked-up segment roots are those that were reported"),
        "bad_signature": ("11.26", "guarantors sign the report"),
        "work_report_too_big": ("11.8", "a report's blobs are within their limit"),
        "banned_validator": ("11.21", "guarantors are no offenders"),
        "lookup_anchor_not_recent": ("11.34", "the lookup anchor is recent"),
        "lookup_anchor_unknown": ("11.35", "the lookup anchor is an ancestor of the block"),
        "missing_work_results": ("11.2", "a report has one digest at least"),
        "too_many_work_results": ("11.2", "a report's digests are within their limit"),
    }


class AccumulationError(SectionError):
    """A broken rule of section 12 on accumulation."""

    RULES: ClassVar[Rules] = {
        "service_conflict": ("12.19", "two services do not add, change or remove the same service"),
    }


class PreimagesError(SectionError):
    """A broken rule of section 12 on the preimages of a block."""

    RULES: ClassVar[Rules] = {
        "preimages_not_sorted_unique": ("12.36", "preimages ascend by service and blob"),
        "preimage_unneeded": ("12.37", "a preimage is asked for and not there yet"),
    }
