"""Regions: a run of blocks as one WebAssembly function.

In: a `Shape` and the `Context` that it belongs to. Out: a function (place in the dispatcher) -> exit code.
Registers are loaded from the state when it is entered, and stored when it is left.

    block exit
      block leave                    pc on the stack: the interpreter has to go on there
        block poor                   the same, with nothing charged for the block (block metering)
          block bail                 the same, with everything charged up to the basic block's end
            loop dispatch            at the entry whose place is in a local
              block jump             a dynamic jump, its address and the pc in locals
                block elsewhere      to an entry of another region, or to nowhere
                  ... the blocks, each label ending before its block
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import accumulate
from operator import attrgetter, or_

from pvm import abi
from pvm.abi import EXIT_CODES
from pvm.emit.checkpoints import NONE, checkpoints
from pvm.emit.checks import NO_PLAN, shared_checks
from pvm.emit.guest import is_refused, jump_table_place
from pvm.emit.state import ENGINE, add, get_state, get_word, set_pc, set_pc_to, set_state
from pvm.emit.straight import (
    ADDRESS,
    CODE,
    ENTRY,
    FIRST_REGISTER,
    GAS,
    LOCAL_TYPES,
    PC,
    Code,
    Codes,
    Reach,
    load_register,
    store_register,
)
from pvm.flow import STRAIGHT, Block, Ending, Flow, Follows, Shape, ending_of, gas_needs
from pvm.isa.spec import Spec
from pvm.machine import REGISTER_COUNT, Reason
from pvm.wasm import I32, Function, FunctionType
from pvm.wasm.code import (
    br,
    br_if,
    br_table,
    call,
    close,
    i32_const,
    i64_const,
    if_,
    load,
    local_get,
    local_set,
    local_tee,
    op,
    open_block,
    open_loop,
    return_call_indirect,
)

NO_TARGET = 0xFFFFFFFF  # the entry of jump table entries that lead nowhere
REGION_TYPE = FunctionType((I32,), (I32,))

# Levels of the labels around all blocks.
_CROSS, _EXIT, _LEAVE, _POOR, _BAIL, _DISPATCH, _JUMP, _ELSEWHERE, _BLOCKS = range(9)
_DROP = op("drop")
_NO_POINTS: dict[int, int] = {}

_text = attrgetter("text")
_uses = attrgetter("used")
_writes = attrgetter("written")


@dataclass(frozen=True)
class Context:
    """What all regions of a program share.

    `codes` are those of all instructions and `accesses` what these access, a byte for each; `checked` has codes that
    check, which are the same where `checks`; `costs` is what blocks take. `ids` are the entries: region << 16 | place
    in its dispatcher. `checks` is whether all accesses are checked in the code. `jump_count` is how many entries the
    jump table has, `jump_entries` where the host puts theirs. `sbrk` is a function's index. `pause` is called for every
    block.
    """

    flow: Flow
    spec: Spec
    by_block: bool
    checks: bool
    codes: list[Code]
    accesses: bytes
    checked: Codes
    costs: list[int]
    ids: dict[int, int]
    jump_count: int
    jump_entries: int
    sbrk: int
    pause: Callable[[], object]


def charges(block: Block, by_block: bool) -> bool:
    """Whether gas is taken when a block is entered.

    After a host call the rest of the block is charged anew, unless by block, where all of it is paid.
    """
    return block.follows is Follows.BLOCK or (block.follows is Follows.CALL and not by_block)


def costs_of(flow: Flow, spec: Spec, by_block: bool) -> list[int]:
    """Gas that each block takes when it is entered. Where valid code has ended (0.8.0), nothing is charged."""
    costs = [block.rest if charges(block, by_block) else 0 for block in flow.blocks]
    if spec.validates:
        costs[-1] = 0
    return costs


class Region:
    """Makes one region's function. `level` is how many labels are open, `…_levels` has those of blocks and loops."""

    def __init__(self, program: Context, shape: Shape, number: int) -> None:
        self.program, self.shape, self.number = program, shape, number
        self.blocks = program.flow.blocks
        self.level = _BLOCKS
        self.block_levels: dict[int, int] = {}
        self.loop_levels: dict[int, int] = {}
        self.places = {entry: place for place, entry in enumerate(shape.entries)}
        self.lasts = {lp.header: lp.last for lp in shape.loops}
        looks = {*shape.entries, *self.lasts}
        self.needs = gas_needs(program.flow, shape.first, shape.end, looks, program.costs)
        flow, codes = program.flow, program.codes
        checked, accesses = program.checked, program.accesses
        self.checkpoints = NONE if program.checks else checkpoints(flow, shape, codes, accesses, checked)
        self.out: list[bytes] = []
        self.offsets: list[int] = []  # in the body, of the pieces of `out`
        self.unlikely: list[tuple[int, int]] = []  # pieces of `out`, and where in them there is a branch seldom taken

    def function(self) -> Function:
        program, shape = self.program, self.shape
        codes = program.codes[self.blocks[shape.first].first : self.blocks[shape.end - 1].end]
        written = reduce(or_, map(_writes, codes))
        used = reduce(or_, map(_uses, codes)) | written
        self._blocks()
        begin = (
            _load(used) + get_state("gas") + local_set(GAS)
            # Of a page fault: the last checkpoint was where the region was entered.
            + (b"" if program.checks else set_state("at_entry", i32_const(1)))
            + set_state("called", i32_const(0)) + open_block() + _FRAME_START
        )  # fmt: skip
        end = (
            _frame_end(self.number, program)
            + _store(written) + set_state("gas", local_get(GAS)) + local_get(CODE) + op("return") + close()
            + _store(written) + set_state("gas", local_get(GAS)) + set_state("entry", local_get(ENTRY))
            + local_get(ENTRY) + i32_const(0xFFFF) + op("i32.and")
            + local_get(ENTRY) + i32_const(16) + op("i32.shr_u") + return_call_indirect(0)
        )  # fmt: skip
        places = self.offsets = list(accumulate(map(len, self.out), initial=len(begin)))
        unlikely = [places[piece] + offset for piece, offset in self.unlikely]
        body = b"".join([begin, *self.out, end])
        return Function(REGION_TYPE, LOCAL_TYPES, body, f"region_{self.number}", unlikely=unlikely)

    # --- shape -----------------------------------------------------------------------------------------------------

    def _blocks(self) -> None:
        """Everything within the label `elsewhere`."""
        shape = self.shape
        level_of = self._loop_of()
        labels = self._forward_labels(level_of)
        self._open_blocks(labels.get(-1, set()) | set(shape.entries))
        depths = [self._depth(self.block_levels[entry]) for entry in shape.entries]
        self.out.append(local_get(ENTRY) + br_table(depths, self._depth(_ELSEWHERE)))
        ends: dict[int, int] = {}
        for number in range(shape.first, shape.end):
            if self.block_levels.get(number) == self.level - 1:
                self._close()
            if number in self.lasts:
                if number in self.checkpoints.before:
                    pc = self.blocks[number].pc
                    self.out.append(self._checkpoint(pc, self.checkpoints.before[number], 0, is_charged=False))
                self.loop_levels[number] = self.level
                self._open(open_loop())
                ends[self.lasts[number]] = ends.get(self.lasts[number], 0) + 1
                self._open_blocks(labels.get(number, set()))
            self._block(number, self.blocks[number])
            self.program.pause()
            for _ in range(ends.get(number, 0)):
                self._close()
        if self.blocks[shape.end - 1].falls:
            self.out.append(self._cross(shape.end, 0))

    def _loop_of(self) -> dict[int, int]:
        """For each block the header of the loop that it lies strictly in, -1 for none."""
        level_of = dict.fromkeys(range(self.shape.first, self.shape.end), -1)
        for lp in self.shape.loops:  # outer loops first
            for number in range(lp.header + 1, lp.last + 1):
                level_of[number] = lp.header
        return level_of

    def _forward_labels(self, level_of: dict[int, int]) -> dict[int, set[int]]:
        """The blocks that are jumped to forwards, by the loop in which their label has to be opened."""
        labels: dict[int, set[int]] = {}
        for number in range(self.shape.first, self.shape.end):
            target = self.blocks[number].target
            if target is not None and number < target < self.shape.end:
                labels.setdefault(level_of[target], set()).add(target)
        return labels

    def _open_blocks(self, targets: set[int]) -> None:
        for target in sorted(targets, reverse=True):
            self.block_levels[target] = self.level
            self._open(open_block())

    def _open(self, opener: bytes) -> None:
        self.level += 1
        self.out.append(opener)

    def _close(self) -> None:
        self.level -= 1
        self.out.append(close())

    def _depth(self, level: int) -> int:
        return self.level - 1 - level

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _block(self, number: int, current: Block) -> None:
        program, out = self.program, self.out
        cost = program.costs[number]
        need = self.needs.get(number)
        if need:
            poor = (_POOR if program.by_block else _LEAVE) if charges(current, program.by_block) else _BAIL
            look = _look(current.pc, need)
            self.unlikely.append((len(out), len(look)))
            out.append(look + br_if(self._depth(poor)) + _DROP)
        if cost:
            out.append(_charge(cost))
        end = current.end
        last = program.flow.forms[end - 1]
        straight_end = end if last.kind == STRAIGHT else end - 1
        self._straight(number, current, straight_end)
        if straight_end < end:
            self._control(number, current, program.codes[end - 1], program.flow.pcs[end - 1])

    def _straight(self, number: int, current: Block, end: int) -> None:
        """The instructions of a block up to the one that does not just go on."""
        program, out, first = self.program, self.out, current.first
        codes = program.codes
        points = self.checkpoints.within.get(number, _NO_POINTS)
        if program.checks or number in self.checkpoints.checking:
            self._checked(current, end)
            return
        at = first
        for place, registers in points.items():
            special = first + place
            out.extend(map(_text, codes[at:special]))
            at = special
            pc = program.flow.pcs[special]
            out.append(self._checkpoint(pc, registers, current.rest - place, is_charged=True))
        out.extend(map(_text, codes[at:end]))

    def _checked(self, current: Block, end: int) -> None:
        """The same where accesses are checked."""
        program, out, first = self.program, self.out, current.first
        codes, pcs = program.codes[first:end], program.flow.pcs
        accesses = [place for place, kind in enumerate(program.accesses[first:end]) if kind]
        if not accesses:
            out.extend(map(_text, codes))
            return
        if not program.checks:
            codes = [program.checked[code.form] for code in codes]
        plan = shared_checks(codes) if len(accesses) > 1 else NO_PLAN
        bail = br_if(self._depth(_BAIL)) + _DROP
        at = 0
        for place in accesses:
            out.extend(map(_text, codes[at:place]))
            code, pc = codes[place], pcs[first + place]
            if place in plan.before:
                self.unlikely.append((len(out) + 2, 0))
                out += (i32_const(pc), _refuses(plan.before[place]), bail)
            if code.guard is None or place in plan.covered:
                out.append(code.text)
            else:
                self.unlikely.append((len(out) + 2, 0))
                out += (i32_const(pc), code.guard, bail, code.rest)
            at = place + 1
        out.extend(map(_text, codes[at:]))

    def _checkpoint(self, pc: int, registers: int, unused: int, is_charged: bool) -> bytes:
        """Store what the interpreter needs to go on from here. `unused` gas has been charged for what comes."""
        gas = local_get(GAS)
        if self.program.by_block:
            flag = set_state("charged", i32_const(int(is_charged)))
        else:
            flag, gas = b"", gas + (i64_const(unused) + op("i64.add") if unused else b"")
        return _store(registers) + set_state("gas", gas) + set_pc_to(pc) + flag

    def _control(self, number: int, current: Block, code: Code, pc: int) -> None:
        """The last instruction of a block, which does not just go on."""
        match ending_of(code.form.instruction.row):
            case Ending.BRANCH:
                text = self._branch(number, current, code, pc)
            case Ending.JUMP:
                text = self._bail(pc) if current.target is None else code.text + self._goto(number, current.target, 0)
            case Ending.DYNAMIC:
                text = self._dynamic_jump(code, pc)
            case Ending.CALL:
                text = self._host_call(current, code, pc)
            case Ending.SBRK:
                text = self._sbrk(current, code, pc)
            case Ending.PANIC:
                text = self._bail(pc)
            case Ending.FALLS:
                text = code.text
        self.out.append(text)

    def _branch(self, number: int, current: Block, code: Code, pc: int) -> bytes:
        """A conditional jump. 0.8.0 panics unless a block starts both ways; 0.7.2 looks at the one that is taken."""
        program, target = self.program, current.target
        if program.spec.validates and (target is None or program.flow.pcs[current.end] not in program.flow.starts):
            return self._bail(pc)
        if target is None:
            return i32_const(pc) + code.text + br_if(self._depth(_BAIL)) + _DROP
        level = self._level_of(number, target)
        if level is not None:
            return code.text + br_if(self._depth(level))
        return code.text + if_(self._goto(number, target, 1))

    # --- leaving a block ---------------------------------------------------------------------------------------------

    def _level_of(self, number: int, target: int) -> int | None:
        """The level of the label that leads from a block to another, None when it takes more than to jump there."""
        if not self.shape.first <= target < self.shape.end:
            return None
        if target > number:
            return self.block_levels[target]
        return self.loop_levels[target] if number <= self.lasts.get(target, -1) else None

    def _goto(self, number: int, target: int, extra: int) -> bytes:
        """Go on at another block; `extra` is how many levels this code stands deeper."""
        level = self._level_of(number, target)
        if level is not None:
            return br(self._depth(level) + extra)
        if not self.shape.first <= target < self.shape.end:
            return self._cross(target, extra)
        return i32_const(self.places[target]) + local_set(ENTRY) + br(self._depth(_DISPATCH) + extra)

    def _cross(self, target: int, extra: int) -> bytes:
        """Go on in another region."""
        return i32_const(self.program.ids[target]) + local_set(ENTRY) + br(self._depth(_CROSS) + extra)

    def _bail(self, pc: int) -> bytes:
        """Leave to the interpreter at an instruction of a block that is paid for."""
        return i32_const(pc) + br(self._depth(_BAIL))

    def _host_call(self, current: Block, code: Code, pc: int) -> bytes:
        call = EXIT_CODES[Reason.HOST_CALL]
        return set_state("call", code.text) + self._give_back(current) + _called(pc, call) + br(self._depth(_EXIT))

    def _sbrk(self, current: Block, code: Code, pc: int) -> bytes:
        """Grow the heap. Where the host has to follow, leave as by a host call; what comes next charges anew."""
        text = code.text + call(self.program.sbrk) + code.rest + self._give_back(current)
        if self.program.checks:
            return text
        return text + get_state("grew") + if_(_called(pc, abi.GREW) + br(self._depth(_EXIT) + 1))

    def _give_back(self, current: Block) -> bytes:
        """Give back what was charged for the rest of a block, which is charged anew when that is entered."""
        unused = 0 if self.program.by_block else current.rest - (current.end - current.first)
        return _charge(-unused) if unused else b""

    def _dynamic_jump(self, code: Code, pc: int) -> bytes:
        """Through the table of entries. A halt, a panic and a bad address are the interpreter's.

        That carries the instruction out again. So where it sets a register, it has to be known before that the address
        is good, in case that it is the register that the address comes from.
        """
        jump = i32_const(pc) + local_set(PC) + br(self._depth(_JUMP))
        if not code.written & code.used:
            return code.text + code.rest + jump
        bail = br_if(self._depth(_BAIL)) + _DROP
        place = jump_table_place(ADDRESS)
        return (
            code.text + i32_const(pc) + place + i32_const(self.program.jump_count) + op("i32.ge_u") + bail
            + i32_const(pc) + _entry_of(place, self.program) + i32_const(NO_TARGET) + op("i32.eq") + bail
            + code.rest + jump
        )  # fmt: skip


# The labels around a region's blocks, but for the first.
_FRAME_START = (
    open_block() + open_block(I32) + open_block(I32) + open_block(I32) + open_loop() + open_block() + open_block()
)  # fmt: skip


def _frame_end(number: int, program: Context) -> bytes:
    """The ends of these labels, and what is done behind each."""
    base = number << 16
    elsewhere = (
        local_get(PC) + add(local_get(ENTRY), base) + local_tee(ENTRY) + i32_const(NO_TARGET) + op("i32.eq")
        + br_if(_JUMP - _BAIL) + _DROP + br(_JUMP - _CROSS)
    )  # fmt: skip
    jump = (
        local_get(PC) + jump_table_place(ADDRESS) + local_tee(ADDRESS)
        + i32_const(program.jump_count) + op("i32.ge_u") + br_if(_DISPATCH - _BAIL) + _DROP
        + add(_entry_of(local_get(ADDRESS), program), -base) + local_set(ENTRY) + br(0)
    )  # fmt: skip
    if program.by_block:
        bail = set_state("charged", i32_const(1)) + br(_POOR - _LEAVE)
        poor = set_state("charged", i32_const(0))
    else:
        bail, poor = _give_back(), b""
    leave = local_set(PC) + set_pc(local_get(PC)) + i32_const(abi.BAIL) + local_set(CODE)
    return (
        close() + elsewhere + close() + jump + close() + op("unreachable") + close() + bail + close() + poor + close()
        + leave + close()
    )  # fmt: skip


def _called(pc: int, code: int) -> bytes:
    """The state behind a host call, or an sbrk that is left like one, and the code to leave with."""
    return (
        set_pc_to(pc) + set_state("charged", i32_const(1)) + set_state("called", i32_const(1))
        + i32_const(code) + local_set(CODE)
    )  # fmt: skip


def _give_back() -> bytes:
    """Give back the gas that was charged for the rest of the block from the pc on the stack, which stays there."""
    place = add(get_state("index"), local_get(PC) + i32_const(2) + op("i32.shl"))
    record = get_word(place) + i32_const(-2) + op("i32.and")
    charge = record + load("i64.load32_u", abi.RECORD.charge, ENGINE)
    return local_set(PC) + charge + local_get(GAS) + op("i64.add") + local_set(GAS) + local_get(PC)


def _entry_of(place: bytes, program: Context) -> bytes:
    """Push the entry of a jump table place."""
    return get_word(place + i32_const(2) + op("i32.shl"), program.jump_entries)


@lru_cache(maxsize=1024)
def _charge(cost: int) -> bytes:
    return local_get(GAS) + i64_const(cost) + op("i64.sub") + local_set(GAS)


def _look(pc: int, need: int) -> bytes:
    """Push the pc, and whether there is less gas than needed."""
    return i32_const(pc) + local_get(GAS) + i64_const(need) + op("i64.lt_u")


def _refuses(reach: Reach) -> bytes:
    """Push whether a shared check fails."""
    address = local_get(FIRST_REGISTER + reach.base) + op("i32.wrap_i64")
    if reach.low:
        address = add(address, reach.low)
    return address + local_set(ADDRESS) + is_refused(ADDRESS, reach.high - reach.low, reach.bit)


@lru_cache(maxsize=1024)
def _store(registers: int) -> bytes:
    return b"".join(store_register(number) for number in range(REGISTER_COUNT) if registers >> number & 1)


@lru_cache(maxsize=1024)
def _load(registers: int) -> bytes:
    return b"".join(load_register(number) for number in range(REGISTER_COUNT) if registers >> number & 1)
