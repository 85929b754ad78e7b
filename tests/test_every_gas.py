"""Small programs at every gas value from 0 to enough: all engines agree in everything.

Gas is where translated code differs most from what it means: it looks at it for many blocks at once, and leaves to the
interpreter wherever it might not reach.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest

import wasm_host
from pvm import ReferenceEngine
from pvm.examples import LOG_CALL, example, life_args
from pvm.fuzz import Case, Observation, memory_case, observe, observed_pages, random_case, start
from pvm.gas import METERINGS, block_costs
from pvm.isa import SPEC_NAMES
from pvm.machine import AnyEngine, Reason
from pvm.program import Program, assemble
from wasm_host.code.modules import wasmtime_engine
from wasm_host.machine.protection import obstacle

ENOUGH = {"instruction": 300, "block": 300, "pipeline": 4000}  # gas in which a small program ends

Next = Callable[[int, Observation], int]


@pytest.fixture(scope="module", autouse=True)
def signal_taken() -> None:
    """wasmtime takes the signal of memory faults over, without which nothing is protected by the hardware."""
    wasmtime_engine()


def engines(spec: str, metering: str) -> dict[str, AnyEngine]:
    """The yardstick first. Where the hardware cannot protect pages, the tests do without."""
    make = partial(wasm_host.Engine, spec, metering=metering, cache=False)
    found: dict[str, AnyEngine] = {
        "reference": ReferenceEngine(spec, metering),
        "interpreter": make(tier="interpreter"),
        "software": make(tier="recompiler", protection="software"),
    }
    if obstacle() is None:
        found["hardware"] = make(tier="recompiler", protection="hardware")
    return found


def one_more(gas: int, seen: Observation) -> int:
    """Every gas value."""
    return gas + 1


def by_block(program: Program, spec: str) -> Next:
    """Every gas value up to 100, and then those at which one more block can be paid, and those just below."""
    costs = block_costs(program.blob, spec, "pipeline")

    def following(gas: int, seen: Observation) -> int:
        return gas + 1 if gas < 100 else max(gas + 1, gas - seen.gas + costs.at(seen.pc) - 1)

    return following


def takes(
    enough: int, ended: Callable[[AnyEngine, int], Observation], found: dict[str, AnyEngine], following: Next = one_more
) -> int | None:
    """Run at gas values up to the first that suffices, which is returned; None when `enough` does not.

    What is seen at an end must be the same for each.
    """
    (_, yardstick), *others = found.items()
    if is_out_of_gas(ended(yardstick, enough)):
        return None
    gas = 0
    while gas <= enough:
        expected = ended(yardstick, gas)
        for name, engine in others:
            seen = ended(engine, gas)
            assert seen == expected, f"{name} with {gas} gas: {seen}, expected {expected}"
        if not is_out_of_gas(expected):
            return gas
        gas = following(gas, expected)
    raise AssertionError("less gas takes a program farther")


def is_out_of_gas(seen: Observation) -> bool:
    return seen.exit is not None and seen.exit.reason is Reason.OUT_OF_GAS


def case_ended(case: Case, engine: AnyEngine, gas: int) -> Observation:
    """What is seen after a run with so much gas."""
    machine = start(case, engine, gas)
    return observe(machine, machine.run(), observed_pages(case))


def check_seeds(make: Callable[[int], Case], first: int, end: int) -> int:
    """How many of these seeds' programs end within `ENOUGH` gas, under either metering. To be called with more."""
    count = 0
    for seed in range(first, end):
        for metering in METERINGS:
            case = make(seed)
            try:
                following = by_block(Program.parse(case.program, format="plain"), case.spec)
                ended, found = partial(case_ended, case), engines(case.spec, metering)
                next_ = following if metering == "pipeline" else one_more
                count += takes(ENOUGH[metering], ended, found, next_) is not None
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {case.spec}, {metering}: {error}") from None
    return count


@pytest.mark.parametrize("first", range(0, 300, 75))
def test_random_programs(first: int) -> None:
    assert check_seeds(random_case, first, first + 75) > 100


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_programs_that_work_on_memory(first: int) -> None:
    assert check_seeds(memory_case, first, first + 25) > 20


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("hello", b"JAM"), ("fibonacci", b"\4"), ("sieve", b"\x0a\0\0\0"), ("sort", bytes([3, 0, 0, 0, 1, 0, 0, 0])),
        ("matrix", b"\2"), ("life", life_args(2, 1, 1, {(0, 0)})),
        ("mandelbrot", bytes([2, 0, 1, 0, 3, 0, 0, 0])),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("spec", "metering"), list(product(SPEC_NAMES, METERINGS)))
def test_examples(name: str, args: bytes, spec: str, metering: str) -> None:
    program = assemble(example(name).source, spec)
    assert program.sections is not None
    segments = program.sections.segments(args)

    def ended(engine: AnyEngine, gas: int) -> Observation:
        machine = engine.instantiate(program, args, gas, host={LOG_CALL: lambda machine: None})
        exit = machine.run()
        memory = tuple((one.address, machine.memory.read(one.address, min(one.length, 1 << 14))) for one in segments)
        return Observation(exit, machine.pc, machine.gas, tuple(machine.registers), memory, ())

    following = by_block(program, spec) if metering == "pipeline" else one_more
    assert takes(ENOUGH[metering], ended, engines(spec, metering), following)
