"""Signals between any two steps of the host: what they interrupt goes on, or is done again, with the same outcome."""

from __future__ import annotations

from typing import Any

import pytest

from pvm import Exit, Reason
from pvm.isa import GP_072
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code.modules import Compiled, wasmtime_engine
from wasm_host.code.translations import Translation, Translations
from wasm_host.machine import protection as protection_module
from wasm_host.machine import translated as recompiler_module
from wasm_host.machine.protection import obstacle
from wasm_host.machine.translated import AutoMachine, RecompilerMachine
from wasm_host.translating import compile_program

wasmtime_engine()
pytestmark = pytest.mark.skipif(obstacle() is not None, reason=f"no protection by the hardware: {obstacle()}")

PAGE = 4096


class Once:
    """A function that a signal interrupts the first time, before or after it has done its work."""

    def __init__(self, function: Any, after: bool = False) -> None:
        self.function, self.after, self.count = function, after, 0

    def __call__(self, *arguments: Any) -> Any:
        self.count += 1
        if self.count > 1:
            return self.function(*arguments)
        if self.after:
            self.function(*arguments)
        raise KeyboardInterrupt


def machine_of(source: str, tier: str = "recompiler", **options: Any) -> Any:
    return Engine(tier=tier, protection="hardware").instantiate(assemble(source), **options)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("goes_on", ["run", "step"])
def test_after_an_sbrk(goes_on: str, after: bool) -> None:
    machine = machine_of(".code\nload_imm_64 r6, 0x11000\nsbrk r5, r6\nload_u8 r7, [0x10000]\ntrap\n", gas=100)
    machine._follow_heap = Once(machine._follow_heap, after)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    del machine._follow_heap
    if goes_on == "step":
        assert machine.step() is None
    assert machine.run() == Exit(Reason.PANIC, len(machine.program.code) - 1, 96)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_while_protection_is_given_up(failure: type[BaseException]) -> None:
    """What relies on the protection does not run without."""
    machine = machine_of(".code\nload_u8 r7, [0x20000]\ntrap\n", gas=100)
    assert isinstance(machine, RecompilerMachine)
    software = machine._software

    def fail() -> Compiled:
        machine._software = software
        raise failure

    machine._guest.unprotect()
    machine._software = fail
    with pytest.raises(failure):
        machine.run()
    assert machine.run() == Exit(Reason.PAGE_FAULT, 0, 99, 0x20000)
    machine.memory.map(0x20000, 1, "r")
    assert machine.run() == Exit(Reason.PANIC, 5, 97)


@pytest.mark.parametrize("name", ["follow", "_protect"])
@pytest.mark.parametrize("after", [False, True])
def test_while_an_auto_machine_links(name: str, after: bool) -> None:
    machine = machine_of(".code\necalli 1\nload_u8 r7, [0x20000]\nload_u8 r7, [0x30000]\ntrap\n", "auto", gas=100)
    assert isinstance(machine, AutoMachine)
    machine.memory.map(0x20000, 1, "r")
    assert machine.run().reason is Reason.HOST_CALL
    machine._promised = Translation(compile_program(machine.program, GP_072, "instruction", "hardware"))
    guest: Any = machine._guest
    setattr(guest, name, Once(getattr(guest, name), after))
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    delattr(guest, name)
    assert machine.memory.read(0x2FFF0, 32) == bytes(32)
    assert machine.run() == Exit(Reason.PAGE_FAULT, 7, 97, 0x30000)
    assert machine._is_linked


def test_a_translation_that_a_signal_ends_is_made_again() -> None:
    made = []

    def translate(*arguments: object) -> Compiled:
        made.append(1)
        if len(made) == 1:
            raise KeyboardInterrupt
        return compile_program(program, GP_072, "instruction")

    program = assemble(".code\ntrap\n")
    translations = Translations(translate)
    with pytest.raises(KeyboardInterrupt):
        translations.get(program)
    assert translations.get(program).recompiled.module


@pytest.mark.parametrize("protection", ["hardware", "software"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
@pytest.mark.parametrize("after", [False, True])
def test_before_and_after_a_region_runs(protection: str, metering: str, after: bool) -> None:
    """A host call is made once, and paid once."""
    calls: list[int] = []
    program = assemble(".code\nloop:\necalli 1\nadd_imm_64 r2, r2, 1\nbranch_ne_imm r2, 3, loop\ntrap\n")

    def run(interrupted: int) -> tuple[Exit, list[int], int, int]:
        """How it ends, the gas at each call, how often translated code was entered and interrupted."""
        calls.clear()
        engine = Engine(tier="recompiler", protection=protection, metering=metering)
        machine: Any = engine.instantiate(program, gas=100, host={1: lambda m: calls.append(m.gas)})
        turn = interruptions = 0

        def enter() -> int:
            nonlocal turn
            turn += 1
            if turn == interrupted:
                if after:
                    call()
                raise KeyboardInterrupt
            return int(call())

        call, machine._call_recompiled = machine._call_recompiled, enter
        while True:
            try:
                return machine.run(), list(calls), turn, interruptions
            except KeyboardInterrupt:
                interruptions += 1
                assert machine.pc < len(program.code)

    *expected, entries, _ = run(0)
    assert len(expected[1]) == 3 and entries == 4
    for interrupted in range(1, entries + 1):
        *found, _, interruptions = run(interrupted)
        assert found == expected, interrupted
        assert interruptions == 1, "no interruption came"


@pytest.mark.parametrize("tier", ["interpreter", "recompiler", "auto"])
def test_any_pc_is_a_pc(tier: str) -> None:
    machine = machine_of(".code\nload_imm r1, 1\ntrap\n", tier, gas=10, pc=0xFFFFFFFF)
    assert machine.pc == 0xFFFFFFFF
    assert machine.run() == Exit(Reason.PANIC, 0xFFFFFFFF, 9)
    assert machine.registers[1] == 0


STORE = ".code\nload_imm r4, 1\nstore_u32 [0x30000], r4\nload_imm r5, 7\ntrap\n"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("goes_on", ["run", "step", "write"])
@pytest.mark.parametrize("change", ["read", "write", "map none", "map rw"])
def test_while_the_host_touches_memory(
    monkeypatch: pytest.MonkeyPatch, change: str, goes_on: str, after: bool
) -> None:
    """The pages are protected as the page table says, whatever that says then."""
    machine = machine_of(STORE, gas=100)
    memory = machine.memory
    if change == "map none":
        memory.map(0x30000, PAGE, "rw")
    with monkeypatch.context() as patched:
        patched.setattr(protection_module, "_mprotect", Once(protection_module._mprotect, after))
        with pytest.raises(KeyboardInterrupt):
            match change:
                case "read":
                    memory.read(0x30000, 4)
                case "write":
                    memory.write(0x30000, b"1234")
                case "map none":
                    memory.map(0x30000, PAGE, None)
                case "map rw":
                    memory.map(0x30000, PAGE, "rw")
    if goes_on == "write":
        memory.write(0x30000, b"5678")
        assert memory.read(0x30000, 4) == b"5678"
    elif goes_on == "step":
        assert machine.step() is None
    access = memory.access(0x30000)
    exit = machine.run()
    if access == "rw":
        assert (exit.reason, machine.registers[5]) == (Reason.PANIC, 7)
    else:
        assert access is None
        assert (exit.reason, exit.address, machine.registers[5]) == (Reason.PAGE_FAULT, 0x30000, 0)


@pytest.mark.parametrize("which", [1, 2])
def test_while_all_is_made_accessible(monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    machine = machine_of(STORE, gas=100)
    real, count = protection_module._mprotect, 0

    def interrupted(*arguments: Any) -> bool:
        nonlocal count
        count += 1
        done = real(*arguments)
        if count == which:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patched:
        patched.setattr(protection_module, "_mprotect", interrupted)
        patched.setattr(recompiler_module, "obstacle", lambda: "for this test")
        with pytest.raises(KeyboardInterrupt):
            machine.run()
    assert machine.run() == Exit(Reason.PAGE_FAULT, 3, 98, 0x30000)
    machine.memory.map(0x30000, PAGE, "rw")
    assert machine.run().reason is Reason.PANIC
    assert machine.registers[5] == 7
