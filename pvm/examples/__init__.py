"""Programs of our own, in the assembly of `pvm.program.assembler`: to show, to test with and to measure.

In: a name. Out: an `Example` with its source and what it computes. Every example is a standard program (A.7): its
arguments are at r7, r8 octets long, and it halts with its result there. All of them run under every version.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from pvm.errors import InputError
from pvm.jam.host_calls.table import LOG_CALL as LOG_CALL  # the host call by which `hello` logs
from pvm.suggestions import unknown

__all__ = ["EXAMPLES", "LOG_CALL", "Example", "Pixels", "example", "life_args"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Pixels:
    """A picture in the guest's memory that can be shown while the program runs.

    Its first pixel is at `address`, and rows are `stride` octets apart. `format` says what a pixel is: one octet, 0 or
    1 ("bool8"); one octet of brightness ("grey8"); red, green, blue and alpha ("rgba32").
    """

    address: int
    width: int
    height: int
    stride: int
    format: Literal["bool8", "grey8", "rgba32"]


@dataclass(frozen=True)
class Example:
    """One program.

    `args` are arguments worth running with, `gas` is enough for them under every version and metering, and
    `expected` computes the result for any arguments in plain Python. `pixels` is where it draws, with `args`.
    """

    name: str
    title: str
    args: bytes
    gas: int
    expected: Callable[[bytes], bytes]
    pixels: Pixels | None = None

    @property
    def source(self) -> str:
        """The program's assembly, for `pvm.program.assemble`."""
        return resources.files(__package__).joinpath(f"{self.name}.pvmasm").read_text(encoding="utf-8")


def example(name: str) -> Example:
    """The example called `name`. Raises InputError for an unknown name."""
    for known in EXAMPLES:
        if known.name == name:
            return known
    raise InputError(unknown("example", name, [known.name for known in EXAMPLES]))


def life_args(width: int, height: int, generations: int, alive: set[tuple[int, int]]) -> bytes:
    """Arguments of `life`: a grid on which the cells at (column, row) in `alive` live."""
    cells = bytes((column, row) in alive for row in range(height) for column in range(width))
    return struct.pack("<HHI", width, height, generations) + cells


def _hello(args: bytes) -> bytes:
    return b"Hello, " + args[:4000] + b"!"


def _fibonacci(args: bytes) -> bytes:
    low, high = 0, 1
    for _ in range(args[0] if args else 20):
        low, high = high, low + high
    return (low % (1 << 64)).to_bytes(8, "little")


def _sieve(args: bytes) -> bytes:
    limit = min(1 << 24, int.from_bytes(args[:4], "little")) if len(args) >= 4 else 100_000
    prime = bytearray([1]) * limit
    prime[:2] = bytes(min(2, limit))
    for number in range(2, int(limit**0.5) + 1):
        if prime[number]:
            prime[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return prime.count(1).to_bytes(4, "little")


def _blake2b(args: bytes) -> bytes:
    return hashlib.blake2b(args, digest_size=32).digest()


def _sort(args: bytes) -> bytes:
    count = min(len(args) // 4, 1 << 20)
    return struct.pack(f"<{count}I", *sorted(struct.unpack_from(f"<{count}I", args)))


def _matrix(args: bytes) -> bytes:
    size = min(args[0], 128) if args else 24
    state, elements = 1, []
    for _ in range(2 * size * size):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        elements.append(state)
    left = [elements[row * size : (row + 1) * size] for row in range(size)]
    right = elements[size * size :]
    columns = [right[column::size] for column in range(size)]
    products = (sum(a * b for a, b in zip(row, column, strict=True)) for row in left for column in columns)
    return b"".join((product % (1 << 64)).to_bytes(8, "little") for product in products)


def _life(args: bytes) -> bytes:
    if len(args) < 8:
        return b""
    width, height, generations = struct.unpack_from("<HHI", args)
    if not (1 <= width <= 256 and 1 <= height <= 256):
        return b""
    cells = args[8 : 8 + width * height]
    alive = {divmod(index, width) for index, cell in enumerate(cells) if cell & 1}
    around = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    for _ in range(generations):
        neighbours = Counter(
            ((row + down) % height, (column + right) % width) for row, column in alive for down, right in around
        )
        alive = {cell for cell, count in neighbours.items() if count == 3 or (count == 2 and cell in alive)}
    return bytes((row, column) in alive for row in range(height) for column in range(width))


_FRACTION = 28  # bits after the point


def _mandelbrot(args: bytes) -> bytes:
    if len(args) < 8:
        return b""
    width, height, iterations = struct.unpack_from("<HHI", args)
    if not (1 <= width <= 512 and 1 <= height <= 512 and iterations):
        return b""
    real, imaginary, step = -3 << _FRACTION - 2, 0, (3 << _FRACTION) // width
    if len(args) >= 32:
        real, imaginary, step = struct.unpack_from("<3q", args, 8)
    columns = [_coordinate(real + (column - width // 2) * step) for column in range(width)]
    rows = [_coordinate(imaginary + (row - height // 2) * step) for row in range(height)]
    return bytes(_brightness(column, row, iterations) for row in rows for column in columns)


def _coordinate(value: int) -> int:
    """Wrapped around to -4 … 4."""
    half = 4 << _FRACTION
    return (value + half) % (2 * half) - half


def _brightness(real: int, imaginary: int, iterations: int) -> int:
    x = y = 0
    for taken in range(iterations):
        x_squared, y_squared = x * x, y * y
        if x_squared + y_squared > 4 << 2 * _FRACTION:
            return min(8 * taken, 255)
        y = (x * y >> _FRACTION - 1) + imaginary
        x = (x_squared - y_squared >> _FRACTION) + real
    return 0


# Drawn in the middle of the torus; it takes 1103 generations to settle on an endless plane.
_R_PENTOMINO = {(32, 23), (33, 23), (31, 24), (32, 24), (32, 25)}

# A permutation-like mix of u32 values: multiples of a large odd number.
_NUMBERS = struct.pack("<1000I", *(index * 2654435761 % (1 << 32) for index in range(1, 1001)))

EXAMPLES: tuple[Example, ...] = (
    Example("hello", "Greet and log", b"world", 100_000, _hello),
    Example("fibonacci", "Fibonacci numbers by recursion", b"\x14", 100_000_000, _fibonacci),
    Example("sieve", "Count primes", (100_000).to_bytes(4, "little"), 100_000_000, _sieve),
    Example("blake2b", "BLAKE2b-256", b"The quick brown fox jumps over the lazy dog", 10_000_000, _blake2b),
    Example("sort", "Heapsort", _NUMBERS, 100_000_000, _sort),
    Example("matrix", "Multiply matrices", b"\x18", 100_000_000, _matrix),
    # Of its two grids the one with generations 0, 2, 4 … 100, without its border.
    Example(
        "life", "Game of Life", life_args(64, 48, 100, _R_PENTOMINO), 1_000_000_000, _life,
        Pixels(0x21000 + 66 + 1, 64, 48, 66, "bool8"),
    ),
    Example(
        "mandelbrot", "The Mandelbrot set", struct.pack("<HHI", 128, 96, 100), 1_000_000_000, _mandelbrot,
        Pixels(0x21000, 128, 96, 128, "grey8"),
    ),
)
