"""The recompiler: one WebAssembly module a program.

In: a program, a spec and a metering. Out: a frozen `Recompiled`: the module's bytes and how to enter it. It shares the
interpreter's memories and its state, so that either can go on where the other stopped (`pvm.abi`).

The blocks of a program are split into regions, a function each, with the registers and gas in locals. Inside a region
jumps forward leave nested blocks, single-entry loops are loops, and whatever is dynamic goes through the region's
dispatcher. Between regions `run` calls from a table. Whatever is rare - gas that does not reach to a block's end, a
page without access, a bad jump, a halt - leaves with the exact state and the code BAIL, and the interpreter carries it
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pvm import abi
from pvm.abi import EXIT_CODES
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.lower import condition, low, value
from pvm.emit.state import ENGINE, GUEST, add, get_byte, get_state, get_word, set_state
from pvm.flow import Block, Flow, Shape, Start, flow_of, shape_of
from pvm.isa.expr import DynamicJump, Effect, HostCall, Jump, Panic, Sbrk, SetReg, Store
from pvm.isa.spec import Spec
from pvm.machine import REGISTER_COUNT, Reason
from pvm.program.blob import Blob
from pvm.program.decode import Instruction
from pvm.version import __version__
from pvm.wasm import (
    I32,
    I64,
    ElementSegment,
    Export,
    ExternalKind,
    Function,
    FunctionType,
    Import,
    Memory,
    Module,
    Table,
    encode,
)
from pvm.wasm.code import (
    block,
    br,
    br_if,
    br_table,
    call,
    call_indirect,
    i32_const,
    i64_const,
    if_,
    load,
    local_get,
    local_set,
    local_tee,
    loop,
    op,
    store,
)

# A function's size: compile time grows faster than linearly with it.
REGION_BLOCKS = 192
REGION_INSTRUCTIONS = 4096
_NO_TARGET = 0xFFFFFFFF

_REGION_TYPE = FunctionType((I32,), (I32,))
_SBRK_TYPE = FunctionType((I64,), (I64,))
_RUN_TYPE = FunctionType((), (I32,))
_SBRK, _RUN = range(2)  # function indices; regions follow

_ENTRY, _CODE, _PC, _ADDRESS, _GAS, _UNUSED, _SCRATCH = 0, 1, 2, 3, 4, 5, 6
_FIRST_REGISTER = _SCRATCH + LOCALS
_LOCALS = (I32,) * 3 + (I64,) * (2 + LOCALS + REGISTER_COUNT)


@dataclass(frozen=True)
class Recompiled:
    """`module` is the binary module.

    `entries` maps pcs to entries, `resumes` the pcs of host calls to those after them; `jumps` has the entry of each
    jump table entry, 4 bytes.
    """

    module: bytes
    entries: dict[int, int]
    resumes: dict[int, int]
    jumps: bytes


def recompile(blob: Blob, spec: Spec, metering: str, region_blocks: int = REGION_BLOCKS) -> Recompiled:
    """Translate a program, in regions of at most `region_blocks` blocks.

    Where `spec` validates programs, the caller has to see that an invalid one never runs.
    """
    flow = flow_of(blob, spec)
    shapes = tuple(_shapes(flow, region_blocks))
    ids = {
        number: region << 16 | place
        for region, shape in enumerate(shapes)
        for place, number in enumerate(shape.entries)
    }
    program = _Program(flow, spec, metering == "block", ids)
    regions = tuple(_Region(program, shape, region).function() for region, shape in enumerate(shapes))
    module = Module(
        imports=(
            Import("pvm", abi.GUEST_MEMORY, Memory(abi.GUEST_PAGES, abi.GUEST_PAGES, name="guest")),
            Import("pvm", abi.ENGINE_MEMORY, Memory(1, abi.GUEST_PAGES, name="engine")),
            Import("pvm", abi.SBRK, _SBRK_TYPE),
        ),
        functions=(Function(_RUN_TYPE, (I32, I32), _run(), abi.RUN, ("code", "entry")), *regions),
        tables=(Table(len(regions), len(regions)),),
        elements=(ElementSegment(0, i32_const(0), tuple(range(_RUN + 1, _RUN + 1 + len(regions)))),),
        types=(_REGION_TYPE,),
        exports=(Export(abi.RUN, ExternalKind.FUNCTION, _RUN),),
        name="pvm program",
        producers=(("pvm-wasm", __version__),),
    )
    entries = {
        flow.blocks[number].pc: entry for number, entry in ids.items() if flow.blocks[number].start is Start.BASIC
    }
    resumes = {
        flow.blocks[number - 1].instructions[-1].pc: entry
        for number, entry in ids.items()
        if flow.blocks[number].start is Start.CALL
    }
    targets = (ids[flow.index[pc]] if pc in flow.starts else _NO_TARGET for pc in blob.jump_table)
    jumps = b"".join(target.to_bytes(4, "little") for target in targets)
    return Recompiled(encode(module), entries, resumes, jumps)


def _shapes(flow: Flow, region_blocks: int) -> Iterator[Shape]:
    bounds = _bounds(flow, region_blocks)
    region_of = [region for region, (first, end) in enumerate(pairwise(bounds)) for _ in range(first, end)]
    crossings: set[int] = set()
    for number, current in enumerate(flow.blocks):
        for target in (current.target, number + 1 if current.falls else None):
            if target is not None and region_of[target] != region_of[number]:
                crossings.add(target)
    frozen = frozenset(crossings)
    for first, end in pairwise(bounds):
        yield shape_of(flow, first, end, frozen)


def _bounds(flow: Flow, region_blocks: int) -> list[int]:
    """Where regions begin, and the end of the last."""
    bounds, instructions = [0], 0
    for number, current in enumerate(flow.blocks):
        instructions += len(current.instructions)
        if number > bounds[-1] and (number - bounds[-1] == region_blocks or instructions > REGION_INSTRUCTIONS):
            bounds.append(number)
            instructions = len(current.instructions)
    return [*bounds, len(flow.blocks)]


def _run() -> bytes:
    """Call regions, each naming the next, until one leaves."""
    code, entry = 0, 1
    return loop(
        get_state("entry") + local_tee(entry) + i32_const(0xFFFF) + op("i32.and")
        + local_get(entry) + i32_const(16) + op("i32.shr_u") + call_indirect(0)
        + local_tee(code) + i32_const(abi.CROSS) + op("i32.eq") + br_if(0)
    ) + set_state("exit", local_get(code)) + local_get(code)  # fmt: skip


@dataclass(frozen=True)
class _Program:
    """What all regions of a program share. `ids` are the entries: region << 16 | place in its dispatcher."""

    flow: Flow
    spec: Spec
    by_block: bool
    ids: dict[int, int]

    @property
    def last(self) -> int:
        """The block of the implicit trap after the code, where valid code never goes on."""
        return len(self.flow.blocks) - 1


class _Operands:
    """Operands known at translation time: `pvm.emit.lower.Binding` for the recompiler."""

    def __init__(self, instruction: Instruction, region: _Region, unused: int) -> None:
        self.instruction, self.region, self.unused = instruction, region, unused

    def number(self, field: str) -> int:
        found: int = getattr(self.instruction, field)
        return found

    def register(self, field: str) -> bytes:
        number = self.number(field)
        self.region.used.add(number)
        return local_get(_FIRST_REGISTER + number)

    def register_low(self, field: str) -> bytes:
        return self.register(field) + op("i32.wrap_i64")

    def immediate(self, field: str) -> bytes:
        return i64_const(self.number(field))

    def immediate_low(self, field: str) -> bytes:
        return i32_const(self.number(field) & 0xFFFFFFFF)

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        name = "i64.load" if width == 8 else f"i64.load{8 * width}_{'s' if signed else 'u'}"
        return self.checked(address, width, abi.READABLE) + local_get(_ADDRESS) + load(name, 0, GUEST, align=0)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Put the address into its local and leave for the interpreter unless the guest has access there."""
        rights = _page_rights(local_get(_ADDRESS))
        if width > 1:
            rights += _page_rights(add(local_get(_ADDRESS), width - 1)) + op("i32.and")
        refused = rights + i32_const(bit) + op("i32.and") + op("i32.eqz")
        return address + local_set(_ADDRESS) + refused + if_(self.region.bail(self.instruction.pc, self.unused, 1))

    def helper(self, name: str) -> bytes:
        return sequence(name, _SCRATCH)


def _page_rights(address: bytes) -> bytes:
    return get_byte(address + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u"), abi.PAGE_TABLE)


class _Region:
    """Makes one region's function. `labels` holds what is open around the code being made, from the outside in."""

    def __init__(self, program: _Program, shape: Shape, number: int) -> None:
        self.program, self.shape, self.number = program, shape, number
        self.blocks = program.flow.blocks
        self.labels: list[tuple[str, int]] = []
        self.used: set[int] = set()
        self.written: set[int] = set()
        self.out: list[bytes] = []

    def function(self) -> Function:
        body = self._body()
        registers = sorted(self.used | self.written)
        begin = b"".join(
            i32_const(0) + load("i64.load", abi.REGISTERS + 8 * number, ENGINE) + local_set(_FIRST_REGISTER + number)
            for number in registers
        )
        end = b"".join(
            i32_const(0) + local_get(_FIRST_REGISTER + number) + store("i64.store", abi.REGISTERS + 8 * number, ENGINE)
            for number in sorted(self.written)
        )
        bail = (
            local_get(_GAS) + local_get(_UNUSED) + op("i64.add") + local_set(_GAS)
            + set_state("pc", local_get(_PC))
            + i32_const(abi.BAIL) + local_set(_CODE)
        )  # fmt: skip
        code = (
            begin + get_state("gas") + local_set(_GAS)
            + block(block(body + op("unreachable")) + bail)
            + end + set_state("gas", local_get(_GAS)) + local_get(_CODE)
        )  # fmt: skip
        return Function(_REGION_TYPE, _LOCALS, code, f"region_{self.number}")

    # --- shape -----------------------------------------------------------------------------------------------------

    def _body(self) -> bytes:
        """Everything between the labels `exit` and `bail` and their ends."""
        shape = self.shape
        level_of, loops = self._levels()
        labels = self._forward_labels(level_of)
        self.labels = [("exit", 0), ("bail", 0)]
        self._open(("dispatch", 0), b"\x03\x40")
        for target in sorted(labels.get(-1, set()) | set(shape.entries), reverse=True):
            self._open(("block", target), b"\x02\x40")
        depths = [self._depth(("block", entry)) for entry in shape.entries]
        self.out.append(local_get(_ENTRY) + br_table(depths, depths[0]))
        lasts: dict[int, int] = {}
        for number in range(shape.first, shape.end):
            if self.labels[-1] == ("block", number):
                self._close()
            if number in loops:
                self._open(("loop", number), b"\x03\x40")
                lasts[loops[number]] = lasts.get(loops[number], 0) + 1
                for target in sorted(labels.get(number, ()), reverse=True):
                    self._open(("block", target), b"\x02\x40")
            self._block(number, self.blocks[number])
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
        self.out.append(b"\x0b")

    def _depth(self, label: tuple[str, int], extra: int = 0) -> int:
        return len(self.labels) - 1 - self.labels.index(label) + extra

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _block(self, number: int, current: Block) -> None:
        by_block = self.program.by_block
        # After a host call the rest of the block is charged anew, unless by block, where all of it is paid. Where
        # valid code has ended (0.8.0), nothing is charged.
        is_end = self.program.spec.validates and number == self.program.last
        charges = current.start is Start.BASIC or (current.start is Start.CALL and not by_block)
        cost = current.rest if charges and not is_end else 0
        if cost:
            charge = local_get(_GAS) + i64_const(cost) + op("i64.lt_u") + if_(self.bail(current.pc, 0, 1, charged=0))
            self.out.append(charge + local_get(_GAS) + i64_const(cost) + op("i64.sub") + local_set(_GAS))
        for place, instruction in enumerate(current.instructions):
            unused = 0 if by_block or is_end else current.rest - place
            self.out.append(self._instruction(number, current, instruction, unused))

    def _instruction(self, number: int, current: Block, instruction: Instruction, unused: int) -> bytes:
        bind = _Operands(instruction, self, unused)
        effects = instruction.row.effects
        first = b"".join(
            low(effect.address, bind) + local_set(_ADDRESS) for effect in effects if isinstance(effect, DynamicJump)
        )
        body = first + b"".join(self._effect(effect, bind) for effect in effects)
        # Jumps leave the rare ends to the interpreter, which carries the instruction out again: it is given back. One
        # that also sets a register may do so twice.
        rare = self.bail(instruction.pc, unused, 0)
        match effects[-1] if effects else None:
            case Jump(_, test):
                if self._panics(current, test is not None):
                    taken = self.bail(instruction.pc, unused, 1 if test is not None else 0)
                    if test is None or self.program.spec.validates:
                        return first + rare
                    return body + condition(test, bind) + if_(taken)
                assert current.target is not None
                if test is None:
                    return body + self._goto(number, current.target, 0)
                return body + condition(test, bind) + if_(self._goto(number, current.target, 1))
            case DynamicJump():
                return self._dynamic_jump(first, body[len(first) :], instruction.pc, unused)
            case HostCall(expr):
                return self._host_call(instruction, value(expr, bind), max(0, unused - 1))
            case Panic():
                return rare
            case _:
                return body

    def _panics(self, current: Block, conditional: bool) -> bool:
        """Whether the jump at the block's end panics when taken; in 0.8.0 a branch also checks the other way."""
        following = current.instructions[-1].next_pc
        both = self.program.spec.validates and conditional and following not in self.program.flow.starts
        return current.target is None or both

    def _effect(self, effect: Effect, bind: _Operands) -> bytes:
        match effect:
            case SetReg(field, expr):
                return value(expr, bind) + self._set_register(bind.number(field))
            case Sbrk(field, amount):
                return value(amount, bind) + call(_SBRK) + self._set_register(bind.number(field))
            case Store(width, address, expr):
                name = "i64.store" if width == 8 else f"i64.store{8 * width}"
                checked = bind.checked(low(address, bind), width, abi.WRITABLE)
                return checked + local_get(_ADDRESS) + value(expr, bind) + store(name, 0, GUEST, align=0)
            case _:
                return b""

    def _set_register(self, number: int) -> bytes:
        self.written.add(number)
        return local_set(_FIRST_REGISTER + number)

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
        return i32_const(place) + local_set(_ENTRY) + br(self._depth(("dispatch", 0), extra))

    def _cross(self, target: int, extra: int = 0) -> bytes:
        """Go on in another region."""
        return set_state("entry", i32_const(self.program.ids[target])) + self._leave(i32_const(abi.CROSS), extra)

    def _leave(self, code: bytes, extra: int) -> bytes:
        return code + local_set(_CODE) + br(self._depth(("exit", 0), extra))

    def bail(self, pc: int, unused: int, extra: int, charged: int = 1) -> bytes:
        """Leave to the interpreter at an instruction, giving back `unused` gas."""
        flag = set_state("charged", i32_const(charged)) if self.program.by_block else b""
        return (
            flag + i32_const(pc) + local_set(_PC) + i64_const(unused) + local_set(_UNUSED)
            + br(self._depth(("bail", 0), extra))
        )  # fmt: skip

    def _host_call(self, instruction: Instruction, call_number: bytes, unused: int) -> bytes:
        return (
            set_state("call", call_number) + set_state("pc", i32_const(instruction.pc))
            + set_state("charged", i32_const(1)) + set_state("called", i32_const(1))
            + local_get(_GAS) + i64_const(unused) + op("i64.add") + local_set(_GAS)
            + self._leave(i32_const(EXIT_CODES[Reason.HOST_CALL]), 0)
        )  # fmt: skip

    def _dynamic_jump(self, first: bytes, body: bytes, pc: int, unused: int) -> bytes:
        """Through the table of entries. A halt, a panic and a bad address are the interpreter's.

        A register is set after the table was looked up, because the interpreter may have to compute the address anew.
        """
        index = local_get(_ADDRESS) + i32_const(31) + op("i32.rotl") + i32_const(1) + op("i32.sub")
        index += local_tee(_ADDRESS)
        entry = get_word(add(get_state("entries"), local_get(_ADDRESS) + i32_const(2) + op("i32.shl")))
        found = entry + local_tee(_ADDRESS) + i32_const(_NO_TARGET) + op("i32.ne")
        here = local_get(_ADDRESS) + i32_const(16) + op("i32.shr_u") + i32_const(self.number) + op("i32.eq")
        go = body + here + if_(
            local_get(_ADDRESS) + i32_const(0xFFFF) + op("i32.and") + local_set(_ENTRY)
            + br(self._depth(("dispatch", 0), 3))
        ) + set_state("entry", local_get(_ADDRESS)) + self._leave(i32_const(abi.CROSS), 2)
        return (
            first + index + get_state("jump_count") + op("i32.lt_u") + if_(found + if_(go))
            + self.bail(pc, unused, 0)
        )  # fmt: skip
