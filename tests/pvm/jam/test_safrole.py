"""Safrole against the public vectors: keys, tickets and markers after each, or the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pvm.jam.block import EpochMark, TicketEnvelope
from pvm.jam.constants import TINY
from pvm.jam.errors import SafroleError
from pvm.jam.safrole import (
    epoch_mark,
    next_entropy,
    outside_in,
    rotate,
    submit_tickets,
    tickets_mark,
    time_between,
)
from pvm.jam.types import (
    U32,
    Ed25519Public,
    EntropyBuffer,
    Hash,
    RingCommitment,
    SafroleState,
    SealSeries,
    TicketBody,
    TicketsMark,
    ValidatorsData,
)
from tests.pvm.jam.stf import Case, cases, outcome
from tests.pvm.jam.traces import native_crypto


@dataclass(frozen=True)
class State:
    tau: U32
    eta: EntropyBuffer
    lambda_: ValidatorsData
    kappa: ValidatorsData
    gamma_k: ValidatorsData
    iota: ValidatorsData
    gamma_a: tuple[TicketBody, ...]
    gamma_s: SealSeries
    gamma_z: RingCommitment
    post_offenders: tuple[Ed25519Public, ...]


@dataclass(frozen=True)
class Input:
    slot: U32
    entropy: Hash
    extrinsic: tuple[TicketEnvelope, ...]


@dataclass(frozen=True)
class Marks:
    epoch_mark: EpochMark | None
    tickets_mark: TicketsMark | None


OUTPUT = outcome(
    Marks,
    """bad_slot unexpected_ticket bad_ticket_order bad_ticket_proof bad_ticket_attempt reserved duplicate_ticket""",
)


def run(case: Case) -> tuple[State, Marks]:
    before, given, constants = case.before, case.input, case.constants
    if given.slot <= before.tau:
        raise SafroleError("bad_slot")
    time = time_between(before.tau, given.slot, constants)
    gamma = SafroleState(before.gamma_k, before.gamma_z, before.gamma_s, before.gamma_a)
    rotated = rotate(
        time, gamma, before.iota, before.kappa, before.lambda_, before.eta, before.post_offenders, constants,
        native_crypto(),
    )  # fmt: skip
    accumulator, check = submit_tickets(time, before.gamma_a, given.extrinsic, rotated, constants, native_crypto())
    check()
    after = State(
        given.slot, next_entropy(before.eta, given.entropy, rotated), rotated.lambda_, rotated.kappa, rotated.gamma_k,
        before.iota, accumulator, rotated.gamma_s, rotated.gamma_z, before.post_offenders,
    )  # fmt: skip
    marks = Marks(
        epoch_mark(time, before.eta, rotated.gamma_k), tickets_mark(time, before.gamma_a, constants)
    )
    return after, marks


@pytest.mark.parametrize("parameters", ["tiny", "full"])
def test_vectors_of_safrole(parameters: str) -> None:
    seen = 0
    for case in cases("safrole", Input, State, OUTPUT):
        if case.constants.name != parameters:
            continue
        try:
            after, marks = run(case)
        except SafroleError as error:
            assert error.code == case.error, (case.name, error)
        else:
            assert (after, marks, None) == (case.after, case.ok, case.error), case.name
        seen += 1
    assert seen == 21


def test_outside_in() -> None:
    tickets = [TicketBody(bytes((index,)) * 32, 0) for index in range(5)]
    assert [ticket.id[0] for ticket in outside_in(tickets)] == [0, 4, 1, 3, 2]
    assert [ticket.id[0] for ticket in outside_in(tickets[:4])] == [0, 3, 1, 2]


def test_times() -> None:
    time = time_between(23, 2**32 - 1, TINY)
    assert (time.epoch, time.phase, time.is_new_epoch) == (1, 11, True)
    assert time_between(24, 35, TINY).is_new_epoch is False


