"""The contract with hosts, as hosts in other languages read it."""

from __future__ import annotations

import json

from pvm import abi
from pvm.machine import Reason


def test_json_has_every_constant() -> None:
    found = json.loads(abi.as_json())
    assert found == abi.as_dict()
    names = {name for name, value in vars(abi).items() if name.isupper() and isinstance(value, int | str)}
    assert names | {"STATE", "RECORD", "EXIT_CODES", "HOST_CALLS"} == set(found)
    assert found["PAGE_TABLE"] == abi.PAGE_TABLE and found["RUN"] == "run"
    assert found["STATE"]["gas"] == {"offset": abi.STATE["gas"].offset, "size": 8}
    assert found["RECORD"]["size"] == abi.RECORD.size
    ends = set(Reason) - {Reason.STOPPED}  # which is the host's alone
    assert found["EXIT_CODES"] == {reason.value: abi.EXIT_CODES[reason] for reason in ends}
