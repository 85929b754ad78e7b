"""What hostile programs cost: the largest that are translated, and those that are left to the interpreter.

In: a kind of programs. Out: parts of two `Section`s. Each sample is taken in a process of its own, so that memory is
one program's and a crash ends nothing but itself: this file run as a program. That gets a line of JSON on standard
input, then a program, and writes JSON: what `translate` or `run` found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pvm.emit.recompiler import MAX_INSTRUCTIONS, recompile
from pvm.isa import GP_072
from pvm.program import Blob, Program
from wasm_host.bench.measure import elapsed
from wasm_host.bench.report.figures import BYTES, Ratio, Report, Section
from wasm_host.bench.sections.hostile import Kind, of_octets, of_weight
from wasm_host.code.modules import compile_module, interpreter
from wasm_host.engine import HARDWARE, SOFTWARE, Engine
from wasm_host.machine.translated import RecompilerMachine

# Figures: nanoseconds, and the most bytes that were resident at a time, Python and the interpreter included.
RECOMPILE, COMPILE, IN_ALL, HALF = "recompile", "wasmtime", "in all", "in all, half as many"
INSTANTIATE, RUN, PEAK = "instantiate", "run", "memory"
PROCESSOR = "processor time"  # of all threads
TAKEN = "taken"  # 1 where the recompiler takes the program, 0 where it is left to the interpreter
TIERS = ("recompiler", "auto")
TRANSLATED, LARGEST, WEIGHTS = "hostile", "hostile-run", "weights"  # sections

GAS = 10_000_000
OCTETS = 4_000_000  # JAM takes no larger service
_GROWTH = 1.5  # at most: what an instruction costs, in those of a program half as large
_QUICK = 2000  # instructions
_TIME_LIMIT = 600  # seconds
_STATUS = Path("/proc/self/status")


def is_measurable() -> bool:
    """Whether this system tells how much memory a process has used."""
    return _STATUS.is_file() and b"VmHWM:" in _STATUS.read_bytes()


def peak() -> int:
    """The most bytes of this process that were resident at a time.

    `resource.getrusage` would count those of the process that started this one.
    """
    [line] = [line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def measure_hostile(report: Report, kind: Kind, quick: bool) -> None:
    """Add a kind's figures to both sections. Once: all kinds take minutes, and the order of magnitude counts."""
    if not is_measurable():
        report.absent["hostile"] = "this system has no VmHWM in /proc/self/status, as Linux has"
        return
    limit, octets = (_QUICK, 10 * _QUICK) if quick else (MAX_INSTRUCTIONS, OCTETS)
    measure_translating(
        report.section(
            TRANSLATED, f"Hostile programs of at most {limit:,} instructions, translated, with either protection"
        ),
        kind, limit,
    )  # fmt: skip
    report.tell(0.5)
    measure_running(
        report.section(LARGEST, f"Hostile programs of {octets:,} octets, a run of {GAS:,} gas, with either tier"),
        kind, octets,
    )  # fmt: skip


def note_worst(report: Report) -> None:
    """Add to the sections which kinds have the highest figures."""
    for name in (TRANSLATED, LARGEST, WEIGHTS):
        section = report.find(name)
        if section is None:
            continue
        for figure in {name.partition(": ")[2]: None for name in section.samples if not name.endswith(f": {HALF}")}:
            found = [sample for sample in section.samples if sample.endswith(f": {figure}")]
            if found:
                worst = max(found, key=lambda sample: max(section.samples[sample]))
                section.facts[f"worst {figure}"] = worst.removesuffix(f": {figure}")


def measure_translating(section: Section, kind: Kind, limit: int) -> None:
    """Add a kind's figures to the section; their samples are one a protection."""
    count, blob = of_weight(kind, limit)
    half = kind.make(count // 2)
    for protection in (SOFTWARE, HARDWARE):
        found = _sampled(section, f"{kind.name}, {protection}", blob, what="translate", protection=protection)
        less = _sampled(section, f"{kind.name}, {protection}", half, what="translate", protection=protection)
        if found and less:
            _add(section, kind, {**found, HALF: less[IN_ALL]})
    figure = f"{kind.name}: {HALF}"
    section.ratios.append(Ratio(f"{kind.name}: growth", f"{kind.name}: {IN_ALL}", (figure, figure), _GROWTH))


def measure_running(section: Section, kind: Kind, octets: int) -> None:
    """Add a kind's figures to the section; their samples are one a tier."""
    _, blob = of_octets(kind, octets)
    taken = []
    for tier in TIERS:
        found = _sampled(section, f"{kind.name}, {tier}", blob, what="run", tier=tier)
        if found:
            if found.pop(TAKEN):
                taken.append(tier)
            _add(section, kind, found)
    if taken:
        section.facts[f"{kind.name}, not left to the interpreter"] = " and ".join(taken)


def sample(blob: Blob, threads: int | None = None, **request: str) -> dict[str, float] | str:
    """What a new process found out about a program, or why it failed; `threads` compile there."""
    environment = dict(os.environ) if threads is None else {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "wasm_host.bench.sections.hostile_runs"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request).encode() + b"\n" + blob.encode(), capture_output=True, check=False,
            timeout=_TIME_LIMIT, env=environment, start_new_session=True,  # Ctrl-C is for us alone
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no answer after {_TIME_LIMIT} seconds"
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        return f"the process ended with status {done.returncode}: {said[-1]}"
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _sampled(section: Section, name: str, blob: Blob, **request: str) -> dict[str, float]:
    """The figures of one process; none when it fails, which is a problem."""
    answer = sample(blob, None, **request)
    if isinstance(answer, str):
        section.problems.append(f"{name}: {answer}")
        return {}
    return answer


def _add(section: Section, kind: Kind, figures: dict[str, float]) -> None:
    for figure, value in figures.items():
        section.samples.setdefault(f"{kind.name}: {figure}", []).append(value)
        if figure == PEAK:
            section.units[f"{kind.name}: {figure}"] = BYTES


# --- in the process of its own ---------------------------------------------------------------------------------------


def translate(data: bytes, protection: str) -> dict[str, float]:
    """Translate a program as the engine does, but for the limit."""
    interpreter()  # what every process has
    modules: list[Any] = []
    in_python = elapsed(
        lambda: modules.append(recompile(Program.parse(data, "plain").blob, GP_072, "instruction", protection))
    )
    compiling = elapsed(lambda: modules.append(compile_module(modules[0].module)))
    return {RECOMPILE: in_python, COMPILE: compiling, IN_ALL: in_python + compiling, PEAK: peak()}


def weigh(data: bytes, protection: str) -> dict[str, float]:
    """Translate a program as the engine does, but for the limit."""
    interpreter()
    start = time.process_time_ns()
    compile_module(recompile(Program.parse(data, "plain").blob, GP_072, "instruction", protection).module)
    return {PROCESSOR: time.process_time_ns() - start, PEAK: peak()}


def run(data: bytes, tier: str) -> dict[str, float]:
    """Make a machine of a program and run it. Host calls are answered, as a node would."""
    interpreter()
    start = time.perf_counter_ns()
    engine = Engine(tier=tier, cache=False)
    machine = engine.instantiate(Program.parse(data, "plain"), gas=GAS, host={0: lambda machine: None})
    made = time.perf_counter_ns()
    machine.run()
    done = time.perf_counter_ns()
    taken = int(isinstance(machine, RecompilerMachine))
    return {INSTANTIATE: made - start, RUN: done - made, PEAK: peak(), TAKEN: taken}


if __name__ == "__main__":
    _asked, _data = json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer.read()
    _argument = _asked["tier" if _asked["what"] == "run" else "protection"]
    print(json.dumps({"translate": translate, "weigh": weigh, "run": run}[_asked["what"]](_data, _argument)))
