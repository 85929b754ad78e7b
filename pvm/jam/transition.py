"""Υ (4.1), the state transition: from the prior state and a block to the posterior state, or the rule that is broken.

In: the prior state, a received block, a host. Out: the next state, a layer on the prior one, which stays as it is. Each
component is made by its section, in the order in which they depend on each other (4.5 to 4.20).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pvm.jam.accounts import Accounts
from pvm.jam.accumulated_state import changed_components, changed_octets, partial_state_of
from pvm.jam.accumulation import Outcome, accumulate
from pvm.jam.assurances import apply_assurances
from pvm.jam.authorization import next_pools
from pvm.jam.codec import encode
from pvm.jam.constants import Constants
from pvm.jam.crypto import Crypto
from pvm.jam.disputes import Disputed, apply_disputes, clear_disputed
from pvm.jam.hashing import blake2b
from pvm.jam.header import Received, check_commitments, check_marks, check_seal
from pvm.jam.history import accumulation_root, next_history, reported_packages, with_parent_root
from pvm.jam.inputs import Input
from pvm.jam.invocations import accumulate as invoke_accumulate
from pvm.jam.partial_state import Accumulated, PartialState
from pvm.jam.preimages import check_preimages, integrate_preimages
from pvm.jam.ready_queue import Accumulatable, accumulatable, next_accumulated, next_ready
from pvm.jam.reports import Context, apply_guarantees
from pvm.jam.safrole import Rotated, epoch_mark, next_entropy, rotate, submit_tickets, tickets_mark, time_between
from pvm.jam.signatures import Deferred
from pvm.jam.state import State
from pvm.jam.statistics import core_statistics, next_validator_statistics, service_statistics
from pvm.jam.types import (
    ZERO_HASH,
    AvailabilityAssignment,
    BlockInfo,
    Hash,
    SafroleState,
    Statistics,
)
from pvm.machine import AnyEngine

T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """What the transition runs on: parameters, cryptography, and an engine for services."""

    constants: Constants
    crypto: Crypto
    engine: AnyEngine


def transition(prior: State, received: Received, host: Host, ancestors: Mapping[Hash, int] | None = None) -> State:
    """σ' = Υ(σ, B). `ancestors` has the slots of known headers by hash; None if lookup anchors are not looked up.

    Raises BlockError for a rule that is broken, CodecError where the prior state cannot be decoded.
    """
    header, extrinsic, c, crypto = received.block.header, received.block.extrinsic, host.constants, host.crypto
    check_commitments(received, prior.tau, prior.root, c)
    signatures, slot, time = Deferred(), header.slot, time_between(prior.tau, header.slot, c)

    disputed = apply_disputes(
        prior.psi, extrinsic.disputes, slot=prior.tau, current=prior.kappa, previous=prior.lambda_, constants=c,
        check=signatures,
    )  # fmt: skip
    psi = disputed.records
    rotated = rotate(
        time, prior.gamma, prior.iota, prior.kappa, prior.lambda_, prior.eta, set(psi.offenders), c, crypto
    )
    check_marks(
        header, epoch_mark(time, prior.eta, rotated.gamma_k), tickets_mark(time, prior.gamma.gamma_a, c),
        disputed.offenders,
    )  # fmt: skip
    seal = crypto.beside(lambda: check_seal(received, rotated, c, crypto))
    tickets = submit_tickets(time, prior.gamma.gamma_a, extrinsic.tickets, rotated, c, crypto)
    beta_dagger = with_parent_root(prior.beta, header.parent_state_root)
    rho_dagger = _without_disputed(prior.rho, disputed, c)
    assured = apply_assurances(
        rho_dagger, extrinsic.assurances, parent=header.parent, slot=slot, validators=prior.kappa, constants=c,
        check=signatures,
    )  # fmt: skip
    guaranteed = apply_guarantees(
        assured.pending, extrinsic.guarantees, received.report_hashes,
        _context(prior, received, rotated, psi.offenders, beta_dagger.history, ancestors), c, signatures,
    )  # fmt: skip
    preimage_hashes = check_preimages(Accounts(prior), extrinsic.preimages)
    signed = crypto.beside(lambda: signatures.verify(crypto.ed25519_verify))

    work = accumulatable(prior.omega, prior.xi, assured.available, slot)
    eta = _Once(lambda: next_entropy(prior.eta, seal(), rotated))
    before = partial_state_of(prior)
    outcome = _accumulate(before, work, slot, eta, host)
    done = {report.package_spec.hash for report in work.reports[: outcome.count]}
    accounts = outcome.state.accounts
    integrate_preimages(accounts, extrinsic.preimages, preimage_hashes, slot)
    signed()

    components: dict[str, Any] = {
        "tau": slot,
        "psi": psi,
        "eta": eta(),
        "kappa": rotated.kappa,
        "lambda_": rotated.lambda_,
        "gamma": _safrole(prior.gamma, SafroleState(rotated.gamma_k, rotated.gamma_z, rotated.gamma_s, tickets())),
        "rho": guaranteed.pending,
        "omega": next_ready(prior.omega, work.queued, done, slot, prior.tau),
        "xi": next_accumulated(prior.xi, done),
        "theta": outcome.outputs,
        "beta": next_history(
            beta_dagger, received.hash,
            accumulation_root(((output.service, output.hash) for output in outcome.outputs), crypto.keccak),
            reported_packages(extrinsic.guarantees), c.recent_history, crypto.keccak,
        ),
    }  # fmt: skip
    components |= changed_components(before, outcome.state)
    posterior = prior.updated(components, accounts.changes(), changed_octets(before, outcome.state))
    used = {report.core_index: report.authorizer_hash for report in guaranteed.reports}
    validators = next_validator_statistics(
        prior.pi.vals_curr, prior.pi.vals_last, prior_slot=prior.tau, slot=slot, author=header.author_index,
        extrinsic=extrinsic, reporters=guaranteed.reporters, validators=rotated.kappa, constants=c,
    )  # fmt: skip
    cores = core_statistics(guaranteed.reports, assured.available, extrinsic.assurances, c)
    services = service_statistics(guaranteed.reports, extrinsic.preimages, outcome.used)
    return posterior.updated(
        {
            "alpha": next_pools(prior.alpha, posterior.phi, slot, used, c.auth_pool),
            "pi": Statistics(*validators, cores, services),
        },
        {},
    )


class _Once(Generic[T]):
    """A value made when it is first asked for."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] = make
        self._made: list[T] = []

    def __call__(self) -> T:
        if not self._made:
            self._made.append(self._make())
        return self._made[0]


def _safrole(prior: SafroleState, posterior: SafroleState) -> SafroleState:
    """The prior value where nothing has changed, so that it is not encoded again."""
    return prior if prior == posterior else posterior


def _without_disputed(
    pending: Sequence[AvailabilityAssignment | None], disputed: Disputed, constants: Constants
) -> tuple[AvailabilityAssignment | None, ...]:
    """ρ† (10.15)."""
    if not disputed.votes:
        return tuple(pending)
    hashes = [None if entry is None else blake2b(encode(entry.report, constants)) for entry in pending]
    return clear_disputed(pending, hashes, disputed.votes, constants)


def _context(
    prior: State, received: Received, rotated: Rotated, offenders: Collection[bytes], history: Sequence[BlockInfo],
    ancestors: Mapping[Hash, int] | None,
) -> Context:  # fmt: skip
    """What guarantees are checked against. η'_0 is not among it, so that the seal need not be waited for."""
    known: set[Hash] = set()
    reported: set[Hash] = set()
    if received.block.extrinsic.guarantees:
        known.update(*prior.xi)
        known.update(record.report.package_spec.hash for records in prior.omega for record in records)
        reported.update(entry.report.package_spec.hash for entry in prior.rho if entry is not None)
    return Context(
        slot=received.block.header.slot, entropy=(ZERO_HASH, *rotated.entropy), current=rotated.kappa,
        previous=rotated.lambda_, offenders=set(offenders), history=history, pools=prior.alpha,
        service=Accounts(prior).account, known=known, reported=reported, ancestors=ancestors,
    )  # fmt: skip


def _accumulate(
    before: PartialState, work: Accumulatable, slot: int, eta: Callable[[], Sequence[Hash]], host: Host
) -> Outcome:
    """Section 12.2 on W*. Where there is nothing to accumulate, the state as it was."""
    if not work.reports and not before.privileges.always:
        return Outcome(0, replace(before, accounts=before.accounts.layer()), (), {})

    def invoke(state: PartialState, service: int, gas: int, inputs: Sequence[Input]) -> Accumulated:
        return invoke_accumulate(host.engine, host.constants, state, slot, service, gas, inputs, eta()[0])

    return accumulate(work.reports, before, slot, host.constants, invoke)
