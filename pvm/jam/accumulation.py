"""Accumulation (sections 12.2 to 12.4): services take in what was reported for them, round by round.

In: W*, the part of the state that accumulation can change, an invocation of one service (Ψ_A). Out: that part
afterwards, what services yielded, what they used. Nothing that is given changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pvm.errors import InputError
from pvm.jam.accounts import Accounts
from pvm.jam.constants import Constants
from pvm.jam.errors import AccumulationError
from pvm.jam.hashing import blake2b
from pvm.jam.inputs import Input, Operand, Transfer, WorkError
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.jam.types import AccumulationOutput, ResultCode, WorkReport, WorkResult

MOST_GAS = (1 << 64) - 1  # of an invocation: the paper leaves open what a greater sum comes to

Invoke = Callable[[PartialState, int, int, Sequence[Input]], Accumulated]
"""Ψ_A with state, service, gas and inputs: engine, slot and entropy are known to it."""


@dataclass(frozen=True)
class Outcome:
    """What accumulation leaves (12.25).

    `count` are the reports of W* that were accumulated, `outputs` is θ', `used` has gas and number of items by service
    (S of 12.28). The accounts of `state` are δ‡, a layer on those given.
    """

    count: int
    state: PartialState
    outputs: tuple[AccumulationOutput, ...]
    used: Mapping[int, tuple[int, int]]


def gas_limit(always: Mapping[int, int], constants: Constants) -> int:
    """g: the gas of all accumulation in a block (12.25)."""
    return max(
        constants.block_accumulation_gas,
        constants.report_accumulation_gas * constants.cores + sum(always.values()),
    )


def accumulate(
    reports: Sequence[WorkReport], state: PartialState, slot: int, constants: Constants, invoke: Invoke,
    transfers: Sequence[Transfer] = (),
) -> Outcome:  # fmt: skip
    """Δ+ and what follows from it (12.18, 12.25 to 12.31). `reports` is W*, `slot` the block's.

    `transfers` are of the first round: a block has none.

    Raises AccumulationError if two services add the same one.
    """
    gas, free = gas_limit(state.privileges.always, constants), state.privileges.always
    state = replace(state, accounts=state.accounts.layer())
    outputs: set[tuple[int, bytes]] = set()
    spent: dict[int, int] = {}
    count = 0
    while True:
        batch = _affordable(reports, count, gas)
        if not (transfers or batch or free):
            break
        gas += sum(transfer.gas for transfer in transfers)
        done = _round(state, transfers, batch, free, slot, invoke)
        state, transfers, free = done.state, done.transfers, {}
        outputs |= done.outputs
        for service, share in done.used:
            spent[service] = spent.get(service, 0) + share
            gas -= share
        count += len(batch)
    used = _statistics(spent, reports[:count])
    for service in used:
        account = state.accounts.account(service)
        if account is not None:
            state.accounts.set_account(service, account._replace(accumulated=slot))
    return Outcome(count, state, tuple(AccumulationOutput(*output) for output in sorted(outputs)), used)


def _affordable(reports: Sequence[WorkReport], start: int, gas: int) -> Sequence[WorkReport]:
    """The longest run of reports from `start` on whose limits are within `gas` (i of 12.18)."""
    end = start
    while end < len(reports):
        gas -= sum(result.accumulate_gas for result in reports[end].results)
        if gas < 0:
            break
        end += 1
    return reports[start:end]


def _statistics(spent: Mapping[int, int], reports: Sequence[WorkReport]) -> dict[int, tuple[int, int]]:
    """S: gas and items of each service that has any (12.29). Items of an ejected service count, too."""
    items: dict[int, int] = {}
    for report in reports:
        for result in report.results:
            items[result.service_id] = items.get(result.service_id, 0) + 1
    used = {service: (spent.get(service, 0), items.get(service, 0)) for service in spent.keys() | items.keys()}
    return {service: each for service, each in used.items() if any(each)}


@dataclass(frozen=True)
class _Round:
    """What Δ* returns (12.19)."""

    state: PartialState
    transfers: tuple[Transfer, ...]
    outputs: set[tuple[int, bytes]]
    used: Sequence[tuple[int, int]]


@dataclass
class _Share:
    """What one service is given in a round (12.24)."""

    gas: int = 0
    transfers: list[Input] = field(default_factory=list)
    operands: list[Input] = field(default_factory=list)


def _round(
    state: PartialState,
    transfers: Sequence[Transfer],
    reports: Sequence[WorkReport],
    free: Mapping[int, int],
    slot: int,
    invoke: Invoke,
) -> _Round:
    """Δ*: services accumulate side by side, all from the same state (12.19). The accounts of `state` are changed."""
    shares = _shares(transfers, reports, free)
    results = {
        service: invoke(state, service, min(share.gas, MOST_GAS), (*share.transfers, *share.operands))
        for service, share in sorted(shares.items())
    }
    _merge(state.accounts, results, slot)
    return _Round(
        PartialState(
            accounts=state.accounts,
            privileges=_next_privileges(state.privileges, results),
            staging_set=_of(state.privileges.delegator, state, results).staging_set,
            queues=tuple(
                _of(assigner, state, results).queues[core] for core, assigner in enumerate(state.privileges.assigners)
            ),
        ),
        tuple(transfer for result in results.values() for transfer in result.transfers),
        {(service, result.yielded) for service, result in results.items() if result.yielded is not None},
        [(service, result.gas_used) for service, result in results.items()],
    )


def _shares(
    transfers: Sequence[Transfer], reports: Sequence[WorkReport], free: Mapping[int, int]
) -> dict[int, _Share]:  # fmt: skip
    """By service: gas, transfers to it and operands for it (12.24)."""
    shares = {service: _Share(gas) for service, gas in free.items()}
    for transfer in transfers:
        share = shares.setdefault(transfer.to, _Share())
        share.gas += transfer.gas
        share.transfers.append(transfer)
    for report in reports:
        for result in report.results:
            share = shares.setdefault(result.service_id, _Share())
            share.gas += result.accumulate_gas
            share.operands.append(operand(report, result))
    return shares


def operand(report: WorkReport, result: WorkResult) -> Operand:
    """The operand tuple of a digest and its report (12.13)."""
    return Operand(
        package=report.package_spec.hash,
        segment_root=report.package_spec.exports_root,
        authorizer=report.authorizer_hash,
        payload=result.payload_hash,
        gas=result.accumulate_gas,
        result=result.result.output if result.result.code == ResultCode.OK else WorkError(result.result.code),
        trace=report.auth_output,
    )


def _merge(accounts: Accounts, results: Mapping[int, Accumulated], slot: int) -> None:
    """d' (12.19): changes and additions, then removals, then the preimages that are still wanted (12.21)."""
    try:
        accounts.merge_parallel({service: result.state.accounts for service, result in results.items()})
    except InputError as error:
        raise AccumulationError("service_conflict", str(error)) from error
    for result in results.values():
        for service, blob in result.provisions:
            accounts.provide(service, blob, blake2b(blob), slot)


def _of(service: int, state: PartialState, results: Mapping[int, Accumulated]) -> PartialState:
    """The state after a service's accumulation: as it was, if the service had nothing to do and so no gas."""
    return results[service].state if service in results else state


def _next_privileges(prior: Privileges, results: Mapping[int, Accumulated]) -> Privileges:
    """The manager's changes; where it made none, the changes of those who hold the privilege (12.19, R of 12.20)."""

    def after(service: int) -> Privileges:
        return results[service].state.privileges if service in results else prior

    manager = after(prior.manager)
    return Privileges(
        manager=manager.manager,
        always=manager.always,
        delegator=_chosen(prior.delegator, manager.delegator, after(prior.delegator).delegator),
        registrar=_chosen(prior.registrar, manager.registrar, after(prior.registrar).registrar),
        assigners=tuple(
            _chosen(assigner, manager.assigners[core], after(assigner).assigners[core])
            for core, assigner in enumerate(prior.assigners)
        ),
    )


def _chosen(old: int, by_manager: int, by_owner: int) -> int:
    """R (12.20)."""
    return by_owner if by_manager == old else by_manager
