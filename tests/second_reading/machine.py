"""A.4 and A.1: the single step and the run, on a state that stops and goes on as a host sees it.

    state = State(pc, gas, registers, memory)
    exit = run(code, state)            # changes the state; to go on after a host call: step over it (`step_over`)

`run` is the text's whole invocation, as a loop. `Practice` holds what implementations and the public vectors do in
another way than the text.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from tests.second_reading.code import TERMINATORS, Code
from tests.second_reading.mutations import CONDITIONS, LOADS, STORES, THREE, TWO, TWO_IMMEDIATE
from tests.second_reading.operands import operands, sext

PAGE = 2**12
HALT, PANIC, OUT_OF_GAS, FAULT, HOST = "halt", "panic", "out-of-gas", "page-fault", "host-call"


@dataclass(frozen=True)
class Practice:
    """Where the text of 0.7.2 stands alone: the defaults are what everyone does, `TEXT` is the text.

    zero_pc: A.1, at halt and panic the instruction counter returned is zero; others return the instruction.
    charge_faults: A.4 returns the prior gas at a page fault and at a panic for an address below 2^16, although A.1 says
        that some gas is always charged; others charge the instruction, and what cannot be paid runs out of gas.
    negative_gas: A.1 returns the negative gas counter when gas runs out; others 0 (0.7.2), as A.8 reports it.
    block: gas is charged when a block is entered (the public vectors), not instruction by instruction.
    """

    zero_pc: bool = False
    charge_faults: bool = True
    negative_gas: bool = False
    block: bool = False


TEXT = Practice(zero_pc=True, charge_faults=False, negative_gas=True)


@dataclass(frozen=True)
class Exit:
    """An exit reason, with a page fault's page address or a host call's number."""

    reason: str
    value: int | None = None


@dataclass
class Memory:
    """RAM (eq. pvmmemory): the octets of pages by index, and their access "W", "R" or "" (the text's none).

    Pages of `heap`, which `sbrk` made writable, are "W" until `access` says otherwise.
    """

    pages: dict[int, bytearray] = field(default_factory=dict)
    access: dict[int, str] = field(default_factory=dict)
    heap: range = range(0)

    def is_readable(self, index: int) -> bool:
        return self.access_of(index) in ("W", "R")

    def is_writable(self, index: int) -> bool:
        return self.access_of(index) == "W"

    def access_of(self, index: int) -> str:
        page = index // PAGE
        return self.access.get(page, "W" if page in self.heap else "")

    def read(self, first: int, count: int) -> int:
        """Little-endian; the index wraps around at 2^32."""
        octets = bytes(self._octet(index % 2**32) for index in range(first, first + count))
        return int.from_bytes(octets, "little")

    def write(self, first: int, count: int, value: int) -> None:
        for at, octet in enumerate((value % 2 ** (8 * count)).to_bytes(count, "little")):
            index = (first + at) % 2**32
            self.pages.setdefault(index // PAGE, bytearray(PAGE))[index % PAGE] = octet

    def _octet(self, index: int) -> int:
        page = self.pages.get(index // PAGE)
        return 0 if page is None else page[index % PAGE]


@dataclass
class State:
    """The machine's state between steps. `charged`: the block that pc is in has been paid (block metering, 0.8.0).

    `heap` is where the next `sbrk` begins: h of A.5.9 at first, which is 0 without a standard program's layout.
    """

    pc: int
    gas: int
    registers: list[int]
    memory: Memory
    charged: bool = False
    heap: int = 0


class _Exceptional(Exception):
    """A.4: the set x is not empty. The exit that its least member makes."""

    def __init__(self, least: int) -> None:
        index = least % 2**32
        self.exit = Exit(PANIC) if index < 2**16 else Exit(FAULT, PAGE * (index // PAGE))


def run(code: Code | None, state: State, practice: Practice = Practice(), steps: int | None = None) -> Exit | None:
    """Runs until an exit, which is returned, or for so many steps: None then.

    Afterwards pc is the instruction that caused the exit. An exit changes neither registers nor memory, but for halt
    and panic, which keep what the instruction set (load_imm_jump).
    """
    while steps is None or steps > 0:
        exit = step(code, state, practice)
        if exit is not None:
            if practice.zero_pc and exit.reason in (HALT, PANIC):
                state.pc = 0
            return exit
        steps = None if steps is None else steps - 1
    return None


def step_over(code: Code, state: State) -> None:
    """A.6: after a host call the machine goes on behind it."""
    state.pc += 1 + code.skip(state.pc)


def step(code: Code | None, state: State, practice: Practice) -> Exit | None:
    """A.1 and A.4: one instruction. None: the machine goes on."""
    if code is None:
        return Exit(PANIC)
    if code.version == "0.8.0" and not (code.whole_is_valid and code.is_instruction(state.pc)):
        return Exit(PANIC)  # deblob is an error: nothing is charged
    name = code.opcode(state.pc)
    if not practice.charge_faults and code.version == "0.7.2":
        try:
            _mutate(code, deepcopy(state), name, list(state.registers))
        except _Exceptional as exceptional:
            return exceptional.exit
    if not _charge(code, state, practice):
        return Exit(OUT_OF_GAS)
    registers = list(state.registers)
    try:
        exit, pc = _mutate(code, state, name, registers)
    except _Exceptional as exceptional:
        return exceptional.exit
    if exit is None or exit.reason in (HALT, PANIC):
        state.registers = registers
    if exit is None:
        state.pc = pc
        if name in TERMINATORS:
            state.charged = False
    return exit


def _charge(code: Code, state: State, practice: Practice) -> bool:
    """Takes the gas of what comes next. False: there is not enough, and gas is what it is at this exit."""
    due = 1
    if practice.block:
        due = 0 if state.charged else code.block_lengths.get(state.pc, 1)
    if due > state.gas:
        if code.version == "0.7.2":
            state.gas = state.gas - due if practice.negative_gas else 0
        return False  # 0.8.0, A.4: the gas counter remains unchanged
    state.gas -= due
    state.charged = True
    return True


def _mutate(code: Code, state: State, name: str, registers: list[int]) -> tuple[Exit | None, int]:
    """The instruction's mutations: its exit, or None and the next pc. `registers` become those after it."""
    pc, given = state.pc, operands(code, state.pc)
    onwards = pc + 1 + code.skip(pc)
    a, b, d = (0 if index is None else state.registers[index] for index in (given.a, given.b, given.d))
    x, y = given.x or 0, given.y or 0
    match name.split("_"):
        case ["trap"]:
            return Exit(PANIC), pc
        case ["fallthrough"] | ["unlikely"]:
            return None, onwards
        case ["ecalli"]:
            return Exit(HOST, x), pc
        case ["jump"]:
            return _jump(code, pc, x)
        case ["jump", "ind"]:
            return _djump(code, pc, (a + x) % 2**32)
        case ["load", "imm", "jump"]:
            registers[_index(given.a)] = x
            return _jump(code, pc, y)
        case ["load", "imm", "jump", "ind"]:
            registers[_index(given.a)] = x
            return _djump(code, pc, (b + y) % 2**32)
        case ["branch", *condition, "imm"]:
            return _branch(code, pc, y, CONDITIONS["_".join(condition)](a, x))
        case ["branch", *condition]:
            return _branch(code, pc, x, CONDITIONS["_".join(condition)](a, b))
        case ["load", "imm"] | ["load", "imm", "64"]:
            registers[_index(given.a)] = x
        case ["load", kind]:
            registers[_index(given.a)] = _load(state.memory, x, *LOADS[kind])
        case ["load", "ind", kind]:
            registers[_index(given.a)] = _load(state.memory, b + x, *LOADS[kind])
        case ["store", "imm", "ind", kind]:
            _store(state.memory, a + x, STORES[kind], y)
        case ["store", "imm", kind]:
            _store(state.memory, x, STORES[kind], y)
        case ["store", "ind", kind]:
            _store(state.memory, b + x, STORES[kind], a)
        case ["store", kind]:
            _store(state.memory, x, STORES[kind], a)
        case ["sbrk"]:
            registers[_index(given.d)] = _sbrk(state, a)
        case _ if name in TWO:
            registers[_index(given.d)] = TWO[name](a)
        case _ if name in TWO_IMMEDIATE:
            registers[_index(given.a)] = TWO_IMMEDIATE[name](a, b, x)
        case _:
            registers[_index(given.d)] = THREE[name](a, b, d)
    return None, onwards


def _index(register: int | None) -> int:
    assert register is not None
    return register


def _jump(code: Code, pc: int, target: int) -> tuple[Exit | None, int]:
    """A.4: branch(b, true) of 0.7.2, sjump(b) of 0.8.0."""
    return (None, target) if target in code.block_starts else (Exit(PANIC), pc)


def _branch(code: Code, pc: int, target: int, taken: bool) -> tuple[Exit | None, int]:
    """A.4: branch(b, C). 0.7.2's text has iota' = iota where C does not hold: meant is the next instruction."""
    onwards = pc + 1 + code.skip(pc)
    if code.version == "0.8.0" and not {target, onwards} <= code.block_starts:
        return Exit(PANIC), pc
    if not taken:
        return None, onwards
    return _jump(code, pc, target)


def _djump(code: Code, pc: int, address: int) -> tuple[Exit | None, int]:
    """A.4, equation (jumptablealignment), with an alignment of 2."""
    if address == 2**32 - 2**16:
        return Exit(HALT), pc
    if address == 0 or address > code.table.count * 2 or address % 2 != 0:
        return Exit(PANIC), pc
    return _jump(code, pc, code.table.entry(address // 2 - 1))


def _check(first: int, count: int, is_accessible: Callable[[int], bool]) -> None:
    """A.4: x, the indices that may not be subscripted; not reduced, so that an access across 2^32 goes upwards.

    Below 2^16 nothing is accessible, whatever is mapped there ("regardless of the apparent (in)accessibility").
    """
    for index in range(first, first + count):
        if index % 2**32 < 2**16 or not is_accessible(index % 2**32):
            raise _Exceptional(index)


def _load(memory: Memory, first: int, count: int, is_signed: bool) -> int:
    _check(first, count, memory.is_readable)
    value = memory.read(first, count)
    return sext(count, value) if is_signed else value


def _store(memory: Memory, first: int, count: int, value: int) -> None:
    _check(first, count, memory.is_writable)
    memory.write(first, count, value)


def _sbrk(state: State, size: int) -> int:
    """A.5.9 as everyone has it: the end of the heap, which moves up by `size`, in whole pages that are writable then.

    0 where it would leave the address space. By the text `sbrk` of 0 has no value, for nothing is not unreadable.
    """
    first, end = state.heap, state.heap + size
    if end > 2**32:
        return 0
    memory, pages = state.memory, range(-(-first // PAGE), -(-end // PAGE))
    if pages:
        for page in [page for page in memory.access if page in pages]:
            del memory.access[page]
        memory.heap = range(memory.heap.start if memory.heap else pages.start, pages.stop)
    state.heap = end
    return first
