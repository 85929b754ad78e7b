"""Replaying recorded runs of services, which are mostly short, and what the time goes into.

In: traces. Out: a `Section` in nanoseconds for all of them, one after the other on one engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

import wasmtime

import wasm_host.machine.ffi
import wasm_host.translating
from pvm.emit.recompiler import recompile
from pvm.machine import AnyEngine, Machine
from pvm.program import Program
from pvm.trace import Trace, replay
from wasm_host.bench.measure import background_ended
from wasm_host.bench.report.figures import Ratio, Report, Section
from wasm_host.bench.sections.clock import Clock
from wasm_host.code.modules import interpreter
from wasm_host.engine import TIERS, Engine

TOTAL = "total"
TRANSLATE = "translate"  # Python
COMPILE = "compile"  # wasmtime
INSTANTIATE = "instantiate"
RUN = "run"  # inside generated code
HOST = "host calls"  # Python around it: entering it, answering calls, verifying all that the trace states
PHASES = (TRANSLATE, COMPILE, INSTANTIATE, RUN, HOST)
TRANSLATE_BESIDE, COMPILE_BESIDE = f"{TRANSLATE}, in the background", f"{COMPILE}, in the background"
PER_INSTRUCTION = "an instruction, run alone"


def measure_replay(report: Report, traces: dict[str, Trace], repeat: int) -> None:
    """Add the section: everything verified, the files already parsed."""
    section = report.section("replay", "Replaying the traces, verifying them")
    interpreter()
    calls, used = _check(section, list(traces.values()))
    section.facts |= {"traces": len(traces), "host calls": calls, "instructions": used}
    for tier in TIERS:
        bottom = (f"{TIERS[0]}: {TOTAL}",)
        if tier != TIERS[0]:
            section.ratios.append(Ratio(f"{tier} / {TIERS[0]}", f"{tier}: {TOTAL}", bottom))
    subjects = {tier: partial(_replay_all, tier, list(traces.values()), used) for tier in TIERS}
    section.measure(subjects, repeat)


def _replay_all(tier: str, traces: list[Trace], used: int) -> dict[str, float]:
    """One sample: the time by phase, and of each of the `used` instructions inside generated code."""
    programs = _parsed(traces)
    clock = Clock()
    with _watching(clock), background_ended():
        clock.timed(HOST, _replays)(traces, programs, _Watched(Engine(tier=tier, cache=False), clock))
    figures: dict[str, float] = {TOTAL: sum(clock.taken.values())}
    figures |= {phase: clock.taken[phase] for phase in PHASES}
    if tier == "auto":
        figures |= {TRANSLATE_BESIDE: clock.beside[TRANSLATE], COMPILE_BESIDE: clock.beside[COMPILE]}
    return figures | {PER_INSTRUCTION: clock.taken[RUN] / max(1, used)}


def _replays(traces: list[Trace], programs: dict[bytes, Program], engine: AnyEngine) -> None:
    for trace in traces:
        replay(trace, engine, programs[trace.program])


class _Watched:
    """An engine whose making of machines is timed."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.instantiate: Callable[..., Machine] = clock.timed(INSTANTIATE, engine.instantiate)


@contextmanager
def _watching(clock: Clock) -> Iterator[None]:
    """Time what engines do inside, until the context ends."""
    fast_call = wasm_host.machine.ffi.fast_call

    def timed_call(store: wasmtime.Store, function: wasmtime.Func) -> Callable[[], int]:
        return clock.timed(RUN, fast_call(store, function), inside=HOST)  # decoding belongs to making a machine

    with ExitStack() as stack:
        for owner, name, replacement in (
            (wasm_host.machine.ffi, "fast_call", timed_call),
            (wasm_host.translating, "recompile", clock.timed(TRANSLATE, recompile)),
            (wasmtime.Module, "__init__", clock.timed(COMPILE, wasmtime.Module.__init__)),
        ):
            stack.enter_context(patch.object(owner, name, replacement))
        yield


def _check(section: Section, traces: list[Trace]) -> tuple[int, int]:
    """Host calls and gas of all replays; differences become problems."""
    calls = used = 0
    programs = _parsed(traces)
    for trace in traces:
        done = replay(trace, Engine(tier="interpreter", cache=False), programs[trace.program])
        calls, used = calls + done.calls, used + done.gas_used
        if done.difference is not None:
            section.problems.append(f"a trace differs: {done.difference}")
    return calls, used


def _parsed(traces: list[Trace]) -> dict[bytes, Program]:
    return {data: Program.parse(data) for data in {trace.program for trace in traces}}
