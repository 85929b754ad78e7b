"""Random programs that are stopped, saved, gone on from elsewhere and forked, against the same programs left alone.

    python -m tests.saved_programs --count 1000 [--first SEED] [--what saves stops threads] [--seconds S]

`saves`: a program of any family, version and metering is left at random places, its state is taken to another engine,
now and then to another process, and both go on to the same end; two that go on differently leave each other alone.
`stops`: a run with random limits, stops and signals is the run without them, in every register and gas. `threads`: what
threads do to a machine that runs is refused. Counts are of saves, stops and attempts. The exit status is 1 when
anything differs, after its seed is printed.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from random import Random

from pvm import Exit, Machine, MachineBusyError, Reason, ReferenceEngine, State
from pvm.examples import EXAMPLES, LOG_CALL
from pvm.fuzz import memory_case, random_case
from pvm.fuzz.cases import Case
from pvm.fuzz.transcript import start
from pvm.machine import METERINGS, Resumer
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.machine.protection import obstacle

FAMILIES: tuple[Callable[[int], Case], ...] = (random_case, memory_case)
MAY_END = 8  # exits that are looked at
POINTS = 200  # at which a program is saved, as it takes as long to translate it
Rest = list[tuple[Exit, State]]


class Engines:
    """One of each kind for each version and metering."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], list[Resumer]] = {}

    def of(self, case: Case) -> list[Resumer]:
        """The engines that run a case."""
        return self.by(case.spec, case.metering)

    def by(self, *key: str) -> list[Resumer]:
        """Those of a version and metering."""
        if key not in self._made:
            spec, metering = key
            protections = ("software",) if obstacle() else ("software", "hardware")
            self._made[key] = [
                ReferenceEngine(spec, metering), Engine(spec, "interpreter", metering, cache=False),
                *(Engine(spec, "recompiler", metering, protection=one, cache=False) for one in protections),
                Engine(spec, "auto", metering, cache=False),
            ]  # fmt: skip
        return self._made[key]


def rest(machine: Machine, exits: int = MAY_END) -> Rest:
    """How a machine goes on: calls without a handler go unanswered, faults unrepaired, gas is refilled."""
    found: Rest = []
    for _ in range(exits):
        exit = machine.run()
        found.append((exit, machine.save()))
        if exit.reason is Reason.OUT_OF_GAS:
            machine.gas += 7
        elif exit.reason is not Reason.HOST_CALL:
            break
    return found


def rest_elsewhere(state: bytes, seed: int) -> bytes:
    """`rest` in another process, of a state and back as bytes."""
    one = pickle.loads(state)
    case = FAMILIES[seed % len(FAMILIES)](seed)
    chance = Random(seed)
    engines = _ENGINES.of(case)
    machine = chance.choice(engines).resume(one, dict(start(case, engines[0]).host))
    return pickle.dumps(rest(machine))


_ENGINES = Engines()


def saves_of(seed: int, engines: Engines, elsewhere: Executor | None, points: int) -> str | None:
    """What differs between a machine that goes on and what was saved of it, gone on from elsewhere and forked."""
    chance, case = Random(seed), FAMILIES[seed % len(FAMILIES)](seed)
    kinds = engines.of(case)
    for _ in range(points):
        machine = start(case, chance.choice(kinds))
        for _ in range(chance.randrange(4)):
            machine.step()
        if chance.random() < 0.7:
            machine.run(limit=chance.randrange(1 << chance.randrange(8)))
        different = _saved(machine, chance, kinds, elsewhere if chance.random() < 0.02 else None, seed)
        if different is not None:
            return different
    return None


def _saved(
    machine: Machine, chance: Random, kinds: list[Resumer], elsewhere: Executor | None, seed: int
) -> str | None:  # fmt: skip
    state = machine.save()
    theirs = elsewhere.submit(rest_elsewhere, pickle.dumps(state), seed) if elsewhere is not None else None
    other = chance.choice(kinds).resume(state, dict(machine.host))
    fork = machine.clone()
    fork.registers[chance.randrange(13)] ^= 1 << chance.randrange(64)
    fork.memory.write(0x20000 + chance.randrange(1 << 16), b"fork")
    rest(fork, 2)
    if machine.save() != state or other.save() != state:
        return "a fork touched another"
    wanted = rest(machine)
    if rest(other) != wanted:
        return f"{type(other).__name__} went on otherwise than {type(machine).__name__}"
    other.restore(state)
    if other.save() != state or rest(other, 1) != wanted[:1]:
        return f"{type(other).__name__} was not restored"
    if theirs is not None and pickle.loads(theirs.result(300)) != wanted:
        return "another process went on otherwise"
    return None


class Alarm:
    """Stops a machine when the signal comes."""

    machine: Machine | None = None

    def __call__(self, *_: object) -> None:
        if self.machine is not None:
            self.machine.stop()


def stop_at_random(seed: int, engines: Engines, alarm: Alarm) -> tuple[int, str | None]:
    """How many times a run was stopped, and what differs from the one that was not."""
    chance, case = Random(seed), FAMILIES[seed % len(FAMILIES)](seed)
    kinds = engines.of(case)
    plain, machine = start(case, chance.choice(kinds[1:])), start(case, chance.choice(kinds[1:]))
    stops, limit, before = 0, 1, -1
    alarm.machine = machine
    for _ in range(4):
        wanted = plain.run()
        while True:
            way = chance.random()
            if way < 0.02:
                signal.setitimer(signal.ITIMER_REAL, chance.random() * 50e-6 + 1e-6)
                exit = machine.run()
            elif way < 0.2:
                machine.stop()
                exit = machine.run()
            else:
                exit = machine.run(limit)
            if exit.reason is not Reason.STOPPED:
                break
            stops += 1
            limit = 2 * limit + 1 if exit.gas == before else chance.randrange(1, 24)
            before = exit.gas
            if stops > 2000:
                limit = 1 << 62
        signal.setitimer(signal.ITIMER_REAL, 0)
        if exit != wanted or machine.registers[:] != plain.registers[:]:
            return stops, f"{exit} after {stops} stops, not {wanted}"
        if exit.reason is not Reason.HOST_CALL:
            break
    return stops, None


def stop_example(seed: int, engines: Engines, alarm: Alarm) -> tuple[int, str | None]:
    """The same for an example, which runs for longer; now and then the state is that of a run with one limit."""
    chance = Random(seed)
    one, spec = chance.choice(EXAMPLES), chance.choice(("0.7.2", "0.8.0"))
    kinds = engines.by(spec, chance.choice(METERINGS))[1:]
    program, host = assemble(one.source, spec), {LOG_CALL: lambda machine: None}
    make = [lambda kind=kind: kind.instantiate(program, one.args, one.gas, host=host) for kind in kinds]
    machine, plain, size = chance.choice(make)(), chance.choice(make)(), 1 << chance.randrange(2, 9)
    alarm.machine, stops, before, limit = machine, 0, -1, size
    wanted = plain.run()
    while True:
        if chance.random() < 0.01:
            signal.setitimer(signal.ITIMER_REAL, chance.random() * 50e-6 + 1e-6)
            exit = machine.run(1 << 20)
        elif chance.random() < 0.1:
            machine.stop()
            exit = machine.run()
        else:
            exit = machine.run(limit)
        if exit.reason is not Reason.STOPPED:
            break
        stops += 1
        limit = 2 * limit + 1 if exit.gas == before else chance.randrange(1, size + 1)
        before = exit.gas
        if stops % 1000 == 500 and exit.gas < one.gas:
            other = chance.choice(make)()
            other.run(one.gas - exit.gas)
            if other.save() != machine.save():
                return stops, f"{one.name}, {type(machine).__name__}: not what {type(other).__name__} is with that gas"
        if stops > 8000:
            limit = before = 1 << 62
    signal.setitimer(signal.ITIMER_REAL, 0)
    alarm.machine = None
    if exit != wanted or machine.save() != plain.save():
        return stops, f"{one.name}, {type(machine).__name__}: {exit} after {stops} stops, not {wanted}"
    return stops, None


def misuse(machine: Machine, attempts: int) -> int:
    """How many attempts of other threads at a machine that runs were refused, of so many."""
    refused, uses = 0, (
        machine.run, machine.step, machine.save, machine.reset, machine.clone, machine.close,
        lambda: machine.memory.write(0x20000, b"1"), lambda: machine.memory.map(0x20000, 4096, None),
        lambda: setattr(machine, "pc", 0), lambda: setattr(machine, "gas", 5),
        lambda: machine.registers.__setitem__(3, 7), machine.memory.clear,
    )  # fmt: skip
    running = threading.Event()
    machine.poll = lambda machine: running.set()
    thread = threading.Thread(target=machine.run)
    thread.start()
    running.wait(60)
    for number in range(attempts):
        try:
            uses[number % len(uses)]()
        except MachineBusyError:
            refused += 1
    machine.stop()
    thread.join(60)
    return refused


def all_misuse(attempts: int) -> Iterator[tuple[str, int]]:
    """Refused attempts by engine."""
    program = assemble(".code\nloop: add_imm_64 r1, r1, 1\njump loop\n")
    for tier in ("interpreter", "recompiler", "auto", "reference"):
        engine: Resumer = ReferenceEngine() if tier == "reference" else Engine(tier=tier)
        yield tier, misuse(engine.instantiate(program, gas=1 << 62), attempts)


def saves(seeds: Iterator[int], elsewhere: Executor | None, points: int = POINTS) -> list[str]:
    """What differs, by seed."""
    engines = Engines()
    return [
        f"saves, seed {seed}: {found}" for seed in seeds if (found := saves_of(seed, engines, elsewhere, points))
    ]  # fmt: skip


def stops(seeds: Iterator[int], most: int) -> tuple[int, list[str]]:
    """How many stops there were, of at most so many and some, and what differs, by seed."""
    engines, made, wrong, alarm = Engines(), 0, list[str](), Alarm()
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        for seed in seeds:
            if made >= most:
                break
            found, difference = (stop_example if seed % 2 else stop_at_random)(seed, engines, alarm)
            made += found
            if difference:
                wrong.append(f"stops, seed {seed}: {difference}")
    finally:
        signal.signal(signal.SIGALRM, before)
    return made, wrong


def within(seconds: float, first: int, most: int) -> Iterator[int]:
    """Seeds, at most so many and for as long as that."""
    end = time.monotonic() + seconds
    for seed in islice(count(first), most):
        if time.monotonic() > end:
            return
        yield seed


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.saved_programs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9)
    parts = ["saves", "stops", "threads"]
    parser.add_argument("--what", nargs="+", default=parts, choices=parts)
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    if "saves" in options.what:
        done = 0

        def counted() -> Iterator[int]:
            nonlocal done
            for seed in within(options.seconds, options.first, -(-options.count // POINTS)):
                done += POINTS
                yield seed

        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
            wrong += saves(counted(), elsewhere)
        print(f"{done:,} saves gone on from, {len(wrong)} programs otherwise", flush=True)
    if "stops" in options.what:
        made, different = stops(within(options.seconds, options.first, 1 << 62), options.count)
        wrong += different
        print(f"{made:,} stops, {len(different)} runs that were not what they are without", flush=True)
    if "threads" in options.what:
        for tier, refused in all_misuse(options.count):
            print(f"{tier}: {refused:,} of {options.count:,} attempts refused", flush=True)
            wrong += [f"{tier}: {options.count - refused} attempts were not refused"] * (refused != options.count)
    for line in wrong[:50]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.setdefault("PVM_CACHE_DIR", "")
    sys.exit(main(sys.argv[1:]))
