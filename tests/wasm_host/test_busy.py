"""Threads that all want one machine while generated code runs: one gets it, others an error, and the process lives.

Each test runs in a process of its own: what is tested for ended it (wasmtime aborts when a store is entered twice).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pvm import Exit, MachineBusyError, PvmError, Reason
from pvm.program import assemble
from wasm_host import TIERS, Engine
from wasm_host.code.modules import wasmtime_engine
from wasm_host.engine import PROTECTIONS
from wasm_host.machine.protection import obstacle

LOOP = assemble(
    ".code\nloop:\nadd_imm_64 r1, r1, 1\nstore_u8 [0x20000], r1\nload_u8 r3, [0x20800]\nbranch_ne r1, r2, loop\ntrap\n"
)
TURNS, MANY = 3_000_000, 60_000_000  # some 10 and 200 milliseconds
THREADS = 4


def machines() -> list[tuple[str, Any]]:
    wasmtime_engine()
    protections = [name for name in PROTECTIONS if name != "auto" and (name == "software" or obstacle() is None)]
    return [
        (f"{tier}, {protection}", Engine(tier=tier, protection=protection).instantiate(LOOP, gas=1 << 40))
        for tier in TIERS for protection in protections
    ]  # fmt: skip


def prepared(machine: Any, turns: int = TURNS) -> Any:
    machine.memory.map(0x20000, 4096, "rw")
    machine.registers[1], machine.registers[2], machine.pc = 0, turns, 0
    return machine


def run() -> None:
    """Several threads run one machine, again and again."""
    for name, machine in machines():
        for _ in range(3):
            prepared(machine)
            results, start = [], threading.Barrier(THREADS)

            def work(machine: Any = machine, start: threading.Barrier = start, results: list[Any] = results) -> None:
                start.wait()
                try:
                    results.append(machine.run())
                except PvmError as error:
                    results.append(error)

            threads = [threading.Thread(target=work) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            exits = [result for result in results if isinstance(result, Exit)]
            assert len(results) == THREADS
            assert all(isinstance(result, Exit | MachineBusyError) for result in results), (name, results)
            # Whoever comes when it has ended runs the trap once more.
            assert exits and all(exit.reason is Reason.PANIC for exit in exits), (name, results)
            assert machine.registers[1] == TURNS


def change() -> None:
    """Other threads map, write and step, while one runs: nothing of it gets through."""
    changes: list[Callable[[Any], object]] = [
        lambda machine: machine.memory.map(0x20000, 4096, None),
        lambda machine: machine.memory.map(0, 1 << 32, "r"),
        lambda machine: machine.memory.write(0x20800, b"\7"),
        lambda machine: setattr(machine, "pc", 0),
        lambda machine: setattr(machine, "gas", 3),
        lambda machine: machine.registers.__setitem__(1, 0),
        lambda machine: machine.step(),
        lambda machine: machine.run(),
    ]
    for name, machine in machines():
        prepared(machine, MANY)
        seen = Counter[str]()

        def work(machine: Any = machine, seen: Counter[str] = seen) -> None:
            while not machine._turns and not machine.registers[1]:
                time.sleep(0.001)
            while machine._turns:
                for number, change in enumerate(changes):
                    if not machine._turns:
                        return
                    try:
                        change(machine)
                    except MachineBusyError:
                        seen["refused"] += 1
                    else:
                        seen[f"{number} done" if machine._turns else "too late"] += 1
                assert repr(machine) and machine.registers[1] <= MANY and machine.memory.access(0x20000) == "rw"

        thread = threading.Thread(target=work)
        thread.start()
        exit = machine.run()
        thread.join(60)
        assert not thread.is_alive() and seen["refused"] > 1, (name, seen)
        if not seen["too late"]:  # a change that came just when the run had ended
            assert (exit.reason, machine.registers[1], machine.registers[3]) == (Reason.PANIC, MANY, 0), (name, seen)
        assert not [key for key in seen if key.endswith("done")], (name, seen)


def asynchronous() -> None:
    """A task gives up waiting for a run, and tries again while the thread still runs it."""

    async def main(machine: Any) -> str:
        machine.registers[2] = 0  # it never ends by itself
        machine.gas = 1 << 27
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(machine.run), 0.02)
        try:
            machine.run()
        except MachineBusyError as error:
            return str(error)
        raise AssertionError("it ran")

    for name, machine in machines():
        assert "another thread" in asyncio.run(main(prepared(machine))), name
        while machine._turns:
            time.sleep(0.01)
        machine.gas = 5
        assert machine.run().reason is Reason.OUT_OF_GAS


@pytest.mark.parametrize("name", ["run", "change", "asynchronous"])
def test_in_a_child_process(name: str) -> None:
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"
    assert done.stdout.endswith("done\n"), done.stdout


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
