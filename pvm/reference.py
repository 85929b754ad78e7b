"""The reference engine: evaluates the rows in Python. Slow, obvious, the yardstick for every other engine.

In: a `Program`. Out: machines with the interface of `pvm.machine`. Follows A.4, with block gas as in 0.8.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from threading import get_ident

from pvm.counting import Counting
from pvm.gas import block_costs, choose_metering
from pvm.gas.metering import INSTRUCTION
from pvm.isa.expr import (
    BINARY,
    MASK32,
    UNARY,
    Binary,
    Const,
    DynamicJump,
    Expr,
    HostCall,
    If,
    Imm,
    Jump,
    Load,
    Panic,
    Reg,
    Sbrk,
    SetReg,
    Store,
    Unary,
    sign_extend,
)
from pvm.isa.spec import Spec
from pvm.isa.spec import spec as find_spec
from pvm.isa.table import Row
from pvm.machine import (
    DEFAULT_GAS,
    Exit,
    Host,
    Machine,
    Reason,
    Start,
    check_gas,
    check_pc,
    load_segments,
    start_again,
    start_of,
)
from pvm.memory import Memory, check_access, check_range, octets_of, page_range
from pvm.options import Options
from pvm.program import PAGE_SIZE, Instruction, Program, block_starts, decode_at, is_entry, is_valid
from pvm.program.standard import ADDRESS_SPACE, HALT_ADDRESS, ZONE_SIZE
from pvm.registers import Registers
from pvm.saved import State, joined_pages
from pvm.turns import Turns, refuse

JUMP_ALIGNMENT = 2  # Z_A
_POLLED = 1 << 12  # instructions between two calls of `Machine.poll`


class ReferenceMemory(Memory):
    """Pages in dictionaries by page number: access rights, and contents where something was written.

    `put` and `allow` are for the thread that runs the machine, `write` and `map` for whoever has to be asked.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._access: dict[int, str] = {}
        self._contents: dict[int, bytearray] = {}

    def read(self, address: int, length: int) -> bytes:
        check_range(address, length)
        parts = []
        end = address + length
        while address < end:
            page, offset = divmod(address, PAGE_SIZE)
            size = min(PAGE_SIZE - offset, end - address)
            contents = self._contents.get(page)
            parts.append(bytes(size) if contents is None else bytes(contents[offset : offset + size]))
            address += size
        return b"".join(parts)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        data = octets_of(data)
        check_range(address, len(data))
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        self.put(address, data)

    def put(self, address: int, data: bytes) -> None:
        """Write octets that lie within the 4 GiB."""
        done = 0
        while done < len(data):
            page, offset = divmod(address + done, PAGE_SIZE)
            size = min(PAGE_SIZE - offset, len(data) - done)
            contents = self._contents.setdefault(page, bytearray(PAGE_SIZE))
            contents[offset : offset + size] = data[done : done + size]
            done += size

    def map(self, address: int, length: int, access: str | None) -> None:
        check_range(address, length)
        check_access(access)
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        if length:
            self.allow(address, length, access)

    def allow(self, address: int, length: int, access: str | None) -> None:
        """Map a range that is not empty and lies within the 4 GiB."""
        for page in range(address // PAGE_SIZE, -(-(address + length) // PAGE_SIZE)):
            if access is None:
                self._access.pop(page, None)
            else:
                self._access[page] = access

    def access(self, address: int) -> str | None:
        check_range(address, 1)
        return self._access.get(address // PAGE_SIZE)

    def mapped(self, address: int = 0, length: int = ADDRESS_SPACE) -> Iterator[tuple[int, int, str]]:
        check_range(address, length)
        first, end = page_range(address, length)
        for page, access in sorted(self._access.items()):
            if first <= page < end:
                yield page * PAGE_SIZE, PAGE_SIZE, access

    def contents(self) -> Iterator[tuple[int, bytes]]:
        return joined_pages((page * PAGE_SIZE, bytes(data)) for page, data in sorted(self._contents.items()))

    def clear(self, address: int = 0, length: int = ADDRESS_SPACE) -> None:
        check_range(address, length)
        if self._turns and get_ident() not in self._turns:
            refuse(self._turns)
        end = address + length
        for page, data in list(self._contents.items()):
            start = max(address, page * PAGE_SIZE) - page * PAGE_SIZE
            stop = min(end, (page + 1) * PAGE_SIZE) - page * PAGE_SIZE
            if (start, stop) == (0, PAGE_SIZE):
                del self._contents[page]
            elif start < stop:
                data[start:stop] = bytes(stop - start)


class _Ended(Exception):
    """An instruction ended the run; nothing of it but what the row says has happened."""

    def __init__(self, reason: Reason, address: int | None = None, call: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.address, self.call = reason, address, call


class ReferenceMachine(Machine):
    """A machine of the reference engine.

    An exception that a signal handler raises (Ctrl-C) may leave an instruction half done here.
    """

    _memory: ReferenceMemory

    def __init__(self, program: Program, spec: Spec, metering: str, start: Start) -> None:
        super().__init__(start.handlers)
        self.program, self.spec, self.metering = program, spec, metering
        self._memory = ReferenceMemory(self._turns)
        load_segments(self._memory, start.segments)
        values = list(start.registers)
        self._registers, self._own = Registers(values, turns=self._turns), Registers(values)
        self._pc, self._gas = start.pc, start.gas
        self._heap_end, self._heap_limit = start.heap_end, start.heap_limit
        self._charged = False  # the current block is paid for (0.8.0's flag); only block metering looks at it
        self._called = False  # the instruction at pc was a host call that has been made
        self._starts = block_starts(program.blob, spec)
        self._runs = not spec.validates or is_valid(program.blob, spec)
        self._costs = None if metering == "instruction" else block_costs(program.blob, spec, metering)
        self._decoded: dict[int, Instruction] = {}

    @property
    def pc(self) -> int:
        return self._pc

    @pc.setter
    def pc(self, value: int) -> None:
        self._refuse_others()
        self._pc = check_pc(value)
        self._charged = self._called = False
        self._last = None

    def resume_at(self, pc: int) -> None:
        self.pc = pc
        self._charged = True

    @property
    def heap_end(self) -> int:
        return self._heap_end

    @heap_end.setter
    def heap_end(self, value: int) -> None:
        self._refuse_others()
        self._heap_end = value

    @property
    def heap_limit(self) -> int:
        return self._heap_limit

    @heap_limit.setter
    def heap_limit(self, value: int) -> None:
        self._refuse_others()
        self._heap_limit = value

    def _flags(self) -> tuple[bool, bool]:
        return self.metering != INSTRUCTION and self._charged, self._called

    def _stand(self, pc: int, charged: bool, called: bool) -> None:
        self._pc, self._charged, self._called = check_pc(pc), charged, called

    @property
    def gas(self) -> int:
        return self._gas

    @gas.setter
    def gas(self, value: int) -> None:
        self._refuse_others()
        self._gas = check_gas(value)
        self._floor = min(self._floor, value)

    def _run(self) -> Exit:
        while True:
            if self.poll is not None:
                self.poll(self)
            for _ in range(_POLLED):
                if self._stops:
                    return self._stopped()
                exit = self._step()
                if exit is not None and (ended := self._answer(exit)) is not None:
                    return ended

    def _step(self) -> Exit | None:
        if not (self._runs and is_entry(self.program.blob, self.spec, self._pc)):
            return Exit(Reason.PANIC, self._pc, self._gas)
        if self._called:
            self._pc, self._called = self._instruction(self._pc).next_pc, False
        if not self._charge():
            if self._floor:
                return Exit(Reason.STOPPED, self._pc, self._gas)
            if not self.spec.gas_stays:
                self._gas = 0
            return Exit(Reason.OUT_OF_GAS, self._pc, self._gas)
        instruction = self._instruction(self._pc)
        try:
            self._execute(instruction)
        except _Ended as ended:
            self._called = ended.reason is Reason.HOST_CALL
            return Exit(ended.reason, self._pc, self._gas, ended.address, ended.call)
        if instruction.row.ends_block:
            self._charged = False
        return None

    def _charge(self) -> bool:
        """Take the gas for what comes next; False, with nothing taken, when there is too little."""
        cost = 1 if self._costs is None else 0 if self._charged else self._costs.at(self._pc)
        if self._gas - self._floor < cost:
            return False
        self._gas -= cost
        self._charged = True
        return True

    def _instruction(self, pc: int) -> Instruction:
        found = self._decoded.get(pc)
        if found is None:
            found = self._decoded[pc] = decode_at(self.program.blob, self.spec, pc)
        return found

    def _execute(self, instruction: Instruction) -> None:
        """Carry out one instruction and move pc on; raises _Ended when it ends the run."""
        stores, registers, control = _meaning(instruction.row)
        store_values = [(width, address(self, instruction) & MASK32, value(self, instruction))
                        for width, address, value in stores]  # fmt: skip
        register_values = [(field, value(self, instruction)) for field, value in registers]
        next_pc = control(self, instruction)
        for width, address, _ in store_values:
            self._check(address, width, writes=True)
        for width, address, value in store_values:
            self._memory.put(address, (value & ((1 << 8 * width) - 1)).to_bytes(width, "little"))
        for field, value in register_values:
            self._own[getattr(instruction, field)] = value
        if isinstance(next_pc, _Ended):
            raise next_pc
        self._pc = next_pc

    def _load(self, address: int, width: int, signed: bool) -> int:
        self._check(address, width, writes=False)
        value = int.from_bytes(self.memory.read(address, width), "little")
        return sign_extend(value, width) if signed else value

    def _check(self, address: int, width: int, writes: bool) -> None:
        """Raises _Ended unless the guest may access the octets; the lowest in access order decides (A.4).

        An access that wraps around 2^32 ends below 2^16 and so never passes.
        """
        for octet in (address, (address + width - 1) & MASK32):
            access = self.memory.access(octet)
            if octet < ZONE_SIZE:
                raise _Ended(Reason.PANIC)
            if access is None or (writes and access == "r"):
                if access == "r" and self.spec.read_only_panics:
                    raise _Ended(Reason.PANIC)
                raise _Ended(Reason.PAGE_FAULT, address=octet - octet % PAGE_SIZE)

    def _jump(self, instruction: Instruction, target: int, taken: bool, conditional: bool) -> int | _Ended:
        """The paper's branch: the next pc, or a panic. 0.8.0 checks both ways of a conditional one."""
        if conditional and self.spec.validates and not {target, instruction.next_pc} <= self._starts:
            return _Ended(Reason.PANIC)
        if not taken:
            return instruction.next_pc
        return target if target in self._starts else _Ended(Reason.PANIC)

    def _dynamic_jump(self, address: int) -> int | _Ended:
        """The paper's djump: the next pc, a halt or a panic."""
        if address == HALT_ADDRESS:
            return _Ended(Reason.HALT)
        index, misaligned = divmod(address, JUMP_ALIGNMENT)
        blob = self.program.blob
        if misaligned or not 1 <= index <= blob.jump_count or blob.jump_table[index - 1] not in self._starts:
            return _Ended(Reason.PANIC)
        return blob.jump_table[index - 1]

    def _sbrk(self, amount: int) -> int:
        """Grow the heap; its old end, or 0 when it cannot grow that far."""
        old, new = self._heap_end, self._heap_end + amount
        if new > self._heap_limit:
            return 0
        first = -(-old // PAGE_SIZE) * PAGE_SIZE
        if amount and new > first:
            self._memory.allow(first, new - first, "rw")
        self._heap_end = new
        return old


class CountingReferenceMachine(Counting, ReferenceMachine):
    """One that counts instructions."""


class ReferenceEngine(Options):
    """Makes machines that the rows themselves drive, in Python alone.

    `spec` is "0.7.2" or "0.8.0"; `metering` is "instruction", "block" or "pipeline" and `gas` "flat" or "pipeline",
    each None for the version's own (`pvm.gas.choose_metering`). With `counting`, machines count how often each
    instruction is carried out (`pvm.observe`). Raises InputError for other values.
    """

    tier = "reference"
    _options = ("spec", "metering", "counting")

    def __init__(
        self, spec: str = "0.7.2", metering: str | None = None, gas: str | None = None, counting: bool = False
    ) -> None:
        self.spec, self.counting = find_spec(spec), counting
        self.metering = choose_metering(self.spec, metering, gas)

    def instantiate(
        self,
        program: Program,
        args: bytes = b"",
        gas: int = DEFAULT_GAS,
        pc: int | None = None,
        host: Host | None = None,
    ) -> ReferenceMachine:
        """A machine at the program's start. Raises InputError and AddressError as `pvm.machine.start_of` does."""
        return self._machine(program, start_of(program, args, gas, pc, host))

    def resume(self, state: State, host: Host | None = None) -> ReferenceMachine:
        """A machine that goes on where another one was saved.

        Raises InputError for the state of another version or metering, or a handler for what is no host call.
        """
        machine = self._machine(state.program, start_again(state, self.spec.name, self.metering, host))
        machine.restore(state)
        return machine

    def _machine(self, program: Program, start: Start) -> ReferenceMachine:
        kind = CountingReferenceMachine if self.counting else ReferenceMachine
        machine = kind(program, self.spec, self.metering, start)
        machine.engine = self
        return machine


# --- rows as Python functions --------------------------------------------------------------------------------------

_Value = Callable[[ReferenceMachine, Instruction], int]
_Control = Callable[[ReferenceMachine, Instruction], "int | _Ended"]
_Meaning = tuple[list[tuple[int, _Value, _Value]], list[tuple[str, _Value]], _Control]


@cache
def _meaning(row: Row) -> _Meaning:
    """A row as its stores (width, address, value), its registers (field, value) and its control."""
    stores: list[tuple[int, _Value, _Value]] = []
    registers: list[tuple[str, _Value]] = []
    control: _Control = _continue
    for effect in row.effects:
        match effect:
            case Store(width, address, value):
                stores.append((width, _value(address), _value(value)))
            case SetReg(field, value):
                registers.append((field, _value(value)))
            case Sbrk(field, amount):
                registers.append((field, _sbrk(_value(amount))))
            case Jump() | DynamicJump() | HostCall() | Panic():
                control = _control(effect)
    return stores, registers, control


def _continue(machine: ReferenceMachine, instruction: Instruction) -> int:
    return instruction.next_pc


def _sbrk(amount: _Value) -> _Value:
    return lambda m, i: m._sbrk(amount(m, i))


def _control(effect: Jump | DynamicJump | HostCall | Panic) -> _Control:
    match effect:
        case Jump(target, None):
            to = _value(target)
            return lambda m, i: m._jump(i, to(m, i), taken=True, conditional=False)
        case Jump(target, condition) if condition is not None:
            to, holds = _value(target), _value(condition)
            return lambda m, i: m._jump(i, to(m, i), taken=bool(holds(m, i)), conditional=True)
        case DynamicJump(address):
            at = _value(address)
            return lambda m, i: m._dynamic_jump(at(m, i) & MASK32)
        case HostCall(call):
            number = _value(call)
            return lambda m, i: _Ended(Reason.HOST_CALL, call=number(m, i))
        case _:
            return lambda m, i: _Ended(Reason.PANIC)


def _value(expr: Expr) -> _Value:
    """An expression as a function of the machine and the decoded instruction."""
    match expr:
        case Reg(field):
            return lambda m, i: m._own[getattr(i, field)]
        case Imm(field):
            return lambda m, i: int(getattr(i, field))
        case Const(constant):
            return lambda m, i: constant
        case Unary(op, operand):
            unary, inner = UNARY[op], _value(operand)
            return lambda m, i: unary(inner(m, i))
        case Binary(op, left, right):
            binary, first, second = BINARY[op], _value(left), _value(right)
            return lambda m, i: binary(first(m, i), second(m, i))
        case If(condition, then, otherwise):
            test, yes, no = _value(condition), _value(then), _value(otherwise)
            return lambda m, i: yes(m, i) if test(m, i) else no(m, i)
        case Load(width, signed, address):
            at = _value(address)
            return lambda m, i: m._load(at(m, i) & MASK32, width, signed)
