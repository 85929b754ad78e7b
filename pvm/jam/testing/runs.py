"""One run of a service in a test: how it ended, what it logged and called, and where it failed.

In: what `Options` hand on of an invocation. Out: `Run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pvm.invocation import Invoked
from pvm.jam.host_calls.answer import Answer
from pvm.jam.host_calls.table import LOG_CALL, RESULTS, call_name
from pvm.jam.invocations import Options
from pvm.jam.recording import RunText
from pvm.log import log_text
from pvm.machine import Machine, Reason
from pvm.program import decode_at, format_instruction

_LAST_CALLS = 12
_RESULT_NAMES = {value: name for name, value in RESULTS.items() if name != "OK"}
_ARGUMENTS = slice(7, 13)


@dataclass(frozen=True)
class Source:
    """Assembly that a program was made of, for messages: `lines` by pc, and its text."""

    name: str
    lines: Mapping[int, int]
    text: Sequence[str]

    def at(self, pc: int) -> str:
        """The line of an instruction; "" where it is not known."""
        line = self.lines.get(pc)
        return "" if line is None else f"{self.name}:{line}: {self.text[line - 1].strip()}"


@dataclass
class Run:
    """A run, when it has ended. `what` says what it was, such as "service 7: refine".

    `logs` are lines as `pvm run` shows them, `calls` the last host calls, `trace` an ecalli trace of all. `gas` is the
    limit. A run that could not begin has no `invoked`, or one without an exit.
    """

    what: str
    gas: int
    version: str = "0.7.2"
    source: Source | None = None
    logs: list[str] = field(default_factory=list)
    calls: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_CALLS))
    call_count: int = 0
    invoked: Invoked | None = None
    _parts: list[str] = field(default_factory=list, repr=False)

    def options(self) -> Options:
        """What makes an invocation fill this in."""
        text = RunText(self._parts.append, self.version)

        def heard(machine: Machine, number: int, w: list[int], left: int, answer: Answer) -> None:
            text.call(machine, number, w, left, answer)
            self._note(machine, number, w, answer)

        def ended(invoked: Invoked) -> None:
            text.end(invoked)
            self.invoked = invoked

        return Options(self.version, None, heard, text.begin, ended)

    @property
    def trace(self) -> str:
        """An ecalli trace, which `pvm replay` verifies and the page opens."""
        return "".join(self._parts)

    def write_trace(self, path: str | Path) -> None:
        """Put the trace into a file."""
        Path(path).write_text(self.trace, encoding="utf-8")

    @property
    def has_failed(self) -> bool:
        """Whether it panicked or ran out of gas."""
        return self.invoked is not None and isinstance(self.invoked.result, Reason)

    @property
    def pc(self) -> int | None:
        """Where it ended; None if it could not begin."""
        return None if self.invoked is None or self.invoked.exit is None else self.invoked.exit.pc

    def __str__(self) -> str:
        """How it ended; of a failure also where, and the last host calls."""
        invoked = self.invoked
        if invoked is None:
            return f"{self.what}: not run"
        if not isinstance(invoked.result, Reason):
            return f"{self.what}: halted, {invoked.gas_used} gas used"
        if invoked.exit is None or invoked.machine is None:
            return f"{self.what}: the code is no standard program, or its arguments are too long"
        lines = [f"{self.what}: {invoked.result.value}, {invoked.gas_used} of {self.gas} gas used", self._where()]
        if self.logs:
            lines += ["last logs:", *(f"  {line}" for line in self.logs[-_LAST_CALLS:])]
        if self.calls:
            lines += [f"last of {self.call_count} host calls:", *(f"  {call}" for call in self.calls)]
        return "\n".join(lines)

    def _where(self) -> str:
        assert self.invoked is not None and self.invoked.exit is not None and self.invoked.machine is not None
        exit, program = self.invoked.exit, self.invoked.machine.program
        instruction = format_instruction(decode_at(program.blob, self.version, exit.pc))
        text = f"at pc {exit.pc}: {' '.join(instruction.split())}"
        if exit.reason is Reason.PAGE_FAULT:
            text += f" (page fault at {exit.address:#x})"
        source = "" if self.source is None else self.source.at(exit.pc)
        return f"{text}\n{source}" if source else text

    def _note(self, machine: Machine, number: int, w: list[int], answer: Answer) -> None:
        self.call_count += 1
        if number == LOG_CALL and answer.end is None:
            self.logs.append(log_text(machine).removeprefix("log "))
        name = call_name(number, self.version) or f"call {number}"
        arguments = ", ".join(hex(value) for value in w[_ARGUMENTS])
        self.calls.append(f"{name}({arguments}) {_outcome(answer)} at pc {machine.pc}")


def _outcome(answer: Answer) -> str:
    if answer.end is not None:
        return f"ends the run: {answer.end.value},"
    if answer.r7 is None:
        return "->"
    return f"-> {_RESULT_NAMES.get(answer.r7, answer.r7)}"
