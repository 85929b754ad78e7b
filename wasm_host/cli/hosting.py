"""Options about host calls: --answers, --default-answer, --on-divergence, --log-lines.

In: their values. Out: a `Hosting`. Raises InputError that names the file or option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import click

from pvm.isa import Spec
from pvm.log import LOG_LINES, log_text, program_output
from pvm.machine import Machine
from pvm.trace import Answers, Host, Listed, Recorded, is_trace, parse_answers, parse_calls, parse_default
from wasm_host.cli.engines import Decorator
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import label_of, number_type, read_bytes, read_text
from wasm_host.cli.output import counted

_KEPT = 1 << 24  # octets of standard output that --json has
_EXIT_CODE = re.compile(rb"-?[0-9]{1,10}")
_GO_ON, _STOP = "go-on", "stop"

answers_option: Decorator = click.option(
    "--answers", metavar="FILE", help="Answer host calls from an ecalli trace, or from a list (pvm/trace/FORMAT.md)."
)
default_answer_option: Decorator = click.option(
    "--default-answer", metavar="RESULT",
    help="Answer all other host calls with a result: NONE, WHAT, OK, a number. [default: they end the run]",
)  # fmt: skip
divergence_option: Decorator = click.option(
    "--on-divergence", type=click.Choice((_GO_ON, _STOP)), default=_GO_ON, show_default=True,
    help="What to do when the program asks something else than was recorded.",
)  # fmt: skip
log_lines_option: Decorator = click.option(
    "--log-lines", type=number_type(63), metavar="N", default=str(LOG_LINES),
    help=f"How many lines of log are shown. [default: {LOG_LINES:,}]",
)  # fmt: skip


@dataclass
class Output:
    """What a C program prints (`pvm cc`), and what its `main` returns.

    With `keeps`, standard output is kept; with `is_diverted` it goes to standard error, for a trace has the other.
    """

    keeps: bool = False
    is_diverted: bool = False
    is_used: bool = False
    exit_code: int | None = None
    stdout: bytearray = field(default_factory=bytearray)
    is_cut: bool = False

    def take(self, target: str, data: bytes) -> bool:
        """Print or keep an entry; whether it is one of a program's."""
        if target == "exit_code":
            if not _EXIT_CODE.fullmatch(data):
                return False
            self.exit_code = int(data)
        elif target == "stdout" and self.keeps:
            room = _KEPT - len(self.stdout)
            self.is_cut |= len(data) > room
            self.stdout += data[:room]
        else:
            click.echo(data, nl=False, err=self.is_diverted or target == "stderr")
        self.is_used = True
        return True

    def facts(self) -> dict[str, Any]:
        """Keys of --json."""
        if not self.is_used:
            return {}
        cut = {"stdout_cut": True} if self.is_cut else {}
        return {"stdout": self.stdout.decode("utf-8", "backslashreplace"), "exit_code": self.exit_code, **cut}


@dataclass
class LogLines:
    """Shows what the guest logs, up to a limit. Output of a C program is kept apart: see `Output`."""

    limit: int
    count: int = 0
    output: Output = field(default_factory=lambda: Output())

    def show(self, machine: Machine) -> None:
        found = program_output(machine)
        if found is not None and self.output.take(*found):
            return
        self.count += 1
        if self.count <= self.limit:
            click.echo(log_text(machine), err=True)
        elif self.count == self.limit + 1 and self.limit:  # who asks for none knows
            shown = counted(self.limit, "line")
            click.echo(f"pvm: {shown} of log shown, the others are not (--log-lines N shows more)", err=True)


@dataclass
class Hosting:
    """How host calls are answered, and what of it is told after the run."""

    host: Host
    log: LogLines
    recorded: Recorded | None
    is_asked: bool  # whether any option asks for answers
    _told: bool = field(default=False)

    def facts(self, answered: int) -> dict[str, Any]:
        """Keys of --json."""
        printed = self.log.output.facts()
        if not self.is_asked:
            return printed
        found = self.recorded.divergence if self.recorded else None
        divergence = None if found is None else {"host_call": found.call, "text": found.text}
        return {"host_calls_answered": answered, "divergence": divergence, **printed}

    def rows(self, answered: int) -> list[tuple[str, Any]]:
        """Rows of the table."""
        rows: list[tuple[str, Any]] = []
        if self.log.output.exit_code is not None:
            rows.append(("Exit code", str(self.log.output.exit_code)))
        if self.is_asked:
            rows.append(("Host calls", f"{answered:,} answered"))
        if self.recorded is not None:
            found = self.recorded.divergence
            if found is not None:
                rows.append(("Divergence", f"at host call {found.call}: {found.text}"))
            elif self.recorded.left:
                rows.append(("Divergence", f"{counted(self.recorded.left, 'recorded call')} were not made"))
        if self.log.count > self.log.limit:
            rows.append(("Log", f"{counted(self.log.count, 'line')}, {self.log.limit:,} of them shown"))
        return rows


def read_hosting(
    answers: str | None, default: str | None, on_divergence: str, log_lines: int, spec: Spec
) -> Hosting:
    """What answers host calls."""
    log = LogLines(log_lines)
    recorded: Recorded | None = None
    given: Answers | None = None
    fallback: Listed | None = None
    if default is not None:
        with blamed_on("--default-answer"):
            fallback = parse_default(default, spec, read_bytes)
    if answers is not None:
        text = read_text(answers)
        with blamed_on(label_of(answers)):
            if is_trace(text):
                given = recorded = Recorded(parse_calls(text), spec, on_divergence == _STOP)
            else:
                listed = parse_answers(text, spec, read_bytes)
                given = listed if fallback is None else replace(listed, default=None)
    return Hosting(Host(spec, log.show, given, fallback), log, recorded, answers is not None or default is not None)
