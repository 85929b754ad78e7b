"""A peer's cases of single host calls: ../shared/jam/hostcalls."""

from __future__ import annotations

from typing import Any

import pytest

import pvm
from tests.pvm.jam.peer_fixtures import cases, padded, run

ENDS = {"resume": None, "panic": pvm.Reason.PANIC, "out_of_gas": pvm.Reason.OUT_OF_GAS}
# Cases that the paper contradicts, and where.
OTHERWISE: dict[str, str] = {
    "hc_new_nok_invalid_length": "Ω_N: a length of 0 is one below 2^32, and so no reason to panic",
    "hc_query_nok_invalid_length": "9.1, the type of requests: there are no more than three slots; we refuse the state",
}


@pytest.mark.parametrize(("archive", "count"), [("general", 76), ("accumulate", 63)])
def test_every_case_of_a_peer(archive: str, count: int) -> None:
    found = cases(archive)
    assert len(found) == count
    differing = {name: text for name, case in found if (text := difference(case)) and name not in OTHERWISE}
    agreeing = [name for name, case in found if name in OTHERWISE and not difference(case)]
    assert not agreeing, f"{agreeing}: these agree by now"
    assert not differing, "\n".join(f"{name}: {text}" for name, text in differing.items())


def difference(case: dict[str, Any]) -> str:
    """What of a case is not as it says."""
    try:
        done = run(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    machine = done.machine
    if done.reason is not ENDS[case["expected-exit-reason"]]:
        return f"{done.reason}, not {case['expected-exit-reason']}"
    if list(machine.registers) != padded(case["expected-regs"]):
        return f"registers {list(machine.registers)[7:]}, not {padded(case['expected-regs'])[7:]}"
    for chunk in case["expected-memory"]:
        if machine.memory.read(chunk["address"], len(chunk["contents"])) != bytes(chunk["contents"]):
            return f"memory at {chunk['address']:#x}"
    if "expected-gas" in case and machine.gas != max(case["expected-gas"], 0):
        return f"gas {machine.gas}, not {case['expected-gas']}"
    wanted = case.get("expected-privileged-services")
    if wanted is not None:
        found = done.context.privileges
        always = {int(service): gas for service, gas in wanted["always_accumulators"].items()}
        if (found.manager, found.delegator, found.registrar, list(found.assigners), found.always) != (
            wanted["manager"], wanted["delegator"], wanted["registrar"], wanted["assigners"], always,
        ):  # fmt: skip
            return f"privileges {found}"
    return ""
