"""What the engines have to compute: our examples, with arguments for fast, slower and slow engines.

In: nothing. Out: `Workload` values.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pvm.examples import EXAMPLES, Example
from pvm.isa import Spec
from pvm.program import Program, assemble

GAS = 1 << 40  # more than any of them needs
_HASH_MULTIPLIER = 2654435761


@dataclass(frozen=True)
class Workload:
    """A program with arguments for three sizes: tens of millions of instructions, about two million, tens of thousands.

    `full` is for generated and native code, `short` for other interpreters, `tiny` for the reference engine.
    """

    name: str
    program: Program
    full: bytes
    short: bytes
    tiny: bytes


def workloads(spec: Spec, names: tuple[str, ...] = (), quick: bool = False) -> list[Workload]:
    """The examples that compute enough to be timed. `names` selects some, `quick` makes all sizes tiny."""
    chosen = [example for example in EXAMPLES if example.name in _SIZES and (not names or example.name in names)]
    return [_workload(example, spec, quick) for example in chosen]


def workload_names() -> tuple[str, ...]:
    """The names that `workloads` knows."""
    return tuple(_SIZES)


def _workload(example: Example, spec: Spec, quick: bool) -> Workload:
    full, short, tiny = _SIZES[example.name]
    if quick:
        full = short = tiny
    return Workload(example.name, assemble(example.source, spec), full, short, tiny)


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _octets(length: int) -> bytes:
    return bytes(index * 31 % 251 for index in range(length))


def _numbers(count: int) -> bytes:
    return struct.pack(f"<{count}I", *(index * _HASH_MULTIPLIER % (1 << 32) for index in range(1, count + 1)))


def _life(width: int, height: int, generations: int) -> bytes:
    """A grid on which about a third of the cells live, in no pattern."""
    cells = bytes(index * _HASH_MULTIPLIER % (1 << 32) % 3 == 0 for index in range(width * height))
    return struct.pack("<HHI", width, height, generations) + cells


# Arguments by example: full, short, tiny.
_SIZES: dict[str, tuple[bytes, bytes, bytes]] = {
    "fibonacci": (b"\x20", b"\x19", b"\x0f"),
    "sieve": (_u32(4_000_000), _u32(400_000), _u32(6_000)),
    "blake2b": (_octets(1_000_000), _octets(65_536), _octets(1_000)),
    "sort": (_numbers(1 << 17), _numbers(1 << 13), _numbers(200)),
    "matrix": (b"\x80", b"\x40", b"\x0c"),
    "life": (_life(64, 48, 500), _life(64, 48, 30), _life(16, 12, 5)),
    "mandelbrot": (
        struct.pack("<HHI", 512, 384, 60), struct.pack("<HHI", 128, 96, 40), struct.pack("<HHI", 16, 12, 16)
    ),
}
