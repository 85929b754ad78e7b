"""`pvm fuzz`: random programs on every engine, compared in everything."""

from __future__ import annotations

from itertools import zip_longest

import click

from pvm.fuzz import Case, Observation, random_case, transcript
from pvm.isa import spec as find_spec
from pvm.program import Program, disassemble
from pvm.reference import ReferenceEngine
from wasm_host.cli.engines import json_option
from wasm_host.cli.failures import FAILURE, INTERRUPTED, SUCCESS
from wasm_host.cli.output import print_json, summary, tracked
from wasm_host.engine import TIERS, Engine


@click.command("fuzz")
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True, help="Programs to run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first program's seed.")
@json_option
def command(count: int, seed: int, as_json: bool) -> int:
    """Run random programs on every engine and compare every exit, register, gas value and page of memory.

    Programs are noise, structured, mutated, or one instruction again and again, under either version and metering;
    between exits faults are repaired, host calls answered, gas refilled, and steps mixed with runs. A seed always
    means the same program. The exit status is 1 if engines disagree.

    \b
    Examples:
      pvm fuzz --count 10000
      pvm fuzz --seed 102440 --count 1
    """
    disagreements: list[int] = []
    done, interrupted = 0, False
    try:
        for number in tracked(range(seed, seed + count), "fuzzing", count):
            if not _agrees(random_case(number), as_json):
                disagreements.append(number)
            done += 1
    except KeyboardInterrupt:
        interrupted = True
    if as_json:
        print_json({"programs": done, "seed": seed, "disagreements": disagreements, "interrupted": interrupted})
    else:
        if interrupted:
            click.echo(f"interrupted; the next seed would be {seed + done}")
        click.echo(summary(done - len(disagreements), len(disagreements)))
    if interrupted:
        return INTERRUPTED
    return FAILURE if disagreements else SUCCESS


def _agrees(case: Case, quiet: bool) -> bool:
    expected = transcript(case, ReferenceEngine(case.spec, case.metering))
    agrees = True
    for tier in TIERS:
        found = transcript(case, Engine(spec=case.spec, tier=tier, metering=case.metering, cache=False))
        if expected != found:
            agrees = False
            if not quiet:
                click.echo(_explain(case, tier, expected, found))
    return agrees


def _explain(case: Case, tier: str, expected: list[Observation], found: list[Observation]) -> str:
    """The case, its program, and the first exit at which the engines differ."""
    lines = [f"seed {case.seed}: {case.kind}, spec {case.spec}, metering {case.metering}, pc {case.pc}, gas {case.gas}"]
    for number, (one, other) in enumerate(zip_longest(expected, found)):
        if one != other:
            lines.append(f"exit {number}: the reference engine has {_short(one)}, the {tier} {_short(other)}")
            if one and other and (one.memory, one.accesses) != (other.memory, other.accesses):
                lines.append("their memory differs")
            break
    program = Program.parse(case.program, format="plain")
    return "\n".join([*lines, disassemble(program, find_spec(case.spec))])


def _short(seen: Observation | None) -> str:
    if seen is None:
        return "no such exit"
    registers = " ".join(f"{value:x}" for value in seen.registers)
    return f"{seen.exit} pc={seen.pc} gas={seen.gas} registers={registers}"
