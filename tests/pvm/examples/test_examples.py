"""Our example programs against plain Python, on the reference engine."""

from __future__ import annotations

import random
import struct

import pytest

from pvm.errors import InputError
from pvm.examples import EXAMPLES, LOG_CALL, Example, example, life_args
from pvm.isa import GP_072, GP_080
from pvm.machine import Reason
from pvm.program import Program, assemble, block_starts, decode, disassemble, is_valid
from pvm.reference import ReferenceEngine, ReferenceMachine
from wasm_host import Engine

NUMBERS = random.Random(1).randbytes(400)
GLIDER = {(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)}
NAMES = [each.name for each in EXAMPLES]

SMALL = [
    *(("hello", args) for args in (b"", b"PVM", bytes(range(256)), b"x" * 4500)),
    *(("fibonacci", bytes([n])) for n in (0, 1, 2, 3, 10, 13)),
    *(("sieve", n.to_bytes(4, "little")) for n in (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 25, 26, 120, 1000)),
    *(("blake2b", NUMBERS[:n]) for n in (0, 1, 127, 128, 129, 256, 400)),
    *(("sort", NUMBERS[:n]) for n in (0, 3, 4, 8, 12, 13, 16, 20, 400)),
    ("sort", struct.pack("<9I", 3, 1, 3, 0, 1, 0xFFFFFFFF, 2, 2, 1)),
    *(("matrix", bytes([n])) for n in (0, 1, 2, 5)),
    *(("life", life_args(8, 6, n, GLIDER)) for n in (0, 1, 2, 3, 20)),
    ("life", life_args(1, 1, 1, {(0, 0)})),
    ("life", life_args(2, 3, 2, {(0, 0), (1, 1), (0, 2)})),
    ("life", life_args(5, 4, 3, GLIDER)[:15]),
    ("life", life_args(5, 0, 3, GLIDER)),
    ("life", struct.pack("<HHI", 257, 3, 1)),
    ("life", b"\1\0\1"),
    *(("mandelbrot", struct.pack("<HHI", *sizes)) for sizes in ((1, 1, 1), (4, 3, 9))),
    *(("mandelbrot", struct.pack("<HHI", *sizes)) for sizes in ((1, 0, 9), (513, 1, 9), (5, 5, 0))),
    *(("mandelbrot", struct.pack("<HHI3q", 5, 4, 30, *place)) for place in (
        (0, 0, 1 << 26), (-1 << 28, 1 << 26, -3), (1 << 63 - 1, 12345, (1 << 61) + 12345)
    )),
    ("mandelbrot", struct.pack("<HHI2q", 3, 3, 5, 1, 2)),
    ("mandelbrot", b"\1\0\1"),
]


def log(machine: ReferenceMachine) -> None:
    """A host that refuses: it overwrites r7, as hosts do with results."""
    machine.registers[7] = 0xFFFFFFFFFFFFFFFE


def run(each: Example, args: bytes, spec: str = "0.7.2") -> bytes:
    program = assemble(each.source, GP_072 if spec == "0.7.2" else GP_080)
    engine = ReferenceEngine(spec=spec, metering="instruction" if spec == "0.7.2" else "block")
    machine = engine.instantiate(program, args=args, gas=each.gas, host={LOG_CALL: log})
    assert machine.run().reason is Reason.HALT
    return machine.result()


@pytest.mark.parametrize(("name", "args"), SMALL, ids=[f"{name}-{len(args)}-{args[:8].hex()}" for name, args in SMALL])
def test_small(name: str, args: bytes) -> None:
    assert run(example(name), args) == example(name).expected(args)


@pytest.mark.parametrize("name", ["hello", "blake2b", "sort"])
def test_default_arguments_under_the_newest_version(name: str) -> None:
    assert run(example(name), example(name).args, "0.8.0") == example(name).expected(example(name).args)


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_sound(name: str) -> None:
    for spec in (GP_072, GP_080):
        program = assemble(example(name).source, spec)
        assert Program.parse(program.encode()) == program
        assert assemble(disassemble(program, spec), spec) == program
        assert is_valid(program.blob, spec)
        starts = block_starts(program.blob, spec)
        for instruction in decode(program.blob, spec):
            fields = instruction.row.format.immediates
            if fields and fields[-1].offset:
                assert getattr(instruction, fields[-1].name) in starts, instruction


def test_hello_logs() -> None:
    machine = ReferenceEngine().instantiate(assemble(example("hello").source), args=b"you", gas=1000)
    exit = machine.run()
    assert (exit.reason, exit.call) == (Reason.HOST_CALL, LOG_CALL)
    level, target, target_size, message, size = machine.registers[7:12]
    assert level == 2
    assert machine.memory.read(target, target_size) == b"hello"
    assert machine.memory.read(message, size) == b"Hello, you!"


def test_expected_results() -> None:
    assert int.from_bytes(example("fibonacci").expected(b"\x0a"), "little") == 55
    assert int.from_bytes(example("sieve").expected(b""), "little") == 9592
    assert sum(example("life").expected(life_args(8, 8, 4, GLIDER))) == 5
    assert example("mandelbrot").expected(struct.pack("<HHI3q", 3, 1, 50, 0, 0, 2 << 28)) == bytes((0, 0, 16))


@pytest.mark.parametrize("name", ["life", "mandelbrot"])
def test_pixels_lie_where_the_program_draws(name: str) -> None:
    """When it ends, they are its result."""
    each = example(name)
    assert each.pixels is not None
    machine = Engine(tier="interpreter").instantiate(assemble(each.source), args=each.args, gas=each.gas)
    assert machine.run().reason is Reason.HALT
    picture = each.pixels
    rows = (picture.address + row * picture.stride for row in range(picture.height))
    assert b"".join(machine.memory.read(row, picture.width) for row in rows) == machine.result()


def test_unknown_example() -> None:
    with pytest.raises(InputError, match="unknown example 'helo'"):
        example("helo")
