"""`pvm run`: one program to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.log import log_handlers
from pvm.machine import DEFAULT_GAS, Exit, Machine, Reason
from pvm.printable import as_text, escaped
from pvm.program import Program, decode_at, format_instruction, why_panic
from pvm.program.facts import find_entry
from pvm.report import Report
from wasm_host.cli.engines import (
    format_option,
    json_option,
    make_engine,
    metering_option,
    no_cache_option,
    protection_option,
    spec_option,
    tier_option,
)
from wasm_host.cli.failures import FAILURE, SUCCESS, blamed_on
from wasm_host.cli.inputs import STDIN, load_program, number_type, read_args
from wasm_host.cli.output import console, counted, duration, facts_table, new_table

_STYLES = {Reason.HALT: "bold green", Reason.HOST_CALL: "bold yellow"}
_SHOWN_RESULT = 256  # bytes


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    program: Program
    exit: Exit
    gas_used: int
    registers: tuple[int, ...]
    result: bytes
    seconds: float


@click.command("run")
@click.argument("program")
@click.option("--args", metavar="HEX|@FILE", help="Arguments, for jam and standard programs. [default: none]")
@click.option("--gas", type=number_type(64), metavar="N", help=f"Gas to start with. [default: {DEFAULT_GAS:,}]")
@click.option("--pc", type=number_type(32), metavar="N", help="Where to start. [default: 0]")
@click.option("--entry", metavar="NAME", help="Where to start, by name: refine, accumulate, is_authorized.")
@tier_option
@spec_option
@metering_option
@protection_option
@no_cache_option
@format_option
@json_option
def command(
    program: str, args: str | None, gas: int | None, pc: int | None, entry: str | None, tier: str, spec: str,
    metering: str, protection: str, no_cache: bool, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Run PROGRAM until it halts, panics, faults, runs out of gas or makes a host call.

    PROGRAM is a file, - for standard input, or example:NAME, whose own arguments and gas are used unless others are
    given. Numbers are decimal, or hexadecimal with 0x. Host call 100 (log) goes to standard error and the run goes on;
    any other ends it. The exit status is 0 only after a halt.

    \b
    Examples:
      pvm run example:hello
      pvm run example:hello --args 4a616d --json
      pvm run program.pvmasm --args @input.bin --gas 0x10000
      pvm run service.jam --entry accumulate --spec 0.8.0 --metering block
      pvm asm loop.pvmasm -o - | pvm run - --tier reference
    """
    if program == STDIN and args == f"@{STDIN}":
        raise InputError("--args: standard input is the program already")
    if entry is not None and pc is not None:
        raise InputError("--entry: --pc says already where to start")
    engine = make_engine(tier, spec, metering, no_cache, protection)
    loaded = load_program(program, format_, find_spec(spec))
    if entry is not None:
        with blamed_on("--entry"):
            pc = find_entry(loaded.program, entry)
    given = loaded.example
    arguments = read_args(args) if args is not None else given.args if given else b""
    gas = gas if gas is not None else given.gas if given else DEFAULT_GAS
    with blamed_on(loaded.label):
        machine = engine.instantiate(loaded.program, arguments, gas, pc, log_handlers(_log))
    outcome = timed_run(machine, loaded.program, gas)
    if as_json:
        click.echo(report_of(outcome, tier, spec, metering).as_json())
    else:
        _show(outcome, spec)
    return SUCCESS if outcome.exit.reason is Reason.HALT else FAILURE


def timed_run(machine: Machine, program: Program, gas: int) -> Outcome:
    """Run a machine that was instantiated with `gas`."""
    began = time.perf_counter()
    exit = machine.run()
    seconds = time.perf_counter() - began
    result = machine.result() if exit.reason is Reason.HALT else b""
    return Outcome(program, exit, gas - exit.gas, tuple(machine.registers), result, seconds)


def report_of(outcome: Outcome, tier: str, spec: str, metering: str) -> Report:
    """What --json prints."""
    exit = outcome.exit
    return Report(
        exit.reason.value, exit.pc, exit.gas, outcome.gas_used, outcome.registers, outcome.result.hex(), exit.address,
        exit.call, tier, spec, metering, outcome.program.format,
    )  # fmt: skip


def _log(line: str) -> None:
    click.echo(line, err=True)


def _show(outcome: Outcome, spec: str) -> None:
    exit, out = outcome.exit, console()
    rows: list[tuple[str, Any]] = [
        ("Status", _status(outcome, spec)),
        ("pc", f"{exit.pc}   {_instruction(outcome, spec)}"),
        ("Gas", f"{outcome.gas_used:,} used, {exit.gas:,} left"),
        ("Time", duration(outcome.seconds)),
    ]
    if exit.reason is Reason.HALT:
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
    exit = outcome.exit
    panic = why_panic(outcome.program.blob, find_spec(spec), exit.pc) if exit.reason is Reason.PANIC else ""
    notes = {
        Reason.PANIC: f": {panic}",
        Reason.PAGE_FAULT: f" at address {exit.address:#x}" if exit.address is not None else "",
        Reason.HOST_CALL: f" {exit.call}, which `pvm run` does not answer",
        Reason.OUT_OF_GAS: " (--gas gives more)",
    }
    return Text(exit.reason.value, _STYLES.get(exit.reason, "bold red")).append(notes.get(exit.reason, ""), "default")


def _instruction(outcome: Outcome, spec: str) -> str:
    if outcome.exit.pc >= len(outcome.program.code):
        return "(after the end of the code)"
    instruction = decode_at(outcome.program.blob, find_spec(spec), outcome.exit.pc)
    return " ".join(format_instruction(instruction).split())


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
