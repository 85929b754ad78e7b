"""Pages protected by the hardware: what is exact with checks in the code is exact without, and nothing takes the
process down.

Whatever could is run in a child process: this file as a script, with the name of a function. A crash shows as a test
that failed with the signal's name.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import mmap
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import product
from types import FrameType
from typing import Any

import pytest

import pvm
from pvm import EngineError, Exit, Program, Reason, ReferenceEngine
from pvm.machine import METERINGS
from pvm.program import assemble
from wasm_host import Engine
from wasm_host.code.modules import wasmtime_engine
from wasm_host.machine.protection import obstacle

PAGE = 4096
# Rights of two pages that lie side by side.
RIGHTS = tuple(product((None, "r", "rw"), repeat=2))

# Walks up from r2 until a page refuses; every store has a load before it.
WALK = assemble(""".code
    fallthrough
loop:
    load_ind_u64    r3, [r2]
    add_64          r3, r3, r2
    store_ind_u64   [r2], r3
    add_imm_64      r2, r2, 8
    jump            loop
""")


@pytest.fixture(autouse=True, scope="module")
def hardware() -> None:
    wasmtime_engine()  # it takes the signal over
    reason = obstacle()
    if reason is not None:
        pytest.skip(f"no protection by the hardware: {reason}")


def engine(protection: str = "hardware", **options: Any) -> Engine:
    return Engine(tier="recompiler", protection=protection, **options)


def engines(**options: Any) -> list[Any]:
    """The yardstick first."""
    return [ReferenceEngine(**options), engine("software", **options), engine("hardware", **options)]


def all_agree(source: str, observe: Callable[[Any], object], **options: Any) -> Any:
    """What `observe` makes of a machine, the same on all engines."""
    program = assemble(f".code\n{source}\n", options.get("spec", "0.7.2"))
    expected, *others = (observe(engine.instantiate(program, gas=10_000)) for engine in engines(**options))
    assert others == [expected] * len(others)
    return expected


# --- accesses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0x0FFFF, 0x10FFD, 0x20FFF, 0x7FFFFFFC, 0xFFFFEFFF, 0xFFFFFFFC, 0xFFFFFFFF])
def test_accesses_across_two_pages(start: int) -> None:
    """Rights of either page, at page edges, at 2^16 and at 2^32; constant addresses, and off a register."""
    first = start & -PAGE
    second = (first + PAGE) % (1 << 32)
    for spec, name, constant in product(("0.7.2", "gas-vectors"), ("load_{}u64", "store_{}u32"), (False, True)):
        operand = f"[{start}]" if constant else "[r2]"
        access = name.format("" if constant else "ind_")
        access = f"{access} {operand}, r3" if "store" in name else f"{access} r3, {operand}"
        programs = [engine.instantiate for engine in engines(spec=spec)]
        program = assemble(f".code\nadd_imm_64 r4, r4, 1\n{access}\nadd_imm_64 r4, r4, 1\ntrap\n")
        for rights in RIGHTS:
            seen = []
            for instantiate in programs:
                machine = instantiate(program, gas=100)
                machine.registers[2], machine.registers[3] = start, 0x1122334455667788
                for page, right in zip((first, second), rights, strict=True):
                    machine.memory.map(page, PAGE, right)
                exit = machine.run()
                seen.append((exit, list(machine.registers), machine.memory.read(first, PAGE)))
            assert seen == [seen[0]] * 3, f"{spec} {access} {rights}"


def test_low_addresses_panic_whatever_is_mapped_there() -> None:
    def observe(machine: Any) -> object:
        machine.memory.map(0, 0x11000, "rw")
        machine.memory.write(0x8000, b"\1")
        return machine.run(), machine.memory.read(0x8000, 1), machine.memory.access(0x8000)

    exit, *rest = all_agree("load_imm r2, 0x8000\nload_ind_u8 r3, [r2]\ntrap", observe)
    assert exit.reason is Reason.PANIC
    assert rest == [b"\1", "rw"]


SBRK = "load_imm_64 r6, {}\nsbrk r5, r6\n"
GROW = SBRK.format(0x11000)


@pytest.mark.parametrize(
    "source",
    [
        GROW + "store_u64 [0x10ff8], r6\nload_u64 r7, [0x10ff8]\nload_u8 r8, [0x11000]\ntrap",
        GROW + "fallthrough\nstore_u64 [0x10ff8], r6\nload_u64 r7, [0x10ff8]\nload_u8 r8, [0x11000]\ntrap",
        GROW + "ecalli 3\nstore_u64 [0x10ff8], r6\nload_u8 r8, [0x11000]\ntrap",
        GROW * 5 + "store_u64 [0x52ff8], r6\nstore_u64 [0x55000], r6\ntrap",
        # Nothing is mapped by these; the heap's end moves all the same, once.
        GROW + SBRK.format(1) + "load_u8 r8, [0x11000]\n" + SBRK.format(8) * 3 + "load_u8 r8, [0x12000]\nsbrk r9, r6",
        GROW + "load_u8 r3, [0x10000]\n" + SBRK.format(0) + "store_u8 [0x10000], r6\nload_u8 r8, [0x20000]\ntrap",
        SBRK.format(1 << 40) + "load_u8 r8, [0x10000]\ntrap",
    ],
)
@pytest.mark.parametrize("by_steps", [False, True])
@pytest.mark.parametrize("metering", METERINGS)
def test_pages_from_sbrk(source: str, by_steps: bool, metering: str) -> None:
    def observe(machine: Any) -> object:
        seen = []
        for turn in range(60):
            exit = machine.step() if by_steps and turn % 3 else machine.run()
            if exit is None:
                continue
            seen.append((exit, list(machine.registers), machine.memory.read(0x10000, 0x3000)))
            if exit.reason is Reason.PAGE_FAULT:
                machine.memory.map(exit.address, PAGE, "rw")
            elif exit.reason is not Reason.HOST_CALL:
                break
        return seen

    all_agree(source, observe, metering=metering)


# --- the host --------------------------------------------------------------------------------------------------------


def test_rights_that_change_between_runs() -> None:
    def observe(machine: Any) -> object:
        seen = []
        machine.memory.map(0x20000, 3 * PAGE, "rw")
        for access in ("r", "rw", None, "r", None, "rw", "rw"):
            machine.registers[2], machine.pc, machine.gas = 0x20FE0, 0, 100
            machine.memory.map(0x21000, PAGE, access)
            seen.append((machine.run(), list(machine.registers), machine.memory.read(0x20000, 3 * PAGE)))
        return seen

    program = WALK
    expected, *others = (observe(engine.instantiate(program)) for engine in engines())
    assert others == [expected] * 2


def test_rights_that_handlers_change() -> None:
    """In the middle of a block, with accesses before and behind."""

    def handler(machine: Any) -> None:
        turn = machine.registers[6]
        machine.memory.map(0x20000, PAGE, ("rw", "r", None)[turn % 3])
        machine.memory.write(0x20010, bytes([turn]))

    source = """.code
        fallthrough
    loop:
        add_imm_64      r6, r6, 1
        store_u8        [0x21000], r6
        ecalli          4
        load_u8         r7, [0x20010]
        store_u8        [0x20011], r6
        load_u8         r8, [0x21000]
        jump            loop
    """
    seen = []
    for one in engines():
        machine = one.instantiate(assemble(source), gas=500, host={4: handler})
        machine.memory.map(0x20000, 2 * PAGE, "rw")
        exits = []
        for _ in range(20):
            exits.append((machine.run(), list(machine.registers), machine.memory.read(0x20000, 32)))
            if exits[-1][0].reason is Reason.PAGE_FAULT:
                machine.memory.map(0x20000, PAGE, "rw")
        seen.append(exits)
    assert seen == [seen[0]] * 3


def test_the_host_reaches_pages_that_the_guest_may_not() -> None:
    machine = engine().instantiate(WALK, gas=100_000)
    machine.memory.map(0x20000, PAGE, "r")
    machine.memory.map(0x22000, PAGE, "rw")
    for address in (0, 0x8000, 0xFFF8, 0x1FFFC, 0x20FFC, 0x21FFC, 0x22FFC, (1 << 32) - 8):
        machine.memory.write(address, b"12345678")
        assert machine.memory.read(address, 8) == b"12345678"
    assert machine.memory.read(0x1F000, 0x5000)[0xFFC:0x1004] == b"12345678"
    for page, access in ((0x1F000, None), (0x20000, "r"), (0x21000, None), (0x22000, "rw"), (0x23000, None)):
        assert machine.memory.access(page) == access
        machine.registers[2], machine.pc = page, 0
        exit = machine.run()
        assert (exit.reason, exit.address) == (Reason.PAGE_FAULT, 0x23000 if access == "rw" else page)


# --- in a child process ----------------------------------------------------------------------------------------------


def in_child(name: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a function of this file in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, timeout=timeout)
    return done


@pytest.mark.parametrize(
    "name",
    [
        "many_threads", "many_machines", "under_load", "forked", "without_room", "with_another_handler",
        "engine_fault", "interrupted", "interrupted_in_fault",
    ],
)  # fmt: skip
def test_in_a_child_process(name: str) -> None:
    done = in_child(name)
    died = signal.Signals(-done.returncode).name if done.returncode < 0 else f"status {done.returncode}"
    assert done.returncode == 0, f"{name}: {died}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("done\n")


@pytest.mark.parametrize("name", ["foreign_low", "foreign_page", "foreign_in_handler", "foreign_in_thread"])
def test_a_fault_that_is_not_the_guests_still_kills(name: str) -> None:
    done = in_child(name)
    assert done.returncode == -signal.SIGSEGV, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout == "faulting\n"


def walk_until_fault(machine: Any, first: int, times: int) -> None:
    """Walk one page of a machine again and again; each walk ends in the next page."""
    machine.memory.map(first, PAGE, "rw")
    for turn in range(times):
        at = first + PAGE - 8 * (1 + turn % 5)
        machine.pc, machine.gas, machine.registers[2] = 0, 1000, at
        exit = machine.run()
        assert exit == Exit(Reason.PAGE_FAULT, 1, 1000 - 5 * (1 + turn % 5) - 2, first + PAGE), exit


def many_threads() -> None:
    made = engine()
    program = WALK

    def work(number: int) -> None:
        machine = made.instantiate(program)
        walk_until_fault(machine, 0x10000 + number * 0x3000, 500)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(48)))


def many_machines() -> None:
    made = engine()
    machines = [made.instantiate(WALK) for _ in range(320)]
    for _ in range(3):
        for number, machine in enumerate(machines):
            walk_until_fault(machine, 0x10000 + number * 0x2000, 2)


def under_load() -> None:
    busy = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    busy.start()
    made, stop = engine(), threading.Event()

    def churn() -> None:
        while not stop.is_set():
            hash(bytes(range(256)) * 4096)

    with ThreadPoolExecutor(10) as pool:
        churning = [pool.submit(churn) for _ in range(2)]
        walks = [pool.submit(walk_until_fault, made.instantiate(WALK), 0x50000, 400) for _ in range(8)]
        wait(walks)
        stop.set()
        for one in (*walks, *churning):
            one.result()
    busy.kill()


def spin() -> None:
    while True:
        pass


def forked() -> None:
    """A fork has the memory, its protection and the handler: it goes on with the machine."""
    machine = engine().instantiate(WALK)
    walk_until_fault(machine, 0x30000, 5)
    child = os.fork()
    if child == 0:
        walk_until_fault(machine, 0x30000, 50)
        walk_until_fault(engine().instantiate(WALK), 0x30000, 50)
        os._exit(7)
    walk_until_fault(machine, 0x30000, 50)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def without_room() -> None:
    """Pages of alternating rights take a map each, until the system has no more: the code checks from there on."""
    made = engine()
    machine, before = made.instantiate(WALK), made.instantiate(WALK)
    walk_until_fault(before, 0x30000, 5)
    with open("/proc/sys/vm/max_map_count") as file:
        limit = int(file.read())
    for page in range(16, 16 + limit + 1000, 2):
        machine.memory.map(page * PAGE, PAGE, "rw" if page % 4 else "r")
    assert machine.memory.access(16 * PAGE) == "r"
    machine.memory.map(0x10000, 0x20000, None)
    walk_until_fault(machine, 0x18000, 50)
    assert machine.memory.access(0x19000) is None
    walk_until_fault(before, 0x30000, 50)
    del machine
    walk_until_fault(made.instantiate(WALK), 0x30000, 50)


def with_another_handler() -> None:
    """Somebody else takes the signal over while machines live, and gives it back."""
    made, automatic = engine(), engine("auto")
    machine = made.instantiate(WALK)
    walk_until_fault(machine, 0x30000, 5)
    faulthandler.enable()
    walk_until_fault(machine, 0x30000, 50)
    walk_until_fault(automatic.instantiate(WALK), 0x30000, 50)
    try:
        made.instantiate(WALK)
    except pvm.ResourceError as error:
        assert "handles memory faults" in str(error)
    else:
        raise AssertionError("a machine was made that nothing protects")
    faulthandler.disable()
    walk_until_fault(machine, 0x30000, 50)
    walk_until_fault(made.instantiate(WALK), 0x30000, 50)


def engine_fault() -> None:
    """A fault in the engine's own memory is a bug of the engine, and is called that."""
    machine: Any = engine().instantiate(WALK, gas=1000)
    machine.memory.map(0x30000, PAGE, "rw")
    machine.registers[2] = 0x30000
    table = machine._state.base & -PAGE
    library = ctypes.CDLL(None)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    field = machine._field["entry"]
    assert ctypes.addressof(field) - table < PAGE
    real = machine._call_recompiled

    def hidden() -> int:
        library.mprotect(table, PAGE, 0)
        try:
            return int(real())
        finally:
            library.mprotect(table, PAGE, 3)

    machine._call_recompiled = hidden
    try:
        machine.run()
    except EngineError as error:
        assert "trapped" in str(error)
    else:
        raise AssertionError("a fault of the engine was taken for one of the guest")


@contextlib.contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Ctrl-C once, if it finds a machine about its code: elsewhere it would hit this test.

    Not again and again: a trap that was hidden is met again by running again, which that could hide for ever.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_name == "_go_on":
                raise KeyboardInterrupt
            frame = frame.f_back

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_through(machine: Any) -> tuple[Exit, int]:
    """Run to an exit, however often that is interrupted; how often it was."""
    count = 0
    while True:
        try:
            return machine.run(), count
        except KeyboardInterrupt:
            count += 1


COUNT_DOWN = """.code
    fallthrough
loop:
    add_imm_64      r1, r1, -1
    branch_ne_imm   r1, 0, loop
    load_ind_u8     r3, [r2]
    load_imm        r4, 5
    trap
"""


def interrupted() -> None:
    """Between slices of gas."""
    machine = engine().instantiate(assemble(COUNT_DOWN), gas=1 << 40)
    machine.registers[1], machine.registers[2] = 200_000_000, 0x30000
    with interrupt_after(0.05):
        exit, count = run_through(machine)
    assert count > 0
    assert exit == Exit(Reason.PAGE_FAULT, 7, (1 << 40) - 400_000_002, 0x30000), exit


def interrupted_in_fault() -> None:
    """While code runs that ends in a fault before it has used up its slice."""
    count = 0
    for turn in range(40):
        machine = engine().instantiate(assemble(COUNT_DOWN), gas=1 << 40)
        machine.registers[1], machine.registers[2] = 5_000_000, 0x30000
        with interrupt_after(0.002 + 0.0002 * turn):
            exit, more = run_through(machine)
        count += more
        assert exit == Exit(Reason.PAGE_FAULT, 7, (1 << 40) - 10_000_002, 0x30000), exit
        machine.memory.map(0x30000, 1, "r")
        assert machine.run().reason is Reason.PANIC
        assert machine.registers[4] == 5
    assert count > 5


def foreign_low() -> None:
    walk_until_fault(engine().instantiate(WALK), 0x30000, 5)
    fault(8)


def foreign_page() -> None:
    machine = engine().instantiate(WALK)
    walk_until_fault(machine, 0x30000, 5)
    hidden = mmap.mmap(-1, PAGE, prot=0) if sys.version_info >= (3, 14) else mmap.mmap(-1, PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(hidden))
    library = ctypes.CDLL(None)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert library.mprotect(address, PAGE, 0) == 0
    fault(address)


def foreign_in_handler() -> None:
    program: Program = assemble(".code\necalli 1\ntrap\n")
    engine().instantiate(program, host={1: lambda machine: fault(8)}).run()


def foreign_in_thread() -> None:
    machine = engine().instantiate(WALK)
    walking = threading.Thread(target=walk_until_fault, args=(machine, 0x30000, 10**9), daemon=True)
    walking.start()
    time.sleep(0.2)
    fault(8)


def fault(address: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("faulting", flush=True)
    ctypes.string_at(address, 1)  # at 0 it yields what it finds, without looking there


if __name__ == "__main__":
    wasmtime_engine()
    globals()[sys.argv[1]]()
    print("done")
