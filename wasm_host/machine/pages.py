"""What the system knows of a memory's pages: which it has given memory, and how to give that back.

In: addresses of this process. Out: page numbers. Where the system cannot tell, every page counts as used, and nothing
is given back.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys
from collections.abc import Iterator
from functools import cache

from pvm.program import PAGE_SIZE

_PAGEMAP = "/proc/self/pagemap"  # 8 octets a page; of the last, bit 7 is "present", bit 6 "swapped"
_USED = re.compile(rb"[\x40-\xff]+")
_AT_A_TIME = 1 << 16  # pages
_DONTNEED = 4  # MADV_DONTNEED: private pages are zero afterwards


def resident(base: int, first: int, end: int) -> Iterator[int]:
    """Those of the pages [first, end) of a memory at `base` that were ever written, and perhaps others."""
    if sys.platform != "linux" or mmap.PAGESIZE != PAGE_SIZE:
        yield from range(first, end)
        return
    try:
        file = os.open(_PAGEMAP, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield from range(first, end)
        return
    try:
        for start in range(first, end, _AT_A_TIME):
            stop = min(end, start + _AT_A_TIME)
            entries = os.pread(file, 8 * (stop - start), 8 * (base // PAGE_SIZE + start))
            if len(entries) < 8 * (stop - start):
                yield from range(start, stop)
                continue
            for run in _USED.finditer(entries[7::8]):
                yield from range(start + run.start(), start + run.end())
    finally:
        os.close(file)


def give_back(address: int, length: int) -> bool:
    """Make whole pages zero by giving their memory back; False where the system cannot."""
    if sys.platform != "linux" or mmap.PAGESIZE != PAGE_SIZE:
        return False
    return not _madvise()(address, length, _DONTNEED)


@cache
def _madvise() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
