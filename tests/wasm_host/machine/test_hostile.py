"""Hostile programs: they run as on the interpreter, translating is linear and never recurses, large ones are declined.

Nothing here is timed: work is counted in lines of Python that are run, and in octets of WebAssembly.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from pvm import Reason
from pvm.emit.recompiler import recompile
from pvm.fuzz import Case, transcript
from pvm.isa import GP_072
from pvm.program import Blob, Program, decode, pack_bitmask
from wasm_host import Engine
from wasm_host.bench.sections.hostile import KINDS, Kind, of_octets, of_weight, weight
from wasm_host.bench.sections.hostile_runs import OCTETS, is_measurable
from wasm_host.code.modules import wasmtime_engine
from wasm_host.engine import HARDWARE, SOFTWARE
from wasm_host.machine.protection import obstacle

SMALL = 3000  # instructions
FEW, MANY = 600, 2400  # instructions: three regions of blocks, and twelve
SLACK = 1.5  # regions at an end are cheaper; were it quadratic, four times as much would take sixteen times the work
DEPTH = 60  # calls in each other that translating any program may take
PAGES = ((0x10000, "rw"), (0x20000, "rw"), (0x21000, "r"))
# Addresses that are mapped and others, and equal ones for the branches.
REGISTERS = (0xFFFF0000, 0x10000, 0x10000, 0x20FF8, 0x10010, 1, 2, 0, 0x7FFF, 5, 6, 4, 8)

# The jump tables of these have so many entries that Python's numbers take more than all else.
TABLES = frozenset({"targets", "dynamic", "alive", "wide entries", "empty entries", "one target"})
# Those that access memory, on which either protection does work of its own.
ACCESSES = frozenset({"accesses", "distinct", "checkpoints", "random", "unmarked"})
# The only kind of so few instructions in so many octets that it is translated.
TAKEN = {"unmarked"}

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def protections() -> list[str]:
    """Those that this system has."""
    wasmtime_engine()
    return [SOFTWARE, HARDWARE] if obstacle() is None else [SOFTWARE]


@kinds
def test_the_same_as_interpreted(kind: Kind) -> None:
    """Exits, gas, registers, pc, pages: over several exits, from the start and from elsewhere."""
    program = kind.make(SMALL).encode()
    engines = [Engine(tier="recompiler", protection=protection, cache=False) for protection in protections()]
    for seed, (pc, registers) in enumerate(((0, REGISTERS), (0, (0,) * 13), (1200, REGISTERS[::-1]))):
        case = Case(seed, kind.name, program, "0.7.2", "instruction", pc, 20_000, registers, PAGES, refill=20_000)
        expected = transcript(case, Engine(tier="interpreter"))
        for engine in engines:
            assert transcript(case, engine) == expected, (engine.protection, seed)


@kinds
def test_translating_is_linear_and_does_not_recurse(kind: Kind) -> None:
    for protection in (SOFTWARE, HARDWARE) if kind.name in ACCESSES else (HARDWARE,):
        work(kind.make(10), protection)  # what is made once a process
        (few, small), (many, large) = (work(kind.make(count), protection) for count in (FEW, MANY))
        most = SLACK * MANY / FEW
        assert many <= most * few, f"{protection}: {few} lines, then {many}"
        assert large <= most * small, f"{protection}: {small} octets, then {large}"


def work(blob: Blob, protection: str) -> tuple[int, int]:
    """How many lines of Python it takes to translate a program, and the octets that come out."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    with shallow():
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            module = recompile(blob, GP_072, "instruction", protection).module
        finally:
            sys.settrace(before)
    return lines, len(module)


@contextmanager
def shallow() -> Iterator[None]:
    """Within, calls may be no deeper in each other than `DEPTH` from here."""
    depth, frame, limit = 0, sys._getframe(), sys.getrecursionlimit()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + DEPTH)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def test_a_recursion_would_be_noticed() -> None:
    def descend(depth: int) -> int:
        return depth and descend(depth - 1)

    with shallow():
        assert descend(DEPTH // 2) == 0
        with pytest.raises(RecursionError):
            descend(DEPTH)


@kinds
def test_the_programs_are_what_they_say(kind: Kind) -> None:
    blob = kind.make(SMALL)
    assert blob.bitmask == pack_bitmask(blob.starts) and Blob.parse(blob.encode()) == blob
    assert kind.make(SMALL) == blob, "the same each time"
    assert sum(1 for _ in decode(blob, GP_072)) == pytest.approx(SMALL, rel=0.05)
    count, largest = of_weight(kind, SMALL)
    assert largest == kind.make(count)
    assert 0.9 * SMALL < weight(largest) <= SMALL
    assert 0.9 * SMALL < len(of_octets(kind, SMALL)[1].code) <= SMALL


# Made, parsed, instantiated and run on either tier, a line for each kind: name, types of the machines, peak of memory.
CHILD = """
import json, sys
from pvm.program import Program
from wasm_host import Engine
from wasm_host.bench.sections.hostile import KINDS, of_octets
from wasm_host.bench.sections.hostile_runs import peak
for kind in KINDS:
    if kind.name in sys.argv[2:]:
        program = Program.parse(of_octets(kind, int(sys.argv[1]))[1].encode(), "plain")
        types = []
        for tier in ("recompiler", "auto"):
            machine = Engine(tier=tier, cache=False).instantiate(program, gas=100_000)
            machine.run()
            types.append(type(machine).__name__)
            del machine
        del program
        print(json.dumps([kind.name, types, peak()]), flush=True)
"""


@pytest.mark.skipif(not is_measurable(), reason="the system does not tell how much memory was used")
@pytest.mark.parametrize(("tables", "most"), [(False, 512 << 20), (True, 2 << 30)], ids=["code", "tables"])
def test_four_million_octets(tables: bool, most: int) -> None:
    """They are left to the interpreter, or translated; in one process after the other, within so many bytes."""
    names = [kind.name for kind in KINDS if (kind.name in TABLES) == tables]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(OCTETS), *names], capture_output=True, text=True, check=False
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (found[-1:], done.stderr)
    assert [name for name, _, _ in found] == names
    for name, types, peak in found:
        taken = ["RecompilerMachine", "AutoMachine"]
        assert types == (taken if name in TAKEN else ["WasmMachine"] * 2), name
        assert peak < most, name


def test_entries_of_no_octets_take_no_memory(make_engine: Any) -> None:
    """A short program may have 2^64 - 1 of them."""
    program = Program.parse(b"\xff" * 9 + b"\0\1\0\1", "plain")
    tracemalloc.start()
    machine = make_engine().instantiate(program)
    assert machine.run().reason is Reason.PANIC
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
