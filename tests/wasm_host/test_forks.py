"""The child of a fork, the way in which processes start on Linux up to Python 3.13: engines and machines go on there.

Each test runs in a process of its own, which forks; a child that waits for ever is ended by its alarm.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from pvm import Exit, MachineBusyError, Program, ReferenceEngine
from pvm.program import assemble
from wasm_host import TIERS, Engine, Job, forks, run_many
from wasm_host.code import modules
from wasm_host.code.modules import Compiled, wasmtime_engine
from wasm_host.code.translations import Translations
from wasm_host.engine import SOFTWARE
from wasm_host.jobs import worker
from wasm_host.machine.protection import obstacle
from wasm_host.machine.translated import AutoMachine

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

ALARM = 40  # seconds, for a child
DONE = 7
LOOP = """.code
loop:
    add_imm_64      r1, r1, 1
    ecalli          1
    branch_lt_u_imm r1, 20000, loop
    trap
"""


def blocks(count: int) -> Program:
    """So many blocks: those of a region are compiled together, several regions in parallel."""
    return assemble(".code\n" + "add_imm_64 r1, r1, 1\nbranch_eq_imm r1, 0, end\n" * count + "end:\n trap\n")


def run(engine: Any, program: Program, gas: int = 100_000) -> Exit:
    return engine.instantiate(program, gas=gas, host={1: lambda machine: None}).run()  # type: ignore[no-any-return]


def expected(program: Program, gas: int = 100_000) -> Exit:
    return run(ReferenceEngine(), program, gas)


def in_fork(work: Callable[[], object]) -> None:
    """Do it in a child, which has to end by itself."""
    child = os.fork()
    if child == 0:
        signal.alarm(ALARM)
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(DONE)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == DONE, f"the child hung or failed: {status}"


# --- what runs in processes of their own ---------------------------------------------------------------------------


def every_engine() -> None:
    """What was made before the fork, and after it, of programs known and new."""
    wasmtime_engine()
    protections = ("software",) if obstacle() else ("software", "hardware")
    known, new = blocks(300), blocks(400)
    wanted, wanted_of_new = expected(known), expected(new)

    def check(tier: str, protection: str, cache: bool) -> None:
        engine = Engine(tier=tier, protection=protection, cache=cache)
        fresh, used = (engine.instantiate(known, gas=100_000) for _ in range(2))
        for _ in range(250):
            assert used.step() is None
        assert run(engine, known) == wanted

        def goes_on() -> None:
            assert fresh.run() == used.run() == run(engine, known) == wanted
            assert run(engine, new) == wanted_of_new
            for name in TIERS:
                assert run(Engine(tier=name, protection=protection, cache=cache), new) == wanted_of_new
            in_fork(goes_on_further)

        def goes_on_further() -> None:
            assert run(engine, known) == wanted
            assert run(engine, new) == wanted_of_new

        in_fork(goes_on)
        assert fresh.run() == wanted

    for options in itertools.product(TIERS, protections, (False, True)):
        check(*options)


def under_way() -> None:
    """The thread that translates stays in the other process: machines and engines of the child have another do it."""
    begun, end = threading.Event(), threading.Event()

    class Slow(Engine):
        def _translate(self, *arguments: Any) -> Compiled:
            begun.set()
            end.wait()
            return super()._translate(*arguments)

    program = assemble(LOOP)
    engine = Slow(protection="software", cache=False)
    machine = engine.instantiate(program, gas=1 << 30, host={1: lambda machine: None})
    assert isinstance(machine, AutoMachine)
    machine._promised = engine._translations[SOFTWARE].request(program)
    assert begun.wait(20)

    def goes_on() -> None:
        end.set()
        assert engine._translations[SOFTWARE].get(program) is engine._translations[SOFTWARE].get(program)
        wait_until_linked(machine)

    in_fork(goes_on)
    in_fork(lambda: (end.set(), wait_until_linked(machine)))


def wait_until_linked(machine: AutoMachine) -> None:
    while not machine._is_linked:
        machine.registers[1], machine.pc, machine.gas = 0, 0, 1 << 30
        machine.run()


def with_locks_held() -> None:
    """Whatever other threads had at that moment."""
    program = blocks(300)
    engine = Engine(tier="recompiler", protection="software", cache=False)
    wanted = run(engine, program)
    translations: Translations = engine._translations[SOFTWARE]
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        with (
            modules._PROCESS.lock, translations._lock, translations._find(program).lock, engine._images._lock,
            worker._BENCH._lock, worker._BENCH.alone,
        ):  # fmt: skip
            held.set()
            end.wait()

    threading.Thread(target=hold, daemon=True).start()
    held.wait()

    def goes_on() -> None:
        assert run(engine, program) == run(Engine(tier="recompiler", cache=False), program) == wanted
        assert run_many(program, [Job(gas=100_000)], tier="recompiler")[0].exit == wanted

    in_fork(goes_on)
    end.set()


def short_calls() -> None:
    """A fork waits for what another thread has wasmtime do for a moment, but not for ever, and no more is begun."""
    forks.PATIENCE = ALARM  # however busy the machine is
    begun, end = threading.Event(), threading.Event()
    ended: list[str] = []

    def short() -> None:
        begun.set()
        while not forks._FORKING:
            time.sleep(0.001)
        threading.Thread(target=lambda: forks.steadily(ended.append, "begun late")).start()
        time.sleep(0.2)
        ended.append("short")

    threading.Thread(target=lambda: forks.steadily(short)).start()
    assert begun.wait(ALARM)
    in_fork(lambda: same(ended, ["short"]))
    while len(ended) < 2:
        time.sleep(0.001)
    assert not forks._CALLS and not forks._FORKING
    forks.PATIENCE = 0.2
    threading.Thread(target=lambda: forks.steadily(end.wait), daemon=True).start()
    while not forks._CALLS:
        time.sleep(0.001)
    in_fork(lambda: same(list(forks._CALLS), []))  # which would never have ended
    forks.steadily(in_fork, lambda: run(Engine(), blocks(3)))  # a thread does not wait for itself
    end.set()


def same(found: object, wanted: object) -> None:
    assert found == wanted, f"{found} instead of {wanted}"


def from_threads() -> None:
    """Forks while threads make machines, translate and run."""
    engine, stop, known = Engine(cache=False), threading.Event(), blocks(60)
    wanted = run(engine, known)

    def churn(first: int) -> None:
        for number in itertools.count(first, 2):
            if stop.is_set():
                return
            program = blocks(1 + number % 300)
            run(engine, program)
            engine._translations[SOFTWARE].get(program)

    with ThreadPoolExecutor(2) as pool:
        for first in range(2):
            pool.submit(churn, first)
        for number in range(8):
            in_fork(lambda number=number: goes_on(engine, number))  # type: ignore[misc]
            assert run(engine, known) == wanted
        stop.set()


def goes_on(engine: Engine, number: int) -> None:
    program = blocks(250 + number)
    assert engine._translations[SOFTWARE].get(program)
    assert run(engine, program).gas == 100_000 - 2 * (250 + number) - 1


def in_a_handler() -> None:
    """The child has the run that it is in, and may leave it."""
    program = assemble(LOOP)

    def check(tier: str) -> None:
        engine, calls = Engine(tier=tier, protection="software"), itertools.count(1)

        def fork(machine: Any) -> None:
            if next(calls) == 3:
                in_fork(lambda: run(engine, program))

        assert engine.instantiate(program, gas=1000, host={1: fork}).run() == expected(program, 1000)

    for tier in TIERS:
        check(tier)


def _square(number: int) -> Exit:
    assert ENGINE is not None
    return run(ENGINE, blocks(number))


ENGINE: Engine | None = None


def pools() -> None:
    """Workers that are forked have the engine that was made here, with what it knows."""
    global ENGINE
    numbers = [1, 5, 200, 300, 300, 250, 1]
    wanted = [expected(blocks(number)) for number in numbers]
    context = get_context("fork")
    for tier in TIERS:
        ENGINE = Engine(tier=tier)
        assert _square(300) == wanted[3]
        with context.Pool(2) as pool:
            assert pool.map_async(_square, numbers, 1).get(ALARM) == wanted
        with ProcessPoolExecutor(2, context) as executor:
            assert list(executor.map(_square, numbers, timeout=ALARM)) == wanted
            outcomes = run_many(blocks(300), [Job(gas=100_000)] * 4, executor, tier=tier)
            assert [outcome.exit for outcome in outcomes] == [wanted[3]] * 4


def running_elsewhere() -> None:
    """A machine that another thread ran at the moment of the fork stands nowhere: it is refused, others go on."""
    program = assemble(".code\nloop:\necalli 1\njump loop\n")
    entered, end = threading.Event(), threading.Event()

    def handler(machine: Any) -> None:
        entered.set()
        end.wait(ALARM)

    def check(engine: Any) -> None:
        entered.clear()
        end.clear()
        machine = engine.instantiate(program, gas=1000, host={1: handler})
        thread = threading.Thread(target=machine.run)
        thread.start()
        assert entered.wait(ALARM)

        def goes_on() -> None:
            for change in (machine.run, machine.step, lambda: machine.memory.map(0x20000, 4096, "rw")):
                with pytest.raises(MachineBusyError):
                    change()
            assert run(engine, program) == expected(program)

        in_fork(goes_on)
        end.set()
        thread.join(ALARM)

    check(ReferenceEngine())
    for tier in TIERS:
        check(Engine(tier=tier))


def small_stacks() -> None:
    """Threads whose stacks are too small for it have programs compiled, before a fork in parallel, and after it."""

    def work() -> None:
        threading.stack_size(64 << 10)
        exits: list[Exit] = []
        for tier in TIERS:
            engine = Engine(tier=tier, protection="software", cache=False)
            thread = threading.Thread(target=lambda engine=engine: exits.append(run(engine, blocks(400))))
            thread.start()
            thread.join(ALARM)
        assert exits == [expected(blocks(400))] * len(TIERS)
        found = engine._translations[SOFTWARE].request(blocks(300))
        while found.compiled is None:
            threading.Event().wait(0.01)
        assert threading.stack_size() == 64 << 10

    work()
    in_fork(work)


@pytest.mark.parametrize(
    "name",
    [
        "every_engine", "under_way", "with_locks_held", "short_calls", "from_threads", "in_a_handler", "pools",
        "running_elsewhere", "small_stacks",
    ],
)
def test_in_forks(name: str) -> None:
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("done\n"), done.stdout


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
