"""What translating costs, instruction by instruction: the largest programs that are taken, and how close they are to
the most that `wasm_host.code.room` states.

In: a subject of `hostile_rows`. Out: a part of the section. Each sample is taken in a process of its own, on 1, 2 and 8
compile threads. Times are the processor's, so that a busy machine matters less.
"""

from __future__ import annotations

from pvm.emit.recompiler import MAX_INSTRUCTIONS, MAX_PROGRAM_WEIGHT, REGION_WEIGHT
from pvm.isa import GP_072
from pvm.isa.expr import Sbrk
from pvm.program import Program
from wasm_host.bench.report.figures import BYTES, Report, Section
from wasm_host.bench.sections.hostile import of_weight
from wasm_host.bench.sections.hostile_rows import CHOICES, Subject
from wasm_host.bench.sections.hostile_runs import PEAK, PROCESSOR, WEIGHTS, is_measurable, sample
from wasm_host.code.room import most
from wasm_host.engine import HARDWARE, SOFTWARE

THREADS = (1, 2, 8)

_QUICK = 2000  # instructions
_ONE_REGION = REGION_WEIGHT * MAX_INSTRUCTIONS // MAX_PROGRAM_WEIGHT
_PROCESS = 64 << 20  # what a process has before it translates: Python, wasmtime, the interpreter


def measure_weights(report: Report, subject: Subject, quick: bool, limit: int = MAX_INSTRUCTIONS) -> None:
    """Add a subject's figures: with the operands and the protection with which one function takes the most memory."""
    if not is_measurable():
        report.absent[WEIGHTS] = "this system has no VmHWM in /proc/self/status, as Linux has"
        return
    limit = _QUICK if quick else limit
    title = f"Programs of one instruction or of a few, at most {limit:,} of them or as heavy, translated"
    section = report.section(WEIGHTS, title)
    choice, protection = _worst(subject, min(limit, _ONE_REGION))
    report.tell(0.2)
    count, blob = of_weight(subject.kind(choice), limit)
    program = Program.parse(blob.encode(), "plain")
    section.facts[f"{subject.name}: worst"] = f"{choice}, {protection}, {count:,} instructions"
    for threads in THREADS:
        found = sample(blob, threads=threads, what="weigh", protection=protection)
        report.tell(0.2 + 0.8 * (1 + THREADS.index(threads)) / len(THREADS))
        if isinstance(found, str):
            section.problems.append(f"{subject.name}, {threads} threads: {found}")
            continue
        _add(section, subject, threads, found)
        stated = most(program, GP_072, threads) + _PROCESS
        if found[PEAK] > stated:
            section.problems.append(
                f"{subject.name}, {threads} threads: {int(found[PEAK]):,} bytes are more than the {stated:,} that are "
                f"stated"
            )


def _worst(subject: Subject, limit: int) -> tuple[str, str]:
    """The choice of operands and the protection with which one function takes the most memory."""
    found: dict[tuple[str, str], float] = {}
    for choice in CHOICES:
        _, blob = of_weight(subject.kind(choice), limit)
        for protection in _protections(subject):
            answer = sample(blob, threads=1, what="weigh", protection=protection)
            found[choice, protection] = 0 if isinstance(answer, str) else answer[PEAK]
    return max(found, key=lambda key: found[key])


def _protections(subject: Subject) -> tuple[str, ...]:
    """Those with which the subject's programs become different code."""
    differs = any(
        row.accesses_memory or any(isinstance(effect, Sbrk) for effect in row.effects) for row in subject.rows
    )
    return (SOFTWARE, HARDWARE) if differs else (SOFTWARE,)


def _add(section: Section, subject: Subject, threads: int, found: dict[str, float]) -> None:
    noun = "thread" if threads == 1 else "threads"
    for figure in (PROCESSOR, PEAK):
        name = f"{subject.name}: {figure}, {threads} {noun}"
        section.samples.setdefault(name, []).append(found[figure])
        if figure == PEAK:
            section.units[name] = BYTES
