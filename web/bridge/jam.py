"""JAM in the page: one world, and the one invocation in it that the page's machine runs.

In: requests of the page. Out: their answers. What the page may ask: `Jam.call`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pvm.program.program import Program
from pvm_web.bridge.live import Invocation
from pvm_web.bridge.opened import Loaded, handle_of, opened_value
from pvm_web.bridge.values import Params, Progress, Refused
from pvm_web.bridge.world import MakeEngine, WorldSession, begin_value, open_world


class Jam:
    """What the page has of JAM. `find` and `keep` are of the programs that are opened."""

    def __init__(
        self, make_engine: MakeEngine, find: Callable[[Params], Loaded], keep: Callable[[Loaded], Loaded]
    ) -> None:
        self._make_engine, self._find, self._keep = make_engine, find, keep
        self._world: WorldSession | None = None

    def call(self, name: str, params: Params, progress: Progress) -> Any:
        """Carry out a method by its name. Raises InputError."""
        return getattr(self, f"_{name}")(params, progress)

    # --- the world

    def _world_begin(self, params: Params, progress: Progress) -> dict[str, Any]:
        """A world as it is handed over; an entry of the program in it begins."""
        self._world, service = open_world(self._find(params), params, self._make_engine)
        return begin_value(self._world, service, params)

    def _world_next(self, params: Params, progress: Progress) -> dict[str, Any]:
        """What the invocation has come to counts; the next one begins: of the item that was refined, or of others."""
        if self._world is None:
            raise Refused("world", "there is no world: begin with one")
        self._world.settle()
        return self._world.accumulate()

    # --- the invocation

    @property
    def _invocation(self) -> Invocation:
        found = self._world.invocation if self._world else None
        if found is None:
            raise Refused("world", "no invocation runs here")
        return found

    def _live_answer(self, params: Params, progress: Progress) -> dict[str, Any]:
        return self._invocation.answer_value(params)

    def _live_state(self, params: Params, progress: Progress) -> dict[str, Any]:
        return self._invocation.state_value(params.number("index", 32))

    def _live_forget(self, params: Params, progress: Progress) -> None:
        self._invocation.live.forget(params.number("index", 32))

    def _live_end(self, params: Params, progress: Progress) -> dict[str, Any]:
        if self._world is None:
            raise Refused("world", "no invocation runs here")
        return self._world.ended(params)

    def _inner_open(self, params: Params, progress: Progress) -> dict[str, Any]:
        """An inner machine as a program with its start."""
        found = self._invocation.inner(params)
        program = Program.parse(found["program"], "plain")
        spec = self._find(params).spec
        key = b"".join((found["program"], repr(found["start"]).encode()))
        loaded = Loaded(handle_of(key, "inner", spec), f"inner machine {found['number']}", spec, program)
        loaded = self._keep(replace(loaded, start=found["start"], is_paid=found["is_paid"]))
        return opened_value(loaded, progress)
