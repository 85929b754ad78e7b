"""Engines side by side: the same to the end, and a wrong one is found out to the instruction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pvm.errors import EngineError
from pvm.examples import example
from pvm.machine import start_of
from pvm.program import Instruction, assemble
from pvm.reference import ReferenceEngine, ReferenceMachine
from pvm_web.bridge import Big, Bridge
from wasm_host import Engine

Change = Callable[[ReferenceMachine, Instruction], None]


def wasm(tier: str, spec: str, metering: str) -> Engine:
    return Engine(spec, tier, metering, cache=False)


def wrong(change: Change) -> Bridge:
    """A bridge whose engines are the reference engine, but for what `change` does after each instruction."""

    class Machine(ReferenceMachine):
        def _execute(self, instruction: Instruction) -> None:
            super()._execute(instruction)
            change(self, instruction)

    class Wrong(ReferenceEngine):
        def instantiate(self, *arguments: Any, **options: Any) -> ReferenceMachine:
            program, args, gas, pc, host = arguments
            return Machine(program, self.spec, self.metering, start_of(program, args, gas, pc, host))

    return Bridge(lambda tier, spec, metering: Wrong(spec, metering))


def ask(bridge: Bridge, method: str, **params: Any) -> Any:
    answer = bridge.call(method, params)
    assert list(answer) == ["result"], answer
    return answer["result"]


def compare(bridge: Bridge, source: str, spec: str = "0.7.2", **params: Any) -> Any:
    handle = ask(bridge, "assemble", text=source, spec=spec)["opened"]["handle"]
    return finish(bridge, ask(bridge, "lockstep_start", handle=handle, **params)["id"])


def finish(bridge: Bridge, number: int) -> Any:
    while not (found := ask(bridge, "lockstep_run", id=number, budget=Big(1 << 40)))["done"]:
        assert found["difference"] is None
    return found


LOOP = """
    .standard stack=4096
    .data
    cell: .zero 8
    .code
        load_imm r2, 600
        fallthrough
    loop:
        add_imm_64 r2, r2, -1
        store_u64 [cell], r2
        mul_64 r3, r2, r2
        add_64 r4, r4, r3
        branch_ne_imm r2, 0, loop
        ecalli 100
        ecalli 5
"""


ADD, STORE, MUL = 5, 8, 13  # pcs


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("tier", ["interpreter", "recompiler"])
def test_engines_agree(tier: str, metering: str, spec: str) -> None:
    source = LOOP if spec == "0.7.2" else LOOP + "\ntrap"
    found = compare(Bridge(wasm), source, spec, left="reference", right=tier, metering=metering, gas=Big(10**6))
    assert found["difference"] is None and not found["searching"]
    assert (found["exit"]["reason"], found["exit"]["call"]) == ("host-call", 5)
    if (metering, spec) == ("instruction", "0.7.2"):
        assert found["steps"] == Big(2 + 5 * 600 + 2) and found["exit"]["gas"] == Big(10**6 - 3004)


@pytest.mark.parametrize("name", ["hello", "fibonacci", "blake2b"])
def test_examples(name: str) -> None:
    known = example(name)
    found = compare(
        Bridge(wasm), known.source, left="interpreter", right="recompiler", args=known.args, gas=Big(known.gas)
    )
    assert found["difference"] is None and found["exit"]["reason"] == "halt"


def test_out_of_gas_ends_it() -> None:
    for spec in ("0.7.2", "0.8.0"):
        for metering in ("instruction", "block"):
            found = compare(Bridge(wasm), "l: jump l", spec, left="reference", right="interpreter", gas=1000,
                            metering=metering)  # fmt: skip
            assert found["exit"]["reason"] == "out-of-gas" and found["steps"] == Big(1000)


def test_a_wrong_register_is_found() -> None:
    def change(machine: ReferenceMachine, instruction: Instruction) -> None:
        if instruction.row.name == "mul_64" and machine.registers[2] == 123:
            machine.registers[3] += 1

    found = compare(wrong(change), LOOP, left="reference", right="recompiler", gas=10**6)
    assert found["difference"] == {"what": "r3", "left": hex(123**2), "right": hex(123**2 + 1), "pc": MUL}
    assert found["steps"] == Big(2 + 5 * (600 - 124) + 2) and found["exit"] is None


def test_a_wrong_byte_of_memory_is_found() -> None:
    def change(machine: ReferenceMachine, instruction: Instruction) -> None:
        if instruction.row.name == "store_u64" and machine.registers[2] == 77:
            machine.memory.write(0x20080, b"\5")

    found = compare(wrong(change), LOOP, left="reference", right="interpreter", gas=10**6)
    assert found["difference"] == {"what": "memory at 0x20080", "left": "0x00", "right": "0x05", "pc": STORE}


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
def test_by_block_the_block_is_found(spec: str) -> None:
    def change(machine: ReferenceMachine, instruction: Instruction) -> None:
        if instruction.row.name == "mul_64" and machine.registers[2] == 123:
            machine.registers[3] += 1

    tiers = {"left": "reference", "right": "interpreter"}
    found = compare(wrong(change), LOOP + "\ntrap", spec, **tiers, gas=10**6, metering="block")
    assert (found["difference"]["what"], found["difference"]["pc"]) == ("r3", ADD)


def test_a_wrong_exit_is_found() -> None:
    def change(machine: ReferenceMachine, instruction: Instruction) -> None:
        if instruction.pc == 0:
            machine.pc = 0

    found = compare(wrong(change), "load_imm r1, 5\ntrap", left="reference", right="interpreter", gas=100)
    assert found["difference"]["pc"] == 0 and found["difference"]["what"] in ("exit", "pc")


def test_an_engine_that_fails_is_a_difference() -> None:
    def change(machine: ReferenceMachine, instruction: Instruction) -> None:
        if machine.registers[2] == 400:
            raise EngineError("trap: unreachable\nmore")

    found = compare(wrong(change), LOOP, left="reference", right="recompiler", gas=10**6)
    difference = found["difference"]
    assert (difference["what"], difference["left"]) == ("failure", "none")
    assert difference["right"] == "EngineError: trap: unreachable" and difference["pc"] == ADD


TRACE = """\
program 0x{}
start pc=0 gas=1000
ecalli=1 pc=0 gas=999
memwrite 0x00020000 len=1 <- 0x07
setreg r01 <- 0x20000
setgas <- 500
ecalli=2 pc=4 gas=498 r01=0x20000 r02=0x7
PANIC=0 pc=6 gas=497 r01=0x20000 r02=0x7
"""


def test_recorded_runs_answer_the_calls() -> None:
    source = ".standard stack=0\n.data\n.zero 5\n.code\necalli 1\nload_ind_u8 r2, [r1]\necalli 2\ntrap"
    text, bridge = TRACE.format(assemble(source).encode().hex()), Bridge(wasm)
    handle = ask(bridge, "open", data=text.encode())["handle"]
    found = finish(bridge, ask(bridge, "lockstep_start", handle=handle, left="reference", right="recompiler")["id"])
    assert found["difference"] is None
    assert (found["exit"]["reason"], found["exit"]["pc"], found["exit"]["gas"]) == ("panic", 6, Big(497))


def test_a_recorded_run_begins_where_it_is_told_to() -> None:
    source = ".code\nload_imm r3, 1\ntrap\nload_imm r3, 2\ntrap"
    text = f"program 0x{assemble(source).encode().hex()}\nstart pc=0 gas=9\nPANIC=0 pc=3 gas=7 r03=0x1\n"
    bridge = Bridge(wasm)
    handle = ask(bridge, "open", data=text.encode())["handle"]
    for start, end in (({}, 3), ({"pc": 4}, 7)):
        number = ask(bridge, "lockstep_start", handle=handle, left="reference", right="interpreter", **start)["id"]
        found = finish(bridge, number)
        assert found["difference"] is None and found["exit"]["pc"] == end


def test_requests_that_make_no_sense() -> None:
    bridge = Bridge()
    handle = ask(bridge, "assemble", text="trap")["opened"]["handle"]

    def where(method: str, **params: Any) -> str:
        return bridge.call(method, params)["error"]["where"]

    assert where("lockstep_start", handle=handle, left="reference", right="native") == "right"
    assert where("lockstep_start", handle=handle, left="interpreter", right="reference") == "left"
    assert where("lockstep_start", handle=handle, left="reference", right="reference", gas=-1) == "gas"
    assert where("lockstep_run", id=5) == "id"
    number = ask(bridge, "lockstep_start", handle=handle, left="reference", right="reference")["id"]
    assert ask(bridge, "lockstep_run", id=number, budget=1 << 40)["done"]
    ask(bridge, "lockstep_end", id=number)
    assert where("lockstep_run", id=number) == "id"


def test_a_comparison_that_cannot_go_on_is_forgotten() -> None:
    def fail(*arguments: object) -> Engine:
        raise EngineError("no room")

    class Roomless(ReferenceEngine):
        instantiate = fail

    bridge = Bridge(lambda tier, spec, metering: Roomless(spec, metering))
    handle = ask(bridge, "assemble", text="trap")["opened"]["handle"]
    number = ask(bridge, "lockstep_start", handle=handle, left="reference", right="recompiler")["id"]
    assert bridge.call("lockstep_run", {"id": number})["error"]["message"] == "no room"
    assert bridge.call("lockstep_run", {"id": number})["error"]["where"] == "id"


def test_requests_take_little_time() -> None:
    bridge = Bridge(wasm)
    handle = ask(bridge, "assemble", text=LOOP)["opened"]["handle"]
    number = ask(bridge, "lockstep_start", handle=handle, left="reference", right="interpreter", gas=Big(10**6))["id"]
    began = time.monotonic()
    first = ask(bridge, "lockstep_run", id=number, budget=1)
    assert time.monotonic() - began < 2 and not first["done"]
