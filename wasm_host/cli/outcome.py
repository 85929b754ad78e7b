"""How a run ended, shown to people and as JSON.

In: a machine that has run. Out: text on standard output.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from pvm.isa import spec as find_spec
from pvm.isa.expr import HostCall
from pvm.machine import Exit, Machine, Reason
from pvm.printable import as_text, escaped
from pvm.program import Program, decode_at, format_instruction, why_panic
from pvm.program.facts import call_symbol, shown_name
from pvm.report import Report, json_text
from wasm_host.cli.output import counted, duration, facts_table, new_table

STOPPED, INTERRUPTED = "stopped", "interrupted"  # statuses of runs without an exit
_STYLES = {Reason.HALT.value: "bold green", Reason.HOST_CALL.value: "bold yellow", STOPPED: "bold yellow"}
_SHOWN_RESULT = 256  # bytes


@dataclass(frozen=True)
class Outcome:
    """A finished run. Without an exit it was stopped at `pc`, where it would go on, and `status` says why."""

    program: Program
    exit: Exit | None
    status: str
    pc: int
    gas: int
    gas_used: int
    registers: tuple[int, ...]
    result: bytes
    seconds: float

    @property
    def halted(self) -> bool:
        return self.exit is not None and self.exit.reason is Reason.HALT


def timed_run(machine: Machine, program: Program, gas: int) -> Outcome:
    """Run a machine that was instantiated with `gas`."""
    began = time.perf_counter()
    exit = machine.run()
    return outcome_of(machine, program, gas, exit, time.perf_counter() - began)


def outcome_of(
    machine: Machine, program: Program, gas: int, exit: Exit | None, seconds: float, status: str = STOPPED,
    pc: int | None = None,
) -> Outcome:  # fmt: skip
    """What came of a run that began with `gas`; `status` and `pc` are those of one without an exit."""
    left = machine.gas if exit is None else exit.gas
    is_halt = exit is not None and exit.reason is Reason.HALT
    where = exit.pc if exit is not None else machine.pc if pc is None else pc
    return Outcome(
        program, exit, status if exit is None else exit.reason.value, where, left, gas - left, tuple(machine.registers),
        machine.result() if is_halt else b"", seconds,
    )  # fmt: skip


def report_text(outcome: Outcome, tier: str, spec: str, metering: str, more: dict[str, Any]) -> str:
    """What --json prints; `more` are keys that options ask for."""
    exit = outcome.exit
    report = Report(
        outcome.status, outcome.pc, outcome.gas, outcome.gas_used, outcome.registers, outcome.result.hex(),
        None if exit is None else exit.address, None if exit is None else exit.call, tier, spec, metering,
        outcome.program.format,
    )  # fmt: skip
    return json_text({**asdict(report), **more})


def show_outcome(outcome: Outcome, spec: str, out: Console, more: list[tuple[str, Any]]) -> None:
    """A table of facts, `more` among them, and one of registers."""
    rows: list[tuple[str, Any]] = [
        ("Status", _status(outcome, spec)),
        ("pc", f"{outcome.pc}   {instruction_at(outcome.program, outcome.pc, spec)}"),
        ("Gas", f"{outcome.gas_used:,} used, {outcome.gas:,} left"),
        ("Time", duration(outcome.seconds)),
        *more,
    ]
    if outcome.halted:
        rows += _result_rows(outcome.result)
    out.print(facts_table(rows))
    out.print()
    registers = new_table()
    registers.add_column("Register")
    registers.add_column("Hexadecimal", no_wrap=True)
    registers.add_column("Decimal", justify="right", no_wrap=True)
    for number, value in enumerate(outcome.registers):
        registers.add_row(f"r{number}", f"0x{value:016x}", f"{value}", style=None if value else "dim")
    out.print(registers)


def _status(outcome: Outcome, spec: str) -> Text:
    note = "" if outcome.exit is None else _note(outcome.exit, outcome.program, spec)
    return Text(outcome.status, _STYLES.get(outcome.status, "bold red")).append(note, "default")


def _note(exit: Exit, program: Program, spec: str) -> str:
    match exit.reason:
        case Reason.HOST_CALL if exit.call is not None:
            name = call_symbol(program, exit.call, find_spec(spec))
            call = f"{exit.call} ({shown_name(name)})" if name else f"{exit.call}"
            return f" {call}, which nothing answers (--answers, --default-answer)"
        case Reason.PAGE_FAULT if exit.address is not None:
            return f" at address {exit.address:#x}"
        case Reason.OUT_OF_GAS:
            return " (--gas gives more)"
        case Reason.PANIC if _is_call(program, exit.pc, spec):
            return ": the host's answer says so"
        case Reason.PANIC:
            return f": {why_panic(program.blob, find_spec(spec), exit.pc)}"
    return ""


def _is_call(program: Program, pc: int, spec: str) -> bool:
    """Whether a host call is there, which panics only when the host says so."""
    if pc >= len(program.code):
        return False
    instruction = decode_at(program.blob, find_spec(spec), pc)
    return instruction.valid and any(isinstance(effect, HostCall) for effect in instruction.row.effects)


NO_INSTRUCTION = "(no instruction begins here)"


def instruction_at(program: Program, pc: int, spec: str) -> str:
    """The instruction at a pc as assembly, or why there is none."""
    if pc >= len(program.code):
        return "(after the end of the code)"
    if not program.blob.starts[pc]:
        return NO_INSTRUCTION
    return " ".join(format_instruction(decode_at(program.blob, find_spec(spec), pc)).split())


def _result_rows(result: bytes) -> list[tuple[str, Any]]:
    text = as_text(result)
    rows: list[tuple[str, Any]] = [("Result", counted(len(result), "byte"))]
    if result:
        rows.append(("", result[:_SHOWN_RESULT].hex()))
        if len(result) > _SHOWN_RESULT:
            rows.append(("", "… (--json shows all)"))
    if text is not None:
        rows.append(("", f'"{escaped(text[:_SHOWN_RESULT])}{"…" * (len(text) > _SHOWN_RESULT)}"'))
    return rows
