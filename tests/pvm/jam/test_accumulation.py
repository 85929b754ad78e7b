"""Rounds of accumulation, with services that do what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pvm.jam.accounts import Account, Accounts
from pvm.jam.accumulation import Outcome, accumulate, gas_limit
from pvm.jam.constants import TINY
from pvm.jam.errors import AccumulationError
from pvm.jam.hashing import blake2b
from pvm.jam.inputs import Input, Operand, Transfer
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.jam.types import ResultCode, WorkExecResult, WorkReport
from tests.pvm.jam.test_ready_queue import template

PRIVILEGES = Privileges(manager=1, delegator=2, registrar=3, assigners=(4, 5), always={})
Behaviour = Callable[[PartialState, Sequence[Input]], Accumulated]


def nothing(state: PartialState, used: int = 0) -> Accumulated:
    return Accumulated(replace(state, accounts=state.accounts.layer()), (), None, used, ())


def start(*services: int, always: dict[int, int] | None = None) -> PartialState:
    accounts = Accounts({})
    for service in services:
        accounts.set_account(service, Account(code_hash=bytes(32), balance=100))
    privileges = replace(PRIVILEGES, always=always or {})
    return PartialState(accounts.layer(), privileges, b"staging", (b"queue 0", b"queue 1"))


def report(service: int, gas: int = 10) -> WorkReport:
    whole = template()
    result = replace(
        whole.results[0], service_id=service, accumulate_gas=gas, result=WorkExecResult(ResultCode.OK, b"out")
    )
    return replace(whole, results=(result,))


class Services:
    """Services by number, and a log of what was asked of them."""

    def __init__(self, **behaviour: Behaviour) -> None:
        self.behaviour = {int(name[1:]): what for name, what in behaviour.items()}
        self.log: list[tuple[int, int, tuple[Input, ...]]] = []

    def __call__(self, state: PartialState, service: int, gas: int, inputs: Sequence[Input]) -> Accumulated:
        self.log.append((service, gas, tuple(inputs)))
        what = self.behaviour.get(service)
        return nothing(state) if what is None else what(state, inputs)

    def run(self, state: PartialState, *reports: WorkReport) -> Outcome:
        return accumulate(reports, state, 7, TINY, self)


def transfer(source: int, to: int, gas: int = 0) -> Transfer:
    return Transfer(source, to, 5, bytes(128), gas)


def test_nothing_to_do_leaves_everything() -> None:
    services, state = Services(), start(1)
    done = services.run(state)
    assert (done.count, done.outputs, done.used, services.log) == (0, (), {}, [])
    assert done.state.accounts.changes() == {}


def test_a_service_gets_its_operands_in_order_and_its_gas() -> None:
    services = Services()
    done = services.run(start(7, 8), report(8, 3), report(7, 4), report(8, 5))
    assert done.count == 3
    assert [(service, gas) for service, gas, _ in services.log] == [(7, 4), (8, 8)]
    operands = services.log[1][2]
    assert [each.gas for each in operands] == [3, 5]
    assert isinstance(operands[0], Operand) and operands[0].result == b"out"
    assert done.used == {7: (0, 1), 8: (0, 2)}
    assert done.state.accounts[8].accumulated == 7


def test_transfers_run_in_the_next_round_before_operands_and_free_gas_is_given_once() -> None:
    def pay(state: PartialState, inputs: Sequence[Input]) -> Accumulated:
        sent = () if any(isinstance(each, Transfer) for each in inputs) else (transfer(7, 8, 6), transfer(7, 9))
        return replace(nothing(state, 9), transfers=sent)

    services = Services(s7=pay, s8=lambda state, inputs: nothing(state, 2))
    done = services.run(start(7, 8, always={7: 100}), report(8, 20_000_100), report(8, 1))
    assert services.log[0] == (7, 100, ())
    assert [(service, gas) for service, gas, _ in services.log] == [(7, 100), (8, 20_000_100), (8, 7), (9, 0)]
    assert [type(each) for each in services.log[2][2]] == [Transfer, Operand]
    assert done.used == {7: (9, 0), 8: (4, 2)}
    assert 9 not in done.state.accounts


def test_no_service_gets_more_gas_than_a_machine_holds() -> None:
    services = Services()
    services.run(start(7, always={7: 2**64 - 1}), report(7, 5))
    assert services.log[0][1] == 2**64 - 1


def test_the_gas_of_a_block_bounds_how_many_reports_are_accumulated() -> None:
    state = start(7)
    assert gas_limit({}, TINY) == 20_000_000
    assert gas_limit({1: 5}, TINY) == 20_000_005
    spend = Services(s7=lambda state, inputs: nothing(state, 15_000_000))
    done = spend.run(state, report(7, 10_000_000), report(7, 10_000_000), report(7, 5_000_001), report(7, 0))
    assert done.count == 2
    done = Services().run(state, report(7, 10_000_000), report(7, 10_000_000), report(7, 5_000_001), report(7, 0))
    assert done.count == 4


def test_outputs_are_a_set_in_the_order_of_services() -> None:
    def both(state: PartialState, inputs: Sequence[Input]) -> Accumulated:
        first = any(isinstance(each, Operand) for each in inputs)
        return replace(nothing(state, 1), yielded=b"bb"[first:] * 16, transfers=(transfer(9, 9),) if first else ())

    services = Services(s9=both, s8=lambda state, inputs: replace(nothing(state), yielded=b"c" * 32))
    done = services.run(start(8, 9), report(9), report(8))
    assert [(each.service, each.hash) for each in done.outputs] == [(8, b"c" * 32), (9, b"b" * 16), (9, b"b" * 32)]


def privileged(**changes: object) -> Behaviour:
    return lambda state, inputs: replace(
        nothing(state),
        state=replace(state, accounts=state.accounts.layer(), privileges=replace(state.privileges, **changes)),  # type: ignore[arg-type]
    )


def test_the_managers_change_of_privileges_comes_before_the_owners() -> None:
    everybody = [report(service) for service in range(1, 7)]
    owners = {"s2": privileged(delegator=22), "s3": privileged(registrar=33), "s4": privileged(assigners=(44, 45))}
    done = Services(**owners, s6=privileged(manager=6, delegator=6)).run(start(), *everybody)
    assert done.state.privileges == Privileges(1, 22, 33, (44, 5), {})
    manager = privileged(manager=11, delegator=12, assigners=(4, 15), always={1: 1})
    done = Services(**owners, s1=manager).run(start(), *everybody)
    assert done.state.privileges == Privileges(11, 12, 33, (44, 15), {1: 1})


def test_staging_set_and_queues_come_from_who_held_the_privilege_before() -> None:
    def set_all(text: bytes) -> Behaviour:
        return lambda state, inputs: replace(
            nothing(state),
            state=replace(state, accounts=state.accounts.layer(), staging_set=text, queues=(text, text)),
        )

    services = Services(
        s1=privileged(delegator=6, assigners=(6, 6)), s2=set_all(b"2"), s5=set_all(b"5"), s6=set_all(b"6")
    )
    done = services.run(start(), *(report(service) for service in range(1, 7)))
    assert (done.state.staging_set, done.state.queues) == (b"2", (b"queue 0", b"5"))


def changed(change: Callable[[Accounts], None]) -> Behaviour:
    def behave(state: PartialState, inputs: Sequence[Input]) -> Accumulated:
        done = nothing(state)
        change(done.state.accounts)
        return done

    return behave


def test_ejection_wins_over_what_else_happens_to_the_service() -> None:
    def credit(accounts: Accounts) -> None:
        accounts.set_account(8, accounts[8]._replace(balance=105))

    services = Services(s7=changed(lambda accounts: accounts.eject(8, bytes(32), 0)), s8=changed(credit))
    done = services.run(start(7, 8), report(7), report(8))
    assert 8 not in done.state.accounts
    assert done.used[8] == (0, 1)


def test_two_services_cannot_add_the_same() -> None:
    def add(accounts: Accounts) -> None:
        accounts.set_account(99, Account(code_hash=bytes(32), balance=1))

    with pytest.raises(AccumulationError, match="99"):
        Services(s7=changed(add), s8=changed(add)).run(start(7, 8), report(7), report(8))


def test_provisions_are_taken_where_they_are_wanted() -> None:
    state = start(7, 8)
    state.accounts.set_request(8, blake2b(b"yes"), 3, ())
    given = ((8, b"yes"), (8, b"no"), (99, b"yes"))
    services = Services(s7=lambda state, inputs: replace(nothing(state), provisions=given))
    after = services.run(state, report(7)).state.accounts
    assert after.preimage(8, blake2b(b"yes")) == b"yes"
    assert after.request(8, blake2b(b"yes"), 3) == (7,)
    assert after.preimage(8, blake2b(b"no")) is None and 99 not in after
