"""A machine's state as a value: saved on one tier, gone on from on any other, to the same end."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from pvm import AddressError, Exit, InputError, Machine, MachineBusyError, Reason, ReferenceEngine, State
from pvm.examples import example
from pvm.fuzz import memory_case, random_case
from pvm.fuzz.transcript import start
from pvm.machine import METERINGS, Resumer
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.machine.protection import obstacle

HOST = {100: lambda machine: None}


def engines(spec: str = "0.7.2", metering: str = "instruction") -> list[Resumer]:
    protections = ("software",) if obstacle() else ("software", "hardware")
    return [
        ReferenceEngine(spec, metering), Engine(spec, tier="interpreter", metering=metering, cache=False),
        *(Engine(spec, "recompiler", metering, protection=name, cache=False) for name in protections),
        Engine(spec, "auto", metering, cache=False),
    ]  # fmt: skip


ALL = [pytest.param(engine, id=f"{engine.tier}-{getattr(engine, 'protection', '')}") for engine in engines()]


def rest(machine: Machine) -> Iterator[tuple[Exit, State]]:
    """How a machine goes on: host calls go unanswered, faults unrepaired."""
    for _ in range(6):
        exit = machine.run()
        yield exit, machine.save()
        if exit.reason is Reason.OUT_OF_GAS:
            machine.gas += 7
        elif exit.reason is not Reason.HOST_CALL:
            return


@pytest.mark.parametrize("name", ["hello", "blake2b", "sort"])
def test_it_goes_on_anywhere(name: str) -> None:
    one = example(name)
    program = assemble(one.source)
    whole = Engine().instantiate(program, args=one.args, gas=one.gas, host=HOST)
    wanted = whole.run(), list(whole.registers), whole.result()
    chance = random.Random(name)
    for engine in engines():
        spent = chance.randrange(40)
        machine = engine.instantiate(program, args=one.args, gas=spent, host=HOST)  # type: ignore[dict-item]
        assert machine.run().reason is Reason.OUT_OF_GAS
        state = pickle.loads(pickle.dumps(machine.save()))
        for other in engines()[1:]:
            found = other.resume(state, HOST)  # type: ignore[arg-type]
            assert found.save() == state
            found.gas += one.gas - spent
            assert (found.run(), list(found.registers), found.result()) == wanted


@pytest.mark.parametrize(("spec", "metering"), list(product(("0.7.2", "0.8.0"), METERINGS)))
def test_random_programs_saved_at_random(spec: str, metering: str) -> None:
    """After some steps and exits, in the middle of blocks, at calls and faults: the rest is the same everywhere."""
    found = engines(spec, metering)
    for seed in range(24):
        chance = random.Random(seed)
        case = (memory_case if seed % 2 else random_case)(seed)
        one = chance.choice(found)
        machine = start(case, one)
        for _ in range(chance.randrange(4)):
            machine.step()
        if chance.random() < 0.5:
            machine.gas = min(machine.gas, chance.randrange(30))
            machine.run()
        state = machine.save()
        wanted = list(rest(machine))
        for other in found:
            resumed = other.resume(state, machine._handlers)
            assert list(rest(resumed)) == wanted, f"seed {seed}, {one}, then {other}"
            resumed.restore(state)
            assert resumed.save() == state


@pytest.mark.parametrize("engine", ALL)
def test_in_a_handler(engine: Resumer) -> None:
    """The call counts as made."""
    program = assemble(".code\nload_imm r1, 5\necalli 1\nadd_imm_64 r1, r1, 1\necalli 2\ntrap\n")
    states: list[State] = []
    machine = engine.instantiate(program, gas=100, host={1: lambda machine: states.append(machine.save())})
    assert machine.run().call == 2
    found = engine.resume(states[0])
    assert (found.run().call, found.registers[1], found.gas) == (2, 6, 96)


@pytest.mark.parametrize("engine", ALL)
def test_the_heap_and_the_block_that_is_paid_for(engine: Resumer) -> None:
    program = assemble(
        ".standard stack=4096 heap=1\n.code\nload_imm r1, 100\nsbrk r2, r1\necalli 1\nsbrk r3, r1\necalli 1\ntrap\n"
    )
    for one in (engine, *engines(metering="block")):
        machine = one.instantiate(program, gas=1000)
        machine.run()
        clone, state = machine.clone(), machine.save()
        assert machine.run() == clone.run() == one.resume(state).run()
        assert machine.save() == clone.save() and clone.registers[3] == clone.registers[2] + 100


@pytest.mark.parametrize("engine", ALL)
def test_clones_and_resets(engine: Resumer) -> None:
    one = example("sort")
    program = assemble(one.source)
    machine = engine.instantiate(program, args=one.args, gas=300, host=HOST)  # type: ignore[dict-item]
    first = machine.save()
    machine.run()
    clone = machine.clone()
    clone.memory.map(0x20000, 8192, "rw")
    clone.memory.write(0x20ffe, b"abcd")
    clone.memory.map(0x21000, 4096, None)
    clone.registers[3] = 5
    state = clone.save()
    assert engine.resume(state).save() == state
    assert dict(state.contents)[0x20000][0xFFE:0x1002] == b"abcd"
    assert machine.memory.read(0x20FFE, 4) != b"abcd" and machine.registers[3] != 5
    for changed in (clone, machine):
        changed.reset(one.args, 300)
        assert changed.save() == first
    machine.reset(one.args[:4], 50, 0)
    assert machine.save() == engine.instantiate(program, args=one.args[:4], gas=50).save()


@pytest.mark.parametrize("engine", ALL)
def test_memory_is_cleared(engine: Resumer) -> None:
    memory = engine.instantiate(assemble(".code\ntrap\n")).memory
    memory.map(0x20000, 100 << 12, "rw")
    memory.map(0x90000, 4096, "r")
    for address in (0x20003, 0x21FFC, 0x80000, 0x90000, 0x30_0000):
        memory.write(address, b"12345678")
    memory.clear(0x20004, 0x6FFFD)
    assert memory.read(0x20003, 8) == b"1" + bytes(7)
    assert memory.read(0x80000, 8) == bytes(8) and memory.read(0x21FFC, 8) == bytes(8)
    assert memory.read(0x90000, 8) == bytes(1) + b"2345678"
    assert list(memory.contents()) == [
        (0x20000, bytes(3) + b"1" + bytes(4092)), (0x90000, bytes(1) + b"2345678" + bytes(4088)),
        (0x30_0000, b"12345678" + bytes(4088)),
    ]  # fmt: skip
    assert memory.access(0x20000) == "rw"
    pages = [(address, access) for address, length, access in memory.mapped(0x83123, 0xE000)]
    assert pages[0][1] == "rw" and pages[-1] == (0x90000, "r")
    memory.clear()
    assert not list(memory.contents()) and memory.access(0x90000) == "r"
    memory.forget()
    assert not list(memory.mapped())


@pytest.mark.parametrize("engine", ALL)
def test_what_a_guest_may(engine: Resumer) -> None:
    memory = engine.instantiate(assemble(".code\ntrap\n")).memory
    memory.map(0x20000, 4096, "rw")
    memory.map(0x21000, 4096, "r")
    assert memory.guest_write(0x20FFC, b"1234") and memory.guest_read(0x20FFE, 4) == b"34" + bytes(2)
    assert not memory.guest_write(0x20FFD, b"1234") and memory.guest_read(0x21FFD, 4) is None
    assert memory.guest_read(0x1000, 0) == b"" and memory.guest_write(0, b"")
    memory.write_int(0x20000, -2, 4)
    assert memory.read_int(0x20000, 4) == 0xFFFF_FFFE and memory.read_int(0x20000, 8) == 0xFFFF_FFFE


def test_what_cannot_be_restored() -> None:
    program, other = assemble(".code\ntrap\n"), assemble(".code\nfallthrough\ntrap\n")
    machine = Engine().instantiate(program)
    with pytest.raises(InputError, match="another program"):
        machine.restore(Engine().instantiate(other).save())
    with pytest.raises(InputError, match=r"spec 0\.7\.2, metering instruction"):
        Engine(metering="block").resume(machine.save())
    with pytest.raises(InputError, match=r"Machine\.save"):
        ReferenceEngine().resume(machine)  # type: ignore[arg-type]


def test_not_while_another_thread_runs_it() -> None:
    refused: list[Callable[[], object]] = []

    def handler(machine: Machine) -> None:
        from threading import Thread

        def try_it() -> None:
            for change in (machine.save, machine.reset, lambda: machine.restore(state), machine.clone):
                with pytest.raises(MachineBusyError):
                    change()
                refused.append(change)

        thread = Thread(target=try_it)
        thread.start()
        thread.join()

    for engine in engines():
        machine = engine.instantiate(assemble(".code\necalli 1\ntrap\n"), host={1: handler})
        state = machine.save()
        machine.run()
    assert len(refused) == 4 * len(engines())


@pytest.mark.parametrize("engine", ALL)
def test_empty_and_wrapping_ranges(engine: Resumer) -> None:
    """A range is a set of addresses (4.24, B.1): none of an empty one is missing, and none lies at 2^32 or beyond."""
    memory = engine.instantiate(assemble(".code\ntrap\n")).memory
    memory.map(0, 0x30000, "rw")
    memory.map((1 << 32) - 0x2000, 0x2000, "rw")
    for address in (0, 0xFFFF, 0x20000, 1 << 32, (1 << 32) + 5, (1 << 64) - 1):
        assert memory.is_readable(address, 0) and memory.is_writable(address, 0)
        assert memory.guest_read(address, 0) == b"" and memory.guest_write(address, b"")
    for address, length in (
        ((1 << 32) - 4, 8), ((1 << 32) - 1, 2), (1 << 32, 1), ((1 << 64) - 1, 2), ((1 << 64) - 4, 0x20008),
        (0x20000, 1 << 64), (0xFFFF, 1), (0xFFFF, 2), (0, 1),
    ):  # fmt: skip
        assert not memory.is_readable(address, length) and not memory.is_writable(address, length)
        assert memory.guest_read(address, length) is None
        assert length > 9 or not memory.guest_write(address, bytes(length))
    assert memory.guest_write((1 << 32) - 4, b"1234") and memory.guest_read((1 << 32) - 4, 4) == b"1234"
    uses: list[Callable[[int, int], object]] = [
        memory.clear, memory.read, lambda *one: memory.map(*one, "r"), lambda *one: list(memory.mapped(*one)),
    ]  # fmt: skip
    for change in uses:
        change(1 << 32, 0)
        for one in ((1 << 32, 1), ((1 << 32) - 4, 8), (-1, 1), (0, -1)):
            with pytest.raises(AddressError):
                change(*one)
    assert memory.access(0) == "rw" and memory.read((1 << 32) - 4, 4) == b"1234"


@pytest.mark.parametrize("engine", ALL)
def test_states_over_each_other(engine: Resumer) -> None:
    """Whatever a machine was before, and however its pages lie to those of the state, it becomes the state."""
    chance, program = random.Random(5), assemble(".standard stack=4096 heap=1\n.code\ntrap\n")
    machine = engine.instantiate(program)
    states = [machine.save()]
    for _ in range(25):
        if chance.random() < 0.3:
            machine.restore(chance.choice(states))
        for _ in range(chance.randrange(5)):
            address, length = 0x10000 + chance.randrange(1 << 18), chance.randrange(1 << chance.randrange(18))
            machine.memory.map(address, length, chance.choice(("r", "rw", None)))
            machine.memory.write(0x10000 + chance.randrange(1 << 18), chance.randbytes(chance.randrange(9000)))
            machine.memory.clear(address, length)
        states.append(machine.save())
        fresh = ReferenceEngine().resume(states[-1])
        assert fresh.save() == states[-1]
        machine.restore(chance.choice(states))
        machine.restore(states[-1])
        assert machine.save() == states[-1]
    machine.reset()
    assert machine.save() == states[0]
