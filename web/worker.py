"""The bridge for JavaScript: in Pyodide, and nowhere else.

In: a method's name, parameters and a callback as JavaScript has them. Out: the answer, as JavaScript has it. Here
values are turned over, both ways, and nowhere else: BigInt and `Big`, typed arrays and bytes, null and None, objects
and dicts.
"""

from __future__ import annotations

from typing import Any

from js import Object
from pyodide.ffi import JsBigInt, JsProxy, jsnull, to_js

from pvm.gas import Costs
from pvm.isa import Spec
from pvm.machine import AnyEngine
from pvm.program import Program
from pvm_web.bridge import Big, Bridge


def _make_engine(tier: str, spec: str, metering: str) -> AnyEngine:
    from pvm_web.host import Engine  # only here: most of those who open the page never compare engines

    engine: AnyEngine = Engine(spec, tier, metering)
    return engine


def _find_costs(program: Program, spec: Spec) -> Costs | None:
    from pvm_web.host import find_costs

    return find_costs(program, spec)


_bridge = Bridge(_make_engine, _find_costs)


def respond(method: str, params: JsProxy, progress: Any) -> Any:
    """`{result}` or `{error}`; `progress` is called with reports meanwhile."""
    answer = _bridge.call(method, _to_python(params), lambda report: progress(_to_javascript(report)))
    return _to_javascript(answer)


def _to_python(value: Any) -> Any:
    """A JavaScript value as the bridge takes it."""
    return _plain(value.to_py() if isinstance(value, JsProxy) else value)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case memoryview():
            return bytes(value) if value.format == "B" else list(value)
        case JsBigInt():
            return int(value)
        case _:
            return None if value is jsnull else value


def _to_javascript(value: Any) -> Any:
    return to_js(_marked(value), dict_converter=Object.fromEntries, create_pyproxies=False)


def _marked(value: Any) -> Any:
    """The value with those of Pyodide's types in it that it would not choose itself."""
    match value:
        case Big(number):
            return JsBigInt(number)
        case dict():
            return {name: _marked(item) for name, item in value.items()}
        case list() | tuple():
            return [_marked(item) for item in value]
        case None:
            return jsnull
        case _:
            return value
