"""A world in the page: services refine and accumulate while their machines run in the page (`pvm_web.bridge.live`).

In: a program, a world as JSON, an item's payload. Out: invocations one after the other, then what all came to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pvm.gas.metering import choose_metering
from pvm.jam.inputs import Input, WorkError
from pvm.jam.invocations import Accumulating, Options, Refined, Refining
from pvm.jam.partial_state import Accumulated, PartialState
from pvm.jam.testing import Outcome, Refinement, Service, World
from pvm.jam.testing.runs import Run, Source
from pvm.jam.testing.state_file import octets_of, read_transfers, read_world, world_as_dict
from pvm.machine import AnyEngine
from pvm_web.bridge.live import Invocation, Result, changes_value, is_runnable, result_value
from pvm_web.bridge.opened import Loaded
from pvm_web.bridge.values import Big, Params, Refused

REFINE, ACCUMULATE = "refine", "accumulate"
_TIER = "auto"  # of inner machines

MakeEngine = Callable[[str, str, str], AnyEngine]


class _Begun(Exception):
    """An invocation is to run in the page: its arguments."""

    def __init__(self, arguments: Accumulating | Refining) -> None:
        super().__init__()
        self.arguments = arguments


class _PageRun(Run):
    """A run that does not begin, because its invocation runs in the page: unless there is nothing to run."""

    engine: AnyEngine

    def options(self) -> Options:
        def begun(arguments: Accumulating | Refining) -> None:
            if is_runnable(arguments, self.engine, self.version):
                raise _Begun(arguments)

        return replace(super().options(), given=begun)


class PageWorld(World):
    """A world whose invocations run in the page: `results` are those that have, in order."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.results: list[Accumulated] = []
        self._next = 0

    def begin(self) -> None:
        """Accumulate from the start again."""
        self._next = 0

    def _accumulate_one(
        self, state: PartialState, service: int, gas: int, inputs: Sequence[Input], options: Options
    ) -> Accumulated:
        if self._next < len(self.results):
            self._next += 1
            return self.results[self._next - 1]
        self._next += 1
        done = super()._accumulate_one(state, service, gas, inputs, options)
        self.results.append(done)  # it has no code to run
        return done

    def _new_run(self, what: str, service: int, gas: int) -> Run:
        run = _PageRun(what, gas, self.spec)
        run.engine = self.engine
        return run


@dataclass
class WorldSession:
    """The world of the page, and the invocation that runs in it."""

    world: PageWorld
    items: list[Refinement] = field(default_factory=list)
    transfers: Sequence[Any] = ()
    invocation: Invocation | None = None
    result: Result | None = None
    _refining: tuple[Service, bytes] | None = None

    def refine(self, service: Service, payload: bytes, core: int, gas: int | None) -> dict[str, Any]:
        """Ψ_R of an item begins."""
        self._refining = (service, payload)
        try:
            item = self.world.refine(service, payload, (), (), gas, None, core, b"", None)
        except _Begun as begun:
            return self._begin(f"service {service.id}: refine", begun.arguments)
        self.items.append(item)
        return self._over(f"There is no code to run: {_output(item)}.")

    def accumulate(self) -> dict[str, Any]:
        """The next Ψ_A of the items and transfers, or what all of them came to."""
        self.world.begin()
        self._refining = None
        try:
            outcome = self.world.accumulate(self.items, self.transfers)
        except _Begun as begun:
            arguments = begun.arguments
            assert isinstance(arguments, Accumulating)
            return self._begin(f"service {arguments.service}: accumulate at slot {arguments.slot}", arguments)
        self.items, self.world.results = [], []
        return self._over("", outcome)

    def ended(self, params: Params) -> dict[str, Any]:
        """The machine has ended: what the invocation came to. It counts when something else is begun."""
        invocation = self._current()
        self.result = invocation.result(params)
        return result_value(self.result) | {"entry": REFINE if self._refining else ACCUMULATE}

    def settle(self) -> None:
        """What the invocation came to is taken over. Raises Refused before its end."""
        if self.invocation is None:
            return
        if self.result is None:
            raise Refused("world", "the invocation has not ended yet: run it to its end, or begin anew")
        result, self.result, self.invocation = self.result, None, None
        if isinstance(result, Accumulated):
            self.world.results.append(result)
            return
        assert self._refining is not None and isinstance(result, Refined)
        service, payload = self._refining
        gas = self.world.constants.report_accumulation_gas
        run = Run(f"service {service.id}: refine", gas, self.world.spec)
        self.items.append(Refinement(service, payload, result.result, result.exports, result.gas_used, gas, run))

    def drop(self) -> None:
        """Forget the invocation, and those of this accumulation that have ended."""
        self.result = self.invocation = None
        self.world.results = []

    def _begin(self, what: str, arguments: Accumulating | Refining) -> dict[str, Any]:
        world = self.world
        self.invocation = Invocation(what, arguments, world.engine, world.spec, world.names, world.learn)
        self.result = None
        return {"invocation": self.invocation.start_value(), "world": self.text}

    def _over(self, said: str, outcome: Outcome | None = None) -> dict[str, Any]:
        self.invocation = None
        found: dict[str, Any] = {"invocation": None, "said": said, "world": self.text, "items": len(self.items)}
        if outcome is not None:
            found["outcome"] = {
                "gas_used": Big(outcome.gas_used), "count": outcome.count,
                "changes": changes_value(list(outcome.changes)),
                "outputs": [{"service": service, "text": "0x" + data.hex()} for service, data in outcome.outputs],
                "invocations": [
                    {"service": one.service, "gas_used": Big(one.gas_used), "transfers": len(one.transfers)}
                    for one in outcome.invocations
                ],
            }  # fmt: skip
        return found

    def _current(self) -> Invocation:
        if self.invocation is None:
            raise Refused("world", "no invocation runs in the world")
        return self.invocation

    @property
    def text(self) -> str:
        """The world as it stands, as JSON."""
        return json.dumps(world_as_dict(self.world), indent=1)


def open_world(loaded: Loaded, params: Params, make_engine: MakeEngine) -> tuple[WorldSession, Service]:
    """The world that the page hands over; a service of that number which it does not have is the program.

    Raises Refused, InputError.
    """

    def engine(version: str) -> AnyEngine:
        if version != loaded.spec.name:
            raise Refused("world", f"spec: the program is opened as one of {loaded.spec.name}")
        return make_engine(_TIER, version, choose_metering(loaded.spec, None))

    text = params.text("world", "") or json.dumps({"spec": loaded.spec.name})
    world = read_world(text, engine, make=PageWorld)
    assert isinstance(world, PageWorld)
    number = params.number("service", 32, 1 << 16)
    source = None
    if loaded.source is not None and loaded.survey is not None:
        source = Source(loaded.name or "program", dict(loaded.survey.lines), loaded.source.split("\n"))
    if number in world.accounts:
        service = world.service(number)
    else:
        service = world.deploy(loaded.program, id=number, source=source)
    try:
        given = json.loads(params.text("transfers", "[]") or "[]")
    except (ValueError, RecursionError):
        raise Refused("transfers", "transfers: no JSON") from None
    return WorldSession(world, transfers=read_transfers(given, "transfers")), service


def begin_value(session: WorldSession, service: Service, params: Params) -> dict[str, Any]:
    """An entry begins: refine of a payload, or accumulate of an item with these octets as its output, and transfers."""
    payload = octets_of(params.text("payload", ""), "payload")
    if params.choice("entry", (REFINE, ACCUMULATE)) == REFINE:
        return session.refine(service, payload, params.number("core", 16, 0), None)
    if not session.items and (payload or not session.transfers):
        limit = session.world.constants.report_accumulation_gas
        run = Run(f"service {service.id}: item", 0, session.world.spec)
        session.items.append(Refinement(service, b"", payload, (), 0, limit, run))
    return session.accumulate()


def _output(item: Refinement) -> str:
    return item.result.name if isinstance(item.result, WorkError) else f"{len(item.result)} octets"


__all__ = ["WorldSession", "begin_value", "open_world"]
