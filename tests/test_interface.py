"""Public functions take the names of versions as well as versions: one way to say them, everywhere."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import pvm
import wasm_host
from pvm import InputError
from pvm.emit.recompiler import recompile
from pvm.emit.recompiler.outline import outline_of
from pvm.emit.recompiler.region_text import region_at, region_text
from pvm.gas import block_costs, choose_metering
from pvm.isa import GP_072
from pvm.program import (
    assemble,
    block_starts,
    decode,
    decode_at,
    disassemble,
    invalid_at,
    is_entry,
    is_valid,
    jumps_to_no_block,
    survey,
    why_panic,
)
from pvm.standalone import interpreter_command, program_command
from pvm.trace import growing_heap

PACKAGES = ("pvm.gas", "pvm.jam.host_calls", "pvm.program", "pvm.standalone", "pvm.trace", "wasm_host")
SOURCE = "load_imm r1, 5\njump end\nend: trap"
PROGRAM = assemble(SOURCE)
BLOB = PROGRAM.blob

CALLS: dict[str, Callable[[Any], object]] = {
    "assemble": lambda spec: assemble(SOURCE, spec),
    "block_costs": lambda spec: block_costs(BLOB, spec).at(0),
    "block_starts": lambda spec: block_starts(BLOB, spec),
    "choose_metering": choose_metering,
    "decode": lambda spec: list(decode(BLOB, spec)),
    "decode_at": lambda spec: decode_at(BLOB, spec, 0),
    "disassemble": lambda spec: disassemble(PROGRAM, spec),
    "growing_heap": lambda spec: growing_heap(assemble(".standard\n" + SOURCE, spec), spec),
    "interpreter_command": lambda spec: interpreter_command(spec, "block"),
    "invalid_at": lambda spec: invalid_at(BLOB, spec),
    "is_entry": lambda spec: is_entry(BLOB, spec, 0),
    "is_valid": lambda spec: is_valid(BLOB, spec),
    "jumps_to_no_block": lambda spec: jumps_to_no_block(BLOB, spec, list(decode(BLOB, spec))),
    "outline_of": lambda spec: outline_of(BLOB, spec, "block"),
    "program_command": lambda spec: program_command(PROGRAM, spec, "instruction"),
    "recompile": lambda spec: recompile(BLOB, spec, "instruction"),
    "region_at": lambda spec: region_at(BLOB, spec, "block", "software", 0),
    "region_text": lambda spec: region_text(BLOB, spec, "block", "software", 0),
    "survey": lambda spec: survey(SOURCE, spec),
    "why_panic": lambda spec: why_panic(BLOB, spec, 0),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_version_and_its_name_are_the_same(name: str) -> None:
    assert CALLS[name]("0.7.2") == CALLS[name](GP_072)
    with pytest.raises(InputError, match="unknown spec '0\\.7'"):
        CALLS[name]("0.7")


def _public() -> Iterator[tuple[str, Any]]:
    for package in PACKAGES:
        module = import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{package}.{name}", found


@pytest.mark.parametrize(("name", "found"), [*_public()])
def test_whoever_takes_a_version_takes_its_name(name: str, found: Any) -> None:
    """mypy sees to it that whoever takes both tells them apart."""
    parameter = inspect.signature(found).parameters.get("spec")
    assert parameter is None or parameter.annotation in ("Spec | str", "str"), name


@pytest.mark.parametrize("make", [program_command, interpreter_command])
def test_a_metering_that_nobody_knows_is_refused(make: Callable[..., bytes]) -> None:
    arguments = (PROGRAM, "0.7.2", "blok") if make is program_command else ("0.7.2", "blok")
    with pytest.raises(InputError, match="unknown metering 'blok'"):
        make(*arguments)


def test_a_protection_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="unknown protection 'hard'"):
        recompile(BLOB, "0.7.2", "block", "hard")


# --- what completions and help() show ------------------------------------------------------------------------------

SHOWN = (
    "pvm.analysis", "pvm.examples", "pvm.flow", "pvm.fuzz", "pvm.gas", "pvm.isa", "pvm.jam.testing", "pvm.link",
    "pvm.observe", "pvm.program", "pvm.standalone", "pvm.trace", "wasm_host",
)  # fmt: skip


@pytest.mark.parametrize("name", ["pvm", *SHOWN])
def test_packages_show_their_interface_and_nothing_else(name: str) -> None:
    package = import_module(name)
    parts = package._PARTS if name == "pvm" else ()
    assert dir(package) == sorted((*package.__all__, *parts))
    for shown in dir(package):
        assert hasattr(package, shown), shown
    text = pydoc.render_doc(package)
    assert len(text) < 100_000, f"help({name}) has {len(text)} characters"


def test_parts_are_there_after_import_pvm() -> None:
    code = "import pvm; assert pvm.trace.record and pvm.examples.EXAMPLES and pvm.observe.Debugger; pvm.nothing"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "module 'pvm' has no attribute 'nothing'" in run.stderr


def test_objects_show_their_interface_and_nothing_else() -> None:
    engine = wasm_host.Engine(tier="interpreter")
    machine, reference = engine.instantiate(PROGRAM), pvm.ReferenceEngine().instantiate(PROGRAM)
    assert dir(machine) == dir(reference) and {"run", "step", "save", "stop", "program", "memory"} <= set(dir(machine))
    assert dir(machine.memory) == dir(reference.memory) and "mapped" in dir(machine.memory)
    counting = wasm_host.Engine(counting=True).instantiate(PROGRAM)
    assert set(dir(counting)) - set(dir(machine)) == {"counts"}
    assert not [name for one in (engine, machine, machine.memory) for name in dir(one) if name.startswith("_")]
    for one in (engine, machine, machine.memory, counting):
        assert all(hasattr(one, name) for name in dir(one) if name != "heap_limit")
