"""JSON test vectors as runs to be made and compared: the state that they begin with, and the end that they expect."""

from __future__ import annotations

from pvm.errors import VectorError
from pvm.machine import Reason, Start
from pvm.program.standard import Segment
from pvm.registers import REGISTER_COUNT
from pvm.trace import End, State, Trace
from pvm.vectors import AssertStep, MapStep, RunStep, SetRegisterStep, Vector, WriteStep

_WORDS = (b'"expected-status"', b'"steps"')
_FIRST = 400  # bytes in which a JSON object begins


def looks_like_vector(data: bytes) -> bool:
    """Whether a file is a JSON object with the words of a vector, to say what is wrong with it as one."""
    return data[:_FIRST].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and any(word in data for word in _WORDS)


def run_of_vector(vector: Vector) -> tuple[Start, Trace]:
    """The start, and a recorded run without calls whose end is the first that the vector expects.

    What a vector does after its first run is left out. Raises VectorError when it expects nothing.
    """
    registers, segments = [0] * REGISTER_COUNT, []
    for step in vector.steps:
        match step:
            case MapStep(address, length, access):
                segments.append(Segment("mapped", address, length, access))
            case WriteStep(address, contents):
                segments.append(Segment("written", address, 0, "rw", contents))
            case SetRegisterStep(register, value):
                registers[register] = value
            case RunStep():
                break
            case AssertStep():
                pass
    end = next((step for step in vector.steps if isinstance(step, AssertStep)), None)
    if end is None:
        raise VectorError("the vector expects nothing")
    start = Start(vector.pc, vector.gas, tuple(registers), tuple(segments))
    # To an invocation a page fault is a panic (A.8), and that is what recorded runs say.
    reason = Reason.PANIC if end.status is Reason.PAGE_FAULT else end.status
    expected = End(reason, State(end.pc, vector.gas if end.gas is None else end.gas, end.registers))
    state = State(vector.pc, vector.gas, tuple(registers))
    return start, Trace(vector.program, (), state, (), expected)


