"""Tiers: translations are kept and shared, made in the background, and taken up while a machine runs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pvm import Exit, Program, Reason
from pvm.emit.recompiler import module as recompiler_module
from pvm.errors import ResourceError
from pvm.examples import example
from pvm.program import assemble
from wasm_host import Engine
from wasm_host import engine as engine_module
from wasm_host.code.modules import Compiled
from wasm_host.code.translations import KEPT, LARGE, PATIENCE, Translations, time_to_translate
from wasm_host.machine.interpreted import WasmMachine
from wasm_host.machine.translated import AutoMachine, RecompilerMachine
from wasm_host.translating import compile_program

LOOP = """.code
    fallthrough
loop:
    add_imm_64      r1, r1, -1
    ecalli          5
    branch_ne_imm   r1, 0, loop
    trap
"""


def long_loop(turns: int) -> Program:
    return assemble(f".code\nload_imm r1, {turns}\nfallthrough\nloop:\nadd_imm_64 r1, r1, -1\n"
                    "branch_ne_imm r1, 0, loop\ntrap\n")  # fmt: skip


def translate(program: Program, *how: object) -> Compiled:
    return compile_program(program, Engine().spec, "instruction")


def test_a_program_is_translated_once_for_many_threads() -> None:
    made: list[Program] = []

    def slow(program: Program, *how: object) -> Compiled:
        made.append(program)
        time.sleep(0.05)
        return translate(program)

    translations, program = Translations(slow), long_loop(5)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: translations.get(program), range(8)))
    assert len(made) == 1
    assert all(one is found[0] for one in found)


def test_the_last_programs_are_kept() -> None:
    made: list[int] = []
    programs = [long_loop(turns) for turns in range(1, KEPT + 2)]

    def note(program: Program, *how: object) -> Compiled:
        made.append(programs.index(program))
        return translate(program)

    translations = Translations(note)
    for program in (*programs, programs[-1], programs[0]):
        translations.get(program)
    assert made == [*range(KEPT + 1), 0]


def test_a_failed_translation_is_tried_again() -> None:
    attempts: list[int] = []

    def fail_once(program: Program, *how: object) -> Compiled:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("disk full")
        return translate(program)

    translations = Translations(fail_once)
    with pytest.raises(OSError, match="disk full"):
        translations.get(long_loop(5))
    assert translations.get(long_loop(5)).recompiled.module


def test_a_program_is_asked_for_when_it_was_interpreted_for_long(arrives: Any) -> None:
    translations, program = Translations(translate), long_loop(5)
    patience = PATIENCE * time_to_translate(program)
    assert translations.spend(program, patience / 2) is None
    assert translations.found(program) is None
    found = translations.spend(program, patience)
    assert found is not None
    assert translations.found(program) is found is translations.spend(program, 0)
    assert arrives(found).recompiled.module
    assert translations.get(program) is found.compiled


def test_a_stored_program_is_asked_for_at_once(arrives: Any) -> None:
    translations = Translations(translate, is_stored=lambda program: True)
    assert translations.found(long_loop(5)) is None  # small: when it has run for a while
    large = assemble(".code\n" + "add_64 r1, r1, r2\n" * (LARGE // 3 + 1) + "trap\n")
    found = translations.found(large)
    assert found is not None
    assert arrives(found).recompiled.module


def test_an_auto_machine_goes_over_to_its_translation_and_ends_the_same() -> None:
    turns = 600_000_000  # long enough for a translation at the lowest priority on a busy machine
    machine = Engine(tier="auto").instantiate(long_loop(turns), gas=(1 << 40) + 2 * turns + 3)
    assert isinstance(machine, AutoMachine)
    assert machine.run() == Exit(Reason.PANIC, len(machine.program.code) - 1, 1 << 40)
    assert machine._is_linked


def test_short_runs_are_not_translated() -> None:
    machine = Engine(tier="auto").instantiate(long_loop(100))
    machine.run()
    assert isinstance(machine, AutoMachine)
    assert machine._promised is None


def test_many_host_calls_make_a_machine_hot() -> None:
    calls: list[int] = []
    machine = Engine(tier="auto").instantiate(assemble(LOOP), host={5: lambda m: calls.append(m.gas)}, gas=1 << 30)
    assert isinstance(machine, AutoMachine)
    machine.registers[1] = 20_000
    assert machine.run().reason is Reason.PANIC
    assert machine._promised is not None
    assert calls == [(1 << 30) - 3 - 3 * n for n in range(20_000)]


def test_an_auto_machine_survives_a_failed_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried once. Whoever has to have the translation tries again, and meets with the error."""
    tried = threading.Semaphore(0)

    def fail(*arguments: object) -> Compiled:
        tried.release()
        raise OSError("no memory")

    monkeypatch.setattr(engine_module, "compile_program", fail)
    monkeypatch.setattr("wasm_host.code.translations.PATIENCE", 0.0)
    engine, program = Engine(tier="auto", cache=False), assemble(LOOP)
    for _ in range(2):
        machine = engine.instantiate(program, gas=1 << 40, host={5: lambda machine: None})
        machine.registers[1] = 5_000
        assert machine.run().reason is Reason.PANIC
    assert tried.acquire(timeout=20) and not tried.acquire(timeout=0.1)
    with pytest.raises(OSError, match="no memory"):
        engine._translations[engine._mode()].get(program)


def test_a_translation_for_which_there_is_no_thread(monkeypatch: pytest.MonkeyPatch, arrives: Any) -> None:
    """It is asked for again, later."""
    translations, program = Translations(translate), long_loop(5)

    def refuse(*arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("wasm_host.code.translations.start_new_thread", refuse)
        assert translations.request(program).compiled is None
    assert arrives(translations.request(program)).recompiled.module


def test_large_programs_are_left_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompiler_module, "MAX_INSTRUCTIONS", 3)
    for tier in ("recompiler", "auto"):
        machine = Engine(tier=tier).instantiate(long_loop(5))
        assert type(machine) is WasmMachine


def test_one_engine_serves_threads() -> None:
    engine, program, before = Engine(tier="recompiler"), long_loop(200_000), threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        exits = list(pool.map(lambda _: engine.instantiate(program, gas=10**6).run(), range(12)))
    assert len(set(exits)) == 1
    assert isinstance(engine.instantiate(program), RecompilerMachine)
    assert threading.active_count() <= before, "threads that were started are left"


def test_a_step_after_an_interrupted_bail() -> None:
    """Leaving to the interpreter is no exit: when a signal hides it, a step goes on from the state all the same."""
    machine = Engine(tier="recompiler").instantiate(long_loop(2), gas=3)
    assert isinstance(machine, RecompilerMachine)
    enter = machine._call_recompiled

    def interrupted() -> int:
        enter()
        raise KeyboardInterrupt

    machine._call_recompiled = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    machine._call_recompiled = enter
    assert machine.step() is None
    assert machine.run() == Exit(Reason.OUT_OF_GAS, machine.pc, 0)


def test_the_interpreter_needs_no_protection_by_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm_host.engine.obstacle", lambda: "none here")
    program = assemble(example("hello").source)
    with pytest.raises(ResourceError, match="no protection by the hardware: none here"):
        Engine(tier="recompiler", protection="hardware", cache=False).instantiate(program)
    Engine(tier="interpreter", protection="hardware", cache=False).instantiate(program)
