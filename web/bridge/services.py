"""An opened service refines and accumulates in a world (`pvm.jam.testing`): what came of it, and recorded runs to step
through.

In: a program, entry, payload, a world as JSON. Out: the object for the page, with the world afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pvm.gas.metering import choose_metering
from pvm.jam.inputs import WorkError
from pvm.jam.testing import Outcome, Refinement, Service, World
from pvm.jam.testing.outcome import shown
from pvm.jam.testing.runs import Run, Source
from pvm.jam.testing.state_file import octets_of, read_world, world_as_dict
from pvm.machine import AnyEngine
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.values import Params, Refused

REFINE, ACCUMULATE, BOTH = "refine", "accumulate", "refine and accumulate"
ENTRIES = (REFINE, ACCUMULATE, BOTH)
_TIER = "interpreter"


def service_value(loaded: Loaded, params: Params, make_engine: Callable[[str, str, str], AnyEngine]) -> dict[str, Any]:
    """What a service makes of a payload: as an item's payload in refine, as an item's output in accumulate.

    `world` is JSON as `pvm.jam.testing` reads it; a service of that number which it does not have is the program.
    Raises Refused.
    """
    entry = params.choice("entry", ENTRIES)
    payload = octets_of(params.text("payload", ""), "payload")
    number = params.number("service", 32, 1 << 16)

    def engine(version: str) -> AnyEngine:
        if version != loaded.spec.name:
            raise Refused("world", f"spec: the program is opened as one of {loaded.spec.name}")
        return make_engine(_TIER, version, choose_metering(loaded.spec, None))

    text = params.text("world", "") or json.dumps({"spec": loaded.spec.name})
    world = read_world(text, engine)
    service = _service(world, number, loaded)
    lines: list[str] = []
    items: list[Refinement] = []
    if entry != ACCUMULATE:
        item = service.refine(payload)
        items.append(item)
        output = item.result.name.lower() if isinstance(item.result, WorkError) else shown(item.result)
        lines += [*item.logs, str(item.run), f"output: {output}"]
        lines += [f"export {index}: {shown(segment)}" for index, segment in enumerate(item.exports)]
    else:
        items.append(Refinement(service, b"", payload, (), 0, world.constants.report_accumulation_gas, _no_run()))
    if entry != REFINE:
        lines += _accumulated(world.accumulate(items))
    return {
        "text": "\n".join(lines), "world": json.dumps(world_as_dict(world), indent=1),
        "runs": [
            {"name": run.what, "failed": run.has_failed, "trace": run.trace.encode()} for run in world.runs if run.trace
        ],
    }  # fmt: skip


def _service(world: World, number: int, loaded: Loaded) -> Service:
    source = None
    if loaded.source is not None and loaded.survey is not None:
        source = Source(loaded.name or "program", dict(loaded.survey.lines), loaded.source.split("\n"))
    if number in world.accounts:
        return world.service(number)
    return world.deploy(loaded.program, id=number, source=source)


def _accumulated(outcome: Outcome) -> list[str]:
    return [*outcome.logs, *str(outcome).split("\n")]


def _no_run() -> Run:
    return Run("item", 0)
