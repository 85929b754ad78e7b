"""What translating a program costs: decoding it, the recompiler in Python, and wasmtime's compiling.

In: programs. Out: a `Section` in nanoseconds a PVM instruction. A small program's figures are mostly what any module
costs, so the examples are one subject, together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import wasmtime

from pvm.emit.recompiler import recompile
from pvm.isa import Spec
from pvm.program import Blob, Program, decode
from wasm_host.bench.measure import elapsed
from wasm_host.bench.report.figures import Ratio, Report
from wasm_host.bench.sections.naive import emit_anew
from wasm_host.code.modules import wasmtime_engine
from wasm_host.engine import HARDWARE, SOFTWARE

DECODE = "decode"
NAIVE = "naive lowering"  # `wasm_host.bench.sections.naive`
# By protection, SOFTWARE or HARDWARE.
RECOMPILE = "recompile, {}"  # the whole of it: decoding, finding loops, emitting
COMPILE = "wasmtime, {}"
IN_ALL = "in all, {}"  # both

_LARGE, _SMALL = "doom", "pinky"
_GROWTH = 1.5  # at most: what an instruction of the large program costs, in those of the small one


def measure_translating(report: Report, spec: Spec, subjects: Mapping[str, Sequence[Program]], repeat: int) -> None:
    """Add the section. A subject is one program, or several that are measured together."""
    section = report.section("compile", "Translating, a PVM instruction")
    for name, programs in subjects.items():
        section.facts[f"instructions of {name}"] = sum(1 for program in programs for _ in decode(program.blob, spec))
    section.facts["naive"] = f"{DECODE} and {NAIVE}"
    section.ratios += [ratio for protection in (SOFTWARE, HARDWARE) for ratio in _ratios(subjects, protection)]
    section.measure(
        {name: partial(_translate, [one.encode() for one in programs], spec) for name, programs in subjects.items()},
        repeat,
    )


def _ratios(subjects: Iterable[str], protection: str) -> list[Ratio]:
    recompile_, in_all = RECOMPILE.format(protection), IN_ALL.format(protection)
    ratios = [
        Ratio(f"{name}: {recompile_} / naive", f"{name}: {recompile_}", (f"{name}: {DECODE}", f"{name}: {NAIVE}"))
        for name in subjects
    ]
    if {_LARGE, _SMALL} <= set(subjects):
        label = f"{_LARGE} / {_SMALL}: {in_all}"
        ratios.append(Ratio(label, f"{_LARGE}: {in_all}", (f"{_SMALL}: {in_all}",), _GROWTH))
    return ratios


def _translate(programs: Sequence[bytes], spec: Spec) -> dict[str, float]:
    """Decode and translate programs, as new as the first time."""
    blobs = [Program.parse(data).blob for data in programs]
    count = sum(1 for blob in blobs for _ in decode(blob, spec))
    figures = {DECODE: elapsed(lambda: [list(decode(blob, spec)) for blob in blobs], count)}
    instructions = [list(decode(blob, spec)) for blob in blobs]
    figures[NAIVE] = elapsed(lambda: [emit_anew(one) for one in instructions], count)
    instructions.clear()  # half a million objects more would be the garbage collector's work below
    for protection in (SOFTWARE, HARDWARE):
        figures |= _recompile([Program.parse(data).blob for data in programs], spec, protection, count)
    return figures


def _recompile(blobs: Sequence[Blob], spec: Spec, protection: str, count: int) -> dict[str, float]:
    modules: list[bytes] = []
    in_python = elapsed(
        lambda: modules.extend(recompile(blob, spec, "instruction", protection).module for blob in blobs), count
    )
    compiling = elapsed(lambda: [wasmtime.Module(wasmtime_engine(), module) for module in modules], count)
    return {
        RECOMPILE.format(protection): in_python, COMPILE.format(protection): compiling,
        IN_ALL.format(protection): in_python + compiling,
    }  # fmt: skip
