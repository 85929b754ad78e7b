"""The paper's argument invocation, Ψ_M (A.8): a standard program run to its end, its host calls answered.

In: an engine, a program with arguments, gas, handlers. Out: `Invoked`. Every engine shares this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pvm.errors import ProgramError
from pvm.machine import AnyEngine, Exit, Handler, Machine, Reason
from pvm.machine import Other as Other
from pvm.program.program import Program
from pvm.program.standard import INPUT_SIZE

_PARSED = 16  # programs whose parsed form is kept; a service of 137 kB takes 2 to 5 ms to parse
_LARGEST = 1 << 22  # octets of a program that is kept


@dataclass(frozen=True)
class Invoked:
    """How an invocation ended: the gas it took, never more than it was given, and its output, PANIC or OUT_OF_GAS.

    `exit` is the machine's own exit, such as the page fault that counts as a panic. It is None, and so is `machine`,
    where the program could not be started.
    """

    gas_used: int
    result: bytes | Reason
    exit: Exit | None = None
    machine: Machine | None = None


def invoke(
    engine: AnyEngine, program: Program | None, pc: int, gas: int, args: bytes, host: Mapping[int, Handler],
    other: Other | None = None, watch: Callable[[Machine], object] | None = None,
) -> Invoked:  # fmt: skip
    """Ψ_M: run a standard program from `pc`. What is none (see `service_program`) panics, and takes no gas.

    `other` answers calls without a handler; without it they end the run, which then counts as a panic. `watch` gets
    the machine before it runs. Raises what the engine raises where it has no room, and what handlers raise.
    """
    if program is None or program.sections is None or len(args) > INPUT_SIZE:
        return Invoked(0, Reason.PANIC)
    machine = engine.instantiate(program, args, gas, pc, host)
    if watch is not None:
        watch(machine)
    machine.other = other
    exit = machine.run()
    return Invoked(gas - exit.gas if exit.gas < gas else 0, _result(machine, exit), exit, machine)


def _result(machine: Machine, exit: Exit) -> bytes | Reason:
    if exit.reason is Reason.HALT:
        return machine.result()
    return Reason.OUT_OF_GAS if exit.reason is Reason.OUT_OF_GAS else Reason.PANIC


def service_program(preimage: bytes) -> Program | None:
    """The program in the preimage of a service's code, E(↕m, c).

    None where Y (A.7) or deblob (A.1) find none, which comes to a panic.
    """
    return _parsed(preimage, "jam")


def plain_program(data: bytes) -> Program | None:
    """The program blob that `data` is; None where deblob (A.1) finds none."""
    return _parsed(data, "plain")


def _parsed(data: bytes, format: str) -> Program | None:
    return _parse(data, format) if len(data) > _LARGEST else _parse_once(data, format)


def _parse(data: bytes, format: str) -> Program | None:
    try:
        return Program.parse(data, format)
    except ProgramError:
        return None


_parse_once = lru_cache(maxsize=_PARSED)(_parse)
