"""`pvm demo`: every example program, checked against Python, for those who see this for the first time."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import click
from rich.panel import Panel
from rich.text import Text

from pvm.examples import EXAMPLES, Example
from pvm.isa import SPEC_NAMES
from pvm.isa import spec as find_spec
from pvm.jam.host_calls.table import UNKNOWN_GAS
from pvm.log import log_handlers
from pvm.machine import METERINGS
from pvm.program import assemble
from wasm_host.cli.engines import TIERS, json_option, make_engine
from wasm_host.cli.failures import FAILURE, SUCCESS
from wasm_host.cli.outcome import Outcome, timed_run
from wasm_host.cli.output import Bar, brief_bytes, console, duration, fancy, mark, new_table, print_json, tracked

_SPEC, _METERING = SPEC_NAMES[0], METERINGS[0]
_LOG_GAS = UNKNOWN_GAS[_SPEC]
_SHORTEST = 10_000  # gas; of shorter runs the speed says little
_NEXT = (
    ("pvm run example:hello --args 4a616d", "run one program on your own arguments, here “Jam”"),
    ("pvm disasm example:sieve", "see a program's instructions"),
    ("pvm isa 'load_*'", "look instructions up"),
)


@dataclass(frozen=True)
class Shown:
    """An example that was run."""

    example: Example
    outcome: Outcome
    passed: bool

    @property
    def instructions_per_second(self) -> float | None:
        """None for a run too short to tell. Each instruction takes 1 gas."""
        seconds = self.outcome.seconds
        return self.outcome.gas_used / seconds if self.outcome.gas_used >= _SHORTEST else None


@click.command("demo")
@json_option
def command(as_json: bool) -> int:
    """Run every example program and check each result.

    The expected results are computed independently, in plain Python. The exit status is 1 if one differs.

    \b
    Examples:
      pvm demo
      pvm demo --json
    """
    shown = [_run(example) for example in tracked(EXAMPLES, Bar("Running", len(EXAMPLES)))]
    failed = sum(not one.passed for one in shown)
    if as_json:
        print_json({
            "passed": len(shown) - failed, "failed": failed, "tier": TIERS[0], "spec": _SPEC, "metering": _METERING,
            "examples": [_as_dict(one) for one in shown],
        })  # fmt: skip
    else:
        _show(shown, failed)
    return FAILURE if failed else SUCCESS


def _run(example: Example) -> Shown:
    program = assemble(example.source, find_spec(_SPEC))
    engine = make_engine(TIERS[0], _SPEC, _METERING)
    machine = engine.instantiate(program, example.args, example.gas, host=log_handlers(lambda line: None, _LOG_GAS))
    outcome = timed_run(machine, program, example.gas)
    expected = example.expected(example.args)
    return Shown(example, outcome, outcome.halted and outcome.result == expected)


def _as_dict(one: Shown) -> dict[str, Any]:
    return {
        "name": one.example.name, "title": one.example.title, "passed": one.passed,
        "status": one.outcome.status, "result": one.outcome.result.hex(), "gas_used": one.outcome.gas_used,
        "seconds": one.outcome.seconds, "instructions_per_second": one.instructions_per_second,
    }  # fmt: skip


def _show(shown: list[Shown], failed: int) -> None:
    out = console()
    out.print(f"{len(shown)} programs for the Polkadot Virtual Machine, run by WebAssembly that Python generated:\n")
    table = new_table()
    for column in ("Program", "What it does", "Result"):
        table.add_column(column)
    for column in ("Gas used", "Time", "M instr/s"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Check")
    for one in shown:
        speed = one.instructions_per_second
        table.add_row(
            one.example.name, one.example.title, _result(one.outcome), f"{one.outcome.gas_used:,}",
            duration(one.outcome.seconds), "-" if speed is None else f"{speed / 1e6:,.0f}",
            Text(mark(one.passed), "green" if one.passed else "bold red"),
        )  # fmt: skip
    out.print(table)
    out.print()
    life = next((one for one in shown if one.example.name == "life" and one.passed), None)
    if life is not None and _life_width(life) <= out.width:
        width, height, generation = struct.unpack_from("<HHI", life.example.args)
        picture = Text(life_picture(life.outcome.result, width, height), "green")
        out.print(Panel.fit(picture, title=f"Conway's Life, generation {generation}", border_style="dim"))
        out.print()
    verdict = f"{failed} of {len(shown)} results differ from what Python computes." if failed else (
        f"All {len(shown)} results are what plain Python computes independently."
    )  # fmt: skip
    out.print(Text(verdict, "bold red" if failed else "bold green"))
    out.print("\nTry next:")
    for command, why in _NEXT:
        out.print(Text("  ").append(f"{command:<38}", "bold cyan").append(why))


def _life_width(one: Shown) -> int:
    """Columns that the picture of Life takes, with its frame."""
    return int(struct.unpack_from("<H", one.example.args)[0]) + 4


def _result(outcome: Outcome) -> str:
    return brief_bytes(outcome.result) if outcome.halted else outcome.status


def life_picture(cells: bytes, width: int, height: int) -> str:
    """A grid of cells, two rows a line by half blocks; a row a line where the terminal shows ASCII alone."""
    rows = [cells[start : start + width] for start in range(0, width * height, width)]
    if not fancy():
        return "\n".join("".join(".#"[cell] for cell in row) for row in rows)
    rows.append(bytes(width))  # below the last row when their number is odd
    pairs = zip(rows[::2], rows[1::2], strict=False)
    return "\n".join("".join(" ▀▄█"[top | low << 1] for top, low in zip(*pair, strict=True)) for pair in pairs)
