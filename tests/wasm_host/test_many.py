"""`run_many`: one program with many arguments, on executors of every kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from pvm import AddressError, InputError, Program, Reason
from pvm.examples import example
from pvm.program import assemble
from wasm_host import Engine, Job, run_many

COUNTS = (3, 10, 0, 7, 20)
FIBONACCI = [(2).to_bytes(8, "little"), (55).to_bytes(8, "little"), bytes(8), (13).to_bytes(8, "little"),
             (6765).to_bytes(8, "little")]  # fmt: skip
HANDLERS = "def add_one(machine):\n    machine.registers[7] += 1\n"


@pytest.fixture
def fibonacci() -> Program:
    return assemble(example("fibonacci").source)


@pytest.fixture(params=["here", "threads", "fork", "forkserver"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    if request.param == "here":
        yield None
        return
    made = ThreadPoolExecutor(2) if request.param == "threads" else ProcessPoolExecutor(2, get_context(request.param))
    with made:
        yield made


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "pvm_test_handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import pvm_test_handlers  # type: ignore[import-not-found]

    yield pvm_test_handlers
    del sys.modules["pvm_test_handlers"]


@pytest.mark.parametrize("tier", ["interpreter", "recompiler", "auto"])
def test_outcomes_are_in_the_order_of_the_jobs(fibonacci: Program, executor: Executor | None, tier: str) -> None:
    Engine(tier="recompiler", cache=False).instantiate(fibonacci, args=b"\x01").run()  # wasmtime has threads now
    jobs = [Job(bytes([count])) for count in COUNTS]
    found = run_many(fibonacci, iter(jobs), executor, tier=tier, cache=False)
    assert [outcome.result for outcome in found] == FIBONACCI
    assert all(outcome.exit.reason is Reason.HALT for outcome in found)
    engine = Engine(tier="interpreter")
    for job, outcome in zip(jobs, found, strict=True):
        machine = engine.instantiate(fibonacci, job.args)
        assert (machine.run(), tuple(machine.registers)) == (outcome.exit, outcome.registers)


def test_gas_and_pc(fibonacci: Program, executor: Executor | None) -> None:
    one, other = run_many(fibonacci, [Job(b"\x09", gas=5), Job(pc=1)], executor)
    assert (one.exit.reason, one.exit.gas, one.result) == (Reason.OUT_OF_GAS, 0, None)
    assert other.exit.reason is Reason.PANIC


def test_handlers(executor: Executor | None, handlers: Any) -> None:
    program = assemble("ecalli 7\necalli 7\necalli 8\ntrap")
    [outcome] = run_many(program, [Job()], executor, host={7: handlers.add_one})
    assert outcome.exit.call == 8 and outcome.registers[7] == 2


def test_handlers_that_cannot_travel(fibonacci: Program) -> None:
    refused = pytest.raises(InputError, match=r"host: 7: .*lambda.* cannot travel")
    with ProcessPoolExecutor(1, get_context("forkserver")) as executor, refused:
        run_many(fibonacci, [Job()], executor, host={7: lambda machine: None})
    with ThreadPoolExecutor(1) as executor:
        assert len(run_many(fibonacci, [Job()], executor, host={7: lambda machine: None})) == 1


def test_bad_jobs(fibonacci: Program, executor: Executor | None) -> None:
    assert run_many(fibonacci, [], executor) == []
    with pytest.raises(AddressError, match="job 1: gas"):
        run_many(fibonacci, [Job(), Job(gas=-1)], executor)
    with pytest.raises(InputError, match="job 0: arguments"):
        run_many(assemble("trap"), [Job(b"x")], executor)
    with pytest.raises(InputError, match=r"program: a pvm\.Program is needed"):
        run_many(b"", [Job()], executor)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^host: -1: ecalli names 0 to"):
        run_many(fibonacci, [Job()], executor, host={-1: lambda machine: None})
    with pytest.raises(InputError, match="job 0: a Job is needed"):
        run_many(fibonacci, [b"\x01"], executor)  # type: ignore[list-item]


def test_a_translation_travels(fibonacci: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    maker, taker = Engine(tier="recompiler", cache=False), Engine(tier="recompiler", cache=False)
    carried = maker.carry(fibonacci)
    assert carried is not None
    taker.adopt(fibonacci, carried)
    monkeypatch.setattr("wasm_host.engine.compile_program", None)
    assert taker.instantiate(fibonacci, args=b"\x0a").run().reason is Reason.HALT
    assert Engine(tier="interpreter").carry(fibonacci) is None
    assert Engine(tier="auto", cache=False).carry(fibonacci) is None
