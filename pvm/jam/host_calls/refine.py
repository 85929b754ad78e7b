"""The host calls of refine (B.6): a function a call, named after it, with its Ω in its docstring.

In: a `RefineContext`, registers, memory, gas. Out: `Answer` values. All but `invoke` have done nothing until their
effect: an inner machine has run when its `invoke` answers.
"""

from __future__ import annotations

from struct import Struct

from pvm.invocation import plain_program
from pvm.jam.context import RefineContext
from pvm.jam.host_calls.answer import (
    FULL,
    HUH,
    OK,
    OOB,
    OUT_OF_GAS,
    PANIC,
    SELF,
    WHO,
    Answer,
    is_writable,
    part_of,
)
from pvm.machine import Reason
from pvm.memory import Memory
from pvm.program.standard import ADDRESS_SPACE, PAGE_SIZE, ZONE_SIZE
from pvm.registers import REGISTER_COUNT

_STATE = Struct(f"<{1 + REGISTER_COUNT}Q")  # gas and registers of an inner machine
_RESULTS = {
    Reason.HALT: 0, Reason.PANIC: 1, Reason.PAGE_FAULT: 2, Reason.HOST_CALL: 3, Reason.OUT_OF_GAS: 4,
}  # fmt: skip
_RIGHTS = (None, "r", "rw", "r", "rw")  # of `pages` by its r10
_FIRST_PAGE, _PAGES = ZONE_SIZE // PAGE_SIZE, ADDRESS_SPACE // PAGE_SIZE
MOST_MACHINES = 63  # in 0.8.0


def historical_lookup(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_H: a preimage that a service had at the lookup anchor."""
    digest = memory.guest_read(w[8], 32)
    if digest is None:
        return PANIC
    service = context.service if w[7] == SELF else w[7]
    accounts = context.accounts
    value = accounts.historical_lookup(service, context.anchor, digest) if service in accounts else None
    return part_of(value, memory, w[9], w[10], w[11])


def export(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_E: add a segment, filled up with zeros; returns its index in the package."""
    size = context.constants.segment_size
    length = min(w[8], size)
    data = memory.guest_read(w[7], length)
    if data is None:
        return PANIC
    index = context.offset + len(context.exports)
    if index >= context.constants.package_exports:
        return FULL
    segment = data.ljust(size, b"\0")
    return Answer(index, effect=lambda: context.exports.append(segment))


def machine(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_M: a new inner machine; returns its number. In 0.8.0 there are 63 at most."""
    machines = context.machines
    if context.is_080 and len(machines) >= MOST_MACHINES:
        return FULL
    blob = memory.guest_read(w[7], w[8])
    if blob is None:
        return PANIC
    program = plain_program(blob)
    if program is None:
        return HUH
    pc = w[9]
    return Answer(machines.free_number(), effect=lambda: machines.add(program, pc))


def peek(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_P: copy from an inner machine's memory."""
    number, out, source, length = w[7:11]
    machines = context.machines
    if not is_writable(memory, out, length):
        return PANIC
    if number not in machines:
        return WHO
    if not machines.is_readable(number, source, length):
        return OOB
    return OK._replace(address=out, data=machines.read(number, source, length)) if length else OK


def poke(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_O: copy into an inner machine's memory."""
    number, source, target, length = w[7:11]
    machines = context.machines
    data = memory.guest_read(source, length)
    if data is None:
        return PANIC
    if number not in machines:
        return WHO
    if not machines.is_writable(number, target, length):
        return OOB
    if not length:
        return OK
    return OK._replace(effect=lambda: machines.write(number, target, data))


def pages(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_Z: the rights of an inner machine's pages: none (0), "r" (1) or "rw" (2), zeroed; "r" (3) or "rw" (4), kept."""
    number, first, count, rights = w[7:11]
    machines = context.machines
    if number not in machines:
        return WHO
    if rights > 4 or first < _FIRST_PAGE or first + count >= _PAGES:
        return HUH
    if rights > 2 and not machines[number].pages.has(first, count, "r", "rw"):
        return HUH
    return OK._replace(effect=lambda: machines.set_pages(number, first, count, _RIGHTS[rights], rights > 2))


def invoke(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_K: run an inner machine, with gas and registers out of the memory and back into it.

    In 0.7.2 the inner gas has nothing to do with the outer. In 0.8.0 it is taken, and what is left of it given back.
    """
    number, at = w[7], w[8]
    if not is_writable(memory, at, _STATE.size):
        return PANIC
    gas, *registers = _STATE.unpack(memory.read(at, _STATE.size))
    is_080 = context.is_080
    if is_080 and gas > left:
        return OUT_OF_GAS
    if number not in context.machines:
        return WHO._replace(gas=gas if is_080 else 0)
    ran = context.machines.run(number, gas, registers)
    detail = ran.detail if ran.reason in (Reason.PAGE_FAULT, Reason.HOST_CALL) else None
    data = _STATE.pack(ran.gas, *ran.registers)
    return Answer(_RESULTS[ran.reason], detail, at, data, None, gas - ran.gas if is_080 else 0)


def expunge(context: RefineContext, w: list[int], memory: Memory, left: int) -> Answer:
    """Ω_X: forget an inner machine; returns its pc."""
    number, machines = w[7], context.machines
    if number not in machines:
        return WHO
    return Answer(machines[number].pc, effect=lambda: machines.remove(number))
