"""Recorded runs: reading, writing and replaying ecalli traces."""

from pvm.trace.ecalli import Call, End, MemoryChunk, State, Trace, format_trace, parse_trace
from pvm.trace.replay import Replay, answer, replay, start_machine, start_of_trace

__all__ = [
    "Call", "End", "MemoryChunk", "Replay", "State", "Trace", "answer", "format_trace", "parse_trace", "replay",
    "start_machine", "start_of_trace",
]  # fmt: skip
