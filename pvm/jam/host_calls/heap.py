"""0.8.0's `grow_heap` for whoever embeds a machine without JAM around it, in place of 0.7.2's `sbrk`.

In: a standard program. Out: handlers for `Engine.instantiate(host=...)`. One set of them serves one machine, as it
remembers how far the heap has grown.
"""

from __future__ import annotations

from dataclasses import dataclass

from pvm.errors import InputError
from pvm.jam.host_calls.general import grow_heap
from pvm.jam.host_calls.handlers import handlers
from pvm.machine import Handler
from pvm.program import PAGE_SIZE, Program

_VERSION = "0.8.0"


@dataclass
class Heap:
    """How far a heap reaches and may reach, in pages; the first page behind it each time."""

    heap_page: int
    heap_limit: int

    def set(self, heap_page: int) -> None:
        """It has grown."""
        self.heap_page = heap_page


def heap_handlers(program: Program) -> dict[int, Handler]:
    """The handler of `grow_heap` by its number, 1.

    A call takes 275 gas, and 121 for each page that it adds. It gets in r7 the page behind the last one that is wanted,
    and answers in r7 with the page behind the heap, which stays where it is when it is large enough, or when that would
    come within a zone of the stack, whose size counts in whole zones. Where the gas does not suffice the run ends, out
    of gas, with none left (B.5, with what upstream's #533 and #538 say). Raises InputError for a program without
    sections.
    """
    if program.sections is None:
        raise InputError("grow_heap: a plain program has no heap")
    heap = Heap(program.sections.heap_end // PAGE_SIZE, program.sections.grow_limit // PAGE_SIZE)
    return handlers(_VERSION, {"grow_heap": grow_heap}, heap)
