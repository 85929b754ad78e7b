"""Safrole (section 6): epochs, seal keys, tickets, markers and entropy.

In: the prior parts of the state, the block's slot and tickets. Out: the posterior parts, and the markers that the
header must have. Nothing here needs the entropy of this block itself: seals are checked with what earlier epochs have
fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pvm.jam.block import EpochMark, EpochMarkValidatorKeys, TicketEnvelope
from pvm.jam.constants import Constants
from pvm.jam.crypto import Crypto, claimed_output
from pvm.jam.errors import SafroleError
from pvm.jam.hashing import blake2b
from pvm.jam.order import ascends
from pvm.jam.types import Hash, SafroleState, TicketBody, TicketsOrKeys, ValidatorData

TICKET_SEAL = b"jam_ticket_seal"  # X_T (6.20)
NO_VALIDATOR = ValidatorData(bytes(32), bytes(32), bytes(144), bytes(128))


@dataclass(frozen=True)
class Time:
    """Where the prior block and this one lie: epoch and phase of each (6.2), in slots."""

    epoch: int  # e
    phase: int  # m
    next_epoch: int  # e'
    next_phase: int  # m'

    @property
    def is_new_epoch(self) -> bool:
        """e' > e."""
        return self.next_epoch > self.epoch


@dataclass(frozen=True)
class Rotated:
    """Keys, seal keys and older entropy as they are in this block's epoch.

    `entropy` is (η'_1, η'_2, η'_3); η'_0 is mixed once the seal is checked.
    """

    kappa: tuple[ValidatorData, ...]
    lambda_: tuple[ValidatorData, ...]
    gamma_k: tuple[ValidatorData, ...]
    gamma_z: bytes
    gamma_s: TicketsOrKeys
    entropy: tuple[Hash, Hash, Hash]


def time_between(slot: int, next_slot: int, constants: Constants) -> Time:
    """6.2: from τ to τ'."""
    return Time(*divmod(slot, constants.epoch_length), *divmod(next_slot, constants.epoch_length))


def rotate(
    time: Time, gamma: SafroleState, iota: tuple[ValidatorData, ...], kappa: tuple[ValidatorData, ...],
    lambda_: tuple[ValidatorData, ...], eta: Sequence[Hash], offenders: Collection[bytes], constants: Constants,
    crypto: Crypto,
) -> Rotated:  # fmt: skip
    """κ', λ', γ'_k, γ'_z (6.13), γ'_s (6.24) and older entropy (6.23). `offenders` is ψ'_O."""
    if not time.is_new_epoch:
        return Rotated(kappa, lambda_, gamma.gamma_k, gamma.gamma_z, gamma.gamma_s, (eta[1], eta[2], eta[3]))
    entropy = (eta[0], eta[1], eta[2])
    pending = without_offenders(iota, offenders)
    ring = crypto.ring([validator.bandersnatch for validator in pending])
    is_decided = time.phase >= constants.tickets_end and len(gamma.gamma_a) == constants.epoch_length
    if time.next_epoch == time.epoch + 1 and is_decided:
        series = TicketsOrKeys(tickets=outside_in(gamma.gamma_a))
    else:
        series = TicketsOrKeys(keys=fallback_keys(entropy[1], gamma.gamma_k, constants))
    return Rotated(gamma.gamma_k, kappa, pending, ring.commitment, series, entropy)


def without_offenders(
    validators: Sequence[ValidatorData], offenders: Collection[bytes]
) -> tuple[ValidatorData, ...]:
    """Φ: null keys in place of those of offenders (6.14)."""
    offenders = set(offenders)
    banned = frozenset(offenders)
    return tuple(NO_VALIDATOR if validator.ed25519 in banned else validator for validator in validators)


def outside_in(tickets: Sequence[TicketBody]) -> tuple[TicketBody, ...]:
    """Z: the first, the last, the second, the last but one … (6.25)."""
    ordered = list(tickets)
    ordered[::2], ordered[1::2] = tickets[: (len(tickets) + 1) // 2], tickets[: (len(tickets) - 1) // 2 : -1]
    return tuple(ordered)


def fallback_keys(entropy: Hash, validators: Sequence[ValidatorData], constants: Constants) -> tuple[bytes, ...]:
    """F: a validator's key for each slot, chosen by entropy (6.26)."""
    return tuple(
        validators[
            int.from_bytes(blake2b(entropy + slot.to_bytes(4, "little"))[:4], "little") % len(validators)
        ].bandersnatch
        for slot in range(constants.epoch_length)
    )


def next_entropy(eta: Sequence[Hash], output: Hash, rotated: Rotated) -> tuple[Hash, Hash, Hash, Hash]:
    """η': the output of the header's VRF signature is mixed in (6.22)."""
    return (blake2b(eta[0] + output), *rotated.entropy)


def epoch_mark(time: Time, eta: Sequence[Hash], gamma_k: Sequence[ValidatorData]) -> EpochMark | None:
    """H_E as it must be (6.27). `eta` is the prior η, `gamma_k` the posterior γ'_k."""
    if not time.is_new_epoch:
        return None
    keys = tuple(EpochMarkValidatorKeys(validator.bandersnatch, validator.ed25519) for validator in gamma_k)
    return EpochMark(eta[0], eta[1], keys)


def tickets_mark(time: Time, gamma_a: Sequence[TicketBody], constants: Constants) -> tuple[TicketBody, ...] | None:
    """H_W as it must be (6.28). `gamma_a` is the prior accumulator."""
    has_ended = time.phase < constants.tickets_end <= time.next_phase
    if time.is_new_epoch or not has_ended or len(gamma_a) != constants.epoch_length:
        return None
    return outside_in(gamma_a)


def submit_tickets(
    time: Time, gamma_a: tuple[TicketBody, ...], tickets: Sequence[TicketEnvelope], rotated: Rotated,
    constants: Constants, crypto: Crypto,
) -> tuple[tuple[TicketBody, ...], Callable[[], None]]:  # fmt: skip
    """γ'_a (6.34), and a function that checks the proofs, which is begun. γ'_a counts for nothing unless it returns.

    Raises SafroleError, now or in the function, for the first rule of 6.29 to 6.35 that is broken.
    """
    earlier = () if time.is_new_epoch else gamma_a
    if not tickets:
        return earlier, lambda: None
    if time.next_phase >= constants.tickets_end or len(tickets) > constants.tickets_per_block:
        raise SafroleError("unexpected_ticket", f"{len(tickets)} in slot {time.next_phase} of the epoch")
    for index, ticket in enumerate(tickets):
        if ticket.attempt >= constants.ticket_entries:
            raise SafroleError("bad_ticket_attempt", f"{ticket.attempt} of ticket {index}")
    ring = crypto.ring([validator.bandersnatch for validator in rotated.gamma_k])
    inputs = [TICKET_SEAL + rotated.entropy[1] + bytes((ticket.attempt,)) for ticket in tickets]
    verified = ring.verify(inputs, [ticket.signature for ticket in tickets])

    def check() -> None:
        for index, is_valid in enumerate(verified()):
            if not is_valid:
                raise SafroleError("bad_ticket_proof", f"ticket {index}")

    submitted = [TicketBody(claimed_output(ticket.signature), ticket.attempt) for ticket in tickets]
    try:
        return _accumulated(earlier, submitted, constants), check
    except SafroleError:
        check()  # an identifier means nothing where the proof is wrong
        raise


def _accumulated(
    earlier: tuple[TicketBody, ...], submitted: Sequence[TicketBody], constants: Constants
) -> tuple[TicketBody, ...]:
    if not ascends(ticket.id for ticket in submitted):
        raise SafroleError("bad_ticket_order")
    known = {ticket.id for ticket in earlier}
    for ticket in submitted:
        if ticket.id in known:
            raise SafroleError("duplicate_ticket", ticket.id.hex())
    best = sorted((*earlier, *submitted), key=lambda ticket: ticket.id)[: constants.epoch_length]
    if submitted[-1].id > best[-1].id:
        raise SafroleError("useless_ticket", submitted[-1].id.hex())
    return tuple(best)
