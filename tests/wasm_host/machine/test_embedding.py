"""What went wrong for people who built on the library, each as they met it."""

from __future__ import annotations

import asyncio
import copy
import pickle
import pydoc
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pvm
from pvm import (
    AddressError,
    AnyEngine,
    InputError,
    MachineBusyError,
    NoResultError,
    Program,
    Reason,
    ReferenceEngine,
)
from pvm.flow import flow_of
from pvm.gas import block_costs
from pvm.isa import GP_072
from pvm.machine import Resumer
from pvm.program import assemble, block_starts, decode, is_valid
from pvm.standalone import program_command
from pvm.trace import parse_trace
from tests.wasm_host.machine.test_saved import ALL
from wasm_host import Engine

ROOT = Path(__file__).parents[3]
TRAP = assemble(".code\ntrap\n")
HALT = assemble(".standard stack=4096\n.code\njump_ind r0\n")
FOREVER = assemble(".code\nloop: jump loop\n")


@pytest.mark.parametrize("engine", ALL)
def test_a_run_that_a_timeout_left_behind_is_not_run_again(engine: Resumer) -> None:
    """The natural retry of asyncio's users: an error of ours, not the process's end; `stop` ends what is left."""

    async def retry(machine: Any) -> None:
        run = asyncio.create_task(asyncio.to_thread(machine.run))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(run), 0.05)
        for _ in range(5):
            with pytest.raises(MachineBusyError):
                machine.run()
        machine.stop()
        assert (await run).reason is Reason.STOPPED
        assert machine.run(limit=10).reason is Reason.STOPPED

    asyncio.run(retry(engine.instantiate(FOREVER, gas=1 << 60)))


@pytest.mark.parametrize("engine", ALL)
def test_what_is_mapped_is_told_without_a_walk_over_all_pages(engine: Resumer) -> None:
    memory = engine.instantiate(TRAP).memory
    memory.map(0x20000, 0x3000, "rw")
    begin = time.perf_counter()
    for _ in range(100):
        assert sum(length for _, length, _ in memory.mapped()) == 0x3000
        assert not list(memory.mapped(0x40000, 1 << 31))
    assert time.perf_counter() - begin < 0.3  # 6 ms each once


@pytest.mark.parametrize("engine", ALL)
def test_there_is_a_result_after_a_halt_alone(engine: Resumer) -> None:
    machine = engine.instantiate(HALT, b"hi")
    with pytest.raises(NoResultError, match="has not run"):
        machine.result()
    assert machine.run().reason is Reason.HALT and machine.result() == b"hi"
    assert machine.clone().result() == engine.resume(machine.save()).result() == b"hi"
    machine.pc = 0
    with pytest.raises(NoResultError):
        machine.result()
    machine.gas = 0
    machine.run()
    with pytest.raises(NoResultError, match="ended with out-of-gas"):
        machine.result()
    machine.reset(b"ho")
    with pytest.raises(NoResultError):
        machine.result()
    machine.run()
    assert machine.result() == b"ho"


def test_text_about_versions_and_traces_is_short() -> None:
    assert len(pydoc.render_doc(assemble)) < 1000 and len(pydoc.render_doc(pvm.program)) < 50_000
    assert repr(GP_072) == repr(Engine().spec) == "<Spec 0.7.2>"
    trace = parse_trace("program 0x00\nstart pc=0 gas=10\nPANIC=0 pc=0 gas=10\n")
    assert repr(trace) == "<Trace of 0 calls, to panic>"


@pytest.mark.parametrize("number", [-1, 1 << 64, 1 << 31, True, "1", None, 1.0])
@pytest.mark.parametrize("engine", ALL)
def test_handlers_of_what_no_call_can_name_are_refused(engine: Resumer, number: Any) -> None:
    with pytest.raises(InputError, match="host: "):
        engine.instantiate(TRAP, host={number: lambda machine: None})
    with pytest.raises(InputError, match="host: "):
        engine.instantiate(TRAP).host[number] = lambda machine: None
    with pytest.raises(AddressError, match="gas True"):
        engine.instantiate(TRAP, gas=True)


def test_a_command_of_a_version_by_name() -> None:
    assert program_command(TRAP, "0.7.2", "instruction") == program_command(TRAP, GP_072, "instruction")
    with pytest.raises(InputError, match="unknown metering 'bogus'"):
        program_command(TRAP, "0.7.2", "bogus")


def test_analysis_takes_programs_and_versions_by_name() -> None:
    blob = TRAP.blob
    assert list(decode(TRAP, "0.7.2")) == list(decode(blob, GP_072))
    assert block_starts(TRAP, "0.7.2") == block_starts(blob, GP_072)
    assert block_costs(TRAP, "0.7.2").at(0) == block_costs(blob, GP_072).at(0)
    assert flow_of(TRAP, "0.7.2").pcs == flow_of(blob, GP_072).pcs
    assert is_valid(TRAP, "0.8.0") == is_valid(blob, "0.8.0")
    with pytest.raises(InputError, match=r"Program\.parse.*not bytes"):
        is_valid(b"", "0.8.0")  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ALL)
def test_errors_say_what_to_do(engine: Resumer) -> None:
    machine = engine.instantiate(TRAP)
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: assemble(b"trap"), "decode it"),  # type: ignore[arg-type]
        (lambda: Program.parse("00"), r"bytes\.fromhex"),  # type: ignore[arg-type]
        (lambda: machine.registers["a0"], "from 0 to 12"),  # type: ignore[call-overload]
        (lambda: machine.registers.__setitem__("a0", 1), "from 0 to 12"),  # type: ignore[index]
        (lambda: pickle.dumps(machine.memory), r"Machine\.save"),
        (lambda: pickle.dumps(machine.registers), r"registers\[:\]"),
        (lambda: copy.copy(machine.registers), r"registers\[:\]"),
        (lambda: pickle.dumps(machine), r"another one"),
        (lambda: engine.instantiate(TRAP, host=[print]), "dictionary of functions by number"),  # type: ignore[arg-type]
        (lambda: engine.instantiate(TRAP, host={1: 5}), "host: 1: 5 is no function"),  # type: ignore[dict-item]
        (lambda: engine.instantiate(b"00"), r"Program\.parse"),  # type: ignore[arg-type]
        (lambda: engine.instantiate(TRAP, args="JAM"), "bytes are needed"),  # type: ignore[arg-type]
        (lambda: engine.instantiate(TRAP, gas=1e6), "no integer"),  # type: ignore[arg-type]
        (lambda: machine.memory.write(0x20000, "abc"), "bytes"),  # type: ignore[arg-type]
        (lambda: machine.memory.map(0, 1, "rwx"), "'rw', 'r' or None"),
    ]
    for use, text in wrong:
        with pytest.raises((TypeError, ValueError), match=text):
            use()
    with pytest.raises(InputError, match="choose one of"):
        Engine(tier="jit")
    with pytest.raises(InputError, match="cache"):
        Engine(cache=5)  # type: ignore[arg-type]


def test_examples_load_from_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "pvm.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (ROOT / "pvm").rglob("*"):
            if path.suffix in (".py", ".pvmasm", ".json"):
                packed.write(path, path.relative_to(ROOT))
    text = "from pvm.examples import example; import pvm; print(len(example('hello').source), pvm.__file__)"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); {text}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env={}).stdout.split()
    assert int(found[0]) > 100 and "pvm.zip" in found[1]


@pytest.mark.parametrize("engine", ALL)
def test_options_stay_as_they_are(engine: Any) -> None:
    for name in ("spec", "metering"):
        with pytest.raises(AttributeError, match=f"{name} stays"):
            setattr(engine, name, "0.8.0")
    assert isinstance(engine, AnyEngine) and isinstance(engine, Resumer) and not isinstance(TRAP, AnyEngine)
    text = repr(engine)
    assert "spec='0.7.2'" in text and "metering='instruction'" in text and len(text) < 150
    machine = engine.instantiate(TRAP)
    assert len(repr(machine)) < 80 and len(repr(machine.memory)) < 80 and len(repr(machine.save())) < 500


def test_the_reference_engine_shows_its_options() -> None:
    assert repr(ReferenceEngine("0.8.0", "block")).startswith("ReferenceEngine(spec='0.8.0', metering='block'")
