"""What translating a program costs: decoding it, the recompiler in Python, and wasmtime's compiling.

In: programs. Out: a `Section` in nanoseconds a PVM instruction. A small program's figures are mostly what any module
costs, so the examples stand in only where larger programs are absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import wasmtime

from pvm.emit.recompiler import recompile
from pvm.isa import Spec
from pvm.program import Blob, Program, decode
from wasm_host.bench.measure import Ratio, Report, elapsed
from wasm_host.bench.naive import emit_anew
from wasm_host.compiled import wasmtime_engine
from wasm_host.engine import HARDWARE, SOFTWARE

DECODE = "decode"
NAIVE = "naive lowering"  # `wasm_host.bench.naive`
# By protection, SOFTWARE or HARDWARE.
RECOMPILE = "recompile, {}"  # the whole of it: decoding, finding loops, emitting
COMPILE = "wasmtime, {}"
IN_ALL = "in all, {}"  # both

_LARGE, _SMALL = "doom", "pinky"
_GROWTH = 1.5  # at most: what an instruction of the large program costs, in those of the small one


def measure_translating(report: Report, spec: Spec, programs: dict[str, Program], repeat: int) -> None:
    """Add the section."""
    section = report.section("compile", "Translating, a PVM instruction")
    for name, program in programs.items():
        section.facts[f"instructions of {name}"] = sum(1 for _ in decode(program.blob, spec))
    section.facts["naive"] = f"{DECODE} and {NAIVE}"
    section.ratios += [ratio for protection in (SOFTWARE, HARDWARE) for ratio in _ratios(programs, protection)]
    section.measure({name: partial(_translate, program.encode(), spec) for name, program in programs.items()}, repeat)


def _ratios(programs: Iterable[str], protection: str) -> list[Ratio]:
    recompile_, in_all = RECOMPILE.format(protection), IN_ALL.format(protection)
    ratios = [
        Ratio(f"{name}: {recompile_} / naive", f"{name}: {recompile_}", (f"{name}: {DECODE}", f"{name}: {NAIVE}"))
        for name in programs
    ]
    if {_LARGE, _SMALL} <= set(programs):
        label = f"{_LARGE} / {_SMALL}: {in_all}"
        ratios.append(Ratio(label, f"{_LARGE}: {in_all}", (f"{_SMALL}: {in_all}",), _GROWTH))
    return ratios


def _translate(data: bytes, spec: Spec) -> dict[str, float]:
    """Decode and translate a program, as new as the first time."""
    blob = Program.parse(data).blob
    count = sum(1 for _ in decode(blob, spec))
    figures = {DECODE: elapsed(lambda: list(decode(blob, spec)), count)}
    instructions = list(decode(blob, spec))
    figures[NAIVE] = elapsed(lambda: emit_anew(instructions), count)
    instructions.clear()  # half a million objects more would be the garbage collector's work below
    for protection in (SOFTWARE, HARDWARE):
        figures |= _recompile(Program.parse(data).blob, spec, protection, count)
    return figures


def _recompile(blob: Blob, spec: Spec, protection: str, count: int) -> dict[str, float]:
    modules: list[bytes] = []
    in_python = elapsed(lambda: modules.append(recompile(blob, spec, "instruction", protection).module), count)
    compiling = elapsed(lambda: wasmtime.Module(wasmtime_engine(), modules[0]), count)
    return {
        RECOMPILE.format(protection): in_python, COMPILE.format(protection): compiling,
        IN_ALL.format(protection): in_python + compiling,
    }  # fmt: skip
