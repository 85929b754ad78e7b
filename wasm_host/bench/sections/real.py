"""Real programs, and what the recompiler's code does in them: counts for every 1000 instructions.

In: names of `wasm_host.bench.real_programs.REAL`. Out: a `Section` a program, in nanoseconds a PVM instruction, with
the counts as facts: what is entered, crossed, stored and checked says why code takes as long as it does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from pvm.emit.recompiler.access_checks import shared_checks
from pvm.emit.recompiler.module import context_of, regions_of
from pvm.emit.recompiler.region import Region
from pvm.errors import PvmError
from pvm.flow import flow_of
from pvm.isa import Spec
from pvm.machine import Machine
from pvm.program import Program
from wasm_host.bench.measure import Subject, elapsed
from wasm_host.bench.real_programs import REAL, compiled_program, native, wasm32_run
from wasm_host.bench.report.figures import Ratio, Report
from wasm_host.bench.workloads import GAS
from wasm_host.engine import HARDWARE, SOFTWARE, Engine
from wasm_host.machine.translated import RecompilerMachine
from wasm_host.peers.gcc import Gcc, run_native

NATIVE, WASM32 = "gcc -O2", "wasm32, wasmtime"
_LOG = 100  # the host call by which programs print
_WARM_UP, _REST = 20, 0.1  # runs at most, until a machine that computes has its bare code; seconds between two
_METERING = "instruction"
Edges = Counter[tuple[int | None, int]]


def measure_real(report: Report, spec: Spec, name: str, gcc: Gcc | None, repeat: int, is_quick: bool) -> None:
    """Add the section of a program."""
    try:
        program = compiled_program(name, spec)
    except PvmError as error:
        report.absent["real"] = str(error)
        return
    section = report.section(name, f"{name} (real, by pvm cc): a PVM instruction")
    argument = REAL[name].small if is_quick else REAL[name].full
    engine = Engine(tier="interpreter", cache=False)
    printed: list[bytes] = []
    count = GAS - _machine(engine, program, argument, printed).run().gas
    section.facts |= {"instructions": count, "counts per 1000": counts(program, spec, REAL[name].small)}
    subjects: dict[str, Subject] = {"interpreter": partial(_timed, engine, program, argument, count)}
    for protection in (HARDWARE, SOFTWARE):
        label = f"recompiler, {protection}"
        try:
            ours = Engine(tier="recompiler", cache=False, protection=protection)
            subjects[label] = _warm(ours, program, argument, count, protection == HARDWARE)
        except PvmError as error:
            report.absent[label] = str(error)
    runs: dict[str, Callable[[], tuple[float, bytes]]] = {}
    if gcc is not None:
        runs[NATIVE] = partial(run_native, native(name, gcc), argument)
    try:
        runs[WASM32] = wasm32_run(name, argument)
    except PvmError as error:
        report.absent[WASM32] = str(error)
    for label, run in runs.items():
        if run()[1].strip() != b"".join(printed[:-1]).strip():  # the last says with what status it ended
            section.problems.append(f"{label}: it prints something else")
        subjects[label] = partial(_self_timed, run, count)
        section.ratios += [
            Ratio(f"{ours} / {label}", ours, (label,)) for ours in subjects if ours.startswith("recompiler")
        ]
    section.measure(subjects, repeat)


def _machine(engine: Engine, program: Program, argument: bytes, printed: list[bytes] | None = None) -> Machine:
    def log(machine: Machine) -> None:
        if printed is not None:
            printed.append(machine.memory.read(machine.registers[10], machine.registers[11]))

    return engine.instantiate(program, args=argument, gas=GAS, host={_LOG: log})


def _timed(engine: Engine, program: Program, argument: bytes, count: int) -> float:
    return elapsed(_machine(engine, program, argument).run, count)


def _warm(engine: Engine, program: Program, argument: bytes, count: int, has_bare: bool) -> Subject:
    """What runs it once, when all code is there."""
    for _ in range(_WARM_UP if has_bare else 1):
        machine = _machine(engine, program, argument)
        machine.run()
        if isinstance(machine, RecompilerMachine) and machine.has_bare_code:
            break
        time.sleep(_REST)
    return partial(_timed, engine, program, argument, count)


def _self_timed(run: Callable[[], tuple[float, bytes]], count: int) -> float:
    return run()[0] / count


# --- counts --------------------------------------------------------------------------------------------------------


def counts(program: Program, spec: Spec, argument: bytes) -> dict[str, float]:
    """What a run does for every 1000 instructions: blocks, crossings between regions, looks at gas, and by protection
    checkpoints, the registers that they store, and checks. Bare code has no checkpoints and no checks."""
    flow = flow_of(program.blob, spec)
    edges, steps = _edges(program, argument, flow.index)
    flow, shapes = regions_of(flow, spec)
    found: Counter[str] = Counter()
    for protection in (HARDWARE, SOFTWARE):
        context = context_of(program.blob, flow, spec, _METERING, protection, shapes)
        regions = [Region(context, shape, number) for number, shape in enumerate(shapes)]
        region_of = [number for number, shape in enumerate(shapes) for _ in range(shape.first, shape.end)]
        for (source, pc), times in edges.items():
            number = flow.index[pc]
            region = regions[region_of[number]]
            before = None if source is None else flow.index[source]
            points = [*region.checkpoints.within.get(number, {}).values()]
            if number in region.checkpoints.before and not _is_inside(region, number, before):
                points.append(region.checkpoints.before[number])
            found[f"checkpoints, {protection}"] += times * len(points)
            found[f"registers stored, {protection}"] += times * sum(mask.bit_count() for mask in points)
            if protection == SOFTWARE or number in region.checkpoints.checking:
                found[f"checks, {protection}"] += times * _checks(region, number)
            if protection == HARDWARE:
                found["blocks"] += times
                found["looks at gas"] += times * bool(region.needs.get(number))
                found["crossings"] += times * (before is not None and region_of[before] != region_of[number])
    return {name: round(1000 * number / steps, 1) for name, number in sorted(found.items()) if number}


def _edges(program: Program, argument: bytes, blocks: dict[int, int]) -> tuple[Edges, int]:
    """How often code goes from block to block, by pc, and the steps that were taken."""
    machine = _machine(Engine(tier="interpreter", cache=False), program, argument)
    found: Edges = Counter()
    before, steps = None, 0
    while True:
        pc = machine.pc
        if pc in blocks:
            found[before, pc] += 1
            before = pc
        steps += 1
        if machine.step() is not None:
            return found, steps


def _is_inside(region: Region, header: int, number: int | None) -> bool:
    """Whether a block lies in the loop of a header, so that it does not enter it."""
    return number is not None and header <= number <= region.lasts[header]


def _checks(region: Region, number: int) -> int:
    codes, block = region.program.codes, region.blocks[number]
    accesses = [one for one in range(block.first, block.end) if codes.accesses[one]]
    plan = shared_checks(accesses, codes.guarded(accesses), codes.written)
    return len(plan.before) + sum(one not in plan.covered for one in accesses)
