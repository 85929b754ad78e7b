"""The state in which a program starts: `pvm.machine.start_of`, A.7.

In: a `Writer`. Out: functions start_standard, start_machine, map_pages.
"""

from __future__ import annotations

from pvm import abi
from pvm.program.standard import (
    ADDRESS_SPACE,
    ARGUMENTS_START,
    HALT_ADDRESS,
    INPUT_SIZE,
    PAGE_SIZE,
    STACK_END,
    ZONE_SIZE,
)
from pvm.registers import REGISTER_COUNT
from pvm.standalone import options
from pvm.standalone.numbers import arguments_length
from pvm.standalone.writer import Writer, engine, guest, host, put_state
from pvm.wasm import Function
from pvm.wasm.values import Draft, Operand, Value, when

REGISTERS: dict[int, int] = {0: HALT_ADDRESS, 1: STACK_END, 7: ARGUMENTS_START}  # and r8 the arguments' length


def define_start(w: Writer, blame: bytes = b"") -> None:
    """Add the functions. `blame` prints what errors begin with."""
    w.define(_start_plain(w, blame), _start_standard(w, blame), _map_pages())


def round_up(size: Value, unit: int) -> Value:
    return (size + (unit - 1)) & -unit


def set_register(number: int, value: Operand) -> bytes:
    assert 0 <= number < REGISTER_COUNT
    return engine.set_long(0, value, abi.REGISTERS + number * abi.REGISTER_SIZE)


def register(number: int) -> Value:
    assert 0 <= number < REGISTER_COUNT
    return engine.long(0, abi.REGISTERS + number * abi.REGISTER_SIZE)


def _map_pages() -> Function:
    """(address, length, rights): give the guest rights to whole pages, which are not below 2^16."""
    draft = Draft("map_pages")
    address, length, rights = draft.param("address"), draft.param("length"), draft.param("rights")
    bits = abi.GUEST_PAGE_BITS
    return draft.function(engine.fill((address >> bits) + abi.PAGE_TABLE, rights, length >> bits))


def _start_plain(w: Writer, blame: bytes) -> Function:
    """(): nothing is mapped."""
    count = arguments_length(w)
    return Draft("start_plain").function(
        when(count, w.fail(blame, "arguments: a plain program takes none")),
        put_state("heap_limit", ADDRESS_SPACE),
        put_state("pc", options.pc(w)),
        put_state("gas", options.gas(w)),
    )


def _start_standard(w: Writer, blame: bytes) -> Function:
    """(read-only size, read-write size, heap pages, stack size): map the sections, whose data is there already."""
    draft = Draft("start_standard")
    read_only, read_write = draft.param("read_only"), draft.param("read_write")
    heap_pages, stack = draft.param("heap_pages"), draft.param("stack")
    begin, end = draft.local("begin"), draft.local("end")
    count = arguments_length(w)
    reads, writes = abi.READABLE, abi.READABLE | abi.WRITABLE
    too_long = w.fail(blame, "arguments: ", w.put_counted(count, "byte"), f", but at most {INPUT_SIZE} fit")
    return draft.function(
        when(count > INPUT_SIZE, too_long),
        w.call("map_pages", ZONE_SIZE, round_up(read_only, PAGE_SIZE), reads),
        begin.set(read_write_start(read_only)),
        end.set(begin + round_up(read_write, PAGE_SIZE) + heap_pages * PAGE_SIZE),
        w.call("map_pages", begin, end - begin, writes),
        stack.set(round_up(stack, PAGE_SIZE)),
        w.call("map_pages", STACK_END - stack, stack, writes),
        w.call("map_pages", ARGUMENTS_START, round_up(count, PAGE_SIZE), reads),
        guest.copy(ARGUMENTS_START, host, options.arguments(w), count),
        *(set_register(number, value) for number, value in REGISTERS.items()),
        set_register(8, count.wide()),
        put_state("heap_end", end.wide()),
        put_state("heap_limit", (STACK_END - ZONE_SIZE - stack).wide()),
        put_state("pc", options.pc(w)),
        put_state("gas", options.gas(w)),
    )


def read_write_start(read_only_size: Value) -> Value:
    """Where the read-write data is."""
    return round_up(read_only_size, ZONE_SIZE) + 2 * ZONE_SIZE


