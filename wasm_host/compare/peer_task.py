"""anan-as, the engine of others (`wasm_host.peers.anan_as`), compared as far as its interface shows what it did.

In: a task that is a program. Out: an `Outcome`; memory and result are not seen.
"""

from __future__ import annotations

from pvm.errors import ResourceError
from pvm.jam.host_calls.table import GAS_072, LOG_CALL, WHAT
from pvm.machine import Reason
from pvm.program import Program
from wasm_host.compare.measure import fastest
from wasm_host.compare.outcome import TRACE, Ending, Outcome, Task
from wasm_host.peers.anan_as import DEFAULT_BUILD, AnanAs, find_installed

_SPEC = "0.7.2"
_SECOND = 1e9  # in nanoseconds


def unsuitable(task: Task) -> str | None:
    """What keeps it from running a task."""
    if task.format == TRACE:
        return "recorded host calls are not replayed on it"
    if task.spec != _SPEC:
        return f"it is of {_SPEC}"
    return "it charges each instruction" if task.metering != "instruction" else None


def run_anan_as(task: Task) -> Outcome:
    """In a new process of node, whose start counts nowhere. Host call 100 is answered inside, as `log` is."""
    installed = find_installed(None)
    if isinstance(installed, str):
        raise ResourceError(installed)
    program = Program.parse(task.data, task.format)
    data = Program(program.blob, program.sections).encode()  # without metadata
    request = {
        "build": DEFAULT_BUILD, "program": data.hex(), "args": task.args.hex(), "gas": str(task.gas), "pages": 0,
        "pc": task.pc, "plain": program.sections is None, "log": {"call": LOG_CALL, "r7": str(WHAT), "gas": GAS_072},
    }  # fmt: skip
    with AnanAs(installed) as other:
        first = other.ask(request)
        found = first.outcome
        ending = Ending(
            found.reason.value, found.pc, found.gas, found.registers,
            first.argument if found.reason is Reason.PAGE_FAULT else None,
            first.argument if found.reason is Reason.HOST_CALL else None,
        )  # fmt: skip
        warm = fastest(task, lambda: other.ask(request).nanoseconds / _SECOND)
    return Outcome(ending, task.gas - found.gas, first.whole / _SECOND, warm)
