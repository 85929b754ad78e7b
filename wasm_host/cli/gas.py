"""`pvm gas`: what blocks cost by the pipeline model of 0.8.0, and why; two programs compared."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import click

from pvm.errors import InputError
from pvm.gas import BlockCosts, block_costs
from pvm.gas.comparison import key_of, pairs
from pvm.gas.costs import schedule_of
from pvm.gas.metering import PIPELINE
from pvm.gas.timeline_text import deciding, drawable, timeline_lines
from pvm.isa import SPEC_NAMES, Spec
from pvm.isa import spec as find_spec
from pvm.program import Instruction, format_instruction
from wasm_host.cli.engines import format_option, json_option
from wasm_host.cli.failures import FAILURE, SUCCESS, blamed_on
from wasm_host.cli.gas_runs import RUN_GAS, Ran, run
from wasm_host.cli.inputs import load_program, number_type
from wasm_host.cli.output import console, counted, new_table, print_json, write_output
from wasm_host.cli.shape import warn_of_invalid

_SHOWN = 50  # blocks


@dataclass(frozen=True)
class _Priced:
    """A block, the cycles it takes, what it costs and the pc of the instruction that decides that."""

    instructions: list[Instruction]
    cycles: int
    cost: int
    decided_by: int

    @property
    def pc(self) -> int:
        return self.instructions[0].pc

    @property
    def facts(self) -> dict[str, int]:
        return {
            "pc": self.pc, "instructions": len(self.instructions), "cost": self.cost, "cycles": self.cycles,
            "decided_by": self.decided_by,
        }  # fmt: skip


@click.command("gas")
@click.argument("program")
@click.argument("other", required=False)
@click.option("--block", type=number_type(32), metavar="PC", help="Draw the simulation of the block that begins there.")
@click.option(
    "--hot", is_flag=True,
    help="The dearest blocks first, with --run those that took most; of two programs the greatest differences.",
)  # fmt: skip
@click.option("--limit", type=number_type(32), metavar="N", help=f"Show N blocks. [default: {_SHOWN}; with --json all]")
@click.option("--run", "runs", is_flag=True, help="Run it, too, and say what each block takes in that, and all.")
@click.option("--args", metavar="HEX|@FILE", help="Arguments for --run. [default: none, or the example's]")
@click.option("--gas", type=number_type(64), metavar="N", help=f"Gas for --run. [default: {RUN_GAS:,}]")
@click.option("--pc", type=number_type(32), metavar="N", help="Where --run starts. [default: 0]")
@click.option(
    "--spec", type=click.Choice(SPEC_NAMES), default="0.8.0", show_default=True,
    help="Version of the Gray Paper that numbers the opcodes.",
)  # fmt: skip
@format_option
@json_option
def command(
    program: str, other: str | None, block: int | None, hot: bool, limit: int | None, runs: bool, args: str | None,
    gas: int | None, pc: int | None, spec: str, format_: str, as_json: bool,
) -> int:  # fmt: skip
    """Show what the blocks of PROGRAM cost by 0.8.0's pipeline model of gas, and why.

    PROGRAM is a file, - for standard input, or example:NAME. A block costs the cycles that a simulated processor takes
    for it, less 3, and at least 1 (A.9). With --block each of its instructions is a row and each cycle a column.

    With OTHER, a second program or another build of the first, blocks are compared where they correspond, and those
    that are not the same are shown with both costs. With --run so are those that took more or less gas in the run: how
    often a block was entered, times what it costs. The exit status is 1 if the run ends otherwise than with a halt.

    \b
    Examples:
      pvm gas example:blake2b --hot
      pvm gas example:blake2b --block 0
      pvm gas service.jam --spec 0.7.2 --json
      pvm gas before.pvm after.pvm --hot --run --args 0x0a00
    """
    version = find_spec(spec)
    _check_options(other, block, runs, (args, gas, pc))
    loaded = [load_program(source, format_, version) for source in (program, other) if source is not None]
    for one in loaded:
        warn_of_invalid(one, version)
    if block is not None:
        with blamed_on("--block"):
            _draw(block_costs(loaded[0].program.blob, version, PIPELINE), block, as_json)
        return SUCCESS
    costs = [block_costs(one.program.blob, version, PIPELINE) for one in loaded]
    ran = [run(one, version, found, args, gas, pc) for one, found in zip(loaded, costs, strict=True)] if runs else []
    count = limit if limit is not None else None if as_json else _SHOWN
    if other is None:
        _one(costs[0], version, hot, count, ran, as_json)
    else:
        _two(costs, version, hot, count, ran, as_json)
    return SUCCESS if all(one.reason == "halt" for one in ran) else FAILURE


def _check_options(other: str | None, block: int | None, runs: bool, of_runs: tuple[object, ...]) -> None:
    if block is not None and (other is not None or runs):
        raise InputError("--block: it draws a block of one program, and runs nothing")
    for name, value in zip(("--args", "--gas", "--pc"), of_runs, strict=True):
        if value is not None and not runs:
            raise InputError(f"{name}: it is for --run, which is missing")


def _priced(costs: BlockCosts, spec: Spec) -> Iterator[_Priced]:
    for pc in costs.starts():
        instructions = costs.block(pc)
        found = schedule_of(instructions, costs.blob, spec)
        yield _Priced(instructions, found.cycles, found.cost, instructions[found.decides].pc)


def _text(instruction: Instruction) -> str:
    return " ".join(format_instruction(instruction).split())


# --- one program ---------------------------------------------------------------------------------------------------


def _one(costs: BlockCosts, spec: Spec, hot: bool, count: int | None, ran: list[Ran], as_json: bool) -> None:
    times, priced = ran[0].executions if ran else {}, _priced(costs, spec)
    if hot:
        priced = iter(sorted(priced, key=lambda found: (-found.cost * times.get(found.pc, 0), -found.cost)))
    shown = list(islice(priced, count))
    is_more = next(priced, None) is not None
    if as_json:
        more = {"run": ran[0].facts} if ran else {}
        print_json({
            "spec": spec.name, "model": PIPELINE, "blocks": [_facts(found, *ran) for found in shown], **more
        })  # fmt: skip
        return
    table = new_table()
    for title in ("Block", "Gas", "Instructions", *(("Times", "Gas in all") if ran else ())):
        table.add_column(title, justify="right")
    table.add_column("Decided by")
    for found in shown:
        text = next(_text(one) for one in found.instructions if one.pc == found.decided_by)
        in_run = [f"{times.get(found.pc, 0):,}", f"{_taken(found, *ran):,}"] if ran else []
        table.add_row(
            str(found.pc), f"{found.cost:,}", f"{len(found.instructions):,}", *in_run, f"{text} (pc {found.decided_by})"
        )
    out = console()
    out.print(table)
    if is_more:
        out.print(f"There are more blocks than these {len(shown)} (--limit N shows more).")
    for end in ran:
        out.print(
            f"The run takes {end.used:,} gas, {end.of_blocks:,} of that for blocks: {end.reason} at pc {end.pc}."
        )


def _facts(found: _Priced | None, ran: Ran | None = None) -> dict[str, int] | None:
    if found is None:
        return None
    if ran is None:
        return found.facts
    return {**found.facts, "executions": ran.executions.get(found.pc, 0), "run_gas": _taken(found, ran)}


def _taken(found: _Priced | None, ran: Ran) -> int:
    """Gas that a block took in a run."""
    return 0 if found is None else found.cost * ran.executions.get(found.pc, 0)


def _draw(costs: BlockCosts, pc: int, as_json: bool) -> None:
    if costs.firsts.get(pc) != pc:
        starts = list(costs.starts())
        around = starts[bisect_right(starts, pc) - 1]
        end = len(costs.blob.code)
        where = f"the code ends at pc {end}" if pc > end else f"it lies in the one of pc {around}"
        raise InputError(f"no block begins at pc {pc}: {where}")
    block = costs.block(pc)
    timeline = drawable(block, costs.blob, costs.spec)
    texts = {instruction.pc: _text(instruction) for instruction in block}
    if not as_json:
        write_output("-", "".join(f"{line}\n" for line in timeline_lines(timeline, texts)).encode())
        return
    rows = [
        {
            "pc": span.pc, "instruction": texts[span.pc], "decoded": span.decoded, "started": span.started,
            "done": span.done, "retired": span.retired,
        }
        for span in timeline.spans
    ]  # fmt: skip
    found = _Priced(block, timeline.cycles, timeline.cost, deciding(timeline).pc)
    print_json({**found.facts, "timeline": rows})


# --- two programs --------------------------------------------------------------------------------------------------


def _two(costs: list[BlockCosts], spec: Spec, hot: bool, count: int | None, ran: list[Ran], as_json: bool) -> None:
    first, second = priced = [[*_priced(found, spec)] for found in costs]
    keys, same = [[key_of(found.instructions) for found in side] for side in priced], 0
    changed: list[_Pair] = []
    in_run: list[_Pair] = []
    for m, n in pairs(*keys):
        pair = (None if m is None else first[m], None if n is None else second[n])
        if m is not None and n is not None and keys[0][m] == keys[1][n] and first[m].cost == second[n].cost:
            same += 1
        else:
            changed.append(pair)
        if ran and _in_run(pair, ran):
            in_run.append(pair)
    if hot:
        changed.sort(key=lambda pair: -abs(_difference(*pair)))
        in_run.sort(key=lambda pair: -abs(_in_run(pair, ran)))
    totals = [sum(found.cost for found in side) for side in priced]
    shown = changed[:count]
    if as_json:
        print_json({
            "spec": spec.name, "model": PIPELINE, "same": same, "changed": len(changed),
            "blocks": [{"first": _facts(a), "second": _facts(b)} for a, b in shown],
            "total": {"first": totals[0], "second": totals[1]},
            **({"run": _compared(in_run[:count], ran)} if ran else {}),
        })  # fmt: skip
        return
    out = console()
    if shown:
        _table([(_cells(a), _cells(b), _difference(a, b)) for a, b in shown], ("Gas",))
    if len(shown) < len(changed):
        out.print(f"{len(changed) - len(shown):,} more blocks differ (--limit N shows more).")
    out.print(
        f"The same: {counted(same, 'block')}; not: {counted(len(changed), 'block')}. All of them once: {totals[0]:,} "
        f"gas, then {totals[1]:,} ({totals[1] - totals[0]:+,})."
    )
    if ran:
        _show_runs(in_run, count, ran)


_Pair = tuple[_Priced | None, _Priced | None]


def _difference(first: _Priced | None, second: _Priced | None) -> int:
    return (second.cost if second else 0) - (first.cost if first else 0)


def _in_run(pair: _Pair, ran: list[Ran]) -> int:
    """How much more gas a block took in the second run."""
    return _taken(pair[1], ran[1]) - _taken(pair[0], ran[0])


def _compared(in_run: list[_Pair], ran: list[Ran]) -> dict[str, Any]:
    blocks = [
        {"first": _facts(pair[0], ran[0]), "second": _facts(pair[1], ran[1]), "difference": _in_run(pair, ran)}
        for pair in in_run
    ]
    return {"first": ran[0].facts, "second": ran[1].facts, "blocks": blocks}


def _show_runs(in_run: list[_Pair], count: int | None, ran: list[Ran]) -> None:
    out, shown = console(), in_run[:count]
    rows = [(_cells(pair[0], ran[0]), _cells(pair[1], ran[1]), _in_run(pair, ran)) for pair in shown]
    if rows:
        out.print("In the run, where it took another amount of gas:")
        _table(rows, ("Times", "Gas in all"))
    if len(shown) < len(in_run):
        out.print(f"{len(in_run) - len(shown):,} more blocks took another amount (--limit N shows more).")
    one, two = ran
    out.print(f"The run: {one.used:,} gas ({one.reason}), then {two.used:,} ({two.reason}): {two.used - one.used:+,}.")
    if one.result != two.result:
        out.print("Their results differ.")


def _table(rows: list[tuple[tuple[str, ...], tuple[str, ...], int]], titles: tuple[str, ...]) -> None:
    table = new_table()
    for title in ("First", *titles, "Second", *titles, "Difference"):
        table.add_column(title, justify="right")
    for first, second, difference in rows:
        table.add_row(*first, *second, f"{difference:+,}")
    console().print(table)


def _cells(found: _Priced | None, ran: Ran | None = None) -> tuple[str, ...]:
    """A block's pc and its cost, or how often it was paid for in a run, and what that took."""
    if found is None:
        return ("-", "-") if ran is None else ("-", "-", "-")
    if ran is None:
        return str(found.pc), f"{found.cost:,}"
    return str(found.pc), f"{ran.executions.get(found.pc, 0):,}", f"{_taken(found, ran):,}"
