"""Options that change a machine before it runs: --reg, --map, --load.

In: their values. Out: a `Start` to apply. Raises InputError that names the option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from pvm.errors import InputError
from pvm.machine import Machine
from pvm.program import PAGE_SIZE, Program
from pvm.program.standard import ADDRESS_SPACE, ARGUMENTS_START
from pvm.registers import REGISTER_COUNT
from pvm.trace import MemoryChunk
from pvm.trace.answer_file import result_value
from wasm_host.cli.engines import Decorator
from wasm_host.cli.failures import blamed_on
from wasm_host.cli.inputs import number_type, read_args

_ADDRESS = number_type(32)
_LENGTH = number_type(33)
_ACCESSES = ("rw", "r")

reg_option: Decorator = click.option(
    "--reg", "registers", multiple=True, metavar="rN=VALUE", help="Set a register before the start. May be repeated."
)
map_option: Decorator = click.option(
    "--map", "maps", multiple=True, metavar="ADDR:LEN:rw|r",
    help="Give the program the pages of so many bytes from ADDR. May be repeated.",
)  # fmt: skip
load_option: Decorator = click.option(
    "--load", "loads", multiple=True, metavar="ADDR=HEX|@FILE",
    help="Put bytes into memory before the start, with pages (rw) where there are none. May be repeated.",
)  # fmt: skip


@dataclass(frozen=True)
class Start:
    """Registers to set, ranges to map, bytes to write, in this order."""

    registers: tuple[tuple[int, int], ...]
    maps: tuple[tuple[int, int, str], ...]
    loads: tuple[tuple[int, bytes], ...]

    def apply(self, machine: Machine) -> bool:
        """Change the machine. Whether it has pages now that its program does not bring."""
        for register, value in self.registers:
            machine.registers[register] = value
        for address, length, access in self.maps:
            machine.memory.map(address, length, access)
        is_mapped = bool(self.maps)
        for address, data in self.loads:
            for page in range(address - address % PAGE_SIZE, address + len(data), PAGE_SIZE):
                if machine.memory.access(page) is None:
                    machine.memory.map(page, 1, "rw")
                    is_mapped = True
            machine.memory.write(address, data)
        return is_mapped

    def chunks(self, program: Program, arguments: bytes) -> tuple[MemoryChunk, ...]:
        """What an ecalli trace says of memory before the start; a byte in each page of a plain program maps it."""
        pages = (
            MemoryChunk(page, b"\0")
            for address, length, _ in self.maps
            for page in range(address - address % PAGE_SIZE, address + length, PAGE_SIZE)
        )
        given = (MemoryChunk(ARGUMENTS_START, arguments),) if program.sections is not None and arguments else ()
        return (*given, *pages, *(MemoryChunk(address, data) for address, data in self.loads))


def read_start(registers: Sequence[str], maps: Sequence[str], loads: Sequence[str]) -> Start:
    """The options' values as a start."""
    return Start(tuple(map(_register, registers)), tuple(map(_range, maps)), tuple(map(_load, loads)))


def _register(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"r(\d{1,2})=(.*)", text)
    if found is None or int(found[1]) >= REGISTER_COUNT:
        raise InputError(f"--reg: {text[:40]!r} is not rN=VALUE with a register from r0 to r{REGISTER_COUNT - 1}")
    with blamed_on("--reg"):
        return int(found[1]), result_value(found[2])


def _range(text: str) -> tuple[int, int, str]:
    parts = text.split(":")
    if len(parts) != 3 or parts[2] not in _ACCESSES:
        raise InputError(f"--map: {text[:40]!r} is not ADDR:LEN:rw or ADDR:LEN:r")
    address, length = _number("--map", parts[0], _ADDRESS), _number("--map", parts[1], _LENGTH)
    _check_end("--map", address, length)
    return address, length, parts[2]


def _load(text: str) -> tuple[int, bytes]:
    place, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--load: {text[:40]!r} is not ADDR=HEX or ADDR=@FILE")
    address = _number("--load", place, _ADDRESS)
    data = read_args(value, "--load")
    _check_end("--load", address, len(data))
    return address, data


def _number(option: str, text: str, convert: Callable[[str], int]) -> int:
    try:
        return convert(text)
    except click.BadParameter as error:
        raise InputError(f"{option}: {error.message}") from None


def _check_end(option: str, address: int, length: int) -> None:
    if address + length > ADDRESS_SPACE:
        raise InputError(f"{option}: {length} bytes from {address:#x} do not lie within the 4 GiB")
