"""`pvm run`: one program to its end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.link.source_map import Place
from pvm.machine import DEFAULT_GAS
from pvm.program import Program
from pvm.program.facts import default_entry, find_entry
from pvm.trace import MemoryChunk, Run, growing_heap
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
from wasm_host.cli.failures import FAILURE, INTERRUPTED, SUCCESS, blamed_on
from wasm_host.cli.hosting import (
    answers_option,
    default_answer_option,
    divergence_option,
    log_lines_option,
    read_hosting,
)
from wasm_host.cli.inputs import STDIN, load_program, number_type, read_args
from wasm_host.cli.outcome import INTERRUPTED as WAS_INTERRUPTED
from wasm_host.cli.outcome import STOPPED, Outcome, instruction_at, outcome_of, report_text, show_outcome
from wasm_host.cli.output import console
from wasm_host.cli.sources import frames, map_beside
from wasm_host.cli.starting import Start, load_option, map_option, read_start, reg_option
from wasm_host.cli.streams import refuse_same, stream


@click.command("run")
@click.argument("program")
@click.option("--args", metavar="HEX|@FILE", help="Arguments, for jam and standard programs. [default: none]")
@click.option("--gas", type=number_type(64), metavar="N", help=f"Gas to start with. [default: {DEFAULT_GAS:,}]")
@click.option("--pc", type=number_type(32), metavar="N", help="Where to start. [default: 0, or the only export]")
@click.option("--entry", metavar="NAME", help="Where to start, by name: refine, accumulate, an export of a .polkavm.")
@reg_option
@map_option
@load_option
@answers_option
@default_answer_option
@divergence_option
@log_lines_option
@click.option("--step", type=number_type(64), metavar="N", help="Stop after N instructions and show where.")
@click.option("--trace", metavar="FILE", help="Write a line for each instruction; - is standard output.")
@click.option("--trace-memory", is_flag=True, help="With --trace: also what instructions load and store.")
@click.option("--record", metavar="FILE", help="Write an ecalli trace, which `pvm replay` verifies.")
@tier_option
@spec_option
@metering_option
@protection_option
@no_cache_option
@format_option
@json_option
def command(
    program: str, args: str | None, gas: int | None, pc: int | None, entry: str | None, registers: tuple[str, ...],
    maps: tuple[str, ...], loads: tuple[str, ...], answers: str | None, default_answer: str | None, on_divergence: str,
    log_lines: int, step: int | None, trace: str | None, trace_memory: bool, record: str | None, tier: str, spec: str,
    metering: str, protection: str, no_cache: bool, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Run PROGRAM until it halts, panics, faults, runs out of gas or makes a host call.

    PROGRAM is a file, - for standard input, hex:… (its octets), or example:NAME, whose own arguments and gas are used
    unless others are given. Numbers are decimal, or hexadecimal with 0x. The exit status is 0 after a halt, and when
    --step stopped the run. Ctrl-C shows where it was.

    Host call 100 (log) is answered, and what it logs goes to standard error; what a C program prints (`pvm cc`) goes to
    standard output, or to `stdout` of --json, with its `exit_code`. Any other ends the run, unless --answers
    has an answer for it, or --default-answer. Host calls take gas as on the network: 10 each in 0.7.2; in 0.8.0 what
    their prices begin with, log and unknown ones 1,000. A trace that is answered from says itself what its calls took.

    With --trace -, everything else goes to standard error. A traced program is single-stepped on every tier, at some
    200,000 instructions a second; `pvm trace diff` compares traces.

    \b
    Examples:
      pvm run example:hello
      pvm run example:hello --args 4a616d --json
      pvm run program.pvmasm --args @input.bin --gas 0x10000
      pvm run plain.pvmasm --reg r7=0x20000 --load 0x20000=@input.bin
      pvm run service.jam --entry accumulate --spec 0.8.0 --metering block
      pvm run service.jam --pc 5 --answers service.log --record again.log
      pvm run service.jam --pc 5 --default-answer NONE --trace ours.txt
      pvm run example:sieve --step 1000 --trace - | tail -3
      pvm asm loop.pvmasm -o - | pvm run - --tier reference
    """
    if entry is not None and pc is not None:
        raise InputError("--entry: --pc says already where to start")
    if trace_memory and trace is None:
        raise InputError("--trace-memory: it adds to what --trace writes, which is missing")
    if trace == record == STDIN:
        raise InputError("--record: standard output has the trace of instructions already")
    _check_stdin(program, args, answers, loads)
    refuse_same({"--trace": trace, "--record": record}, {"the program": program, "the file of answers": answers})
    version = find_spec(spec)
    engine = make_engine(tier, spec, metering, no_cache, protection)
    loaded = load_program(program, format_, version)
    if entry is not None:
        with blamed_on("--entry"):
            pc = find_entry(loaded.program, entry)
    given = loaded.example
    arguments = read_args(args) if args is not None else given.args if given else b""
    gas = gas if gas is not None else given.gas if given else DEFAULT_GAS
    start = read_start(registers, maps, loads)
    hosting = read_hosting(answers, default_answer, on_divergence, log_lines, version)
    printed = hosting.log.output
    printed.keeps, printed.is_diverted = as_json, STDIN in (trace, record)
    with blamed_on(loaded.label):
        pc = default_entry(loaded.program) if pc is None else pc
        machine = engine.instantiate(loaded.program, arguments, gas, pc)
    is_mapped = start.apply(machine)
    before = _recorded_memory(loaded.program, start, arguments, is_mapped) if record is not None else ()
    host = replace(hosting.host, heap=growing_heap(loaded.program, version))
    run = Run(machine, loaded.program, version, host, memory=trace_memory)
    outcome = _run(run, before, trace, record, gas, step)
    found = None if outcome.halted else map_beside(program, loaded.program)
    places = frames(found, loaded.program, machine, outcome.pc) if found is not None else []
    if as_json:
        facts = hosting.facts(run.answered) | _backtrace(places)
        text = report_text(outcome, tier, spec, metering, facts)
        click.echo(text, err=STDIN in (trace, record))
    elif outcome.status != WAS_INTERRUPTED:
        is_translatable = STDIN in (trace, record) or printed.is_used  # standard output is the program's
        show_outcome(outcome, spec, console(is_translatable), [*_where(places), *hosting.rows(run.answered)])
    if outcome.status == WAS_INTERRUPTED:
        _tell_interrupted(outcome, spec)
        return INTERRUPTED
    return SUCCESS if outcome.halted or outcome.status == STOPPED else FAILURE


def _where(places: list[Place]) -> list[tuple[str, str]]:
    """Rows that say which lines of source the program was in."""
    return [("Where" if not index else "called by", str(place)) for index, place in enumerate(places)]


def _backtrace(places: list[Place]) -> dict[str, Any]:
    """The same for --json, where there is a source map."""
    return {"backtrace": [place._asdict() for place in places]} if places else {}


def _check_stdin(program: str, args: str | None, answers: str | None, loads: tuple[str, ...]) -> None:
    """Standard input can be one thing."""
    named = [("--args", args or "", f"@{STDIN}"), ("--answers", answers or "", STDIN)]
    named += [("--load", load, f"=@{STDIN}") for load in loads]
    taken = "the program" if program == STDIN else ""
    for option, value, end in named:
        if value == end or (option == "--load" and value.endswith(end)):
            if taken:
                raise InputError(f"{option}: standard input is {taken} already")
            taken = f"the value of {option}"


def _recorded_memory(program: Program, start: Start, arguments: bytes, is_mapped: bool) -> tuple[MemoryChunk, ...]:
    """What the record says of memory. Raises InputError for what the format cannot say."""
    if is_mapped and program.sections is not None:
        raise InputError("--record: an ecalli trace cannot say that a standard program has more pages (--map, --load)")
    if any(access == "r" for _, _, access in start.maps):
        raise InputError("--record: an ecalli trace cannot say that pages are only readable (--map)")
    if Program.parse(program.encode()) != program:
        raise InputError("--record: the program would be read back as another format")
    return start.chunks(program, arguments)


def _run(
    run: Run, before: tuple[MemoryChunk, ...], trace: str | None, record: str | None, gas: int, step: int | None
) -> Outcome:
    """Run to an exit, for `step` instructions, or to Ctrl-C, and write the traces."""
    machine, status, exit = run.machine, STOPPED, None
    with ExitStack() as files:
        run.trace = files.enter_context(stream(trace))
        run.record = files.enter_context(stream(record))
        began = time.perf_counter()
        try:
            run.begin(run.program.encode() if record is not None else b"", before)
            exit = run.to_end(step)
        except KeyboardInterrupt:
            status = WAS_INTERRUPTED
        seconds = time.perf_counter() - began
        run.finish(exit, status)
    return outcome_of(machine, run.program, gas, exit, seconds, status, run.pc)


def _tell_interrupted(outcome: Outcome, spec: str) -> None:
    where = f"pc {outcome.pc} ({instruction_at(outcome.program, outcome.pc, spec)})"
    click.echo(f"pvm: interrupted at {where}: {outcome.gas_used:,} gas used, {outcome.gas:,} left", err=True)
