"""Recorded runs (ecalli traces) as values of the page, and back."""

from __future__ import annotations

from typing import Any

from pvm.errors import InputError
from pvm.machine import Reason
from pvm.program.standard import ARGUMENTS_START
from pvm.registers import REGISTER_COUNT
from pvm.trace import Call, End, MemoryChunk, State, Trace, format_trace
from pvm_web.bridge.values import Big, Params, Refused, checked, registers

_ENDS = {
    Reason.HALT.value: Reason.HALT,
    Reason.PANIC.value: Reason.PANIC,
    Reason.OUT_OF_GAS.value: Reason.OUT_OF_GAS,
    Reason.PAGE_FAULT.value: Reason.PANIC,  # to an invocation a page fault is a panic (A.8)
}


def trace_value(trace: Trace) -> dict[str, Any]:
    """The `Trace` object."""
    return {
        "start": _state(trace.start), "memory": _chunks(trace.memory),
        "calls": [_call(call) for call in trace.calls],
        "end": {"reason": trace.end.reason.value, "argument": trace.end.argument, **_state(trace.end.state)},
    }  # fmt: skip


def _call(call: Call) -> dict[str, Any]:
    return {
        "number": call.number, **_state(call.state), "reads": _chunks(call.reads), "writes": _chunks(call.writes),
        "set": [[register, Big(value)] for register, value in call.registers],
        "set_gas": None if call.gas is None else Big(call.gas),
    }  # fmt: skip


def _state(state: State) -> dict[str, Any]:
    return {"pc": state.pc, "gas": Big(state.gas), "registers": registers(state.registers), "line": state.line}


def _chunks(chunks: tuple[MemoryChunk, ...]) -> list[dict[str, Any]]:
    return [{"address": chunk.address, "data": chunk.data} for chunk in chunks]


# --- writing -------------------------------------------------------------------------------------------------------


def trace_text(program: bytes, params: Params) -> str:
    """What was recorded, as the text of a trace: `start`, `memory`, `calls` and `end` as in a `Trace` object.

    `start.args` and `start.memory`, where given, are written as memory, too. Calls may have an `answer` as the guest
    worker's log gives it. Raises Refused for a run that has not ended.
    """
    start = params.object("start")
    args = start.octets("args", b"")
    memory = (*((MemoryChunk(ARGUMENTS_START, args),) if args else ()), *_read_chunks(start, "memory"))
    reason = params.object("end").text("reason") if params.has("end") else None
    if reason not in _ENDS:
        raise Refused("end", "the run has not ended: only one that halted, panicked or ran out of gas can be written")
    end = params.object("end")
    argument = end.number("argument", 64, 0)
    return format_trace(Trace(
        program, memory + _read_chunks(params, "memory"), _read_state(start),
        tuple(map(_read_call, params.objects("calls"))), End(_ENDS[reason], _read_state(end), argument),
    ))  # fmt: skip


def _read_call(call: Params) -> Call:
    if call.has("answer"):
        return _read_answered(call, call.object("answer"))
    return Call(
        call.number("number", 64), _read_state(call), _read_chunks(call, "reads"), _read_chunks(call, "writes"),
        tuple(_read_set(call)), call.number("set_gas", 64) if call.has("set_gas") else None,
    )  # fmt: skip


def _read_answered(call: Params, answer: Params) -> Call:
    """A call of the guest worker's log."""
    values = answer.object("registers")
    registers = tuple((number, values.number(str(number), 64)) for number in range(REGISTER_COUNT)
                      if values.has(str(number)))  # fmt: skip
    return Call(
        call.number("number", 64), _read_state(call), (), _read_chunks(answer, "writes", "bytes"), registers,
        answer.number("gas", 64) if answer.has("gas") else None,
    )  # fmt: skip


def _read_set(call: Params) -> list[tuple[int, int]]:
    found = []
    for pair in call.lists("set"):
        if len(pair) != 2:
            raise Refused("set", "set: pairs of a register and a value are needed")
        register, value = checked("set", pair[0], 4), checked("set", pair[1], 64)
        if register >= REGISTER_COUNT:
            raise InputError(f"set: there is no register {register}")
        found.append((register, value))
    return found


def _read_state(state: Params) -> State:
    return State(state.number("pc", 32), state.number("gas", 64), state.numbers("registers", 64, REGISTER_COUNT))


def _read_chunks(params: Params, name: str, data: str = "data") -> tuple[MemoryChunk, ...]:
    return tuple(MemoryChunk(chunk.number("address", 32), chunk.octets(data)) for chunk in params.objects(name))
