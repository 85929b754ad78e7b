"""Accumulation against the public vectors, services included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pvm
from pvm.jam import invocations
from pvm.jam.accounts import Accounts
from pvm.jam.accumulation import accumulate
from pvm.jam.constants import Constants
from pvm.jam.history import accumulation_root
from pvm.jam.inputs import Input
from pvm.jam.partial_state import Accumulated, PartialState, Privileges
from pvm.jam.ready_queue import accumulatable, next_accumulated, next_ready, packages
from pvm.jam.statistics import service_statistics
from tests.pvm.jam.accumulation_cases import accounts_of, accumulate_cases
from tests.pvm.jam.stf import keccak

Make = Callable[[], Any]


def invoke(
    engine: Any, constants: Constants, slot: int, entropy: bytes, state: PartialState, service: int, gas: int,
    inputs: Sequence[Input],
) -> Accumulated:  # fmt: skip
    return invocations.accumulate(engine, constants, state, slot, service, gas, inputs, entropy)


def test_vectors_of_accumulation() -> None:
    engine, seen = pvm.ReferenceEngine(), 0
    for case in accumulate_cases():
        before, given, constants = case.before, case.input, case.constants
        values, chi = accounts_of(before.accounts), before.privileges
        state = PartialState(
            Accounts(values),
            Privileges(
                chi.bless, chi.designate, chi.register, chi.assign, {entry.id: entry.gas for entry in chi.always_acc}
            ),
            bytes(336 * constants.validators), (bytes(32 * constants.auth_queue),) * constants.cores,
        )  # fmt: skip
        now = accumulatable(before.ready_queue, before.accumulated, given.reports, given.slot)
        run = partial(invoke, engine, constants, given.slot, before.entropy)
        done = accumulate(now.reports, state, given.slot, constants, run)
        finished = packages(now.reports[: done.count])
        ready = next_ready(before.ready_queue, now.queued, finished, given.slot, before.slot)
        assert ready == case.after.ready_queue, case.name
        assert next_accumulated(before.accumulated, finished) == case.after.accumulated, case.name
        for key, value in done.state.accounts.changes().items():
            values.pop(key, None)
            if value is not None:
                values[key] = value
        assert values == accounts_of(case.after.accounts), case.name
        assert done.state.privileges == state.privileges and case.after.privileges == chi, case.name
        assert service_statistics([], [], done.used) == case.after.statistics, case.name
        assert accumulation_root(((each.service, each.hash) for each in done.outputs), keccak) == case.ok, case.name
        seen += 1
    assert seen == 60
