"""Recorded runs, traces of host calls (ecalli) and of instructions: written, read, replayed, compared, answered."""

from pvm.trace.answer_file import Listed, parse_answers, parse_default
from pvm.trace.answers import UNANSWERED, Answer, Answers, Host, give, growing_heap
from pvm.trace.differ import Comparison, Difference, Side, compare_traces
from pvm.trace.drive import Run
from pvm.trace.ecalli import (
    Call,
    End,
    MemoryChunk,
    State,
    Trace,
    format_trace,
    is_trace,
    parse_calls,
    parse_trace,
    parse_unfinished,
)
from pvm.trace.recorded import Divergence, Recorded
from pvm.trace.recording import Recording, host_of, record
from pvm.trace.replay import Replay, answer, replay, start_machine, start_of_trace

__all__ = [
    "UNANSWERED", "Answer", "Answers", "Call", "Comparison", "Difference", "Divergence", "End", "Host", "Listed",
    "MemoryChunk", "Recorded", "Recording", "Replay", "Run", "Side", "State", "Trace", "answer", "compare_traces",
    "format_trace", "give", "growing_heap", "host_of", "is_trace", "parse_answers", "parse_calls", "parse_default",
    "parse_trace", "parse_unfinished", "record", "replay", "start_machine", "start_of_trace",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
