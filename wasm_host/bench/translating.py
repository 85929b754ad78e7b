"""What translating a program costs: decoding it, the recompiler in Python, and wasmtime's compiling.

In: programs. Out: a `Section` in nanoseconds a PVM instruction. A small program's figures are mostly what any module
costs, so the examples stand in only where larger programs are absent.
"""

from __future__ import annotations

from functools import partial

import wasmtime

from pvm.emit.recompiler import recompile
from pvm.isa import Spec
from pvm.program import Program, decode
from wasm_host.bench.measure import Ratio, Report, elapsed
from wasm_host.bench.naive import emit_anew
from wasm_host.compiled import wasmtime_engine

DECODE = "decode"
RECOMPILE = "recompile"  # the whole of it: decoding, finding loops, emitting
COMPILE = "wasmtime"
IN_ALL = "recompile and wasmtime"
NAIVE = "lower anew"  # `wasm_host.bench.naive`

_LARGE, _SMALL = "doom", "pinky"
_GROWTH = 1.5  # at most: what an instruction of the large program costs, in those of the small one


def measure_translating(report: Report, spec: Spec, programs: dict[str, Program], repeat: int) -> None:
    """Add the section."""
    section = report.section("compile", "Translating, a PVM instruction")
    if {_LARGE, _SMALL} <= programs.keys():
        label = f"{_LARGE} / {_SMALL}: {IN_ALL}"
        section.ratios.append(Ratio(label, f"{_LARGE}: {IN_ALL}", (f"{_SMALL}: {IN_ALL}",), _GROWTH))
    for name, program in programs.items():
        section.facts[f"instructions of {name}"] = sum(1 for _ in decode(program.blob, spec))
        naive = (f"{name}: {DECODE}", f"{name}: {NAIVE}")
        section.ratios.append(Ratio(f"{name}: {RECOMPILE} / ({DECODE} + {NAIVE})", f"{name}: {RECOMPILE}", naive))
    section.measure({name: partial(_translate, program.encode(), spec) for name, program in programs.items()}, repeat)


def _translate(data: bytes, spec: Spec) -> dict[str, float]:
    """Translate a program that is as new as the first time."""
    blob = Program.parse(data).blob
    count = sum(1 for _ in decode(blob, spec))
    figures = {DECODE: elapsed(lambda: list(decode(blob, spec)), count)}
    instructions, modules = list(decode(blob, spec)), list[bytes]()
    figures[NAIVE] = elapsed(lambda: emit_anew(instructions), count)
    instructions.clear()  # half a million objects more would be the garbage collector's work below
    figures[RECOMPILE] = elapsed(lambda: modules.append(recompile(blob, spec, "instruction").module), count)
    figures[COMPILE] = elapsed(lambda: wasmtime.Module(wasmtime_engine(), modules[0]), count)
    figures[IN_ALL] = figures[RECOMPILE] + figures[COMPILE]
    return figures
