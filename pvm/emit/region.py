"""Regions: a run of blocks as one WebAssembly function.

In: a `Shape` and the `Context` that it belongs to. Out: a function (place in the dispatcher) -> exit code.
Registers are loaded from the state when it is entered, and stored when it is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvm import abi
from pvm.abi import EXIT_CODES
from pvm.emit.checks import Check, shared_checks
from pvm.emit.guest import jump_table_place
from pvm.emit.lower import condition, low, value
from pvm.emit.state import add, get_state, get_word, set_state
from pvm.emit.straight import (
    ADDRESS,
    CODE,
    ENTRY,
    FIRST_REGISTER,
    GAS,
    LOCAL_TYPES,
    PC,
    UNUSED,
    checked_range,
    effect_code,
    fill,
    is_straight,
    load_register,
    operands_of,
    store_register,
    straight,
)
from pvm.flow import Block, Flow, Follows, Shape
from pvm.isa.expr import DynamicJump, HostCall, Jump, Panic
from pvm.isa.spec import Spec
from pvm.machine import Reason
from pvm.program.decode import Instruction
from pvm.wasm import I32, Function, FunctionType
from pvm.wasm.code import (
    block,
    br,
    br_table,
    close,
    i32_const,
    i64_const,
    if_,
    local_get,
    local_set,
    local_tee,
    op,
    open_block,
    open_loop,
)

NO_TARGET = 0xFFFFFFFF  # the entry of jump table entries that lead nowhere
REGION_TYPE = FunctionType((I32,), (I32,))


@dataclass(frozen=True)
class Context:
    """What all regions of a program share.

    `ids` are the entries: region << 16 | place in its dispatcher. `pause` is called for every block.
    """

    flow: Flow
    spec: Spec
    by_block: bool
    ids: dict[int, int]
    pause: Callable[[], object]

    @property
    def last(self) -> int:
        """The block of the implicit trap after the code, where valid code never goes on."""
        return len(self.flow.blocks) - 1


class Region:
    """Makes one region's function. `labels` holds what is open around the code being made, from the outside in."""

    def __init__(self, program: Context, shape: Shape, number: int) -> None:
        self.program, self.shape, self.number = program, shape, number
        self.blocks = program.flow.blocks
        self.labels: list[tuple[str, int]] = []
        self.used: set[int] = set()
        self.written: set[int] = set()
        self.out: list[bytes] = []

    def function(self) -> Function:
        body = self._body()
        registers = sorted(self.used | self.written)
        begin = b"".join(load_register(number) for number in registers)
        end = b"".join(store_register(number) for number in sorted(self.written))
        bail = (
            local_get(GAS) + local_get(UNUSED) + op("i64.add") + local_set(GAS)
            + set_state("pc", local_get(PC))
            + i32_const(abi.BAIL) + local_set(CODE)
        )  # fmt: skip
        code = (
            begin + get_state("gas") + local_set(GAS)
            + block(block(body + op("unreachable")) + bail)
            + end + set_state("gas", local_get(GAS)) + local_get(CODE)
        )  # fmt: skip
        return Function(REGION_TYPE, LOCAL_TYPES, code, f"region_{self.number}")

    # --- shape -----------------------------------------------------------------------------------------------------

    def _body(self) -> bytes:
        """Everything between the labels `exit` and `bail` and their ends."""
        shape = self.shape
        level_of, loops = self._levels()
        labels = self._forward_labels(level_of)
        self.labels = [("exit", 0), ("bail", 0)]
        self._open(("dispatch", 0), open_loop())
        for target in sorted(labels.get(-1, set()) | set(shape.entries), reverse=True):
            self._open(("block", target), open_block())
        depths = [self._depth(("block", entry)) for entry in shape.entries]
        self.out.append(local_get(ENTRY) + br_table(depths, depths[0]))
        lasts: dict[int, int] = {}
        for number in range(shape.first, shape.end):
            if self.labels[-1] == ("block", number):
                self._close()
            if number in loops:
                self._open(("loop", number), open_loop())
                lasts[loops[number]] = lasts.get(loops[number], 0) + 1
                for target in sorted(labels.get(number, ()), reverse=True):
                    self._open(("block", target), open_block())
            self._block(number, self.blocks[number])
            self.program.pause()
            for _ in range(lasts.get(number, 0)):
                self._close()
        if self.blocks[shape.end - 1].falls:
            self.out.append(self._cross(shape.end))
        self._close()
        return b"".join(self.out)

    def _levels(self) -> tuple[dict[int, int], dict[int, int]]:
        """For each block the header of the loop that it lies strictly in (-1: none); for each header its last block."""
        level_of = dict.fromkeys(range(self.shape.first, self.shape.end), -1)
        for lp in self.shape.loops:  # outer loops first
            for number in range(lp.header + 1, lp.last + 1):
                level_of[number] = lp.header
        return level_of, {lp.header: lp.last for lp in self.shape.loops}

    def _forward_labels(self, level_of: dict[int, int]) -> dict[int, set[int]]:
        """The blocks that are jumped to forwards, by the loop in which their label has to be opened."""
        labels: dict[int, set[int]] = {}
        for number in range(self.shape.first, self.shape.end):
            target = self.blocks[number].target
            if target is not None and number < target < self.shape.end:
                labels.setdefault(level_of[target], set()).add(target)
        return labels

    def _open(self, label: tuple[str, int], opener: bytes) -> None:
        self.labels.append(label)
        self.out.append(opener)

    def _close(self) -> None:
        self.labels.pop()
        self.out.append(close())

    def _depth(self, label: tuple[str, int], extra: int = 0) -> int:
        return len(self.labels) - 1 - self.labels.index(label) + extra

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _block(self, number: int, current: Block) -> None:
        by_block = self.program.by_block
        # After a host call the rest of the block is charged anew, unless by block, where all of it is paid. Where
        # valid code has ended (0.8.0), nothing is charged.
        is_end = self.program.spec.validates and number == self.program.last
        charges = current.follows is Follows.BLOCK or (current.follows is Follows.CALL and not by_block)
        cost = current.rest if charges and not is_end else 0
        if cost:
            charge = local_get(GAS) + i64_const(cost) + op("i64.lt_u") + if_(self._bail(current.pc, 0, 1, charged=0))
            self.out.append(charge + local_get(GAS) + i64_const(cost) + op("i64.sub") + local_set(GAS))
        plan = shared_checks(current.instructions)
        for place, instruction in enumerate(current.instructions):
            unused = 0 if by_block or is_end else current.rest - place
            if place in plan.before:
                self.out.append(self._check(plan.before[place], instruction.pc, unused))
            if is_straight(instruction.row):
                self.out.append(self._straight(instruction, unused, place in plan.covered))
            else:
                self.out.append(self._control(number, current, instruction, unused))

    def _check(self, check: Check, pc: int, unused: int) -> bytes:
        """Leave for the interpreter unless all of a shared check's accesses are allowed."""
        self.used.add(check.base)
        address = local_get(FIRST_REGISTER + check.base) + op("i32.wrap_i64")
        if check.low:
            address = add(address, check.low)
        return checked_range(address, check.high - check.low, check.bit, self._bail(pc, unused, 1))

    def _straight(self, instruction: Instruction, unused: int, covered: bool) -> bytes:
        template = straight(instruction.row, instruction.a, instruction.b, instruction.d, covered)
        self.used |= template.used
        self.written |= template.written
        return fill(template, instruction, lambda: self._bail(instruction.pc, unused, 1))

    def _control(self, number: int, current: Block, instruction: Instruction, unused: int) -> bytes:
        """The last instruction of a block, which does not just go on."""
        bind = operands_of(instruction)
        effects = instruction.row.effects
        # An address to jump to is computed before registers change: load_imm_jump_ind may set the one it reads.
        first = b"".join(
            low(effect.address, bind) + local_set(ADDRESS) for effect in effects if isinstance(effect, DynamicJump)
        )
        body = b"".join(effect_code(effect, bind) for effect in effects)
        # The rare ends are left to the interpreter, which carries the whole instruction out and is given its gas back.
        rare = self._bail(instruction.pc, unused, 0)
        match effects[-1] if effects else None:
            case Jump(_, None):
                code = rare if current.target is None else body + self._goto(number, current.target, 0)
            case Jump(_, test) if test is not None:
                code = self._branch(number, current, condition(test, bind), unused)
            case DynamicJump():
                code = self._dynamic_jump(first, body, instruction.pc, unused)
            case HostCall(expr):
                code = self._host_call(instruction, value(expr, bind), max(0, unused - 1))
            case Panic():
                code = rare
            case _:
                code = body
        self.used |= bind.used
        self.written |= bind.written
        return code

    def _branch(self, number: int, current: Block, test: bytes, unused: int) -> bytes:
        """A conditional jump. 0.8.0 panics unless a block starts both ways; 0.7.2 looks at the one that is taken."""
        last = current.instructions[-1]
        starts = self.program.flow.starts
        if self.program.spec.validates and (current.target is None or last.next_pc not in starts):
            return self._bail(last.pc, unused, 0)
        taken = self._bail(last.pc, unused, 1) if current.target is None else self._goto(number, current.target, 1)
        return test + if_(taken)

    # --- leaving a block ---------------------------------------------------------------------------------------------

    def _goto(self, number: int, target: int, extra: int) -> bytes:
        """Go on at another block; `extra` is how many levels this code stands deeper than the labels know."""
        if not self.shape.first <= target < self.shape.end:
            return self._cross(target, extra)
        if target > number:
            return br(self._depth(("block", target), extra))
        if ("loop", target) in self.labels:
            return br(self._depth(("loop", target), extra))
        place = self.shape.entries.index(target)
        return i32_const(place) + local_set(ENTRY) + br(self._depth(("dispatch", 0), extra))

    def _cross(self, target: int, extra: int = 0) -> bytes:
        """Go on in another region."""
        return set_state("entry", i32_const(self.program.ids[target])) + self._leave(i32_const(abi.CROSS), extra)

    def _leave(self, code: bytes, extra: int) -> bytes:
        return code + local_set(CODE) + br(self._depth(("exit", 0), extra))

    def _bail(self, pc: int, unused: int, extra: int, charged: int = 1) -> bytes:
        """Leave to the interpreter at an instruction, giving back `unused` gas."""
        flag = set_state("charged", i32_const(charged)) if self.program.by_block else b""
        return (
            flag + i32_const(pc) + local_set(PC) + i64_const(unused) + local_set(UNUSED)
            + br(self._depth(("bail", 0), extra))
        )  # fmt: skip

    def _host_call(self, instruction: Instruction, call_number: bytes, unused: int) -> bytes:
        return (
            set_state("call", call_number) + set_state("pc", i32_const(instruction.pc))
            + set_state("charged", i32_const(1)) + set_state("called", i32_const(1))
            + local_get(GAS) + i64_const(unused) + op("i64.add") + local_set(GAS)
            + self._leave(i32_const(EXIT_CODES[Reason.HOST_CALL]), 0)
        )  # fmt: skip

    def _dynamic_jump(self, first: bytes, body: bytes, pc: int, unused: int) -> bytes:
        """Through the table of entries. A halt, a panic and a bad address are the interpreter's.

        A register is set after the table was looked up, because the interpreter may have to compute the address anew.
        """
        place = jump_table_place(ADDRESS) + local_tee(ADDRESS)
        entry = get_word(add(get_state("entries"), local_get(ADDRESS) + i32_const(2) + op("i32.shl")))
        found = entry + local_tee(ADDRESS) + i32_const(NO_TARGET) + op("i32.ne")
        here = local_get(ADDRESS) + i32_const(16) + op("i32.shr_u") + i32_const(self.number) + op("i32.eq")
        go = body + here + if_(
            local_get(ADDRESS) + i32_const(0xFFFF) + op("i32.and") + local_set(ENTRY)
            + br(self._depth(("dispatch", 0), 3))
        ) + set_state("entry", local_get(ADDRESS)) + self._leave(i32_const(abi.CROSS), 2)
        return (
            first + place + get_state("jump_count") + op("i32.lt_u") + if_(found + if_(go))
            + self._bail(pc, unused, 0)
        )  # fmt: skip
