"""Runs for `pvm gas --run`: what a program takes in all, and how often each of its blocks is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pvm.counting import counts_of
from pvm.gas import BlockCosts
from pvm.gas.metering import PIPELINE
from pvm.isa import Spec
from pvm.jam.host_calls.table import LOG_CALL
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import Loaded, read_args
from wasm_host.engine import Engine

RUN_GAS = 1_000_000_000


@dataclass(frozen=True)
class Ran:
    """The end of a run, gas that it used and how much of that is blocks', what came out, and by a block's start how
    often it was paid for. One that is entered in its middle, as by --pc, is paid for as a whole.
    """

    reason: str
    pc: int
    used: int
    result: bytes
    of_blocks: int
    executions: dict[int, int]

    @property
    def facts(self) -> dict[str, Any]:
        return {"reason": self.reason, "pc": self.pc, "gas_used": self.used, "result": self.result.hex()}


def run(loaded: Loaded, spec: Spec, costs: BlockCosts, args: str | None, gas: int | None, pc: int | None) -> Ran:
    """Run a program with the arguments that the command got, or the example's."""
    given = loaded.example
    arguments = read_args(args) if args is not None else given.args if given else b""
    gas = gas if gas is not None else RUN_GAS
    with blamed_on(loaded.label):
        engine = Engine(spec.name, metering=PIPELINE, counting=True)
        machine = engine.instantiate(loaded.program, arguments, gas, pc, {LOG_CALL: lambda machine: None})
        end = machine.run()
    result = machine.result() if end.reason.value == "halt" and loaded.program.sections is not None else b""
    # Up to an instruction a block was paid for as often as its counts say; up to its last one, so often in all.
    executions = {costs.firsts[place]: times for place, times in sorted(counts_of(machine).items())}
    of_blocks = sum(costs.at(first) * times for first, times in executions.items())
    return Ran(end.reason.value, end.pc, gas - end.gas, result, of_blocks, executions)
