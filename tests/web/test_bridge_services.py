"""An opened service refines and accumulates in a world, and its runs can be opened as recorded ones."""

from __future__ import annotations

import json

import pytest

from pvm.examples.services import service_source
from pvm.program import assemble
from pvm_web.bridge import Bridge
from tests.web.test_bridge_open import ask, refuse

STORE = service_source("key_value")
ENTRY = "0x01010061ff"


@pytest.mark.parametrize("data", [STORE.encode(), assemble(STORE).encode()], ids=["assembly", "preimage"])
def test_a_service_refines_and_accumulates(data: bytes) -> None:
    bridge = Bridge()
    handle = ask(bridge, "open", data=data, name="store", format="asm" if data.startswith(b";") else "auto")["handle"]
    found = ask(bridge, "service", handle=handle, entry="refine and accumulate", payload=ENTRY)
    lines = found["text"].split("\n")
    assert lines[:2] == ["service 65536: refine: halted, 70 gas used", "output: 0x01010061ff"]
    assert "service 65536: storage 'a': None -> 0xff" in lines
    assert [run["name"] for run in found["runs"]] == [
        "service 65536: refine", "service 65536: accumulate at slot 100",
    ]  # fmt: skip
    world = json.loads(found["world"])
    assert world["services"]["65536"]["storage"]["0x61"] == "0xff"
    later = json.dumps(world | {"slot": 7})
    again = ask(bridge, "service", handle=handle, entry="accumulate", payload="0x01000061", world=later)
    assert "service 65536: storage 'a': 0xff -> None" in again["text"].split("\n")
    for run in (*found["runs"], *again["runs"]):
        opened = ask(bridge, "open", data=run["trace"], name="run")
        assert opened["trace"]["end"]["reason"] == "halt" and len(opened["trace"]["calls"]) >= 1


def test_a_failure_says_where() -> None:
    bridge = Bridge()
    handle = ask(bridge, "open", data=STORE.encode(), name="store.pvmasm", format="asm")["handle"]
    found = ask(bridge, "service", handle=handle, entry="refine", payload="0x05", service=9)
    assert "store.pvmasm:59: trap" in found["text"] and found["runs"][0]["failed"]
    assert "output: panic" in found["text"]


def test_what_is_refused() -> None:
    bridge = Bridge()
    handle = ask(bridge, "open", data=STORE.encode(), name="x", format="asm")["handle"]
    for params, message in [
        ({"entry": "retire"}, "entry: choose one of"), ({"entry": "refine", "world": "nonsense"}, "no JSON"),
        ({"entry": "refine", "payload": "0xz"}, "payload: no hexadecimal"),
        ({"entry": "refine", "service": -1}, "service: no integer"),
        ({"entry": "refine", "world": '{"spec": "0.8.0"}'}, "the program is opened as one of 0.7.2"),
        ({"entry": "refine", "world": '{"services": {"7": {"code": "file.jam"}}}'}, "services.7"),
    ]:  # fmt: skip
        assert message in refuse("service", bridge, handle=handle, **params)["message"]
    plain = ask(bridge, "open", data=b".code\n trap\n", name="x", format="asm")["handle"]
    assert "standard program" in refuse("service", bridge, handle=plain, entry="refine")["message"]
