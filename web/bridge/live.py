"""Invocations whose machine runs in the page and whose host calls are answered here: in a world, or in a block.

In: an invocation's arguments, calls as the page's machine stands at them. Out: answers, the state, inner machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pvm.errors import InputError
from pvm.invocation import Invoked
from pvm.jam.context import AccumulateContext, RefineContext
from pvm.jam.inputs import WorkError
from pvm.jam.invocations import Accumulating, Prepared, Refined, Refining
from pvm.jam.live import Call, Live, Seen, Unknown, wanted
from pvm.jam.partial_state import Accumulated
from pvm.jam.testing.outcome import Change, Name, differences, shown
from pvm.machine import AnyEngine, Reason
from pvm_web.bridge.inner import inner_value, machines_value
from pvm_web.bridge.values import Big, Params

Arguments = Accumulating | Refining
Result = Accumulated | Refined
_SHOWN = 500  # changes, exports and inner machines of a state that the page gets
_REASONS = {"halt": Reason.HALT, "out-of-gas": Reason.OUT_OF_GAS}


@dataclass
class Invocation:
    """One invocation in the page: its arguments, its calls, the names of the keys that it has used."""

    what: str
    arguments: Arguments
    engine: AnyEngine
    version: str
    names: dict[bytes, Name] = field(default_factory=dict)
    learn: Any = None

    def __post_init__(self) -> None:
        if not is_runnable(self.arguments, self.engine, self.version):
            raise InputError(f"{self.what}: there is no code to run")
        self.live = Live(self._prepared, self.version, self._learned)

    @property
    def service(self) -> int:
        """Whose invocation it is."""
        arguments = self.arguments
        if isinstance(arguments, Accumulating):
            return arguments.service
        return arguments.package.items[arguments.index].service

    def _prepared(self) -> Prepared:
        found = _prepare(self.arguments, self.engine, self.version)
        assert isinstance(found, Prepared)
        return found

    def _learned(self, call: Call, memory: Seen) -> None:
        if self.learn is not None:
            self.learn(self.service, call.number, list(call.registers), memory)

    # --- what the page asks

    def start_value(self) -> dict[str, Any]:
        """What the machine starts with."""
        prepared = self.live.prepared
        return {
            "what": self.what, "service": self.service, "preimage": prepared.preimage, "args": prepared.arguments,
            "gas": Big(prepared.gas), "pc": prepared.pc, "spec": self.version,
        }  # fmt: skip

    def answer_value(self, params: Params) -> dict[str, Any]:
        """The answer to a call, or the range of memory that is needed for it."""
        call = call_of(params)
        try:
            answered = self.live.answer(params.number("index", 32), call)
        except Unknown as unknown:
            address, length = wanted(unknown, Seen(call.mapped, ()))
            return {"needs": {"address": address, "length": length}}
        end = None if answered.end is None else answered.end.value
        return {"answer": {
            "registers": {str(number): Big(value) for number, value in answered.registers.items()},
            "writes": [{"address": address, "bytes": data} for address, data in answered.writes],
            "maps": [{"address": a, "length": n, "access": access} for a, n, access in answered.maps],
            "gas": Big(answered.gas), "end": end,
        }}  # fmt: skip

    def state_value(self, index: int) -> dict[str, Any]:
        """All that the invocation has made so far, after `index` calls."""
        self.live.go_to(index)
        context = self.live.context
        found: dict[str, Any] = {"what": self.what, "service": self.service, "calls": index}
        if isinstance(context, RefineContext):
            found["exports"] = [
                {"index": context.offset + number, "text": shown(data.rstrip(b"\0"))}
                for number, data in enumerate(context.exports[:_SHOWN])
            ]
            found["machines"] = machines_value(context.machines, _SHOWN)
        elif isinstance(context, AccumulateContext):
            found |= self._accumulate_value(context)
        return found

    def _accumulate_value(self, context: AccumulateContext) -> dict[str, Any]:
        assert isinstance(self.arguments, Accumulating)
        before, changed, kept = self.arguments.state.accounts, context.changed, context.kept
        account = changed.account(context.service)
        changes = list(differences(before, changed, self.names))
        privileges = (self.arguments.state.privileges, context.privileges)
        storage = [
            [shown(name.key), None if value is None else shown(value)] for name in self.names.values()
            if name.kind == "storage" and name.service == context.service
            for value in (changed.get(name.state_key),) if value is not None or before.get(name.state_key) is not None
        ]  # fmt: skip
        return {
            "balance": None if account is None else Big(account.balance),
            "changes": changes_value(changes), "more": max(0, len(changes) - _SHOWN), "storage": storage[:_SHOWN],
            "kept": sum(1 for _ in differences(before, kept, self.names)),
            "transfers": [
                {"to": one.to, "amount": Big(one.amount), "gas": Big(one.gas), "memo": shown(one.memo.rstrip(b"\0"))}
                for one in context.transfers
            ],
            "yielded": None if context.yielded is None else "0x" + context.yielded.hex(),
            "provisions": [{"service": service, "text": shown(data)} for service, data in context.provisions],
            "privileges": [
                {"what": name, "before": str(old), "after": str(getattr(privileges[1], name))}
                for name, old in vars(privileges[0]).items() if old != getattr(privileges[1], name)
            ],
        }  # fmt: skip

    def result(self, params: Params) -> Result:
        """What the invocation comes to when its machine has ended after so many calls. Nothing here is used up."""
        prepared_gas = self.live.prepared.gas
        left = params.number("gas", 64)
        reason = _REASONS.get(params.text("reason"), Reason.PANIC)
        output = params.octets("result", b"") if reason is Reason.HALT else reason
        invoked = Invoked(max(0, prepared_gas - left), output)
        self.live.go_to(params.number("index", 32))
        try:
            return self.arguments.result(self.live.prepared, invoked)
        finally:
            self.live.begin()  # the context has become the result

    def inner(self, params: Params) -> dict[str, Any]:
        """An inner machine as it is now, or as a call of `invoke` would run it."""
        self.live.go_to(params.number("index", 32))
        context = self.live.context
        if not isinstance(context, RefineContext):
            raise InputError("only refine has inner machines")
        return inner_value(context.machines, params, self.version)


def is_runnable(arguments: Arguments, engine: AnyEngine, version: str) -> bool:
    """Whether there is code to run."""
    return isinstance(_prepare(arguments, engine, version), Prepared)


def _prepare(arguments: Arguments, engine: AnyEngine, version: str) -> Prepared | Accumulated | Refined:
    if isinstance(arguments, Accumulating):
        return arguments.prepare(version)
    return arguments.prepare(engine, version)


def changes_value(changes: list[Change]) -> list[dict[str, Any]]:
    """Changes as the page lists them."""
    return [
        {"service": one.service, "what": one.what, "before": shown(one.before), "after": shown(one.after)}
        for one in changes[:_SHOWN]
    ]


def result_value(result: Result) -> dict[str, Any]:
    """What an invocation came to, in words."""
    if isinstance(result, Refined):
        found = result.result
        text = found.name.lower().replace("_", " ") if isinstance(found, WorkError) else shown(found)
        return {"output": text, "gas_used": Big(result.gas_used), "exports": len(result.exports)}
    return {
        "output": None if result.yielded is None else "0x" + result.yielded.hex(), "gas_used": Big(result.gas_used),
        "transfers": len(result.transfers),
    }  # fmt: skip


def call_of(params: Params) -> Call:
    """The call at which the page's machine stands. Raises Refused."""
    mapped = tuple(sorted(
        (each.number("address", 32), each.number("length", 33), each.choice("access", ("r", "rw")))
        for each in params.objects("pages")
    ))  # fmt: skip
    pieces = tuple((each.number("address", 32), each.octets("bytes")) for each in params.objects("memory"))
    return Call(
        params.number("number", 64), params.numbers("registers", 64, 13), params.number("gas", 64), mapped, pieces
    )  # fmt: skip
