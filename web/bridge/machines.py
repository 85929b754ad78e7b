"""What a host needs to run a program: its image, its translation; and the translation as text.

The page's guest worker runs what comes from here without any Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pvm.emit.interpreter import program_image
from pvm.emit.recompiler import Recompiled, is_translatable, recompile, why_interpreted
from pvm.emit.recompiler.outline import outline_of
from pvm.emit.recompiler.outline_text import outline_text
from pvm.emit.recompiler.region_text import region_at
from pvm.errors import AddressError, InputError
from pvm.gas import METERINGS, Costs, choose_metering
from pvm.gas.metering import PIPELINE
from pvm.isa import Spec
from pvm.machine import DEFAULT_GAS, Start, check_gas, check_pc, start_of
from pvm.program import Program, invalid_at
from pvm.trace import start_of_trace
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.values import Big, Params, Progress, Refused, pairs, registers

FindCosts = Callable[[Program, Spec], Costs | None]
"""What blocks cost by the pipeline model, where WebAssembly can be run to find out."""

PROTECTION = "software"  # browsers offer no other
_EVERY = 0.05  # seconds between two reports
_CALLS = 256  # of `pause` between two looks at the clock
_LONGEST_TEXT = 2_000_000  # characters of an outline with its blocks; some 150 each
_BLOCK_TEXT = 150


def metering_of(loaded: Loaded, params: Params) -> str:
    """How gas is charged: the version's own way, unless another is asked for."""
    return params.choice("metering", METERINGS, choose_metering(loaded.spec))


def start_value(loaded: Loaded, params: Params) -> Start:
    """The start that is asked for: a recorded run's own, otherwise with arguments, gas and pc. Raises Refused."""
    pc = _checked("pc", check_pc, params.number("pc", 32)) if params.has("pc") else None
    gas = _checked("gas", check_gas, params.number("gas", 64)) if params.has("gas") else None
    recorded = loaded.start
    if recorded is None and loaded.trace is not None:
        recorded = start_of_trace(loaded.trace, loaded.program)
    if recorded is not None:
        return Start(
            recorded.pc if pc is None else pc, recorded.gas if gas is None else gas, recorded.registers,
            recorded.segments, recorded.heap_end, recorded.heap_limit,
        )  # fmt: skip
    try:
        return start_of(loaded.program, params.octets("args", b""), DEFAULT_GAS if gas is None else gas, pc, None)
    except InputError as error:
        raise Refused("args", str(error)) from None


def image_value(loaded: Loaded, params: Params) -> dict[str, Any]:
    """The `Image` object: what goes into the engine memory and the guest's, and the state to start from."""
    metering, spec = metering_of(loaded, params), loaded.spec
    start = start_value(loaded, params)
    place = program_image(loaded.program, spec, metering)
    return {
        "spec": spec.name, "metering": metering, "reserve": place.size, "gas_stays": spec.gas_stays,
        "writes": [{"address": address, "bytes": data} for address, data in place.pieces],
        "numbers": {
            **place.numbers, "heap_end": Big(start.heap_end), "heap_limit": Big(start.heap_limit),
            **({"charged": 1} if loaded.is_paid else {}),
        },
        "segments": [
            {"name": s.name, "address": s.address, "length": s.length, "access": s.access, "data": s.data}
            for s in start.segments
        ],
        "registers": registers(start.registers), "gas": Big(start.gas), "pc": start.pc,
        "valid": not spec.validates or invalid_at(loaded.program.blob, spec) is None,
    }  # fmt: skip


def translate_value(loaded: Loaded, params: Params, progress: Progress, find_costs: FindCosts) -> dict[str, Any]:
    """The `Translation` object, or why there is none."""
    metering = metering_of(loaded, params)
    declined = _declined(loaded)
    if declined is not None:
        return {"declined": declined}
    found = _translated(loaded, metering, progress, find_costs)
    return {
        "module": found.module, "entries": pairs(found.entries.items()), "resumes": pairs(found.resumes.items()),
        "jumps": found.jumps,
    }  # fmt: skip


def wat_value(loaded: Loaded, params: Params, find_costs: FindCosts) -> dict[str, Any]:
    """The function of the region that a pc lies in, as text, and which of its lines are the block's around the pc."""
    metering, pc = metering_of(loaded, params), _checked("pc", check_pc, params.number("pc", 32))
    if not is_translatable(loaded.program.blob, loaded.spec):
        raise InputError(_declined(loaded) or "")
    costs = _costs(loaded, metering, find_costs)
    found = region_at(loaded.program.blob, loaded.spec, metering, PROTECTION, pc, costs)
    return {
        "text": found.text, "region": found.region, "block": {"first_pc": found.first_pc, "end_pc": found.end_pc},
        "first_line": found.first_line, "end_line": found.end_line,
    }  # fmt: skip


def shape_value(loaded: Loaded, params: Params, find_costs: FindCosts) -> dict[str, str]:
    """What `pvm shape` prints; for large programs of each region only what it consists of."""
    if not is_translatable(loaded.program.blob, loaded.spec):
        raise InputError(_declined(loaded) or "")
    metering = metering_of(loaded, params)
    costs = _costs(loaded, metering, find_costs)
    outline = outline_of(loaded.program.blob, loaded.spec, metering, PROTECTION, costs=costs)
    return {"text": outline_text(outline, trees=outline.blocks * _BLOCK_TEXT <= _LONGEST_TEXT)}


def _declined(loaded: Loaded) -> str | None:
    """Why a program is not translated."""
    blob, spec = loaded.program.blob, loaded.spec
    reason = why_interpreted(blob, spec)
    if reason is not None:
        return f"{reason}: the interpreter runs it"
    found = invalid_at(blob, spec) if spec.validates else None
    return None if found is None else f"in {spec.name} the program panics at once: {found}"


def _translated(loaded: Loaded, metering: str, progress: Progress, find_costs: FindCosts) -> Recompiled:
    """The translation, kept for the next time."""
    found = loaded.translations.get(metering)
    if found is None:
        # `pause` is called for a block when it is found, and when it is translated.
        pause = _reporter(2 * max(1, loaded.index.blocks.count(1)), progress)
        costs = _costs(loaded, metering, find_costs)
        found = recompile(loaded.program.blob, loaded.spec, metering, PROTECTION, pause=pause, costs=costs)
        loaded.translations[metering] = found
    return found


def _costs(loaded: Loaded, metering: str, find_costs: FindCosts) -> Costs | None:
    """What the recompiler need not work out, kept for the next time."""
    if metering != PIPELINE:
        return None
    if not loaded.costs:
        loaded.costs.append(find_costs(loaded.program, loaded.spec))
    return loaded.costs[0]


def _reporter(expected: int, progress: Progress) -> Callable[[], None]:
    """To be called about `expected` times; reports how much of that is done."""
    calls, reported = 0, time.monotonic()

    def pause() -> None:
        nonlocal calls, reported
        calls += 1
        if calls % _CALLS == 0 and (now := time.monotonic()) - reported >= _EVERY:
            reported = now
            progress({"fraction": min(0.99, calls / expected)})

    return pause


def _checked(where: str, check: Callable[[int], int], value: int) -> int:
    try:
        return check(value)
    except AddressError as error:
        raise Refused(where, str(error)) from None
