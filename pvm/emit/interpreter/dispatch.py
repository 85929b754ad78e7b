"""The interpreter's hot loop: one `br_table` over the handlers of the decoded records.

In: the rows. Out: the function `dispatch`: () -> exit code, with record, gas and the address of a fault in the state.
It holds nothing but what runs often. Whatever is rare leaves it, with the record where that happened, and is dealt
with in `execute`: what only rare code needs, the compiler would keep in the loop, where the machine code then shows
spills at every dispatch. For the same reason the state goes in and out by memory, and the loop calls nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvm import abi
from pvm.abi import EXIT_CODES, RECORD
from pvm.emit.guest import guest_load, guest_store, is_refused, jump_table_place
from pvm.emit.helpers import LOCALS, sequence
from pvm.emit.interpreter.decoder import block_start_record
from pvm.emit.lower import condition, low, value
from pvm.emit.state import ENGINE, add, get_byte, get_state, get_word, set_state
from pvm.isa.expr import DynamicJump, Effect, HostCall, Jump, Panic, Sbrk, SetReg, Store
from pvm.isa.table import BY_NAME, ROWS, Row
from pvm.machine import Reason
from pvm.program.standard import HALT_ADDRESS
from pvm.wasm import I32, I64, Function, FunctionType
from pvm.wasm.code import (
    block,
    br,
    br_if,
    br_table,
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

STOP = len(ROWS)  # leaves the loop: the record was patched, or is the end of valid code
LINK = STOP + 1  # goes on at another record without a charge
FIRST_PAIR = LINK + 1

SBRK_EXIT = max(EXIT_CODES.values()) + 1  # the exit code by which an sbrk leaves the loop; no host sees it

HANDLER_OF: dict[str, int] = {row.name: handler for handler, row in enumerate(ROWS)}
TRAP = HANDLER_OF["trap"]

_RECORD, _ADDRESS, _TARGET, _HANDLER, _GAS, _COST, _SCRATCH = range(7)
_LOCALS = (I32,) * 4 + (I64,) * (2 + LOCALS)
_LOCAL_NAMES = ("record", "address", "target", "handler", "gas", "cost")

# Labels, from the innermost: how many levels each lies outside the blocks of the handlers. Each of those after ENTER
# leaves with an exit code.
_NEXT, _ENTER, _SLOW, _STOP, _FAULT, _PANIC, _HALT, _CALL, _SBRK, _BREAK = range(10)
_EXITS: tuple[int, ...] = (  # by label, from _SLOW on
    EXIT_CODES[Reason.OUT_OF_GAS], abi.STOPPED, EXIT_CODES[Reason.PAGE_FAULT], EXIT_CODES[Reason.PANIC],
    EXIT_CODES[Reason.HALT], EXIT_CODES[Reason.HOST_CALL], SBRK_EXIT, abi.BREAKPOINT,
)  # fmt: skip


def dispatch_function(pairs: Sequence[tuple[str, str]], counts: bool = False) -> Function:
    """The function `dispatch`; with `counts` it counts how often each block is entered (`count`).

    Raises ValueError when there are so many handlers that one would have the number of `abi.BREAK`.
    """
    if FIRST_PAIR + len(pairs) > abi.BREAK:
        raise ValueError(f"{FIRST_PAIR + len(pairs)} handlers: their numbers lie below {abi.BREAK}")
    charge = (
        local_get(_RECORD) + load("i64.load32_u", RECORD.charge, ENGINE) + local_set(_COST)
        + local_get(_GAS) + local_get(_COST) + op("i64.lt_u") + br_if(1)
        + local_get(_GAS) + local_get(_COST) + op("i64.sub") + local_set(_GAS)
    )  # fmt: skip
    body = loop(charge + (count(local_get(_RECORD), 1) if counts else b"") + _next(pairs))
    for depth, code in enumerate(_EXITS):
        address = local_get(_ADDRESS) if code == EXIT_CODES[Reason.PAGE_FAULT] else i32_const(0)
        results = set_state("address", address) + i32_const(code) + local_set(_TARGET)
        body = block(body + op("unreachable")) + results + br(len(_EXITS) - 1 - depth)
    begin = get_state("record") + local_set(_RECORD) + get_state("gas") + local_set(_GAS)
    end = set_state("record", local_get(_RECORD)) + set_state("gas", local_get(_GAS)) + local_get(_TARGET)
    return Function(FunctionType((), (I32,)), _LOCALS, begin + block(body) + end, "dispatch", _LOCAL_NAMES)


def count(record: bytes, by: int) -> bytes:
    """Add to the count of the record's pc: entries less exits, so that the sum over a block up to an instruction is
    how often that was carried out. What lies beyond the code, and LEAD_IN, counts at the code's end."""
    pc = get_word(record, RECORD.pc)
    within = pc + get_state("code_length") + pc + get_state("code_length") + op("i32.lt_u") + op("select")
    place = add(get_state("counts"), within + i32_const(3) + op("i32.shl"))
    return place + place + load("i64.load", 0, ENGINE) + i64_const(by) + op("i64.add") + store("i64.store", 0, ENGINE)


def _next(pairs: Sequence[tuple[str, str]]) -> bytes:
    """The inner loop: run the current record's handler."""
    count = FIRST_PAIR + len(pairs)
    nest = local_get(_HANDLER) + br_table(range(count), count + _BREAK)
    for handler in range(count):
        labels = count - 1 - handler  # blocks still open around this handler's code
        nest = block(nest) + _handler_code(handler, labels, pairs)
    return _read_handler() + loop(nest)


def _read_handler() -> bytes:
    """Set the local `handler` to the current record's.

    Each handler ends with this, so that the head of the loop is short: 29 octets of x86-64. Read in the head, they were
    40, and where those lay across a boundary of 64 octets, as any change of other code can put them, runs took up to
    1.32 times as long (life 5.8 or 7.7 ms). So they take 0.97 of the better one (sieve 0.87) at either place.
    """
    return get_byte(local_get(_RECORD)) + local_set(_HANDLER)


def _handler_code(handler: int, labels: int, pairs: Sequence[tuple[str, str]]) -> bytes:
    again = _read_handler() + br(labels + _NEXT)
    if handler < STOP:
        return _row_code(ROWS[handler], labels, again)
    if handler == STOP:
        return br(labels + _STOP)
    if handler == LINK:
        return get_word(local_get(_RECORD), RECORD.y) + local_set(_RECORD) + again
    first, second = pairs[handler - FIRST_PAIR]
    return _row_code(BY_NAME[first], labels, b"") + _row_code(BY_NAME[second], labels, again)


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
        return self.checked(address, width, abi.READABLE) + guest_load(width, signed)

    def checked(self, address: bytes, width: int, bit: int) -> bytes:
        """Push the address, having left for the fault label unless the guest has access there."""
        refused = is_refused(_ADDRESS, width, bit)
        return address + local_set(_ADDRESS) + refused + br_if(self.labels + _FAULT) + local_get(_ADDRESS)

    def helper(self, name: str) -> bytes:
        return sequence(name, _SCRATCH)


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
        case HostCall():
            return br(labels + _CALL)
        case Sbrk():
            return br(labels + _SBRK)
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
        case Store(width, address, expr):
            return bind.checked(low(address, bind), width, abi.WRITABLE) + value(expr, bind) + guest_store(width)
        case _:
            return b""


def _advance() -> bytes:
    return add(local_get(_RECORD), RECORD.size) + local_set(_RECORD)


def _jump(labels: int) -> bytes:
    """Enter the block that the record's y names; a panic when it names none."""
    return (
        get_word(local_get(_RECORD), RECORD.y) + local_tee(_TARGET) + op("i32.eqz") + br_if(labels + _PANIC)
        + local_get(_TARGET) + local_set(_RECORD) + br(labels + _ENTER)
    )  # fmt: skip


def _dynamic_jump(labels: int) -> bytes:
    """The paper's djump to the local `address`. Entries of no octets are looked at last: programs hardly have any."""
    entry = get_word(add(get_state("jump_table"), local_get(_TARGET) + i32_const(2) + op("i32.shl")))
    is_halt = local_get(_ADDRESS) + i32_const(HALT_ADDRESS) + op("i32.eq")
    return (
        jump_table_place(_ADDRESS) + local_tee(_TARGET) + get_state("jump_count") + op("i32.lt_u")
        + if_(
            entry + local_tee(_TARGET) + op("i32.eqz") + br_if(labels + 1 + _PANIC)
            + local_get(_TARGET) + local_set(_RECORD) + br(labels + 1 + _ENTER)
        )
        + is_halt + br_if(labels + _HALT)
        + local_get(_TARGET) + get_state("zero_entries") + op("i32.ge_u") + br_if(labels + _PANIC)
        + block_start_record(i32_const(0), _TARGET)
        + local_get(_TARGET) + op("i32.eqz") + br_if(labels + _PANIC)
        + local_get(_TARGET) + local_set(_RECORD) + br(labels + _ENTER)
    )  # fmt: skip
