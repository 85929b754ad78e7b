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

from functools import lru_cache, reduce
from itertools import compress, pairwise
from operator import attrgetter, or_

from pvm import abi
from pvm.abi import EXIT_CODES
from pvm.emit.guest import is_refused, jump_table_place
from pvm.emit.recompiler.access_checks import NO_PLAN, shared_checks
from pvm.emit.recompiler.checkpoints import NONE, checkpoints
from pvm.emit.recompiler.instructions import Reach
from pvm.emit.recompiler.templates import (
    ADDRESS,
    CODE,
    ENTRY,
    FIRST_REGISTER,
    GAS,
    LOCAL_TYPES,
    PC,
    Template,
    load_register,
    store_register,
)
from pvm.emit.recompiler.unit import Context, charges
from pvm.emit.state import ENGINE, add, get_state, get_word, set_pc, set_pc_to, set_state
from pvm.flow import (
    BRANCH,
    CALL,
    DYNAMIC,
    FALLS,
    JUMP,
    SBRK,
    Block,
    Shape,
    gas_needs,
)
from pvm.machine import Reason
from pvm.registers import REGISTER_COUNT
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

_used = attrgetter("used")


class Region:
    """Makes one region's function. `level` is how many labels are open, `…_levels` has those of blocks and loops."""

    def __init__(self, program: Context, shape: Shape, number: int) -> None:
        self.program, self.shape, self.number = program, shape, number
        self.blocks = program.flow.blocks
        self.level = _BLOCKS
        self.block_levels: dict[int, int] = {}
        self.loop_levels: dict[int, int] = {}
        self.places = {entry: place for place, entry in enumerate(shape.places)}
        self.inner = frozenset(shape.inner)
        self.lasts = {lp.header: lp.last for lp in shape.loops}
        looks = {*shape.entries, *self.lasts}
        self.needs = gas_needs(program.flow, shape.first, shape.end, looks, program.costs)
        keeps = not program.checks and not program.is_bare
        self.checkpoints = checkpoints(program.flow, shape, program.codes) if keeps else NONE
        self.out: list[bytes] = []
        self.start = 0  # of the first piece of `out` in the function's body
        self.unlikely: list[int] = []  # pieces of `out` that begin with a branch seldom taken

    def function(self) -> Function:
        program, shape = self.program, self.shape
        codes, written = program.codes, 0
        templates: set[Template] = set()
        for current in self.blocks[shape.first : shape.end]:
            templates.update(codes.templates[current.first : current.end])
            written = reduce(or_, codes.written[current.first : current.end], written)
        used = reduce(or_, map(_used, templates), written)
        self._blocks()
        begin = (
            _load(used) + get_state("gas") + local_set(GAS)
            # Of a page fault: the last checkpoint was where the region was entered.
            + (b"" if program.checks or program.is_bare else set_state("at_entry", i32_const(1)))
            + set_state("called", i32_const(0)) + open_block() + _FRAME_START
        )  # fmt: skip
        end = (
            _frame_end(self.number, program)
            + _store(written) + set_state("gas", local_get(GAS)) + local_get(CODE) + op("return") + close()
            + _store(written) + set_state("gas", local_get(GAS)) + set_state("entry", local_get(ENTRY))
            + local_get(ENTRY) + i32_const(0xFFFF) + op("i32.and")
            + local_get(ENTRY) + i32_const(16) + op("i32.shr_u") + return_call_indirect(0)
        )  # fmt: skip
        self.start = len(begin)
        parts, size, at = [begin], self.start, 0
        unlikely = []
        for piece in self.unlikely:
            part = b"".join(self.out[at:piece])
            parts.append(part)
            size += len(part)
            unlikely.append(size)
            at = piece
        body = b"".join([*parts, *self.out[at:], end])
        return Function(REGION_TYPE, LOCAL_TYPES, body, f"region_{self.number}", unlikely=unlikely)

    # --- shape -----------------------------------------------------------------------------------------------------

    def _blocks(self) -> None:
        """Everything within the label `elsewhere`."""
        shape, lasts, pause = self.shape, self.lasts, self.program.pause
        labels = self._forward_labels()
        self._open_blocks(labels[-1] | set(shape.entries))
        depths = [self._depth(self.block_levels[entry]) for entry in (*shape.entries, *self._outermost(labels))]
        self.out.append(local_get(ENTRY) + br_table(depths, self._depth(_ELSEWHERE)))
        ends: dict[int, int] = {}
        for number, current in enumerate(self.blocks[shape.first : shape.end], shape.first):
            if self.block_levels.get(number) == self.level - 1:
                self._close()
            if number in lasts:
                self._open_loop(number, labels[number])
                ends[lasts[number]] = ends.get(lasts[number], 0) + 1
            self._block(number, current)
            pause()
            if number in ends:
                for _ in range(ends[number]):
                    self._close()
        onto = self.blocks[shape.end - 1].onto
        if onto is not None:
            self.out.append(self._cross(onto, 0))

    def _open_loop(self, number: int, labels: set[int]) -> None:
        """The start of a loop: what comes before it, and ways to the loops that lie directly in it.

        Loops in loops have the last places, by pc. When a region is entered at one, the local `entry` holds its place
        until it is there, and each loop on the way sees by that that it has to pass it on.
        """
        out, inner = self.out, sorted(labels & self.inner)
        passed = local_get(ENTRY) + i32_const(self.places[inner[0]]) + op("i32.ge_u") if inner else b""
        if number in self.checkpoints.before:
            if inner:  # what is passed on stands as it was entered
                self._open(open_block())
                out.append(passed + br_if(0))
            self._checkpoint(self.blocks[number].pc, self.checkpoints.before[number], 0, is_charged=False)
            if inner:
                self._close()
        if number in self.inner:
            kept = local_get(ENTRY) + i32_const(0) + passed + op("select") if inner else i32_const(0)
            out.append(kept + local_set(ENTRY))
        self.loop_levels[number] = self.level
        self._open(open_loop())
        self._open_blocks(labels)
        if inner:
            self._open(open_block())
            out.append(passed + op("i32.eqz") + br_if(0))
            for header, following in pairwise(inner):
                before = local_get(ENTRY) + i32_const(self.places[following]) + op("i32.lt_u")
                out.append(before + br_if(self._depth(self.block_levels[header])))
            out.append(br(self._depth(self.block_levels[inner[-1]])))
            self._close()

    def _outermost(self, labels: dict[int, set[int]]) -> list[int]:
        """For each loop in loops the header of the outermost of them."""
        found: dict[int, int] = {}
        for loop in self.shape.loops:  # outer loops first
            for header in labels[loop.header] & self.inner:
                found[header] = found.get(loop.header, loop.header)
        return [found[header] for header in self.shape.inner]

    def _forward_labels(self) -> dict[int, set[int]]:
        """The blocks that are jumped to forwards, by the header of the loop in which their label has to be opened.

        That is the innermost in which they lie strictly; -1 stands for none.
        """
        first, end = self.shape.first, self.shape.end
        targets = enumerate([block.target for block in self.blocks[first:end]], first)
        left = {target for number, target in targets if target is not None and number < target < end}
        left |= self.inner
        labels: dict[int, set[int]] = {}
        for loop in reversed(self.shape.loops):  # inner loops first
            found = left.intersection(range(loop.header + 1, loop.last + 1))
            labels[loop.header] = found
            left -= found
        labels[-1] = left
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
        cost, need = program.costs[number], self.needs.get(number)
        if need:
            poor = (_POOR if program.by_block else _LEAVE) if charges(current, program.by_block) else _BAIL
            self.unlikely.append(len(out) + 2)
            out += (i32_const(current.pc), _lacks(need), _leave_if(self._depth(poor)))
        if cost:
            out.append(_charge(cost))
        ending = current.ending
        straight_end = current.end if ending is FALLS else current.end - 1
        if program.checks or number in self.checkpoints.checking:
            self._checked(current, straight_end)
        elif number in self.checkpoints.within:
            self._with_checkpoints(number, current, straight_end)
        else:
            out += program.codes.texts[current.first : straight_end]
        if ending is not FALLS:
            out.append(self._control(number, current, straight_end))

    def _with_checkpoints(self, number: int, current: Block, end: int) -> None:
        """The instructions of a block up to the one that does not just go on, and its checkpoints."""
        texts, at = self.program.codes.texts, current.first
        for place, registers in self.checkpoints.within[number].items():
            special = current.first + place
            self.out += texts[at:special]
            at = special
            self._checkpoint(self.program.flow.pcs[at], registers, current.rest - place, is_charged=True)
        self.out += texts[at:end]

    def _checked(self, current: Block, end: int) -> None:
        """The same where accesses are checked."""
        codes, pcs, out, at = self.program.codes, self.program.flow.pcs, self.out, current.first
        texts = codes.texts
        accesses = [*compress(range(at, end), codes.accesses[at:end])]
        if accesses:
            guarded = codes.guarded(accesses)
            before, covered = shared_checks(accesses, guarded, codes.written) if len(accesses) > 1 else NO_PLAN
            bail = _leave_if(self._depth(_BAIL))
            for number, (guard, rest, _) in zip(accesses, guarded, strict=True):
                out += texts[at:number]
                at = number
                if number in before:
                    self.unlikely.append(len(out) + 2)
                    out += (i32_const(pcs[number]), _refuses(before[number]), bail)
                if number not in covered:
                    self.unlikely.append(len(out) + 2)
                    out += (i32_const(pcs[number]), guard, bail, rest)
                    at += 1
        out += texts[at:end]

    def _checkpoint(self, pc: int, registers: int, unused: int, is_charged: bool) -> None:
        """Store what the interpreter needs to go on from here. `unused` gas has been charged for what comes."""
        by_block = self.program.by_block
        self.out += (_store(registers), _keep_gas(0 if by_block else unused), set_pc_to(pc))
        if by_block:
            self.out.append(set_state("charged", i32_const(int(is_charged))))

    def _control(self, number: int, current: Block, last: int) -> bytes:
        """The last instruction of a block, which does not just go on."""
        pc = self.program.flow.pcs[last]
        ending = current.ending
        if ending is BRANCH:
            return self._branch(number, current, pc)
        if ending is JUMP and current.target is not None:
            return self.program.codes.texts[last] + self._goto(number, current.target, 0)
        if ending is DYNAMIC:
            return self._dynamic_jump(last, pc)
        if ending is CALL:
            return self._host_call(current, pc)
        if ending is SBRK:
            return self._sbrk(current, pc)
        return self._bail(pc)

    def _branch(self, number: int, current: Block, pc: int) -> bytes:
        """A conditional jump. 0.8.0 panics unless a block starts both ways; 0.7.2 looks at the one that is taken."""
        program, target = self.program, current.target
        if program.spec.validates and (target is None or program.flow.pcs[current.end] not in program.flow.starts):
            return self._bail(pc)
        test = program.codes.texts[current.end - 1]
        if target is None:
            return i32_const(pc) + test + _leave_if(self._depth(_BAIL))
        level = self._level_of(number, target)
        if level is not None:
            return test + br_if(self._depth(level))
        return test + if_(self._goto(number, target, 1))

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

    def _host_call(self, current: Block, pc: int) -> bytes:
        call, called = EXIT_CODES[Reason.HOST_CALL], self.program.codes.texts[current.end - 1]
        return set_state("call", called) + self._give_back(current) + _called(pc, call) + br(self._depth(_EXIT))

    def _sbrk(self, current: Block, pc: int) -> bytes:
        """Grow the heap. Where the host has to follow, leave as by a host call; what comes next charges anew."""
        last, codes = current.end - 1, self.program.codes
        text = codes.texts[last] + call(self.program.sbrk) + codes.rest(last) + self._give_back(current)
        if self.program.checks:
            return text
        return text + get_state("grew") + if_(_called(pc, abi.GREW) + br(self._depth(_EXIT) + 1))

    def _give_back(self, current: Block) -> bytes:
        """Give back what was charged for the rest of a block, which is charged anew when that is entered."""
        unused = 0 if self.program.by_block else current.rest - (current.end - current.first)
        return _charge(-unused) if unused else b""

    def _dynamic_jump(self, last: int, pc: int) -> bytes:
        """Through the table of entries. A halt, a panic and a bad address are the interpreter's.

        That carries the instruction out again. So where it sets a register, it has to be known before that the address
        is good, in case that it is the register that the address comes from.
        """
        template = self.program.codes.templates[last]
        address, rest = self.program.codes.texts[last], self.program.codes.rest(last)
        jump = i32_const(pc) + local_set(PC) + br(self._depth(_JUMP))
        if not template.written & template.used:
            return address + rest + jump
        bail = _leave_if(self._depth(_BAIL))
        place = jump_table_place(ADDRESS)
        return (
            address + i32_const(pc) + place + i32_const(self.program.jump_count) + op("i32.ge_u") + bail
            + i32_const(pc) + _entry_of(place, self.program) + i32_const(NO_TARGET) + op("i32.eq") + bail
            + rest + jump
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


@lru_cache(maxsize=1024)
def _lacks(need: int) -> bytes:
    """Push whether there is less gas than needed."""
    return local_get(GAS) + i64_const(need) + op("i64.lt_u")


@lru_cache(maxsize=1024)
def _leave_if(depth: int) -> bytes:
    """Leave with the pc on the stack if what was pushed after it is not 0, else drop the pc."""
    return br_if(depth) + _DROP


@lru_cache(maxsize=1024)
def _keep_gas(unused: int) -> bytes:
    """Store the gas, with what has been charged and not been used."""
    return set_state("gas", local_get(GAS) + (i64_const(unused) + op("i64.add") if unused else b""))


@lru_cache(maxsize=1 << 13)
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
