"""From a request to its result or its error.

In: a method's name and parameters. Out: `{"result": …}` or `{"error": {"message", "where", "line", "column"}}`; no
exception is lost, and none gets out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from pvm.errors import AssemblyError, PvmError
from pvm.machine import AnyEngine
from pvm.printable import escaped
from pvm.reference import ReferenceEngine
from pvm_web.bridge.listing import explain_value, lines_value
from pvm_web.bridge.lockstep import Lockstep, MakeEngine
from pvm_web.bridge.machines import FindCosts, image_value, shape_value, translate_value, wat_value
from pvm_web.bridge.opened import Loaded, assembled_value, index_value, load, opened_value, unknown_handle
from pvm_web.bridge.recorded import trace_text
from pvm_web.bridge.timeline import timeline_value
from pvm_web.bridge.values import Params, Progress, Refused

KEPT = 8  # programs, the last ones used
KEPT_BYTES = 1 << 25  # of these together; the last one is kept in any case
_LONGEST_MESSAGE = 2000  # characters
JAM_METHODS = (
    "world_begin", "world_next", "live_answer", "live_state", "live_end", "live_forget", "inner_open",
)


class Bridge:
    """The page's session in Python: the programs that it has opened and what was worked out about them.

    `make_engine` makes engines for comparing them, from a tier, a spec and a metering. `find_costs` says what
    blocks cost by the pipeline model, where that is known sooner than Python works it out.
    """

    def __init__(
        self, make_engine: MakeEngine | None = None, find_costs: FindCosts = lambda program, spec: None
    ) -> None:
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._lockstep = Lockstep(make_engine)
        self._make_engine = make_engine or _reference
        self._jam_session: Any = None
        self._methods: dict[str, Callable[[Params, Progress], Any]] = {
            "open": lambda params, progress: opened_value(self._keep(load(params)), progress),
            "assemble": lambda params, progress: assembled_value(params, self._keep, progress),
            "index": lambda params, _: index_value(self._find(params)),
            "lines": lambda params, _: lines_value(self._find(params), params),
            "explain": lambda params, _: explain_value(self._find(params), params),
            "image": lambda params, _: image_value(self._find(params), params),
            "translate": lambda params, progress: translate_value(self._find(params), params, progress, find_costs),
            "wat": lambda params, _: wat_value(self._find(params), params, find_costs),
            "timeline": lambda params, _: timeline_value(self._find(params), params),
            "shape": lambda params, _: shape_value(self._find(params), params, find_costs),
            "trace_text": lambda params, _: {"text": trace_text(self._find(params).data, params)},
            "service": lambda params, _: _service_value(self._find(params), params, make_engine or _reference),
            **{name: self._jam(name) for name in JAM_METHODS},
            "lockstep_start": lambda params, _: self._lockstep.start(self._find(params), params),
            "lockstep_run": lambda params, _: self._lockstep.run(params),
            "lockstep_end": lambda params, _: self._lockstep.end(params),
        }

    def call(self, method: str, params: Mapping[str, Any], progress: Progress = dict) -> dict[str, Any]:
        """Carry out one request; `progress` gets reports while it lasts."""
        try:
            known = self._methods.get(method)
            if known is None:
                raise Refused("method", f"unknown method {method!r}")
            if not isinstance(params, Mapping):
                raise Refused("params", "params: an object is needed")
            return {"result": known(Params(params), progress)}
        except PvmError as error:
            return {"error": _refused(error)}
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            return {"error": {"message": _cut(f"this is a bug of pvm: {type(error).__name__}: {first}")}}

    def _jam(self, name: str) -> Callable[[Params, Progress], Any]:
        """A method of `pvm_web.bridge.jam`, which takes much of `pvm` along: loaded when it is first asked for."""

        def answer(params: Params, progress: Progress) -> Any:
            from pvm_web.bridge.jam import Jam

            if self._jam_session is None:
                self._jam_session = Jam(self._make_engine, self._find, self._keep)
            return self._jam_session.call(name, params, progress)

        return answer

    def _keep(self, loaded: Loaded) -> Loaded:
        """Keep a program; one that was kept before keeps what was worked out about it."""
        known = self._loaded.get(loaded.handle)
        if known is None or known.name != loaded.name:
            known = self._loaded[loaded.handle] = loaded
        self._loaded.move_to_end(loaded.handle)
        size = sum(len(loaded.data) for loaded in self._loaded.values())
        while len(self._loaded) > 1 and (len(self._loaded) > KEPT or size > KEPT_BYTES):
            _, dropped = self._loaded.popitem(last=False)
            size -= len(dropped.data)
        return known

    def _find(self, params: Params) -> Loaded:
        loaded = self._loaded.get(params.text("handle"))
        if loaded is None:
            raise unknown_handle()
        self._loaded.move_to_end(loaded.handle)
        return loaded


def _service_value(loaded: Loaded, params: Params, make_engine: MakeEngine) -> dict[str, Any]:
    from pvm_web.bridge.services import (
        service_value,  # only here: few programs are services, and it takes much of `pvm` along
    )

    return service_value(loaded, params, make_engine)


def _reference(tier: str, spec: str, metering: str) -> AnyEngine:
    return ReferenceEngine(spec, metering)


def _refused(error: PvmError) -> dict[str, Any]:
    found: dict[str, Any] = {"message": _cut(str(error))}
    if isinstance(error, Refused):
        found["where"] = error.where
    if isinstance(error, AssemblyError):
        found |= {"message": _cut(error.message), "line": error.line, "column": error.column}
    return found


def _cut(text: str) -> str:
    """One line of a bounded length."""
    return escaped(text[:_LONGEST_MESSAGE])
