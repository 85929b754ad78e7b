"""Slices of gas that end in a loop within a loop: the translation is entered there again."""

from __future__ import annotations

from random import Random

import pytest

from pvm import ReferenceEngine
from pvm.fuzz import memory_case, transcript
from pvm.program import Program, assemble
from wasm_host import Engine
from wasm_host.machine.interpreted import WasmMachine
from wasm_host.machine.protection import obstacle
from wasm_host.machine.translated import RecompilerMachine

# Three loops in each other, and a second one beside the innermost; all but the outermost end seldom.
SOURCE = """
.code
    load_imm        r1, 0x20000
    load_imm        r5, 3
    fallthrough
outer:
    load_imm        r6, 40
    add_imm_64      r10, r10, 1
    fallthrough
middle:
    load_imm        r7, 50
    store_ind_u64   [r1 + 8], r10
    fallthrough
first:
    add_imm_64      r7, r7, -1
    xor             r8, r8, r7
    store_ind_u64   [r1], r8
    branch_ne_imm   r7, 0, first
    load_imm        r7, 60
    fallthrough
second:
    add_imm_64      r7, r7, -1
    load_ind_u64    r9, [r1]
    add_64          r8, r8, r9
    branch_ne_imm   r7, 0, second
    add_imm_64      r6, r6, -1
    branch_ne_imm   r6, 0, middle
    add_imm_64      r5, r5, -1
    branch_ne_imm   r5, 0, outer
    store_u8        [0], r5
"""


@pytest.mark.parametrize("protection", ["software", "hardware"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_slices_of_any_size_lead_to_the_same_and_little_is_interpreted(
    protection: str, metering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if protection == "hardware" and (reason := obstacle()) is not None:
        pytest.skip(reason)
    program = assemble(SOURCE)
    reference = ReferenceEngine(metering=metering).instantiate(program)
    reference.memory.map(0x20000, 4096, "rw")
    wanted = reference.run()
    engine = Engine(tier="recompiler", metering=metering, protection=protection, cache=False)
    for size in (97, 230, 1001, 4999):
        machine, finished = mapped(engine, program), 0
        assert isinstance(machine, RecompilerMachine)
        finish = machine._call_finish

        def count(finish: object = finish) -> int:
            nonlocal finished
            finished += 1
            assert callable(finish)
            return int(finish())

        machine._call_finish = count
        monkeypatch.setattr(machine, "_slice", lambda size=size: size)
        machine.gas = machine.gas
        exit = machine.run()
        assert exit == wanted
        assert list(machine.registers) == list(reference.registers)
        assert machine.memory.read(0x20000, 16) == reference.memory.read(0x20000, 16)
        slices = (10_000_000 - exit.gas) / size
        # A slice ends with the interpreter, up to the end of the block where less gas is left than a round may take.
        assert finished <= 8 * slices + 8, (finished, slices)


def mapped(engine: Engine, program: Program) -> RecompilerMachine:
    machine = engine.instantiate(program)
    machine.memory.map(0x20000, 4096, "rw")
    assert isinstance(machine, RecompilerMachine)
    return machine


@pytest.mark.parametrize("protection", ["software", "auto"])
def test_random_programs_in_small_slices(protection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(0)
    monkeypatch.setattr(WasmMachine, "_slice", lambda machine: random.choice((1, 3, 17, 40, 333)))
    for seed in range(60):
        case = memory_case(seed)
        engine = Engine(case.spec, "recompiler", case.metering, protection=protection, cache=False)
        wanted = transcript(case, ReferenceEngine(case.spec, case.metering))
        assert transcript(case, engine) == wanted, f"seed {seed}"
