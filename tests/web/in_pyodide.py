"""Checks that run inside Pyodide (`in_pyodide.mjs`). Each function returns plain values, which the tests look at."""

import re
from pathlib import Path

from pvm import ReferenceEngine
from pvm.examples import EXAMPLES
from pvm.examples import example as find_example
from pvm.fuzz import memory_case, random_case, transcript
from pvm.link import link
from pvm.log import program_output
from pvm.observe import Debugger, counts_of, profile, symbols_of
from pvm.program import assemble, survey
from pvm.trace import parse_trace, replay
from pvm.vectors import parse_vector, run_vector
from pvm_web.host import Engine

SHARED = Path("/shared")


def vectors():
    """Differences by file: every fifth on the interpreter, whose module is that of other hosts, all recompiled."""
    found = {}
    for tier, every in (("interpreter", 5), ("recompiler", 1)):
        engine = Engine("0.7.2", tier, "block")
        for path in sorted((SHARED / "vectors/pvm-0.7.2").glob("*.json"))[::every]:
            found[f"{tier} {engine.metering} {path.stem}"] = run_vector(parse_vector(path.read_bytes()), engine)
        engine = Engine("gas-vectors", tier)
        for path in sorted((SHARED / "vectors/gas-0.8.0").glob("*.json"))[::every]:
            found[f"{tier} {engine.metering} {path.stem}"] = run_vector(parse_vector(path.read_bytes()), engine)
    return found


def traces():
    """Differences by file: every tenth on the interpreter, every third recompiled, all on auto."""
    files = sorted((SHARED / "traces/ecalli").glob("*.log"))
    found = {}
    for tier, every in (("interpreter", 10), ("recompiler", 3), ("auto", 1)):
        engine = Engine("0.7.2", tier)
        for path in files[::every]:
            found[f"{tier} {path.stem}"] = replay(parse_trace(path.read_bytes()), engine).difference
    return found


def programs():
    """Random programs that go another way than on the reference engine, and how many there were."""
    wrong, count = [], 0
    for make, end in ((random_case, 60), (memory_case, 30)):
        for seed in range(end):
            case = make(seed)
            expected = transcript(case, ReferenceEngine(case.spec, case.metering))
            for tier in ("interpreter", "recompiler"):
                count += 1
                if transcript(case, Engine(case.spec, tier, case.metering)) != expected:
                    wrong.append(f"{make.__name__} {seed} {tier}")
    return {"wrong": wrong, "count": count}


def examples():
    """Whether results are as expected, by example, version, metering and tier."""
    found = {}
    for spec, metering, tier in (
        ("0.7.2", "instruction", "auto"), ("0.8.0", "block", "recompiler"), ("0.8.0", "instruction", "interpreter"),
        ("0.8.0", None, "recompiler"), ("0.8.0", None, "interpreter"),
    ):
        engine = Engine(spec, tier, metering)
        for example in EXAMPLES:
            program = assemble(example.source, spec)
            machine = engine.instantiate(program, example.args, example.gas, host={100: lambda machine: None})
            machine.run()
            found[f"{example.name} {spec} {metering} {tier}"] = machine.result() == example.expected(example.args)
    return found


def refusals():
    """What is raised for handlers of no call, for those that run their machine, and for machines deep in each other."""
    engine, program = Engine(), assemble(".code\necalli 1\ntrap\n")
    found = {}

    def run(name, handler, number=1):
        try:
            found[name] = engine.instantiate(program, host={number: handler}).run().reason.value
        except Exception as error:
            found[name] = type(error).__name__

    def nest(machine):
        engine.instantiate(program, host={1: nest}).run()

    run("no call", lambda machine: None, -1)
    run("again", lambda machine: machine.run() and None)
    run("step", lambda machine: machine.step() and None)
    run("deep", nest)
    run("afterwards", lambda machine: None)
    return found


def stops():
    """Exits of runs with limits, of one that a handler stops, and of a machine that is closed."""
    program = assemble(".code\nloop: ecalli 1\nadd_imm_64 r1, r1, 1\njump loop\n")
    found = {}
    for tier in ("interpreter", "recompiler"):
        machine = Engine("0.7.2", tier, "block").instantiate(program, gas=100, host={1: lambda machine: None})
        exits = [machine.run(limit) for limit in (10, 2, 3, 80)]
        machine = Engine("0.7.2", tier).instantiate(program, gas=100, host={1: lambda machine: machine.stop()})
        exits += [machine.run(), machine.run()]
        with machine:
            pass
        try:
            machine.run()
        except Exception as error:
            found[tier] = [[exit.reason.value, exit.gas] for exit in exits], type(error).__name__
    return found


def observed():
    """What counts, breakpoints, watchpoints and profiles say that they do not say of the reference engine, by tier."""
    known, found = find_example("fibonacci"), {}
    program = assemble(known.source)
    labels = symbols_of(program, survey(known.source))
    for tier in ("interpreter", "recompiler", "auto"):
        seen = []
        for engine, counting in (
            (Engine(tier=tier), Engine(tier=tier, counting=True)), (ReferenceEngine(), ReferenceEngine(counting=True)),
        ):  # fmt: skip
            machine = counting.instantiate(program, b"\x06")
            exit, counts = machine.run(), counts_of(machine)
            debugger = Debugger(engine.instantiate(program, b"\x06"), {max(counts, key=counts.get)})
            stops = [debugger.run() for _ in range(10)]
            debugger.breakpoints.clear()
            debugger.watch(debugger.machine.registers[1] - 64, 64)
            stops += [debugger.run() for _ in range(10)]
            folded = profile(engine.instantiate(program, b"\x06"), labels).folded()
            seen.append((exit, counts, stops, folded))
        names = ("exit", "counts", "stops", "folded")
        found[tier] = [name for name, ours, theirs in zip(names, *seen, strict=True) if ours != theirs]
    return found


def guide():
    """Runs the guide's code for Pyodide, and how many pieces that were."""
    found = re.findall(r"```pyodide\n(.*?)```", (SHARED / "GUIDE.md").read_text(), re.DOTALL)
    for source in found:
        exec(source, {})
    return len(found)


def linked():
    """The program of the objects in /shared, and what it prints."""
    program = link([(path.name, path.read_bytes()) for path in sorted(SHARED.iterdir())]).program
    printed = bytearray()

    def log(machine):
        target, data = program_output(machine)
        if target == "stdout":
            printed.extend(data)
        machine.registers[7] = 2**64 - 2

    exit = Engine("0.7.2", "auto").instantiate(program, gas=10_000_000, host={100: log}).run()
    return {"octets": program.encode().hex(), "reason": exit.reason.value, "printed": printed.decode()}
