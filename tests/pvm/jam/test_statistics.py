"""Activity of validators against the public vectors."""

from __future__ import annotations

from dataclasses import dataclass

from pvm.jam.block import Extrinsic
from pvm.jam.constants import TINY
from pvm.jam.statistics import core_statistics, next_validator_statistics, service_statistics
from pvm.jam.types import U16, U32, CoreActivityRecord, ValidatorsData, ValidatorsStatistics
from tests.pvm.jam.stf import NOTHING, cases


@dataclass(frozen=True)
class State:
    vals_curr_stats: ValidatorsStatistics
    vals_last_stats: ValidatorsStatistics
    slot: U32
    curr_validators: ValidatorsData


@dataclass(frozen=True)
class Input:
    slot: U32
    author_index: U16
    extrinsic: Extrinsic


def test_vectors_of_statistics() -> None:
    seen = 0
    for case in cases("statistics", Input, State, NOTHING):
        extrinsic, validators = case.input.extrinsic, case.before.curr_validators
        signers = {each.validator_index for guarantee in extrinsic.guarantees for each in guarantee.signatures}
        after = next_validator_statistics(
            case.before.vals_curr_stats, case.before.vals_last_stats, prior_slot=case.before.slot,
            slot=case.input.slot, author=case.input.author_index, extrinsic=extrinsic,
            reporters={validators[index].ed25519 for index in signers}, validators=validators,
            constants=case.constants,
        )  # fmt: skip
        assert after == (case.after.vals_curr_stats, case.after.vals_last_stats), case.name
        seen += 1
    assert seen == 6


def test_nothing_done_is_all_zeros_for_cores_and_nothing_for_services() -> None:
    assert core_statistics([], [], [], TINY) == (CoreActivityRecord(0, 0, 0, 0, 0, 0, 0, 0),) * 2
    assert service_statistics([], [], {}) == ()


def test_accumulation_alone_makes_a_record() -> None:
    (entry,) = service_statistics([], [], {7: (100, 2)})
    assert (entry.id, entry.record.accumulate_gas_used, entry.record.accumulate_count) == (7, 100, 2)
