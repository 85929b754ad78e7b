"""What debuggers use of the generated interpreter: breakpoints, and the interpreter that counts."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from random import Random

import pytest
import wasmtime

import wasm_host
from pvm import ReferenceEngine, abi
from pvm.emit.interpreter import interpreter_bytes
from pvm.fuzz import Case, memory_case, random_case, start
from pvm.isa import spec as find_spec
from pvm.machine import Reason
from pvm.program import Program, decode
from wasm_host.code.modules import compile_module
from wasm_host.machine import interpreted
from wasm_host.machine.interpreted import WasmMachine

RECORD = abi.RECORD
STOPS = 30


def record_of(machine: WasmMachine, pc: int) -> int:
    """The address of a pc's record; 0 when it has none."""
    entry = machine._state.read(machine._field["index"].value + 4 * pc, 4)
    return int.from_bytes(entry, "little") & ~1


def set_breakpoint(machine: WasmMachine, pc: int) -> None:
    """As a host does it: the record stops, and the one before it runs alone."""
    record = record_of(machine, pc)
    machine._state.write(record + RECORD.handler, bytes([abi.BREAK]))
    before = record - RECORD.size
    if before >= machine._field["records"].value:
        handler = machine._state.read(before + RECORD.handler, 1)[0]
        before_pc = int.from_bytes(machine._state.read(before + RECORD.pc, 4), "little")
        if handler != abi.BREAK and record_of(machine, before_pc) == before:
            opcode = machine._state.read(machine._field["code"].value + before_pc, 1)[0]
            machine._state.write(before, machine._state.read(abi.HANDLERS + opcode, 1))


def seen(machine: WasmMachine) -> tuple[object, ...]:
    return machine.pc, machine.gas, list(machine.registers)


def cases() -> list[Case]:
    return [case(seed) for seed in range(150) for case in (random_case, memory_case)]


def run_to(machine: WasmMachine, chosen: list[int]) -> bool:
    """As a debugger does it: off the breakpoint by a step, then on to the next. False when the run ended."""
    if machine._step() is not None:
        return False
    if machine.pc in chosen:
        return True
    first = machine._field["records"].value
    kept = machine._state.read(first, machine._field["records_end"].value - first)
    for pc in chosen:
        set_breakpoint(machine, pc)
    code = machine._call_run()
    machine._state.write(first, kept)
    # To run out of gas on coming to a breakpoint is to come to it.
    is_there = code == abi.BREAKPOINT or (code == abi.EXIT_CODES[Reason.OUT_OF_GAS] and machine.pc in chosen)
    if not is_there:
        machine._exit(code)
    machine._exit_code.value = 0
    return is_there


def test_breakpoints_stop_where_steps_come_by() -> None:
    stops = 0
    for case in cases():
        random = Random(case.seed)
        engine = wasm_host.Engine(spec=case.spec, metering=case.metering, tier="interpreter", cache=False)
        stepped, broken = start(case, engine), start(case, engine)
        assert isinstance(broken, WasmMachine) and isinstance(stepped, WasmMachine)
        blob, spec = Program.parse(case.program).blob, find_spec(case.spec)
        pcs = [instruction.pc for instruction in decode(blob, spec) if record_of(broken, instruction.pc)]
        chosen = random.sample(pcs, random.choice((1, len(pcs) // 2, len(pcs)))) if pcs else []
        if not chosen or not broken._may_run():
            continue
        for _ in range(STOPS):
            is_there = run_to(broken, chosen)
            exit = stepped._step()
            while exit is None and stepped.pc not in chosen:
                exit = stepped._step()
            assert seen(broken) == seen(stepped), case.seed
            assert is_there == (exit is None), case.seed
            if not is_there:
                break
            stops += 1
    assert stops > 500


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> wasmtime.Module:
    module = compile_module(interpreter_bytes(counts=True))
    monkeypatch.setattr(interpreted, "interpreter", lambda: module)
    return module


def test_counts_are_how_often_each_instruction_was_carried_out(counting: wasmtime.Module) -> None:
    compared = 0
    for case in cases():
        if case.metering != "instruction":
            continue
        blob, spec = Program.parse(case.program).blob, find_spec(case.spec)
        reference = start(case, ReferenceEngine(case.spec, case.metering), 3000)
        wanted: Counter[int] = Counter()
        while True:
            pc, gas = reference.pc, reference.gas
            exit = reference._step()  # answers no host calls
            wanted[pc] += gas - reference.gas
            if exit is not None:
                break
        machine = start(case, wasm_host.Engine(case.spec, "interpreter", case.metering, cache=False), 3000)
        assert isinstance(machine, WasmMachine)
        if not machine._may_run():
            continue
        # Beyond the records; hosts leave room before them.
        place = machine._state.size()
        machine._state.reserve(place + 8 * (len(blob.code) + 1))
        machine._field["counts"].value = place
        random, left = Random(case.seed), machine.gas
        while True:  # in slices of any size
            slice_ = min(left, random.randrange(1, 40))
            machine._gas.value += slice_
            machine._gas.value, left = min(machine._gas.value, slice_), left - slice_
            code = machine._call_run()
            left, machine._gas.value = left + machine._gas.value, 0
            machine._exit_code.value = 0
            if code != abi.EXIT_CODES[Reason.OUT_OF_GAS] or not left:
                break
        raw = machine._state.read(place, 8 * (len(blob.code) + 1))
        differences = [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
        instructions = list(decode(blob, spec))
        pcs = {instruction.pc for instruction in instructions}
        if set(wanted) - pcs:
            continue  # octets that nothing marks were carried out, too
        found: dict[int, int] = {}
        block: list[int] = []
        for instruction in instructions:
            block.append(instruction.pc)
            if instruction.row.ends_block or not instruction.valid:
                found.update(zip(block, accumulate(differences[pc] for pc in block), strict=True))
                block = []
        found.update(zip(block, accumulate(differences[pc] for pc in block), strict=True))
        assert {pc: n for pc, n in found.items() if n} == {pc: n for pc, n in wanted.items() if n}, case.seed
        compared += 1
    assert compared > 60
