"""Υ (4.1), the state transition: from the prior state and a block to the posterior state, or the rule that is broken.

In: the prior state, a received block, a host. Out: the next state, a layer on the prior one, which stays as it is. Each
component is made by its section, in the order in which they depend on each other (4.5 to 4.20).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from pvm.jam.header import Received, begin_seals, check_commitments, check_marks
from pvm.jam.history import accumulation_root, next_history, reported_packages, with_parent_root
from pvm.jam.inputs import Input
from pvm.jam.invocations import Options
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


@dataclass(frozen=True)
class Host:
    """What the transition runs on: parameters, cryptography, and an engine for services.

    `observe` gives the options of each invocation, by slot and service.
    """

    constants: Constants
    crypto: Crypto
    engine: AnyEngine
    observe: Callable[[int, int], Options] | None = None


def transition(prior: State, received: Received, host: Host, ancestors: Mapping[Hash, int] | None = None) -> State:
    """σ' = Υ(σ, B). `ancestors` has the slots of known headers by hash; None if lookup anchors are not looked up.

    Proofs and seals are checked beside the rest; services run only once the seals are valid. Raises BlockError for a
    rule that is broken, CodecError where the prior state cannot be decoded.
    """
    header, extrinsic, c, crypto = received.block.header, received.block.extrinsic, host.constants, host.crypto
    slot, signatures = header.slot, Deferred()
    check_commitments(received, prior.tau, prior.root, c)
    time = time_between(prior.tau, slot, c)
    disputed = apply_disputes(
        prior.psi, extrinsic.disputes, slot=prior.tau, current=prior.kappa, previous=prior.lambda_, constants=c,
        check=signatures,
    )  # fmt: skip
    rotated = rotate(
        time, prior.gamma, prior.iota, prior.kappa, prior.lambda_, prior.eta, disputed.records.offenders, c, crypto
    )
    check_marks(
        header, epoch_mark(time, prior.eta, rotated.gamma_k), tickets_mark(time, prior.gamma.gamma_a, c),
        disputed.offenders,
    )  # fmt: skip
    entropy, check_seals = begin_seals(received, rotated, c, crypto)
    gamma_a, check_tickets = submit_tickets(time, prior.gamma.gamma_a, extrinsic.tickets, rotated, c, crypto)
    eta = next_entropy(prior.eta, entropy, rotated)
    beta_dagger = with_parent_root(prior.beta, header.parent_state_root)
    rho_dagger = _without_disputed(prior.rho, disputed, c)
    assured = apply_assurances(
        rho_dagger, extrinsic.assurances, parent=header.parent, slot=slot, validators=prior.kappa, constants=c,
        check=signatures,
    )  # fmt: skip
    context = _context(prior, received, rotated, disputed.records.offenders, beta_dagger.history, ancestors)
    guaranteed = apply_guarantees(
        assured.pending, extrinsic.guarantees, received.report_hashes, context, c, signatures
    )
    preimage_hashes = check_preimages(Accounts(prior), extrinsic.preimages)
    check_signatures = signatures.begin(crypto)

    work = accumulatable(prior.omega, prior.xi, assured.available, slot)
    before = partial_state_of(prior)
    outcome = _accumulate(before, work, slot, eta[0], host, check_seals)
    done = {report.package_spec.hash for report in work.reports[: outcome.count]}
    accounts = outcome.state.accounts
    integrate_preimages(accounts, extrinsic.preimages, preimage_hashes, slot)
    outputs = ((output.service, output.hash) for output in outcome.outputs)
    packages = reported_packages(extrinsic.guarantees)
    octets = changed_octets(before, outcome.state)
    phi = State.phi.codec(c).decode(octets.pop("phi")) if "phi" in octets else prior.phi
    used = {report.core_index: report.authorizer_hash for report in guaranteed.reports}
    validators = next_validator_statistics(
        prior.pi.vals_curr, prior.pi.vals_last, prior_slot=prior.tau, slot=slot, author=header.author_index,
        extrinsic=extrinsic, reporters=guaranteed.reporters, validators=rotated.kappa, constants=c,
    )  # fmt: skip
    cores = core_statistics(guaranteed.reports, assured.available, extrinsic.assurances, c)
    services = service_statistics(guaranteed.reports, extrinsic.preimages, outcome.used)
    posterior: dict[str, Any] = {
        "tau": slot,
        "psi": disputed.records,
        "eta": eta,
        "kappa": rotated.kappa,
        "lambda_": rotated.lambda_,
        "gamma": SafroleState(rotated.gamma_k, rotated.gamma_z, rotated.gamma_s, gamma_a),
        "rho": guaranteed.pending,
        "omega": next_ready(prior.omega, work.queued, done, slot, prior.tau),
        "xi": next_accumulated(prior.xi, done),
        "theta": outcome.outputs,
        "beta": next_history(
            beta_dagger, received.hash, accumulation_root(outputs, crypto.keccak), packages, c.recent_history,
            crypto.keccak,
        ),
        "phi": phi,
        "alpha": next_pools(prior.alpha, phi, slot, used, c.auth_pool),
        "pi": Statistics(*validators, cores, services),
        **changed_components(before, outcome.state),
    }  # fmt: skip
    state = prior.updated(posterior, accounts.changes(), octets)
    check_signatures()
    check_tickets()
    check_seals()
    return state


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
    before: PartialState, work: Accumulatable, slot: int, entropy: Hash, host: Host, check_seals: Callable[[], None]
) -> Outcome:
    """Section 12.2 on W*. Where there is nothing to accumulate, the state as it was."""
    if not work.reports and not before.privileges.always:
        return Outcome(0, replace(before, accounts=before.accounts.layer()), (), {})
    check_seals()  # nobody but the slot's author has us run anything

    def invoke(state: PartialState, service: int, gas: int, inputs: Sequence[Input]) -> Accumulated:
        options = Options() if host.observe is None else host.observe(slot, service)
        return invoke_accumulate(host.engine, host.constants, state, slot, service, gas, inputs, entropy, options)

    return accumulate(work.reports, before, slot, host.constants, invoke)
