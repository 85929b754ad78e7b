"""Inner machines of a refinement: listed, and one of them as a program to look into.

In: the machines, a number. Out: objects for the page. What is done to the one that is looked into stays there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pvm.errors import InputError
from pvm.jam.inner import InnerMachines
from pvm.machine import Start
from pvm.program.standard import PAGE_SIZE, Segment
from pvm_web.bridge.values import Big, Params

_MOST = 1 << 26  # octets of an inner machine's memory that the page gets


def machines_value(machines: InnerMachines, most: int) -> list[dict[str, Any]]:
    """The first so many of the machines."""
    found = []
    for number in machines.numbers[:most]:
        inner = machines[number]
        mapped = sum(count for _, count, access in inner.pages.ranges() if access is not None)
        found.append({
            "number": number, "pc": Big(inner.pc), "code": len(inner.program.code), "pages": mapped,
            "heap": inner.heap_end,
        })  # fmt: skip
    return found


def inner_value(machines: InnerMachines, params: Params, version: str) -> dict[str, Any]:
    """A machine's program and how it starts: with the gas and registers that are given, or with none."""
    number = params.number("machine", 64)
    if number not in machines:
        raise InputError(f"there is no inner machine {number}")
    inner = machines[number]
    registers = params.numbers("registers", 64, 13) if params.has("registers") else (0,) * 13
    start = Start(
        min(inner.pc, (1 << 32) - 1), params.number("gas", 64, 0), registers, tuple(_segments(machines, number)),
        inner.heap_end,
    )  # fmt: skip
    return {
        "number": number, "program": inner.program.encode(), "start": start, "is_paid": inner.is_paid, "spec": version,
    }  # fmt: skip


def _segments(machines: InnerMachines, number: int) -> Iterator[Segment]:
    """Ranges of pages with their rights, then what is in them. Raises InputError for more octets than the page gets."""
    inner, size = machines[number], 0
    for first, count, access in inner.pages.ranges():
        if access is not None:
            yield Segment("inner", first * PAGE_SIZE, count * PAGE_SIZE, access)
    if inner.machine is None:
        contents = iter([(page * PAGE_SIZE, data) for page, data in inner.pages.contents.items()])
    else:
        contents = inner.machine.memory.contents()
    for address, data in contents:
        for start in range(0, len(data), PAGE_SIZE):
            page = (address + start) // PAGE_SIZE
            [(_, _, access)] = inner.pages.ranges(page, 1)
            size += PAGE_SIZE
            if size > _MOST:
                raise InputError(f"inner machine {number} has more than {_MOST >> 20} MiB in its memory")
            if access is not None:
                yield Segment("inner", page * PAGE_SIZE, PAGE_SIZE, access, data[start : start + PAGE_SIZE])
