"""Ctrl-C at any time, under each tier: what surfaces is that, and what it interrupted goes on to the same end."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from pvm import Reason, ReferenceEngine
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code import translations

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals on this system")

INTERRUPTIONS = 300
SHORTEST, LONGEST = 1e-5, 2e-2  # seconds until a signal comes
SOURCE = """.code
loop:
    add_imm_64      r1, r1, 1
    ecalli          1
    branch_ne_imm   r1, 3000, loop
    trap
"""


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


def ignore(machine: Any) -> None:
    pass


def bombard(tier: str) -> None:
    """Interrupt engines, machines and runs, until it was done often enough. Each machine ends as it should."""
    translations.PATIENCE = 0.0  # auto machines ask for their translation at once
    program, rng = assemble(SOURCE), random.Random(tier)
    reference = ReferenceEngine().instantiate(program, gas=10_000, host={1: ignore})
    wanted = (reference.run(), list(reference.registers))
    Engine(tier="interpreter").instantiate(program)  # the interpreter is there, which takes longer than they leave
    signal.signal(signal.SIGALRM, interrupt)
    count, machine, exits = 0, None, []
    while count < INTERRUPTIONS:
        try:
            delay = SHORTEST * (LONGEST / SHORTEST) ** rng.random()
            signal.setitimer(signal.ITIMER_REAL, delay)
            if machine is None:
                machine = Engine(tier=tier, cache=False).instantiate(program, gas=10_000, host={1: ignore})
                exits.clear()
            if not exits:  # to run it once more would cost one more gas
                exits.append(machine.run())
            assert (exits[0], list(machine.registers)) == wanted
            machine = None
        except KeyboardInterrupt:
            count += 1


def bombard_requests() -> None:
    """Interrupt those who ask for a translation in the background, as a thread starts."""
    program, rng, made = assemble(".code\ntrap\n"), random.Random(1), object()
    signal.signal(signal.SIGALRM, interrupt)
    for _ in range(5000):
        with suppress(KeyboardInterrupt):
            asked = translations.Translations(lambda *how: made)  # type: ignore[arg-type, return-value]
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 1e-4))
            asked.request(program)
            assert asked.get(program) is made


def make_machines() -> None:
    """Handlers of signals make, translate and run machines themselves, whatever they came in the middle of."""
    translations.PATIENCE = 0.0
    rng, numbers, failed = random.Random(2), itertools.count(), []
    engines = [Engine(tier=tier, cache=False) for tier in ("recompiler", "auto")]

    def runs(engine: Engine, number: int) -> None:
        program = assemble(f".code\nload_imm r1, {number}\ntrap\n")
        if engine.instantiate(program, gas=100).run().reason is not Reason.PANIC:
            failed.append(number)

    def handle(*arguments: object) -> None:
        number = next(numbers)
        runs(engines[number % 2], number // 8)

    signal.signal(signal.SIGALRM, handle)
    for round_ in range(INTERRUPTIONS):
        signal.setitimer(signal.ITIMER_REAL, SHORTEST * 100 ** rng.random())
        runs(engines[round_ % 2], round_ // 8)
    assert next(numbers) > INTERRUPTIONS // 10 and not failed  # signals came; on a busy machine some come too late


@pytest.mark.parametrize("name", ["interpreter", "recompiler", "auto", "requests", "make"])
def test_interrupted_at_any_time(name: str) -> None:
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"


if __name__ == "__main__":
    sys.unraisablehook = lambda raised: None  # a signal that comes in a `__del__` is told there
    with suppress(KeyboardInterrupt):  # the last signal may come now
        others = {"requests": bombard_requests, "make": make_machines}
        others[sys.argv[1]]() if sys.argv[1] in others else bombard(sys.argv[1])
