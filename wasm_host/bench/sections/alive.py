"""What machines cost while they are alive: a process of its own measures itself. Linux only.

In, on standard input: JSON with "program" (hex), "tier", "few" and "many" (numbers of machines). Out, on standard
output: JSON with what `measure` found.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pvm.program import Program
from wasm_host.engine import Engine

# Figures of a machine: bytes, bytes, a count; and nanoseconds that making and dropping it take.
RESIDENT, ADDRESSES, MAPS, TIME, DROPPING = "resident", "space", "maps", "time", "dropping"

_SELF = Path("/proc/self")
_SHARE = 2  # many machines take at most one in so many of the bytes that are free


@dataclass(frozen=True)
class Usage:
    """What the process uses: bytes that are resident, bytes of address space, memory maps."""

    resident: int
    addresses: int
    maps: int

    def since(self, before: Usage, count: int) -> dict[str, float]:
        """What each of `count` machines made since costs."""
        return {
            RESIDENT: (self.resident - before.resident) / count,
            ADDRESSES: (self.addresses - before.addresses) / count,
            MAPS: (self.maps - before.maps) / count,
        }


def is_measurable() -> bool:
    """Whether this system tells."""
    return (_SELF / "statm").is_file() and (_SELF / "maps").is_file()


def usage() -> Usage:
    """What this process uses now."""
    pages = (_SELF / "statm").read_bytes().split()
    maps = (_SELF / "maps").read_bytes().count(b"\n")
    size = os.sysconf("SC_PAGESIZE")
    return Usage(int(pages[1]) * size, int(pages[0]) * size, maps)


def measure(program: Program, tier: str, few: int, many: int) -> dict[str, object]:
    """Make machines of a program, `few`, then `many`, and drop them.

    What each costs of those ("few", "many"), what is left of each of the many when they are dropped for the first and
    for the second time ("left", "again"), and how many those were ("count"): fewer than asked for where memory is
    short. Raises ResourceError when the system has no room for them.
    """
    engine = Engine(tier=tier, cache=False)
    # Translated, and everything that the first machines need is there.
    engine.instantiate(program)
    first = _alive(engine, program, few)
    many = max(few, min(many, int(_free() / _SHARE / max(1.0, first[0][RESIDENT]))))
    then, left = _alive(engine, program, many)
    # What the allocator keeps for the next machines is left once; what leaks, every time.
    _, again = _alive(engine, program, many)
    return {"few": first[0], "many": then, "left": left, "again": again, "count": many}


def _alive(engine: Engine, program: Program, count: int) -> tuple[dict[str, float], dict[str, float]]:
    """What each of `count` machines costs while all are alive, and what is left of that once they are dropped."""
    gc.collect()
    before, at = usage(), time.perf_counter_ns()
    machines = [engine.instantiate(program) for _ in range(count)]
    made = time.perf_counter_ns() - at
    alive, at = usage(), time.perf_counter_ns()
    machines.clear()
    gc.collect()
    dropped = time.perf_counter_ns() - at
    cost = {**alive.since(before, count), TIME: made / count, DROPPING: dropped / count}
    return cost, usage().since(before, count)


def _free() -> int:
    """Bytes that the system can still give."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 1 << 30


if __name__ == "__main__":
    _asked = json.load(sys.stdin)
    _program = Program.parse(bytes.fromhex(_asked["program"]))
    print(json.dumps(measure(_program, _asked["tier"], _asked["few"], _asked["many"])))
