"""The whole course of a case on an engine: everything that can be observed at every exit.

In: a `Case`, an engine. Out: its transcript. In between faults are repaired, host calls answered and gas refilled, as
the case's seed decides. Two engines agree when their transcripts are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from pvm.fuzz.cases import ANSWERED, PAGES, Case, value
from pvm.machine import AnyEngine, Exit, Machine, Poll, Reason
from pvm.program import PAGE_SIZE, Program

_BLANK = bytes(PAGE_SIZE)


@dataclass(frozen=True)
class Observation:
    """What a host sees at an exit (None: after a step). `memory` holds the pages that are not all zero."""

    exit: Exit | None
    pc: int
    gas: int
    registers: tuple[int, ...]
    memory: tuple[tuple[int, bytes], ...]
    accesses: tuple[str | None, ...]


def transcript(case: Case, engine: AnyEngine, poll: Poll | None = None) -> list[Observation]:
    """Run the case on an engine that was made for its spec and metering. `poll` is the machine's."""
    random = Random(case.seed)
    machine = start(case, engine, random=random)
    machine.poll = poll
    return list(_observations(case, machine, random))


def start(case: Case, engine: AnyEngine, gas: int | None = None, random: Random | None = None) -> Machine:
    """A machine at the case's start, with its handler, and its gas or other gas; `random` fills the pages."""
    remapped, random = case.remapped, random or Random(case.seed)

    def answer(machine: Machine) -> None:
        """Change a page's rights and a register, as the registers say: the same on every engine."""
        if machine.poll is not None:  # a run may do little else
            machine.poll(machine)
        choice = machine.registers[8] ^ machine.registers[9]
        page = remapped[choice % len(remapped)]
        machine.memory.map(page, PAGE_SIZE, ("rw", "r", None, "rw")[choice >> 8 & 3])
        machine.memory.write(page + (choice >> 16 & 0xFFF), b"\x5a")
        machine.registers[7] = machine.memory.read(page, 8)[choice & 7]

    program, host = Program.parse(case.program, format="plain"), {ANSWERED: answer} if remapped else None
    machine = engine.instantiate(program, gas=case.gas if gas is None else gas, pc=case.pc, host=host)
    for address, access in case.pages:
        machine.memory.map(address, PAGE_SIZE, access)
        octets = random.randbytes(PAGE_SIZE)
        if not case.is_blank:
            machine.memory.write(address, octets)
    for _ in range(case.left_out):
        random.randbytes(PAGE_SIZE)
    for address, data in case.contents:
        machine.memory.write(address, data)
    machine.registers[:] = case.registers
    return machine


def _observations(case: Case, machine: Machine, random: Random) -> Iterator[Observation]:
    pages = observed_pages(case)
    for _ in range(case.rounds):
        exit = machine.step() if random.random() < 0.3 else machine.run()
        yield observe(machine, exit, pages)
        if exit is None:
            continue
        if not _go_on(case, machine, exit, random):
            return


def observed_pages(case: Case) -> list[int]:
    """The pages that are looked at: those that may be mapped, and those behind them."""
    mapped = (*PAGES, 0, *(address for address, _ in case.pages), *case.remapped)
    return sorted({page for address in mapped for page in (address, (address + PAGE_SIZE) % (1 << 32))})


def observe(machine: Machine, exit: Exit | None, pages: list[int]) -> Observation:
    """All that a host can see now."""
    contents = ((page, machine.memory.read(page, PAGE_SIZE)) for page in pages)
    accesses = tuple(machine.memory.access(page) for page in pages)
    memory = tuple((page, data) for page, data in contents if data != _BLANK)
    return Observation(exit, machine.pc, machine.gas, tuple(machine.registers), memory, accesses)


def _go_on(case: Case, machine: Machine, exit: Exit, random: Random) -> bool:
    """Do what a host might do at an exit; False to end there."""
    match exit.reason:
        case Reason.HOST_CALL:
            machine.registers[7] = value(random)
            if random.random() < 0.3:
                machine.gas = random.randrange(50)
            if case.remapped:
                machine.memory.map(random.choice(case.remapped), PAGE_SIZE, random.choice(("rw", "r", None)))
        case Reason.PAGE_FAULT if exit.address is not None:
            repairs = ("rw", "rw", "rw", "rw", "r", None) if case.remapped else ("r", "rw", "rw", None)
            machine.memory.map(exit.address, PAGE_SIZE, random.choice(repairs))
        case Reason.OUT_OF_GAS:
            machine.gas = random.randrange(case.refill)
        case _:
            if random.random() < 0.5:
                return False
            machine.pc = random.randrange(64)
            return True
    if case.moves_pc and random.random() < 0.3:
        machine.pc = random.randrange(64)
    return True
