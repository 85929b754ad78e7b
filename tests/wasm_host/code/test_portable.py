"""Translations and the interpreter in the cache of compiled code: what comes back does the same as what was made."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from pvm import Exit, InputError, Program
from pvm.emit.recompiler import Recompiled
from pvm.examples import example
from pvm.program import assemble
from pvm.program.blob import Blob
from wasm_host import Engine
from wasm_host import engine as engine_module
from wasm_host.code import modules
from wasm_host.code.cache import FOLDER_VARIABLE, CodeCache
from wasm_host.code.modules import Compiled, load_code, store_code, wasmtime_engine
from wasm_host.code.portable import load_program, store_program
from wasm_host.machine.translated import AutoMachine
from wasm_host.translating import compile_program

ROOT = Path(__file__).parents[3]


def key(name: object = "a") -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


@pytest.fixture
def program() -> Program:
    return assemble(example("fibonacci").source)


def outcome(engine: Engine, program: Program) -> tuple[Exit, bytes, list[int]]:
    machine = engine.instantiate(program, args=b"\x12", gas=1_000_000)
    exit = machine.run()
    return exit, machine.result(), list(machine.registers)


@pytest.mark.parametrize("spec", ["0.7.2", "0.8.0"])
@pytest.mark.parametrize("metering", ["instruction", "block"])
def test_results_are_the_same_cold_and_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, metering: str
) -> None:
    program = assemble(example("fibonacci").source, spec)
    expected = outcome(Engine(spec, "interpreter", metering, cache=False), program)
    assert outcome(Engine(spec, "recompiler", metering, cache=tmp_path), program) == expected

    def fail(*arguments: object) -> Compiled:
        raise AssertionError("it is stored")

    monkeypatch.setattr(engine_module, "compile_program", fail)
    assert outcome(Engine(spec, "recompiler", metering, cache=tmp_path), program) == expected


def test_tables_come_back_as_they_were(cache: CodeCache) -> None:
    program = Program(Blob(b"\0", b"\1", (0, 0), 1))
    made = compile_program(program, Engine(cache=False).spec, "instruction")
    tables = Recompiled(b"\0asm", {0: 1, 2**32 - 1: 1 << 16 | 7}, {}, bytes(range(8)))
    for recompiled in (made.recompiled, tables):
        store_program(cache, key(), Compiled(recompiled, made.module))
        found = load_program(cache, key(), program)
        assert found is not None
        assert found.recompiled.entries == recompiled.entries
        assert found.recompiled.resumes == recompiled.resumes
        assert found.recompiled.jumps == recompiled.jumps


def test_code_that_wasmtime_refuses_is_removed(cache: CodeCache) -> None:
    config = wasmtime.Config()
    config.consume_fuel = True
    module = wasmtime.Module(wasmtime.Engine(config), "(module)")
    for refused in (bytes(module.serialize()), b"", b"\x7fELF", bytes(5000)):
        cache.store(key(), (refused,))
        assert load_code(cache, key()) is None
        assert not cache.has(key())
    store_code(cache, key(), wasmtime.Module(wasmtime_engine(), "(module)"), (b"t",))
    found = load_code(cache, key())
    assert found is not None and bytes(found[1][0]) == b"t"


def test_a_damaged_translation_is_rebuilt(tmp_path: Path, program: Program) -> None:
    Engine(cache=False).instantiate(program)  # the interpreter is there
    expected = outcome(Engine(tier="recompiler", cache=tmp_path), program)
    cache = CodeCache(tmp_path)
    [entry] = cache.entries()
    path = cache.folder / entry.name
    name, whole = path.stem, path.read_bytes()
    for place in (0, 10, 50, 80, 120, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert outcome(Engine(tier="recompiler", cache=tmp_path), program) == expected
        assert cache.load(name) is not None
        path.write_bytes(whole[:place])
        assert outcome(Engine(tier="recompiler", cache=tmp_path), program) == expected
        assert cache.load(name) is not None


def test_an_auto_machine_begins_on_a_stored_translation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrives: Any
) -> None:
    """Though the run is too short to ask for one."""
    monkeypatch.setattr("wasm_host.code.translations.LARGE", 0)
    program = assemble(".code\nloop:\nadd_imm_64 r1, r1, 1\njump loop\n")
    cold = Engine(tier="auto", cache=tmp_path).instantiate(program, gas=100)
    assert isinstance(cold, AutoMachine) and cold._promised is None
    Engine(tier="recompiler", cache=tmp_path).instantiate(program)
    warm = Engine(tier="auto", cache=tmp_path).instantiate(program, gas=100)
    assert isinstance(warm, AutoMachine) and warm._promised is not None
    arrives(warm._promised)
    assert warm.run() == cold.run()
    assert warm._is_linked


def test_without_a_cache_nothing_is_written(tmp_path: Path, program: Program) -> None:
    """The interpreter is compiled once a process, so this takes a process."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from typing import Any
from pvm.examples import example
from pvm.program import assemble
from pvm.program.blob import Blob
from wasm_host import Engine
folder, program = Path({str(tmp_path)!r}), assemble(example("fibonacci").source)
for tier in ("interpreter", "recompiler", "auto"):
    Engine(tier=tier, cache=False).instantiate(program).run()
assert not list(folder.iterdir())
Engine(tier="recompiler").instantiate(program)
assert len(list(folder.iterdir())) == 1  # the interpreter was there already
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, FOLDER_VARIABLE: str(tmp_path)})


def test_the_interpreter_is_kept(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    made = modules._load_interpreter(cache)
    assert len(cache.entries()) == 1

    def fail(counts: bool) -> bytes:
        raise AssertionError("it is stored")

    monkeypatch.setattr(modules, "interpreter_bytes", fail)
    again = modules._load_interpreter(cache)
    assert [export.name for export in again.exports] == [export.name for export in made.exports]
    with pytest.raises(AssertionError, match="stored"):
        modules._load_interpreter(None)
    assert modules.interpreter(cache) is modules.interpreter()


def test_protection_is_one_of_the_tuple() -> None:
    for name in engine_module.PROTECTIONS:
        assert Engine(protection=name).protection == name
    with pytest.raises(InputError, match="protection"):
        Engine(protection="none")
