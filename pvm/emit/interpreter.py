"""The interpreter: one WebAssembly module generated from the instruction table, the same for every program.

In: the rows. Out: the module's bytes. Follows A.4; the contract with hosts is `pvm.abi`.

How it runs. `prepare` decodes the program to records of 20 bytes. `execute` is a loop around one `br_table` over the
records' handlers, each generated from a row. Gas is charged when a block is entered, in both meterings: by block it
costs what the block costs, by instruction it costs the instructions that are left in the block, and an exit before
the block's end gives back what was not used. When the gas does not reach to the block's end, the record where it ends
is patched to stop; the same serves single steps.

Measured: handlers as functions that tail-call each other through a table took 1.8 to 3.1 times as long on the examples
(2.2 to 3.5 ns an instruction in the loop against 6.0 to 6.9), with typed function references too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pvm import abi
from pvm.abi import ENTRY, EXIT_CODES, PATCHED, RECORD
from pvm.emit import prepare
from pvm.emit.helpers import HELPER_NAMES, HELPERS
from pvm.emit.lower import condition, low, value
from pvm.emit.pairs import PAIRS
from pvm.emit.state import ENGINE, GUEST, add, get_byte, get_state, get_word, has, set_byte, set_state, set_word
from pvm.isa.expr import DynamicJump, Effect, Expr, HostCall, Jump, Panic, Sbrk, SetReg, Store
from pvm.isa.table import BY_NAME, ROWS, Row
from pvm.machine import Reason
from pvm.program.standard import HALT_ADDRESS, PAGE_SIZE, ZONE_SIZE
from pvm.version import __version__
from pvm.wasm import (
    I32,
    I64,
    DataSegment,
    Export,
    ExternalKind,
    Function,
    FunctionType,
    Memory,
    Module,
    encode,
)
from pvm.wasm.code import (
    block,
    br,
    br_if,
    br_table,
    call,
    i32_const,
    i64_const,
    if_,
    load,
    local_get,
    local_set,
    local_tee,
    loop,
    memory_fill,
    op,
    store,
)

# --- handlers ------------------------------------------------------------------------------------------------------

STOP = len(ROWS)  # ends the run: the record was patched
LINK = STOP + 1  # goes on at another record without a charge
FIRST_PAIR = LINK + 1

HANDLER_OF: dict[str, int] = {row.name: handler for handler, row in enumerate(ROWS)}
TRAP = HANDLER_OF["trap"]

# --- functions -----------------------------------------------------------------------------------------------------

_FUNCTIONS = {
    name: i
    for i, name in enumerate((*HELPER_NAMES, *prepare.NAMES, "sbrk", "patch", "unpatch", "execute", "run", "step"))
}

# --- locals of `execute` -------------------------------------------------------------------------------------------

_STEPPING, _RECORD, _ADDRESS, _TARGET, _REASON, _PATCHED, _GAS, _HELD, _COST = range(9)
_LOCALS = (I32, I32, I32, I32, I32, I64, I64, I64)
_LOCAL_NAMES = ("stepping", "record", "address", "target", "reason", "patched", "gas", "held", "cost")

# --- labels of `execute`, from the innermost: how many levels each lies outside the dispatch's loop ------------------

_NEXT, _ENTER, _SLOW, _RESUME, _STOP, _FAULT, _PANIC, _EXIT = range(8)


class _Operands:
    """Operands as fields of the current record: `pvm.emit.lower.Binding` for the interpreter."""

    def __init__(self, row: Row, labels: int) -> None:
        self.row, self.labels = row, labels

    def place(self, field: str) -> bytes:
        """Push the register's address in the state."""
        return get_byte(local_get(_RECORD), getattr(RECORD, field))

    def register(self, field: str) -> bytes:
        return self.place(field) + load("i64.load", abi.REGISTERS, ENGINE)

    def register_low(self, field: str) -> bytes:
        return self.place(field) + load("i32.load", abi.REGISTERS, ENGINE)

    def immediate(self, field: str) -> bytes:
        if any(f.wide for f in self.row.format.immediates):
            return local_get(_RECORD) + load("i64.load", RECORD.wide, ENGINE, align=0)
        return local_get(_RECORD) + load("i64.load32_s", getattr(RECORD, field), ENGINE)

    def immediate_low(self, field: str) -> bytes:
        return get_word(local_get(_RECORD), getattr(RECORD, field))

    def load(self, width: int, signed: bool, address: bytes) -> bytes:
        return (
            address + local_set(_ADDRESS) + self.check(width, abi.READABLE)
            + local_get(_ADDRESS) + load(_load_name(width, signed), 0, GUEST, align=0)
        )  # fmt: skip

    def check(self, width: int, bit: int) -> bytes:
        """Leave for the fault label unless the pages of the access at the local `address` have the bit.

        Looking up both ends without asking whether they share a page measured faster than asking.
        """
        rights = _page_rights(local_get(_ADDRESS))
        if width > 1:
            rights += _page_rights(add(local_get(_ADDRESS), width - 1)) + op("i32.and")
        return rights + i32_const(bit) + op("i32.and") + op("i32.eqz") + br_if(self.labels + _FAULT)

    def helper(self, name: str) -> bytes:
        return call(_FUNCTIONS[name])


def _page_rights(address: bytes) -> bytes:
    return get_byte(address + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u"), abi.PAGE_TABLE)


def _load_name(width: int, signed: bool) -> str:
    return "i64.load" if width == 8 else f"i64.load{8 * width}_{'s' if signed else 'u'}"


def _store_name(width: int) -> str:
    return "i64.store" if width == 8 else f"i64.store{8 * width}"


# --- a row's handler -----------------------------------------------------------------------------------------------


def _row_code(row: Row, labels: int, after: bytes) -> bytes:
    """The row's handler. `labels` is the depth of the dispatch's loop; `after` follows when the next record does."""
    bind = _Operands(row, labels)
    # An address to jump to is computed before registers change: load_imm_jump_ind may set the one it reads.
    first = b"".join(
        low(effect.address, bind) + local_set(_ADDRESS) for effect in row.effects if isinstance(effect, DynamicJump)
    )
    body = b"".join(_effect(effect, bind) for effect in row.effects)
    control = row.effects[-1] if row.effects else None
    match control:
        case Jump(_, None):
            return first + body + _jump(labels)
        case Jump(_, test) if test is not None:
            return first + body + condition(test, bind) + if_(_jump(labels + 1)) + _advance() + br(labels + _ENTER)
        case DynamicJump():
            return first + body + _dynamic_jump(labels)
        case HostCall(number):
            return set_state("call", value(number, bind)) + _leave(Reason.HOST_CALL, labels)
        case Panic():
            return br(labels + _PANIC)
        case _ if row.ends_block:
            return body + _advance() + br(labels + _ENTER)
        case _:
            return body + _advance() + after


def _effect(effect: Effect, bind: _Operands) -> bytes:
    match effect:
        case SetReg(field, expr):
            return bind.place(field) + value(expr, bind) + store("i64.store", abi.REGISTERS, ENGINE)
        case Sbrk(field, amount):
            grown = value(amount, bind) + call(_FUNCTIONS["sbrk"])
            return bind.place(field) + grown + store("i64.store", abi.REGISTERS, ENGINE)
        case Store(width, address, expr):
            return (
                low(address, bind) + local_set(_ADDRESS) + bind.check(width, abi.WRITABLE)
                + local_get(_ADDRESS) + _stored(expr, bind, width)
            )  # fmt: skip
        case _:
            return b""


def _stored(expr: Expr, bind: _Operands, width: int) -> bytes:
    return value(expr, bind) + store(_store_name(width), 0, GUEST, align=0)


def _advance() -> bytes:
    return add(local_get(_RECORD), RECORD.size) + local_set(_RECORD)


def _leave(reason: Reason, labels: int) -> bytes:
    return i32_const(EXIT_CODES[reason]) + local_set(_REASON) + br(labels + _EXIT)


def _jump(labels: int) -> bytes:
    """Enter the block that the record's y names; a panic when it names none."""
    return (
        get_word(local_get(_RECORD), RECORD.y) + local_tee(_TARGET) + op("i32.eqz") + br_if(labels + _PANIC)
        + local_get(_TARGET) + local_set(_RECORD) + br(labels + _ENTER)
    )  # fmt: skip


def _dynamic_jump(labels: int) -> bytes:
    """The paper's djump to the local `address`: rotated by one bit, misaligned addresses are beyond any table."""
    index = local_get(_ADDRESS) + i32_const(31) + op("i32.rotl") + i32_const(1) + op("i32.sub")
    entry = get_word(add(get_state("jump_table"), local_get(_TARGET) + i32_const(2) + op("i32.shl")))
    is_halt = local_get(_ADDRESS) + i32_const(HALT_ADDRESS) + op("i32.eq")
    return (
        index + local_tee(_TARGET) + get_state("jump_count") + op("i32.lt_u")
        + if_(
            entry + local_tee(_TARGET) + op("i32.eqz") + br_if(labels + 1 + _PANIC)
            + local_get(_TARGET) + local_set(_RECORD) + br(labels + 1 + _ENTER)
        )
        + is_halt + if_(_leave(Reason.HALT, labels + 1))
        + br(labels + _PANIC)
    )  # fmt: skip


# --- execute -------------------------------------------------------------------------------------------------------


def _dispatch(pairs: Sequence[tuple[str, str]]) -> bytes:
    """The loop `next`: run the current record's handler. Handlers leave by the labels around it."""
    count = FIRST_PAIR + len(pairs)
    nest = get_byte(local_get(_RECORD)) + br_table(range(count), STOP)
    for handler in range(count):
        labels = count - 1 - handler  # blocks still open around this handler's code
        nest = block(nest) + _handler_code(handler, labels, pairs)
    return loop(nest)


def _handler_code(handler: int, labels: int, pairs: Sequence[tuple[str, str]]) -> bytes:
    again = br(labels + _NEXT)
    if handler < STOP:
        return _row_code(ROWS[handler], labels, again)
    if handler == STOP:
        return br(labels + _STOP)
    if handler == LINK:
        return get_word(local_get(_RECORD), RECORD.y) + local_set(_RECORD) + again
    first, second = pairs[handler - FIRST_PAIR]
    return _row_code(BY_NAME[first], labels, b"") + _row_code(BY_NAME[second], labels, again)


def _execute(pairs: Sequence[tuple[str, str]]) -> bytes:
    """(stepping) -> exit code."""
    charge = local_get(_RECORD) + load("i64.load32_u", RECORD.charge, ENGINE) + local_set(_COST)
    charge += local_get(_GAS) + local_get(_COST) + op("i64.lt_u") + br_if(1)
    charge += local_get(_GAS) + local_get(_COST) + op("i64.sub") + local_set(_GAS)
    enter = loop(charge + _dispatch(pairs))
    resume = loop(block(enter + op("unreachable")) + _slow())
    stop = block(resume + op("unreachable")) + _stopped()
    fault = block(stop) + _faulted()
    panic = block(fault) + i32_const(EXIT_CODES[Reason.PANIC]) + local_set(_REASON)
    return _begin() + block(panic) + _end()


def _begin() -> bytes:
    """Find the record, go past an answered host call, and set up a step."""
    called = get_state("called") + if_(_advance() + set_state("called", i32_const(0)))
    is_free = get_state("metering") + get_state("charged") + op("i32.and")
    link = (
        set_byte(i32_const(ENTRY), RECORD.handler, i32_const(LINK))
        + set_word(i32_const(ENTRY), RECORD.y, local_get(_RECORD))
        + i32_const(ENTRY) + local_set(_RECORD)
    )  # fmt: skip
    # A step charges here, once, and then runs without gas: a block's end finds none and stops, and so does the
    # patched record after any other instruction.
    need = get_state("metering") + if_(
        get_state("charged")
        + if_(i64_const(0), local_get(_RECORD) + load("i64.load32_u", RECORD.charge, ENGINE), result=I64),
        i64_const(1),
        result=I64,
    )
    step = (
        need + local_set(_COST)
        + local_get(_GAS) + local_get(_COST) + op("i64.lt_u")
        + if_(_return_at_once(EXIT_CODES[Reason.OUT_OF_GAS]))
        + local_get(_GAS) + local_get(_COST) + op("i64.sub") + local_set(_HELD)
        + i64_const(0) + local_set(_GAS)
        + _ends_block() + op("i32.eqz")
        + if_(add(local_get(_RECORD), RECORD.size) + local_tee(_PATCHED) + call(_FUNCTIONS["patch"]))
    )  # fmt: skip
    return (
        get_state("gas") + local_set(_GAS)
        + call(_FUNCTIONS["locate"]) + local_set(_RECORD)
        + called
        + local_get(_STEPPING) + if_(step + link, is_free + if_(link))
    )  # fmt: skip


def _return_at_once(code: int) -> bytes:
    """Return before anything ran: of the state, only pc may have moved past a host call."""
    return (
        set_state("pc", get_word(local_get(_RECORD), RECORD.pc)) + set_state("charged", i32_const(0))
        + i32_const(code) + op("return")
    )  # fmt: skip


def _ends_block() -> bytes:
    """Push whether the record's instruction ends a block; beyond the code there is only the trap."""
    pc = get_word(local_get(_RECORD), RECORD.pc)
    return pc + get_state("code_length") + op("i32.ge_u") + if_(
        i32_const(1),
        has(get_byte(prepare.opcode_of(local_get(_RECORD)), abi.OPERANDS), abi.ENDS),
        result=I32,
    )


def _slow() -> bytes:
    """A block was to be entered with too little gas."""
    leave = br(_EXIT - _RESUME + 1)  # this code stands in the loop `resume`, each leaving in an `if`
    end_step = (
        local_get(_HELD) + local_set(_GAS) + set_state("charged", i32_const(0))
        + i32_const(abi.STOPPED) + local_set(_REASON)
    )  # fmt: skip
    run_out = set_state("charged", i32_const(0)) + i32_const(EXIT_CODES[Reason.OUT_OF_GAS]) + local_set(_REASON)
    # A link has its block's charge, but the block's records are elsewhere.
    follow = get_byte(local_get(_RECORD)) + i32_const(LINK) + op("i32.eq") + if_(
        get_word(local_get(_RECORD), RECORD.y) + local_set(_RECORD)
    )
    patch = (
        follow
        + add(local_get(_RECORD), local_get(_GAS) + op("i32.wrap_i64") + i32_const(RECORD.size) + op("i32.mul"))
        + local_tee(_PATCHED) + call(_FUNCTIONS["patch"])
        + i64_const(0) + local_set(_GAS)
        + set_word(i32_const(ENTRY), RECORD.y, local_get(_RECORD))
        + set_byte(i32_const(ENTRY), RECORD.handler, i32_const(LINK))
        + i32_const(ENTRY) + local_set(_RECORD)
    )  # fmt: skip
    is_out = get_state("metering") + local_get(_GAS) + op("i64.eqz") + op("i32.or")
    return (
        local_get(_STEPPING) + if_(end_step + leave)
        + is_out + if_(run_out + leave)
        + patch + br(0)
    )  # fmt: skip


def _stopped() -> bytes:
    """A stopping record was reached: a step is done, the gas is gone, or the code has ended where that is invalid."""
    step_done = (
        local_get(_HELD) + local_set(_GAS) + set_state("charged", i32_const(1))
        + i32_const(abi.STOPPED) + local_set(_REASON)
    )  # fmt: skip
    out_of_gas = i32_const(EXIT_CODES[Reason.OUT_OF_GAS]) + local_set(_REASON)
    end_of_code = i32_const(abi.STOPPED) + local_set(_REASON)
    stopped = set_state("charged", i32_const(0)) + local_get(_PATCHED) + if_(out_of_gas, end_of_code)
    return local_get(_STEPPING) + if_(step_done, stopped) + br(_EXIT - _FAULT)


def _faulted() -> bytes:
    """The access at the local `address` was refused: find out by which page, and whether that is a panic."""
    target, traits = _TARGET, _REASON
    page = local_get(target) + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u")
    rights = get_byte(page, abi.PAGE_TABLE)
    writes = has(local_get(traits), abi.STORES)
    needed = writes + if_(i32_const(abi.WRITABLE), i32_const(abi.READABLE), result=I32)
    is_low = local_get(target) + i32_const(ZONE_SIZE) + op("i32.lt_u")
    width = has(local_get(traits), abi.WIDTH_MASK)
    panics = get_state("read_only_panics") + writes + i32_const(0) + op("i32.ne") + op("i32.and")
    panics += has(rights, abi.READABLE) + op("i32.and")
    return (
        get_byte(prepare.opcode_of(local_get(_RECORD)), abi.TRAITS) + local_set(traits)
        + local_get(_ADDRESS) + local_set(target)
        + is_low + br_if(_PANIC - _FAULT - 1)
        + rights + needed + op("i32.and")
        + if_(
            add(local_get(_ADDRESS), width) + i32_const(1) + op("i32.sub") + local_set(target)
            + is_low + br_if(_PANIC - _FAULT)
        )
        + panics + br_if(_PANIC - _FAULT - 1)
        + set_state("address", local_get(target) + i32_const(-PAGE_SIZE) + op("i32.and"))
        + i32_const(EXIT_CODES[Reason.PAGE_FAULT]) + local_set(_REASON)
        + br(_EXIT - _FAULT - 1)
    )  # fmt: skip


def _end() -> bytes:
    """Store the state. Exits inside a block give back the gas that was charged for what did not run."""
    unused = get_word(local_get(_RECORD), RECORD.charge) + i32_const(1) + op("i32.sub") + op("i64.extend_i32_u")
    to_patch = local_get(_PATCHED) + local_get(_RECORD) + op("i32.sub") + i32_const(RECORD.size) + op("i32.div_u")
    to_patch += i32_const(1) + op("i32.sub") + op("i64.extend_i32_u")
    give_back = local_get(_STEPPING) + if_(
        local_get(_HELD) + local_set(_GAS),
        get_state("metering") + op("i32.eqz") + if_(
            local_get(_GAS)
            + local_get(_PATCHED) + if_(to_patch, unused, result=I64)
            + op("i64.add") + local_set(_GAS)
        ),
    )  # fmt: skip
    is_inside = local_get(_REASON) + i32_const(abi.STOPPED) + op("i32.ne")
    is_inside += local_get(_REASON) + i32_const(EXIT_CODES[Reason.OUT_OF_GAS]) + op("i32.ne") + op("i32.and")
    is_call = local_get(_REASON) + i32_const(EXIT_CODES[Reason.HOST_CALL]) + op("i32.eq")
    return (
        is_inside + if_(give_back + set_state("charged", i32_const(1)) + set_state("called", is_call))
        + local_get(_PATCHED) + if_(local_get(_PATCHED) + call(_FUNCTIONS["unpatch"]))
        + set_state("gas", local_get(_GAS))
        + set_state("pc", get_word(local_get(_RECORD), RECORD.pc))
        + local_get(_REASON)
    )  # fmt: skip


# --- the other functions -------------------------------------------------------------------------------------------


def _patch() -> bytes:
    """(record): make it stop the run, and the record before it run alone."""
    before = add(local_get(0), -RECORD.size)
    return (
        set_word(i32_const(PATCHED), 0, get_byte(local_get(0)))
        + set_word(i32_const(PATCHED), 4, get_byte(before))
        + set_byte(local_get(0), RECORD.handler, i32_const(STOP))
        + set_byte(before, RECORD.handler, get_byte(prepare.opcode_of(before), abi.HANDLERS))
    )  # fmt: skip


def _unpatch() -> bytes:
    """(record): undo `patch`."""
    return (
        set_byte(local_get(0), RECORD.handler, get_word(i32_const(PATCHED)))
        + set_byte(add(local_get(0), -RECORD.size), RECORD.handler, get_word(i32_const(PATCHED), 4))
    )  # fmt: skip


def _sbrk() -> bytes:
    """(amount) -> the heap's old end, or 0 when it cannot grow that far. Maps whole pages."""
    amount, old, new, first, end = range(5)
    page_bits = i64_const(abi.GUEST_PAGE_BITS)

    def ceil_page(address: int) -> bytes:
        rounded = local_get(address) + i64_const(PAGE_SIZE - 1) + op("i64.add") + page_bits + op("i64.shr_u")
        return rounded + op("i32.wrap_i64")

    def fill(start: int, stop: bytes, rights: int) -> bytes:
        """Give pages from the local `start` up to `stop` the rights."""
        return add(local_get(start), abi.PAGE_TABLE) + i32_const(rights) + (
            stop + local_get(start) + op("i32.sub") + memory_fill(ENGINE)
        )

    rights = abi.READABLE | abi.WRITABLE
    low_end = local_get(end) + i32_const(abi.LOW_PAGES)
    low_end += local_get(end) + i32_const(abi.LOW_PAGES) + op("i32.lt_u") + op("select")
    map_low = local_get(first) + i32_const(abi.LOW_PAGES) + op("i32.lt_u") + local_get(first) + local_get(end)
    map_low += op("i32.lt_u") + op("i32.and") + if_(
        fill(first, low_end, rights << abi.LOW_SHIFT) + low_end + local_set(first)
    )
    map_high = local_get(first) + local_get(end) + op("i32.lt_u") + if_(fill(first, local_get(end), rights))
    return (
        get_state("heap_end") + local_tee(old)
        + local_get(amount) + op("i64.add") + local_set(new)
        + local_get(amount) + get_state("heap_limit") + local_get(old) + op("i64.sub") + op("i64.gt_u")
        + if_(i64_const(0) + op("return"))
        + ceil_page(old) + local_set(first)
        + ceil_page(new) + local_set(end)
        + map_low + map_high
        + set_state("heap_end", local_get(new))
        + local_get(old)
    )  # fmt: skip


def interpreter_module(pairs: Sequence[tuple[str, str]] = PAIRS) -> Module:
    """The interpreter as a module value; `pairs` are the rows that one handler carries out together."""
    execute = _FUNCTIONS["execute"]
    functions = (
        *HELPERS,
        *prepare.functions(len(HELPERS), TRAP, LINK, STOP),
        Function(FunctionType((I64,), (I64,)), (I64, I64, I32, I32), _sbrk(), "sbrk",
                 ("amount", "old", "new", "first", "end")),
        Function(FunctionType((I32,), ()), (), _patch(), "patch", ("record",)),
        Function(FunctionType((I32,), ()), (), _unpatch(), "unpatch", ("record",)),
        Function(FunctionType((I32,), (I32,)), _LOCALS, _execute(pairs), "execute", _LOCAL_NAMES),
        Function(FunctionType((), (I32,)), (), i32_const(0) + call(execute), "run"),
        Function(FunctionType((), (I32,)), (), i32_const(1) + call(execute), "step"),
    )  # fmt: skip
    pair_bytes = tuple(
        DataSegment(ENGINE, i32_const(abi.PAIRS + HANDLER_OF[a] * 256 + HANDLER_OF[b]), bytes([FIRST_PAIR + i]))
        for i, (a, b) in enumerate(pairs)
    )
    return Module(
        functions=functions,
        memories=(
            Memory(abi.GUEST_PAGES, abi.GUEST_PAGES, name="guest"),
            Memory(abi.PROGRAM // abi.WASM_PAGE, abi.GUEST_PAGES, name="engine"),
        ),
        exports=(
            Export(abi.GUEST_MEMORY, ExternalKind.MEMORY, GUEST),
            Export(abi.ENGINE_MEMORY, ExternalKind.MEMORY, ENGINE),
            *(Export(name, ExternalKind.FUNCTION, _FUNCTIONS[name]) for name in (abi.PREPARE, abi.RUN, abi.STEP)),
        ),
        data=pair_bytes,
        name="pvm interpreter",
        producers=(("pvm-wasm", __version__),),
    )


@cache
def interpreter_bytes() -> bytes:
    """The interpreter as a binary module."""
    return encode(interpreter_module())
