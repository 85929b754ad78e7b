"""The interpreter outside its hot loop: entering, leaving, running out of gas, faults, single steps.

In: the state. Out: the function `execute`: (how far) -> exit code, and those that it needs. Follows A.4.
"""

from __future__ import annotations

from pvm import abi
from pvm.abi import EXIT_CODES, LEAD_IN, PATCHED, RECORD
from pvm.emit.interpreter import decoder
from pvm.emit.interpreter.dispatch import LINK, SBRK_EXIT, STOP, count
from pvm.emit.state import ENGINE, add, get_byte, get_state, get_word, has, increment, set_byte, set_state, set_word
from pvm.machine import Reason
from pvm.program.standard import PAGE_SIZE, ZONE_SIZE
from pvm.wasm import I32, I64, Function, FunctionType
from pvm.wasm.code import (
    block,
    br,
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

NAMES: tuple[str, ...] = ("sbrk", "patch", "unpatch", "execute", abi.RUN, abi.STEP, abi.FINISH)

# How far `execute` runs: to an exit, one instruction, or to the end of the block.
_TO_EXIT, _ONE, _TO_BLOCK_END = range(3)

_STEPPING, _RECORD, _ADDRESS, _TARGET, _REASON, _PATCHED, _TRAITS, _GAS, _HELD, _COST = range(10)
_LOCALS = (I32, I32, I32, I32, I32, I32, I64, I64, I64)
_LOCAL_NAMES = (
    "stepping", "record", "address", "target", "reason", "patched", "traits", "gas", "held", "cost",
)  # fmt: skip
# Labels around the code for each exit code of `dispatch`, from the innermost.
_SLOW, _STOP, _FAULT, _CALL, _GROW, _EXIT, _RESUME = range(7)


def functions(index: dict[str, int], counts: bool = False) -> tuple[Function, ...]:
    """The functions named by `NAMES`; `index` has the indices of all functions of the module.

    With `counts`, parts of blocks are counted as such in `run`. Single steps are not counted.
    """
    execute = index["execute"]
    return (
        Function(FunctionType((I64,), (I64,)), (I64, I64, I32, I32), _sbrk(), "sbrk",
                 ("amount", "old", "new", "first", "end")),
        Function(FunctionType((I32,), ()), (), _patch(), "patch", ("record",)),
        Function(FunctionType((I32,), ()), (), _unpatch(), "unpatch", ("record",)),
        Function(FunctionType((I32,), (I32,)), _LOCALS, _execute(index, counts), "execute", _LOCAL_NAMES),
        *(
            Function(FunctionType((), (I32,)), (), i32_const(how_far) + call(execute), name)
            for name, how_far in ((abi.RUN, _TO_EXIT), (abi.STEP, _ONE), (abi.FINISH, _TO_BLOCK_END))
        ),
    )  # fmt: skip


def _execute(index: dict[str, int], counts: bool) -> bytes:
    run = (
        set_state("record", local_get(_RECORD)) + set_state("gas", local_get(_GAS))
        + call(index["dispatch"]) + local_set(_REASON)
        + get_state("record") + local_set(_RECORD) + get_state("gas") + local_set(_GAS)
        + get_state("address") + local_set(_ADDRESS) + local_get(_REASON)
    )  # fmt: skip
    to = {
        EXIT_CODES[Reason.OUT_OF_GAS]: _SLOW, abi.STOPPED: _STOP, EXIT_CODES[Reason.PAGE_FAULT]: _FAULT,
        EXIT_CODES[Reason.HOST_CALL]: _CALL, SBRK_EXIT: _GROW,
    }  # fmt: skip
    table = [to.get(code, _EXIT) for code in range(max(to) + 1)]
    body = block(run + br_table(table, _EXIT)) + _slow(index, counts)
    body = block(body) + _stopped()
    body = block(body) + _faulted()
    body = block(body) + _called() + br(_EXIT - _GROW)
    body = block(body) + _grow(index) + br(_RESUME - _EXIT)
    return _begin(index) + loop(block(body)) + _end(index, counts)


def _begin(index: dict[str, int]) -> bytes:
    """Find the record, go past an answered host call, and set up a step."""
    go_past = increment(_RECORD, RECORD.size) + local_set(_RECORD) + set_state("called", i32_const(0))
    called = get_state("called") + if_(go_past)
    is_free = get_state("metering") + get_state("charged") + op("i32.and")
    link = _enter_without_charge()
    charge = local_get(_RECORD) + load("i64.load32_u", RECORD.charge, ENGINE)
    is_step = local_get(_STEPPING) + i32_const(_ONE) + op("i32.eq")
    # A step charges here, once, and then runs without gas: a block's end finds none and stops, and so does the
    # patched record after any other instruction. To the block's end it is the same, but for the patch.
    need = get_state("metering") + if_(
        get_state("charged") + if_(i64_const(0), charge, result=I64),
        is_step + if_(i64_const(1), charge, result=I64),
        result=I64,
    )
    pay = (
        local_get(_GAS) + local_get(_COST) + op("i64.sub") + local_set(_HELD)
        + i64_const(0) + local_set(_GAS)
    )  # fmt: skip
    patch = is_step + if_(
        _ends_block() + op("i32.eqz")
        + if_(add(local_get(_RECORD), RECORD.size) + local_tee(_PATCHED) + call(index["patch"]))
    )
    # Too little gas for a step or, by block, for anything: out of gas. By instruction it runs out before the block's
    # end, as in any run.
    too_little = get_state("metering") + is_step + op("i32.or") + if_(
        _return_at_once(EXIT_CODES[Reason.OUT_OF_GAS]), i32_const(_TO_EXIT) + local_set(_STEPPING)
    )
    step = (
        need + local_set(_COST)
        + local_get(_GAS) + local_get(_COST) + op("i64.lt_u") + if_(too_little, pay + patch + link)
    )  # fmt: skip
    return (
        get_state("gas") + local_set(_GAS)
        + call(index["locate"]) + local_set(_RECORD)
        + called
        + local_get(_STEPPING) + if_(step, is_free + if_(link))
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
        has(get_byte(decoder.opcode_of(local_get(_RECORD)), abi.OPERANDS), abi.ENDS),
        result=I32,
    )


def _slow(index: dict[str, int], counts: bool) -> bytes:
    """A block was to be entered with too little gas."""
    leave = br(_EXIT - _STOP + 1)  # this code stands in the block of `_STOP`, and each leaves in an `if`
    end_step = (
        local_get(_HELD) + local_set(_GAS) + set_state("charged", i32_const(0))
        + i32_const(abi.STOPPED) + local_set(_REASON)
    )  # fmt: skip
    run_out = set_state("charged", i32_const(0)) + i32_const(EXIT_CODES[Reason.OUT_OF_GAS]) + local_set(_REASON)
    patch = (
        add(local_get(_RECORD), local_get(_GAS) + op("i32.wrap_i64") + i32_const(RECORD.size) + op("i32.mul"))
        + local_tee(_PATCHED) + call(index["patch"])
        + (count(local_get(_RECORD), 1) + count(local_get(_PATCHED), -1) if counts else b"")
        + i64_const(0) + local_set(_GAS)
        + _enter_without_charge()
    )  # fmt: skip
    is_out = get_state("metering") + local_get(_GAS) + op("i64.eqz") + op("i32.or")
    return (
        local_get(_STEPPING) + if_(end_step + leave)
        + is_out + if_(run_out + leave)
        + patch + br(_RESUME - _STOP)
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
    page = local_get(_TARGET) + i32_const(abi.GUEST_PAGE_BITS) + op("i32.shr_u")
    rights = get_byte(page, abi.PAGE_TABLE)
    writes = has(local_get(_TRAITS), abi.STORES)
    needed = writes + if_(i32_const(abi.WRITABLE), i32_const(abi.READABLE), result=I32)
    is_low = local_get(_TARGET) + i32_const(ZONE_SIZE) + op("i32.lt_u")
    width = has(local_get(_TRAITS), abi.WIDTH_MASK)
    refused = get_state("read_only_panics") + writes + i32_const(0) + op("i32.ne") + op("i32.and")
    refused += has(rights, abi.READABLE) + op("i32.and")
    leave = br(_EXIT - _CALL + 1)  # this code stands in the block of `_CALL`, and each leaves in an `if`
    panic = i32_const(EXIT_CODES[Reason.PANIC]) + local_set(_REASON)
    return (
        get_byte(decoder.opcode_of(local_get(_RECORD)), abi.TRAITS) + local_set(_TRAITS)
        + local_get(_ADDRESS) + local_set(_TARGET)
        + is_low + if_(panic + leave)
        + rights + needed + op("i32.and")
        + if_(
            add(local_get(_ADDRESS), width) + i32_const(1) + op("i32.sub") + local_set(_TARGET)
            + is_low + if_(panic + br(_EXIT - _CALL + 2))
        )
        + refused + if_(panic + leave)
        + set_state("address", local_get(_TARGET) + i32_const(-PAGE_SIZE) + op("i32.and"))
        + br(_EXIT - _CALL)
    )  # fmt: skip


def _called() -> bytes:
    """A host call: its number is the instruction's immediate."""
    return set_state("call", local_get(_RECORD) + load("i64.load32_s", RECORD.x, ENGINE))


def _grow(index: dict[str, int]) -> bytes:
    """An sbrk: carry it out, and go on at the next record without a charge, unless the host has to know."""

    def register(field: int) -> bytes:
        return get_byte(local_get(_RECORD), field)

    grown = register(RECORD.a) + load("i64.load", abi.REGISTERS, ENGINE) + call(index["sbrk"])
    is_step = local_get(_STEPPING) + i32_const(_ONE) + op("i32.eq")
    leave = get_state("protects") + get_state("grew") + op("i32.and") + is_step + op("i32.gt_u")
    return (
        register(RECORD.d) + grown + store("i64.store", abi.REGISTERS, ENGINE)
        + leave + if_(i32_const(abi.GREW) + local_set(_REASON) + br(_EXIT - _GROW))
        + increment(_RECORD, RECORD.size) + local_set(_RECORD)
        + _enter_without_charge()
    )  # fmt: skip


def _enter_without_charge() -> bytes:
    """Make `dispatch` begin with the local `record` and take nothing for it: lead there by a record that is free."""
    return (
        set_byte(i32_const(LEAD_IN), RECORD.handler, i32_const(LINK))
        + set_word(i32_const(LEAD_IN), RECORD.y, local_get(_RECORD))
        + i32_const(LEAD_IN) + local_set(_RECORD)
    )  # fmt: skip


def _end(index: dict[str, int], counts: bool) -> bytes:
    """Store the state. Exits inside a block give back the gas that was charged for what did not run."""
    is_break = local_get(_REASON) + i32_const(abi.BREAKPOINT) + op("i32.eq")
    has_run = local_get(_REASON) + i32_const(abi.BREAKPOINT) + op("i32.ne")  # the instruction of the exit
    charge = get_word(local_get(_RECORD), RECORD.charge)
    to_patch = local_get(_PATCHED) + local_get(_RECORD) + op("i32.sub") + i32_const(RECORD.size) + op("i32.div_u")
    unused = local_get(_PATCHED) + if_(to_patch, charge, result=I32) + has_run + op("i32.sub")
    is_step = local_get(_STEPPING) + i32_const(_ONE) + op("i32.eq")
    give_back = local_get(_STEPPING) + if_(local_get(_HELD) + local_set(_GAS))
    give_back += get_state("metering") + is_step + op("i32.or") + op("i32.eqz") + if_(
        local_get(_GAS) + unused + op("i64.extend_i32_u") + op("i64.add") + local_set(_GAS)
        + (_uncount(unused, has_run) if counts else b"")
    )
    # By block, a breakpoint at a block's start leaves it to be paid.
    is_start = has(get_word(decoder.index_of(get_word(local_get(_RECORD), RECORD.pc))), 1)
    pay_later = is_break + if_(is_start + get_state("metering") + op("i32.and") + if_(
        local_get(_GAS) + charge + op("i64.extend_i32_u") + op("i64.add") + local_set(_GAS)
        + set_state("charged", i32_const(0))
        + (count(local_get(_RECORD), -1) if counts else b"")
    ))
    is_inside = local_get(_REASON) + i32_const(abi.STOPPED) + op("i32.ne")
    is_inside += local_get(_REASON) + i32_const(EXIT_CODES[Reason.OUT_OF_GAS]) + op("i32.ne") + op("i32.and")
    is_call = local_get(_REASON) + i32_const(EXIT_CODES[Reason.HOST_CALL]) + op("i32.eq")
    is_call += local_get(_REASON) + i32_const(abi.GREW) + op("i32.eq") + op("i32.or")
    return (
        is_inside + if_(give_back + set_state("charged", i32_const(1)) + set_state("called", is_call) + pay_later)
        + local_get(_PATCHED) + if_(local_get(_PATCHED) + call(index["unpatch"]))
        + set_state("gas", local_get(_GAS))
        + set_state("pc", get_word(local_get(_RECORD), RECORD.pc))
        + set_state("exit", local_get(_REASON))
        + local_get(_REASON)
    )  # fmt: skip


def _uncount(unused: bytes, has_run: bytes) -> bytes:
    """By instruction, what of a block did not run is not counted: from where it was left to its end or the patch."""
    next_ = local_get(_RECORD) + i32_const(RECORD.size) + has_run + op("i32.mul") + op("i32.add")
    return unused + if_(
        count(next_, -1) + local_get(_PATCHED) + if_(count(local_get(_PATCHED), 1))
    )


def _patch() -> bytes:
    """(record): make it stop the run, and the record before it run alone, unless that is a breakpoint."""
    before = add(local_get(0), -RECORD.size)
    alone = get_byte(decoder.opcode_of(before), abi.HANDLERS)
    is_break = get_byte(before) + i32_const(abi.BREAK) + op("i32.eq")
    return (
        set_word(i32_const(PATCHED), 0, get_byte(local_get(0)))
        + set_word(i32_const(PATCHED), 4, get_byte(before))
        + set_byte(local_get(0), RECORD.handler, i32_const(STOP))
        + set_byte(before, RECORD.handler, i32_const(abi.BREAK) + alone + is_break + op("select"))
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
    grows = local_get(first) + local_get(end) + op("i32.lt_u") + if_(set_state("grew", i32_const(1)))
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
        + grows + map_low + map_high
        + set_state("heap_end", local_get(new))
        + local_get(old)
    )  # fmt: skip


