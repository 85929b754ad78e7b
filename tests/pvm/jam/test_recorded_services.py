"""Recorded runs of real services (../shared/traces/ecalli), whose host calls our functions answer.

The state before is what the record implies: the account as `info` tells it, each item as the first `read` finds it or
the first `write` says how long it was. With that all answers, gas, and the end have to be the recorded ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from typing import Any

import pytest

import pvm
import wasm_host
from pvm.invocation import invoke
from pvm.jam.accounts import Account, Accounts
from pvm.jam.constants import TINY
from pvm.jam.context import AccumulateContext
from pvm.jam.host_calls.fetchable import Fetchable, encode_constants
from pvm.jam.host_calls.handlers import handlers, other
from pvm.jam.host_calls.table import RESULTS, by_number
from pvm.jam.invocations import ACCUMULATE
from pvm.jam.partial_state import PartialState, Privileges
from pvm.jam.state_keys import account_key, storage_key
from pvm.trace.ecalli import Call, Trace, parse_trace

SERVICE = 5
NONE = RESULTS["NONE"]


@dataclass(frozen=True)
class Implied:
    """What a record says of the state before it."""

    accounts: dict[bytes, bytes]
    inputs: bytes


class RecordedInputs(Fetchable):
    """Fetches the inputs as they were recorded, in one piece."""

    def find(self, kind: int, first: int, second: int) -> bytes | None:
        return self.trace if kind == 14 else super().find(kind, first, second)


def implied_by(trace: Trace) -> Implied:
    account, inputs, items, seen = Account(bytes(32), 1 << 40), b"", {}, set[bytes]()
    for call in trace.calls:
        name, w, result = by_number("0.7.2")[call.number].name, call.state.registers, dict(call.registers).get(7)
        if name == "info" and call.writes:
            code, balance, _, item_gas, memo_gas, octets, count, gratis, created, accumulated, parent = unpack(
                "<32s5QIQ3I", call.writes[0].data
            )
            account = Account(
                code, balance, item_gas, memo_gas, octets, gratis, count, created, accumulated, parent
            )  # fmt: skip
        elif name == "fetch" and w[10] == 14 and call.writes:
            inputs = call.writes[0].data
        elif name in ("read", "write"):
            key = storage_key(SERVICE, call.reads[0].data if w[8 if name == "write" else 9] else b"")
            if name == "read" and call.writes and key not in seen:
                items[key] = call.writes[0].data
            elif name == "write" and key not in seen and key not in items and result != NONE:
                items[key] = bytes(result or 0)
            if name == "write" or result == NONE:
                seen.add(key)
    return Implied({account_key(SERVICE): account.encode(), **items}, inputs)


def traces(shared: Path) -> list[Path]:
    return sorted((shared / "traces/ecalli").glob("*.log"))


@pytest.mark.parametrize("tier", ["interpreter", "auto"])
def test_our_host_calls_answer_as_recorded(shared: Path, tier: str) -> None:
    found = traces(shared)
    assert len(found) == 33
    engine = wasm_host.Engine(tier=tier)
    for path in found:
        trace = parse_trace(path.read_text(encoding="utf-8"))
        assert (text := run(trace, engine)) == "", f"{path.name}: {text}"


def run(trace: Trace, engine: Any) -> str:
    """The first difference from a recorded run, "" if there is none."""
    implied = implied_by(trace)
    base = Accounts(implied.accounts)
    fetchable = RecordedInputs(encode_constants(TINY), bytes(32), trace=implied.inputs, inputs=())
    state = PartialState(base.layer(), Privileges(), bytes(6 * 336), (bytes(80 * 32),) * 2)
    context = AccumulateContext(TINY, "0.7.2", base, state, SERVICE, 0, bytes(32), fetchable)
    calls, differences = iter(trace.calls), list[str]()

    def listener(machine: Any, number: int, w: list[int], left: int, answer: Any) -> None:
        call = next(calls, None)
        if call is None:
            differences.append(f"one more call: {number}")
        elif text := difference(call, number, w, left - answer.gas, answer):
            differences.append(f"line {call.state.line}: {text}")

    program = pvm.Program.parse(trace.program)
    arguments = b"".join(chunk.data for chunk in trace.memory)
    host = handlers("0.7.2", ACCUMULATE, context, listener)
    done = invoke(
        engine, program, trace.start.pc, trace.start.gas, arguments, host, other("0.7.2", listener)
    )  # fmt: skip
    assert done.exit is not None and done.machine is not None
    if not differences and next(calls, None) is not None:
        differences.append("fewer calls than recorded")
    if not differences and (done.exit.reason, done.exit.gas) != (trace.end.reason, trace.end.state.gas):
        differences.append(f"ends {done.exit}, recorded is {trace.end}")
    return differences[0] if differences else ""


def difference(call: Call, number: int, w: list[int], gas: int, answer: Any) -> str:
    if (number, tuple(w)) != (call.number, call.state.registers):
        return f"host call {number} with {w}, recorded is {call.number} with {call.state.registers}"
    if answer.end is not None:
        return f"{answer.end}"
    if gas != call.gas:
        return f"{gas} gas is left, recorded is {call.gas}"
    if ((7, answer.r7),) != call.registers:
        return f"r7 is {answer.r7:#x}, recorded is {call.registers}"
    written = ((answer.address, answer.data),) if answer.data else ()
    if written != tuple((chunk.address, chunk.data) for chunk in call.writes):
        return f"writes {written}, recorded is {call.writes}"
    return ""
