"""Services of a world whose machines run elsewhere, as in the page: calls answered live, taken back, inner machines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pvm import Reason, ReferenceEngine
from pvm.examples.services import service_source
from pvm.jam.testing import World
from pvm.machine import Machine
from pvm.program import Program, assemble
from pvm_web.bridge import Bridge
from pvm_web.bridge.values import Big
from tests.web.test_bridge_open import ask, refuse

STORE, RUNNER = service_source("key_value"), service_source("runner")
ENTRY = b"\x01\x01\x00a\xff"


class PageMachine:
    """What the page does with an invocation: runs it, asks for answers, hands over memory where it is asked to."""

    def __init__(self, bridge: Bridge, start: dict[str, Any]) -> None:
        self.bridge, self.start, self.calls = bridge, start, 0
        self.states: list[Any] = []
        program = Program.parse(start["preimage"], "jam")
        self.machine: Machine = ReferenceEngine(start["spec"]).instantiate(
            program, start["args"], start["gas"].value, start["pc"]
        )
        self.asked = 0

    def request(self) -> dict[str, Any]:
        machine, exit = self.machine, self.exit
        return {
            "index": self.calls, "number": Big(exit.call), "gas": Big(machine.gas),
            "registers": list(machine.registers),
            "pages": [
                {"address": address, "length": length, "access": access}
                for address, length, access in machine.memory.mapped()
            ],
        }  # fmt: skip

    def answer(self) -> dict[str, Any]:
        """Hands over what is asked for until there is an answer."""
        pieces: list[dict[str, Any]] = []
        while True:
            self.asked += 1
            found = ask(self.bridge, "live_answer", **self.request(), memory=pieces)
            if "answer" in found:
                return found["answer"]
            address, length = found["needs"]["address"], found["needs"]["length"]
            pieces.append({"address": address, "bytes": self.machine.memory.read(address, length)})

    def run(self, until: int | None = None) -> str:
        """Runs to the end, or to a call that is not answered any more; the end's reason."""
        while True:
            self.exit = self.machine.run()
            if self.exit.reason is not Reason.HOST_CALL:
                return self.exit.reason.value
            if self.calls == until:
                return "call"
            answer = self.answer()
            self.calls += 1
            for number, value in answer["registers"].items():
                self.machine.registers[int(number)] = value.value
            for one in answer["writes"]:
                self.machine.memory.write(one["address"], one["bytes"])
            for one in answer["maps"]:
                self.machine.memory.map(one["address"], one["length"], one["access"])
            self.machine.gas = answer["gas"].value
            self.states.append(ask(self.bridge, "live_state", index=self.calls))
            if answer["end"]:
                return answer["end"]

    def end(self, reason: str) -> Any:
        result = self.machine.result() if reason == "halt" else b""
        return ask(
            self.bridge, "live_end", index=self.calls, reason=reason, gas=Big(self.machine.gas), result=result
        )  # fmt: skip


def opened(source: str) -> tuple[Bridge, str]:
    bridge = Bridge()
    return bridge, ask(bridge, "open", data=source.encode(), name="service", format="asm")["handle"]


def test_refine_then_accumulate_as_the_world_does() -> None:
    bridge, handle = opened(STORE)
    begun = ask(bridge, "world_begin", handle=handle, entry="refine", payload="0x" + ENTRY.hex())
    machine = PageMachine(bridge, begun["invocation"])
    found = machine.end(machine.run())
    assert found["output"] == "0x" + ENTRY.hex() and found["entry"] == "refine"
    begun = ask(bridge, "world_next", handle=handle)
    assert begun["invocation"]["what"] == "service 65536: accumulate at slot 100"
    machine = PageMachine(bridge, begun["invocation"])
    reason = machine.run()
    assert reason == "halt" and machine.calls >= 2
    changes = [[change["what"] for change in state["changes"]] for state in machine.states]
    assert changes[0] == [] and "storage 'a'" in changes[-1]
    assert ["'a'", "0xff"] in machine.states[-1]["storage"]
    machine.end(reason)
    over = ask(bridge, "world_next", handle=handle)
    world = World()
    service = world.deploy(STORE)
    outcome = world.accumulate([service.refine(ENTRY)])
    assert over["invocation"] is None and len(over["outcome"]["changes"]) == len(outcome.changes)
    assert over["outcome"]["gas_used"].value == outcome.gas_used
    assert json.loads(over["world"])["services"]["65536"]["storage"]["0x61"] == "0xff"


def test_the_state_goes_back_and_another_future_takes_the_place_of_the_old() -> None:
    bridge, handle = opened(STORE)
    begun = ask(bridge, "world_begin", handle=handle, entry="accumulate", payload="0x" + ENTRY.hex())
    machine = PageMachine(bridge, begun["invocation"])
    machine.run()
    states = machine.states
    for index in (*reversed(range(len(states))), *range(len(states))):
        assert ask(bridge, "live_state", index=index + 1) == states[index]
    first = ask(bridge, "live_state", index=0)
    assert first["changes"] == [] and first["calls"] == 0
    again = PageMachine(bridge, begun["invocation"])
    again.run()
    assert again.states == states
    short = PageMachine(bridge, begun["invocation"])
    short.machine.gas -= 1
    assert short.run(until=1) == "call"
    assert ask(bridge, "live_state", index=len(states))["changes"] == [], "what came after the first call is forgotten"


def test_inner_machines_are_listed_and_opened() -> None:
    bridge, handle = opened(RUNNER)
    inner = assemble(".code\n    add_imm_64 r7, r7, 1\n    ecalli 5\n    trap\n").encode()
    begun = ask(bridge, "world_begin", handle=handle, entry="refine", payload="0x" + inner.hex())
    machine = PageMachine(bridge, begun["invocation"])
    machine.run()
    listed = [[one["number"] for one in state["machines"]] for state in machine.states]
    assert [0] in listed, listed
    at = listed.index([0]) + 1
    found = ask(bridge, "inner_open", handle=handle, index=at, machine=0, gas=Big(1000), registers=[7] * 13)
    assert found["name"] == "inner machine 0" and found["start"] == {"gas": Big(1000), "pc": 0}
    image = ask(bridge, "image", handle=found["handle"])
    assert image["gas"] == Big(1000) and list(image["registers"]) == [7] * 13
    assert "no inner machine 9" in refuse("inner_open", bridge, handle=handle, index=at, machine=9)["message"]


def test_what_is_refused() -> None:
    bridge, handle = opened(STORE)
    assert "no invocation" in refuse("live_state", bridge, index=0)["message"]
    assert "no world" in refuse("world_next", bridge)["message"]
    ask(bridge, "world_begin", handle=handle, entry="refine", payload="0x05")
    assert "has not ended yet" in refuse("world_next", bridge)["message"]
    for params, message in [
        ({"number": -1}, "number"), ({"registers": [1]}, "13 numbers"),
        ({"pages": [{"address": 0}]}, "length: missing"),
        ({"pages": [{"address": 0, "length": 4096, "access": "x"}]}, "access: choose"), ({"gas": "x"}, "gas"),
    ]:  # fmt: skip
        call = {"index": 0, "number": 1, "registers": [0] * 13, "gas": 5, "pages": [], "memory": []}
        assert message in refuse("live_answer", bridge, **(call | params))["message"]


@pytest.mark.parametrize("world", ['{"services": {"7": {}}}', '{"slot": 5}'])
def test_a_service_without_code_and_one_that_is_deployed(world: str) -> None:
    bridge, handle = opened(STORE)
    params = {"handle": handle, "entry": "refine", "payload": "0x05", "service": 7, "world": world}
    answer = bridge.call("world_begin", params)
    assert ("services" in world) == (answer["result"]["invocation"] is None)
